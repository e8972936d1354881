/**
 * The network between nodes: one link a pair, up or down, with three lanes each way. What is in flight on a link dies
 * with it. A partition is silent at first: messages wait for it to end, until the pings run out and the link goes down.
 *
 * Lanes are ordered each in itself, not against each other. The urgent lane's messages may be lost, come twice or late
 * where the profile says so; a lost message of the other lanes is a broken link, as on TCP.
 */
import { LANES, type Lane } from "../../net/link/types.ts";
import { UNANSWERED_MS } from "../../net/transport/constants.ts";
import type { Dice } from "./dice.ts";
import type { EventQueue, Owner } from "./eventQueue.ts";
import type { FaultProfile } from "./profile.ts";

/** A node as the network sees it. */
export interface Station extends Owner {
  readonly index: number;
  readonly isUp: boolean;
  linkUp(peer: number): void;
  linkDown(peer: number, broken: boolean): void;
  deliver(from: number, lane: Lane, parts: readonly Uint8Array[]): void;
  drained(peer: number, lane: Lane, bytes: number): void;
  /** What its pings tell of the way to a peer, ms there and back. */
  measured(peer: number, roundTripMs: number): void;
}

/** A peer is spoken to within half a second, and pinged then; that nothing answers is seen after this, ms. */
const SILENCE_SEEN_MS = 500 + UNANSWERED_MS;

interface LaneQueue {
  readonly messages: (readonly Uint8Array[])[];
  /** Deliveries that came to nothing because the path was blocked. */
  owed: number;
  /** Nothing is delivered before this, microseconds. */
  lastAt: number;
  /** What was sent before is on its way by then, microseconds. */
  lineFreeAt: number;
}

interface Link {
  readonly low: number;
  readonly high: number;
  /** "choosing": both sides dialed, and which of the two connections stays is not told yet. */
  state: "down" | "up" | "breaking" | "choosing";
  /** Counts ups and downs: what was scheduled for an earlier one is void. */
  life: number;
  /** Of a breaking link: who still believes in it (low, high). */
  readonly untold: [boolean, boolean];
  /** By direction (0: low to high) and lane. */
  lanes: Record<Lane, LaneQueue>[];
  /** By direction. */
  readonly latencyMs: readonly [number, number];
  redialing: boolean;
}

export class Network {
  readonly #queue: EventQueue;
  readonly #dice: Dice;
  readonly #stations: readonly Station[];
  readonly #links: Link[] = [];
  readonly #blocked = new Set<number>();
  /** Nodes to which only urgent messages get through: everything else is stuck in their queues. */
  readonly #clogged = new Set<number>();
  readonly #drainedBytes = new Map<number, number>();
  /** Which pairs may have a link now. */
  readonly #wired: (a: number, b: number) => boolean;
  #profile: FaultProfile;

  constructor(
    queue: EventQueue,
    dice: Dice,
    stations: readonly Station[],
    profile: FaultProfile,
    wired: (a: number, b: number) => boolean,
  ) {
    this.#queue = queue;
    this.#dice = dice;
    this.#stations = stations;
    this.#profile = profile;
    this.#wired = wired;
    for (let high = 1; high < stations.length; high++) {
      for (let low = 0; low < high; low++) {
        const { lowMs, highMs, asymmetry = 1 } = profile.latency;
        const there = dice.between(lowMs, highMs);
        const back = there * (asymmetry > 1 ? dice.between(1, asymmetry) : 1);
        this.#links.push({
          low,
          high,
          state: "down",
          life: 0,
          untold: [false, false],
          lanes: newLanes(),
          latencyMs: dice.chance(0.5) ? [there, back] : [back, there],
          redialing: false,
        });
      }
    }
  }

  set profile(profile: FaultProfile) {
    this.#profile = profile;
  }

  isLinked(a: number, b: number): boolean {
    return this.#link(a, b).state === "up";
  }
  /** May these two have a link at all? */
  isWired(a: number, b: number): boolean {
    return this.#wired(a, b);
  }
  /** Every pair of these that may have a link has one. */
  isWhole(nodes: readonly Station[]): boolean {
    const indices = new Set(nodes.map(({ index }) => index));
    return this.#links.every(
      ({ low, high, state }) => state === "up" || !indices.has(low) || !indices.has(high) || !this.#wired(low, high),
    );
  }

  /** There and back, without jitter, ms. */
  roundTripMs(a: number, b: number): number {
    const [there, back] = this.#link(a, b).latencyMs;
    return there + back;
  }

  send(from: number, to: number, lane: Lane, parts: readonly Uint8Array[]): void {
    const link = this.#link(from, to);
    if (link.state !== "up") return;
    if (lane !== "urgent") this.#drain(link, from, to, lane, parts);
    const { corruption, urgent } = this.#profile;
    // The link's authentication finds changed bytes: to the nodes it is a broken connection.
    if (this.#dice.chance(corruption)) return this.#break(link, { broken: true, delayMs: 0 });
    const { loss, duplicate, reorder } = urgent;
    if (lane === "urgent" && loss + duplicate + reorder > 0) {
      if (this.#dice.chance(loss)) return;
      if (this.#dice.chance(duplicate)) this.#sendLoose(link, from, to, lane, parts);
      if (this.#dice.chance(reorder)) return this.#sendLoose(link, from, to, lane, parts);
    }
    const queue = laneOf(link, from, lane);
    queue.messages.push(parts);
    this.#scheduleDelivery(link, queue, from, to, lane, parts);
  }

  // Faults

  /** Cuts one direction. Nobody is told. */
  block(from: number, to: number): void {
    this.#blocked.add(this.#direction(from, to));
    const link = this.#link(from, to);
    if (link.state !== "up") return;
    const { life } = link;
    this.#later(SILENCE_SEEN_MS, () => {
      if (link.life === life && this.#isCut(link)) this.#measured(link, UNANSWERED_MS);
    });
    const timeoutMs = this.#profile.pingTimeoutMs * this.#dice.between(1, 3);
    this.#queue.schedule(this.#queue.now + timeoutMs * 1000, () => {
      if (link.life === life && this.#isCut(link)) this.#break(link, { broken: false, delayMs: 0 });
    });
  }

  unblock(from: number, to: number): void {
    if (!this.#blocked.delete(this.#direction(from, to))) return;
    const link = this.#link(from, to);
    this.#pay(link, from, to);
    if (link.state === "up" && !this.#isCut(link)) this.#measured(link, this.roundTripMs(from, to));
  }

  /** Blocks and transactions to a node wait; consensus and pings get through, so no link goes down. */
  clog(to: number): void {
    this.#clogged.add(to);
  }

  unclog(to: number): void {
    if (!this.#clogged.delete(to)) return;
    for (const link of this.#linksOf(to)) {
      const from = link.low === to ? link.high : link.low;
      if (!this.#isBlocked(from, to)) this.#pay(link, from, to);
    }
  }

  clearAll(): void {
    for (const { low, high } of this.#links) {
      this.unblock(low, high);
      this.unblock(high, low);
    }
    for (const to of this.#clogged) this.unclog(to);
  }

  /** The link breaks and both kernels know at once. */
  breakLink(a: number, b: number): void {
    const link = this.#link(a, b);
    if (link.state === "up") this.#break(link, { broken: true, delayMs: 0 });
  }

  /** A node dials another, or does so no longer. */
  dialed(a: number, b: number): void {
    const link = this.#link(a, b);
    if (link.state === "down") this.#redial(link);
  }

  /** One side closes it. */
  close(a: number, b: number): void {
    const link = this.#link(a, b);
    if (link.state === "up") this.#break(link, { broken: false, delayMs: 0 });
  }

  /** A process started: it dials. Who still believes in an old link finds out. */
  started(index: number): void {
    for (const link of this.#linksOf(index)) {
      if (link.state === "down") this.#redial(link);
      if (link.state !== "breaking") continue;
      for (const side of [0, 1] as const)
        if (link.untold[side]) this.#tell(link, side, false, this.#dice.between(1, 50));
    }
  }

  /** A process died. `silent`: its machine, too, so that only pings tell. */
  crashed(index: number, silent: boolean): void {
    const { pingTimeoutMs } = this.#profile;
    for (const link of this.#linksOf(index)) {
      const delayMs = silent ? pingTimeoutMs * this.#dice.between(1, 3) : this.#dice.between(0.05, 2);
      if (link.state === "up") this.#break(link, { broken: !silent, delayMs });
      if (silent) this.#silent(link);
      if (link.state === "breaking") this.#told(link, link.low === index ? 0 : 1);
    }
  }

  // Links

  /** Both ends are told what their pings tell. */
  #measured(link: Link, roundTripMs: number): void {
    for (const [own, peer] of [
      [link.low, link.high],
      [link.high, link.low],
    ] as const) {
      const station = this.#stations[own] as Station;
      this.#queue.schedule(this.#queue.now, () => station.measured(peer, roundTripMs), station);
    }
  }

  /** Who still believes in a link to a dead machine hears no answer. */
  #silent(link: Link): void {
    const { life } = link;
    this.#later(SILENCE_SEEN_MS, () => {
      if (link.life === life && link.state === "breaking") this.#measured(link, UNANSWERED_MS);
    });
  }

  #later(ms: number, run: () => void): void {
    this.#queue.schedule(this.#queue.now + ms * 1000, run);
  }

  #break(link: Link, how: { broken: boolean; delayMs: number }): void {
    link.state = "breaking";
    link.life++;
    link.lanes = newLanes();
    link.untold[0] = link.untold[1] = true;
    for (const side of [0, 1] as const) this.#tell(link, side, how.broken, how.delayMs);
  }

  #tell(link: Link, side: 0 | 1, broken: boolean, delayMs: number): void {
    const [own, peer] = side === 0 ? [link.low, link.high] : [link.high, link.low];
    const station = this.#stations[own] as Station;
    const { life } = link;
    const tell = (): void => {
      if (link.life !== life || !link.untold[side]) return;
      station.linkDown(peer, broken);
      this.#told(link, side);
    };
    this.#queue.schedule(this.#queue.now + delayMs * 1000, tell, station);
  }

  #told(link: Link, side: 0 | 1): void {
    link.untold[side] = false;
    if (link.state !== "breaking" || link.untold[0] || link.untold[1]) return;
    link.state = "down";
    this.#redial(link);
  }

  #redial(link: Link): void {
    if (link.redialing || !this.#wired(link.low, link.high)) return;
    link.redialing = true;
    this.#queue.schedule(this.#queue.now + this.#dice.between(0.2, 2) * this.#profile.redialMs * 1000, () => {
      link.redialing = false;
      // By now nobody may dial any more.
      if (this.#wired(link.low, link.high)) this.#connect(link);
    });
  }

  #connect(link: Link): void {
    if (link.state !== "down") return;
    const low = this.#stations[link.low] as Station;
    const high = this.#stations[link.high] as Station;
    // A process that starts dials by itself.
    if (!low.isUp || !high.isUp) return;
    const paused = Math.max(low.pausedUntil, high.pausedUntil) > this.#queue.now;
    if (paused || this.#isCut(link)) return this.#redial(link);
    if (this.#dice.chance(this.#profile.mutualConnects)) this.#choose(link, low, high);
    else this.#up(link);
  }

  /**
   * Both dialed at once. One of them, or both, takes the connection for the link that is about to give way: what it sends
   * there is lost, and it sees the link go down and come up.
   */
  #choose(link: Link, low: Station, high: Station): void {
    link.state = "choosing";
    link.life++;
    const { life } = link;
    const side = this.#dice.below(3);
    const misled = (
      [
        [low, high.index, side !== 0],
        [high, low.index, side !== 1],
      ] as const
    ).filter(([, , isMisled]) => isMisled);
    const { now } = this.#queue;
    const chosenAt = now + this.#dice.between(0.1, 60) * 1000;
    for (const [station, peer] of misled) {
      this.#queue.schedule(now, () => link.life === life && station.linkUp(peer), station);
      this.#queue.schedule(chosenAt, () => station.linkDown(peer, false), station);
    }
    this.#queue.schedule(chosenAt, () => {
      if (link.life !== life) return;
      if (low.isUp && high.isUp && !this.#isCut(link)) return this.#up(link);
      link.state = "down";
      link.life++;
      this.#redial(link);
    });
  }

  #up(link: Link): void {
    const low = this.#stations[link.low] as Station;
    const high = this.#stations[link.high] as Station;
    link.state = "up";
    link.life++;
    link.lanes = newLanes();
    const { life } = link;
    for (const [station, peer] of [
      [low, high.index],
      [high, low.index],
    ] as const) {
      this.#queue.schedule(this.#queue.now, () => link.life === life && station.linkUp(peer), station);
    }
  }

  // Messages

  /** What could not be delivered is delivered now, in order. */
  #pay(link: Link, from: number, to: number): void {
    for (const lane of LANES) {
      const queue = laneOf(link, from, lane);
      for (; queue.owed > 0; queue.owed--) this.#scheduleDelivery(link, queue, from, to, lane);
    }
  }

  #scheduleDelivery(
    link: Link,
    queue: LaneQueue,
    from: number,
    to: number,
    lane: Lane,
    parts: readonly Uint8Array[] = [],
  ): void {
    const { bytesPerMs } = this.#profile;
    const bytes = bytesPerMs === Infinity || lane === "urgent" ? 0 : parts.reduce((sum, part) => sum + part.length, 0);
    queue.lineFreeAt = Math.max(queue.lineFreeAt, this.#queue.now) + (1000 * bytes) / bytesPerMs;
    queue.lastAt = Math.max(queue.lastAt, queue.lineFreeAt + this.#latencyUs(link, from));
    const station = this.#stations[to] as Station;
    const { life } = link;
    const deliver = (): void => {
      if (link.life !== life) return;
      if (this.#isBlocked(from, to) || (lane !== "urgent" && this.#clogged.has(to))) queue.owed++;
      else station.deliver(from, lane, queue.messages.shift() as readonly Uint8Array[]);
    };
    this.#queue.schedule(queue.lastAt, deliver, station);
  }

  /** Outside the order of its lane. */
  #sendLoose(link: Link, from: number, to: number, lane: Lane, parts: readonly Uint8Array[]): void {
    const station = this.#stations[to] as Station;
    const { life } = link;
    const delayUs = this.#latencyUs(link, from) + this.#dice.heavyTailed(this.#profile.urgent.lateMs, 3_000) * 1000;
    const deliver = (): void => {
      if (link.life === life && !this.#isBlocked(from, to)) station.deliver(from, lane, parts);
    };
    this.#queue.schedule(this.#queue.now + delayUs, deliver, station);
  }

  /** The stream takes what was sent within a millisecond or so; told once for all of it. */
  #drain(link: Link, from: number, to: number, lane: Lane, parts: readonly Uint8Array[]): void {
    const direction = LANES.length * this.#direction(from, to) + LANES.indexOf(lane);
    const waiting = this.#drainedBytes.get(direction);
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.#drainedBytes.set(direction, (waiting ?? 0) + bytes);
    if (waiting !== undefined) return;
    const station = this.#stations[from] as Station;
    const { life } = link;
    const lifeOfStation = station.life;
    this.#queue.schedule(this.#queue.now + 1_000 * this.#dice.between(0.1, 1), () => {
      const drained = this.#drainedBytes.get(direction) ?? 0;
      this.#drainedBytes.delete(direction);
      if (link.life !== life || station.life !== lifeOfStation) return;
      this.#queue.schedule(this.#queue.now, () => link.life === life && station.drained(to, lane, drained), station);
    });
  }

  #latencyUs(link: Link, from: number): number {
    const { jitter, tailChance, tailMs } = this.#profile.latency;
    let latencyMs = link.latencyMs[from === link.low ? 0 : 1] * (1 + jitter * this.#dice.next());
    if (this.#dice.chance(tailChance)) latencyMs += tailMs * this.#dice.next();
    return latencyMs * 1000;
  }

  #isCut({ low, high }: Link): boolean {
    return this.#isBlocked(low, high) || this.#isBlocked(high, low);
  }
  #isBlocked(from: number, to: number): boolean {
    return this.#blocked.has(this.#direction(from, to));
  }
  #direction(from: number, to: number): number {
    return from * this.#stations.length + to;
  }
  #link(a: number, b: number): Link {
    const high = Math.max(a, b);
    return this.#links[(high * (high - 1)) / 2 + Math.min(a, b)] as Link;
  }
  #linksOf(index: number): Link[] {
    return this.#links.filter((link) => link.low === index || link.high === index);
  }
}

function laneOf(link: Link, from: number, lane: Lane): LaneQueue {
  return (link.lanes[from === link.low ? 0 : 1] as Record<Lane, LaneQueue>)[lane];
}

function newLanes(): Record<Lane, LaneQueue>[] {
  const lane = (): LaneQueue => ({ messages: [], owed: 0, lastAt: 0, lineFreeAt: 0 });
  return [0, 1].map(() => ({ urgent: lane(), chain: lane(), bulk: lane() }));
}
