/**
 * One node: the product's replica with a simulated shell. Its disks outlive it; a crash takes everything else. The rule
 * of the shell is kept here as in the product: what names a token leaves only after that token has come back.
 */
import { DuplicateWindow } from "../../chain/duplicateWindow.ts";
import { append, decodeFrontier, EMPTY_FRONTIER, type Frontier, leafHash } from "../../chain/merkle.ts";
import { decodeSetsHistory, singleSet } from "../../chain/producerSets.ts";
import type { Lane } from "../../net/link/types.ts";
import { hexBytes } from "../../src/base/bytes.ts";
import { recordAfterLoss } from "../../consensus/lostRecord.ts";
import { Slabs } from "../../src/base/memory.ts";
import { unreachable } from "../../src/base/result.ts";
import { Replica } from "../../src/replica/replica.ts";
import { restore } from "../../src/replica/restore.ts";
import type { Effect, Input } from "../../src/replica/types.ts";
import { type Persist, ChainDisk, StateDisk } from "./disk.ts";
import { addressOf } from "./dialing.ts";
import type { Hostile } from "./liar.ts";
import type { Station } from "./network.ts";
import { NodeClock } from "./nodeClock.ts";
import type { Damage } from "./schedule.ts";
import type { World } from "./world.ts";

/** Memory of frames that arrive. */
const FRAMES = new Slabs();

export class SimulatedNode implements Station {
  readonly index: number;
  readonly key: string;
  readonly isProducer: boolean;
  disk: ChainDisk;
  stateDisk = new StateDisk();
  /** Of both disks, made when the process started the last time. */
  #backup: { readonly disk: ChainDisk; readonly stateDisk: StateDisk } | undefined;
  life = 0;
  /** Microseconds. */
  pausedUntil = 0;
  /** Dies within its next step, between two effects. */
  dying: "heard" | "silently" | undefined;
  /** Among the minority of producers, or a follower: what it promised may be lost, and it may stay broken for good. */
  mayFail = false;
  /** Whom nobody can trust: what it does instead of what its replica says. */
  hostile: Hostile | undefined;
  #slowUntil = 0;
  #slowStepUs = 0;
  /** Microseconds. */
  #diskFullUntil = 0;
  /** Microseconds. */
  #unreadableUntil = 0;
  readonly #world: World;
  readonly #clock: NodeClock;
  #replica: Replica | undefined;
  readonly #linked = new Set<number>();
  /** Sends that wait for their token, in order. */
  #held: { readonly after: number; readonly to: number; readonly lane: Lane; readonly parts: readonly Uint8Array[] }[] =
    [];
  /** Writes not yet on disk, in order; the first `#inCommit` share the fsync that is under way. */
  #writes: Persist[] = [];
  #inCommit = 0;
  #durableToken = 0;
  /** Inputs that come before all others. */
  #next: Input[] = [];
  #timerAt = Number.POSITIVE_INFINITY;
  /** Virtual time at which a timer event is due already, microseconds. */
  #timerEventAt = Number.POSITIVE_INFINITY;

  constructor(world: World, index: number, key: string, isProducer: boolean, record: Uint8Array | undefined) {
    this.#world = world;
    this.index = index;
    this.key = key;
    this.isProducer = isProducer;
    this.disk = new ChainDisk(world.genesisBlock, record);
    this.#clock = new NodeClock(world.queue, world.profile.clock, world.dice);
  }

  get isUp(): boolean {
    return this.#replica !== undefined;
  }
  /** Throws when the process is down. */
  get replica(): Replica {
    if (this.#replica === undefined) throw new Error(`node ${this.index} is down`);
    return this.#replica;
  }
  /** This node's clock, whole milliseconds since the epoch. */
  get clockMs(): number {
    return this.#clock.ms;
  }

  /** The clock of a client nearby: the node's, without its jumps. */
  get clientClockMs(): number {
    return this.#clock.ms - this.#clock.jumpedMs;
  }

  start(): void {
    if (this.isUp) throw new Error(`node ${this.index} is up already`);
    const { world, disk } = { world: this.#world, disk: this.disk };
    const { genesis, application, settingsOf, keys, dice } = world;
    this.life++;
    this.pausedUntil = 0;
    this.dying = undefined;
    this.#durableToken = 0;
    this.#makeBackup();
    const irreversibleHeight = disk.irreversibleHeight;
    const history = decodeSetsHistory(genesis.configuration, disk.producerSets);
    if (!history.ok) throw new Error(`the producer sets from height ${history.error} on were not written so`);
    const producerSets = history.value;
    const steps = restore({
      genesis,
      application: application(),
      reader: this.stateDisk.reader(),
      appliedHeight: this.stateDisk.height,
      irreversibleHeight,
      blockAt: (height) => disk.blockAt(height),
      duplicates: new DuplicateWindow(dice.seed()),
      producerSets,
    });
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) this.stateDisk.apply(step.value);
    this.#replica = new Replica(
      {
        genesis,
        application: application(),
        settings: settingsOf(this.index),
        self: this.key,
        sign: (digest) => keys.sign(this.key, digest),
        verify: (claim) => keys.verify(claim),
        execution: step.value,
        bottom: { block: disk.blockAt(irreversibleHeight), frontier: this.#bottomFrontier(), producerSets },
        certificate: disk.irreversible?.certificate ?? new Uint8Array(0),
        blocks: disk.blocksAbove(),
        log: disk.log(() => this.#world.queue.now < this.#unreadableUntil),
        record: disk.record,
        addresses: world.dialing.kept(this.index),
        evidence: disk.evidence,
        seed: dice.seed(),
        syncLimits: world.syncLimits,
        floods: world.floods,
      },
      this.clockMs,
    );
    world.watch.started(this);
    this.step({ kind: "tick" });
    if (world.dialing.isLearning) this.step({ kind: "listening", addresses: [addressOf(this.index)] });
    world.network.started(this.index);
  }

  /** The process dies: what it held and what the disk was still to write is gone, all but a random prefix. */
  crash(silent: boolean): void {
    if (!this.isUp) return;
    const { dice, watch } = this.#world;
    this.life++;
    this.#replica = undefined;
    this.dying = undefined;
    this.pausedUntil = 0;
    this.#held = [];
    this.#next = [];
    this.#linked.clear();
    this.#world.dialing.crashed(this.index);
    this.#timerAt = this.#timerEventAt = Number.POSITIVE_INFINITY;
    // A full disk has taken nothing of what waits.
    const taken = this.#isDiskFull ? 0 : dice.below(this.#writes.length + 1);
    for (const write of this.#writes.splice(0, taken)) {
      this.disk.apply(write);
      watch.persisted(this, write);
    }
    this.#writes = [];
    this.#inCommit = 0;
    if (dice.chance(0.3)) this.stateDisk.takeBack(dice.integer(1, 6));
    this.#world.network.crashed(this.index, silent);
  }

  pause(ms: number): void {
    if (this.isUp) this.pausedUntil = Math.max(this.pausedUntil, this.#world.queue.now + Math.ceil(ms * 1000));
  }

  slowDown(stepMs: number, durationMs: number): void {
    this.#slowUntil = this.#world.queue.now + durationMs * 1000;
    this.#slowStepUs = Math.ceil(stepMs * 1000);
  }

  fillDisk(durationMs: number): void {
    this.#diskFullUntil = Math.max(this.#diskFullUntil, this.#world.queue.now + durationMs * 1000);
  }

  get #isDiskFull(): boolean {
    return this.#diskFullUntil > this.#world.queue.now;
  }
  /** A full disk refuses what it is given; the shell keeps it and tries again until there is room. Microseconds. */
  get #roomAt(): number {
    return Math.max(this.#world.queue.now, this.#diskFullUntil);
  }

  failReads(durationMs: number): void {
    this.#unreadableUntil = Math.max(this.#unreadableUntil, this.#world.queue.now + durationMs * 1000);
  }

  jumpClock(ms: number): void {
    this.#clock.jumpedMs += ms;
    // The shell's timers count real time: a clock set forward lets the next look come late, not never.
    if (this.isUp && this.#timerAt !== Number.POSITIVE_INFINITY) this.#scheduleTimer();
  }

  /** @returns whether it was off by more than `tolerableMs`: then only a new process goes by it */
  setClockRight(tolerableMs: number): boolean {
    const wasOff = Math.abs(this.#clock.jumpedMs) > tolerableMs;
    if (wasOff) this.#clock.jumpedMs = 0;
    return wasOff;
  }

  /** No fault acts on any more. */
  heal(): void {
    this.dying = undefined;
    this.mayFail = false;
    this.#slowUntil = this.#diskFullUntil = this.#unreadableUntil = 0;
  }

  /** What the disk has lost while the process is down. */
  damageDisk(damage: Damage): void {
    if (this.isUp) throw new Error(`node ${this.index} is up`);
    if (damage === "block") this.disk.rot();
    else if (damage === "record") this.disk.loseRecord();
    else if (damage === "confirmed") this.#confirmLoss();
    else if (damage === "disk") {
      this.disk = new ChainDisk(this.#world.genesisBlock, undefined);
      this.stateDisk = new StateDisk();
    } else if (damage === "backup" && this.#backup !== undefined) {
      this.disk = this.#backup.disk.copy();
      this.stateDisk = this.#backup.stateDisk.copy();
    }
  }

  /** What the operator's command does; where it refuses, the record is lost. */
  #confirmLoss(): void {
    if (!this.isProducer) return;
    const { genesis, genesisBlock } = this.#world;
    const head = this.disk.greatest();
    const zero = { view: 0, height: 0, id: genesisBlock.id };
    const known = { view: head.view, head, genesis: zero };
    const fresh = recordAfterLoss(genesis.engine, singleSet(genesis.configuration), known);
    this.disk.loseRecord(fresh.ok ? fresh.value : undefined);
  }

  #makeBackup(): void {
    if (this.#world.backsUp) this.#backup = { disk: this.disk.copy(), stateDisk: this.stateDisk.copy() };
  }

  step(input: Input): void {
    const { life } = this;
    this.#stepOnce(input);
    // What follows on the spot, as in the shell: before anything else comes in.
    for (let next = this.#next.shift(); next !== undefined && this.life === life; next = this.#next.shift())
      this.#stepOnce(next);
  }

  #stepOnce(input: Input): void {
    const { watch, dice } = this.#world;
    const { life } = this;
    if (this.hostile?.hears?.(input) === false) return;
    let effects: readonly Effect[] = this.replica.step(input, this.clockMs);
    if (this.#slowUntil > this.#world.queue.now)
      this.pausedUntil = Math.max(this.pausedUntil, this.#world.queue.now + this.#slowStepUs);
    const how = effects.length > 0 ? this.dying : undefined;
    if (how !== undefined) effects = effects.slice(0, dice.below(effects.length + 1));
    watch.stepped(this, input, effects);
    for (const effect of effects) {
      this.#carryOut(effect);
      if (this.life !== life) return;
    }
    if (how !== undefined) this.crash(how === "silently");
    else this.hostile?.stepped?.(input, effects);
  }

  // Station

  linkUp(peer: number): void {
    this.#linked.add(peer);
    this.#world.watch.linkUp(this, peer);
    const key = this.#keyOf(peer);
    this.step({ kind: "peerUp", peer: key, ...this.#world.dialing.link(this.index, peer) });
    // What the first pong tells.
    const ms = this.#world.network.roundTripMs(this.index, peer);
    const { queue } = this.#world;
    if (this.#linked.has(peer)) queue.schedule(queue.now + ms * 1000, () => this.measured(peer, ms), this);
  }

  measured(peer: number, ms: number): void {
    if (this.#linked.has(peer)) this.step({ kind: "roundTrip", peer: this.#keyOf(peer), ms });
  }

  linkDown(peer: number, broken: boolean): void {
    if (this.#linked.delete(peer)) this.step({ kind: "peerDown", peer: this.#keyOf(peer), broken });
  }

  deliver(from: number, lane: Lane, parts: readonly Uint8Array[]): void {
    this.#world.watch.delivering(this, from, lane, parts);
    this.step({ kind: "received", from: this.#keyOf(from), lane, frame: joined(parts) });
  }

  drained(peer: number, lane: Lane, bytes: number): void {
    this.step({ kind: "drained", peer: this.#keyOf(peer), lane, bytes });
  }

  // Effects

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case "persist":
        this.#writes.push(effect);
        if (this.#inCommit === 0) this.#commit();
        return;
      case "send": {
        const { to, lane, parts, after } = effect;
        const peer = this.#world.indexOf(to);
        if (after !== undefined && after > this.#durableToken) this.#held.push({ after, to: peer, lane, parts });
        else this.#send(peer, lane, parts);
        return;
      }
      case "checkSignatures": {
        const { batch, claims } = effect;
        const valid = claims.map((claim) => this.#world.keys.verify(claim));
        const checked: Input = { kind: "signaturesChecked", batch, valid };
        if (claims.length <= this.#world.profile.checkedOnTheSpot) this.#next.push(checked);
        else this.#later(this.#world.dice.between(20, 400), checked);
        return;
      }
      case "continue":
        return this.#later(this.#world.dice.between(1, 2_000), { kind: "continue" });
      case "setTimer":
        return this.#setTimer(effect.at);
      case "flush":
        return this.#flush(effect);
      case "disconnect":
        return this.#world.network.close(this.index, this.#world.indexOf(effect.peer));
      case "dial":
      case "letGo": {
        const peer = this.#world.dialing.follow(this.index, effect);
        if (peer !== undefined) this.#world.network.dialed(this.index, peer);
        return;
      }
      case "keepAddresses":
        return this.#world.dialing.keep(this.index, effect.addresses);
      case "evidence":
      case "irreversible":
      case "head":
      case "submitted":
      case "outcomes":
      case "readable":
      case "readRefused":
      case "handedOver":
      case "redial":
      case "log":
      case "halt":
        return;
      default:
        return unreachable(effect);
    }
  }

  #send(to: number, lane: Lane, parts: readonly Uint8Array[]): void {
    if (!this.#linked.has(to)) return;
    if (this.hostile === undefined) this.say(to, lane, parts);
    else for (const said of this.hostile.instead(lane, parts, to)) this.say(to, lane, said);
  }

  /** Puts a frame on the wire, whatever the replica says; nothing where there is no link. */
  say(to: number, lane: Lane, parts: readonly Uint8Array[]): void {
    if (!this.#linked.has(to)) return;
    this.#world.watch.sent(this, to, lane, parts);
    this.#world.network.send(this.index, to, lane, parts);
  }

  /** Group commit: all that waits now shares one fsync. */
  #commit(): void {
    const { queue, dice, profile } = this.#world;
    const { life } = this;
    this.#inCommit = this.#writes.length;
    const latencyMs = dice.heavyTailed(profile.disk.typicalMs, profile.disk.capMs);
    // The disk goes on while the process is paused; the process hears of it afterwards.
    queue.schedule(this.#roomAt + latencyMs * 1000, () => this.life === life && this.#committed());
  }

  #committed(): void {
    const done = this.#writes.splice(0, this.#inCommit);
    for (const write of done) {
      this.disk.apply(write);
      this.#world.watch.persisted(this, write);
    }
    this.#inCommit = 0;
    if (this.#writes.length > 0) this.#commit();
    const { token } = done.at(-1) as Persist;
    this.#world.queue.schedule(this.#world.queue.now, () => this.#tokenBack(token), this);
  }

  #tokenBack(token: number): void {
    this.#durableToken = token;
    const ready = this.#held.findIndex((send) => send.after > token);
    for (const { to, lane, parts } of this.#held.splice(0, ready === -1 ? this.#held.length : ready))
      this.#send(to, lane, parts);
    this.step({ kind: "persisted", token });
  }

  #flush({ flush }: Extract<Effect, { kind: "flush" }>): void {
    const { queue, dice, profile } = this.#world;
    const { life } = this;
    const latencyMs = dice.heavyTailed(profile.disk.typicalMs * 2, profile.disk.capMs);
    queue.schedule(this.#roomAt + latencyMs * 1000, () => {
      if (this.life !== life) return;
      this.stateDisk.apply(flush);
      this.#later(dice.between(0, 500), { kind: "flushed", height: flush.height });
    });
  }

  #later(delayUs: number, input: Input): void {
    const { queue } = this.#world;
    queue.schedule(queue.now + delayUs, () => this.step(input), this);
  }

  #setTimer(at: number): void {
    this.#timerAt = at;
    if (at !== Number.POSITIVE_INFINITY) this.#scheduleTimer();
  }

  #scheduleTimer(): void {
    const { queue } = this.#world;
    const at = this.#clock.whenShowing(this.#timerAt);
    // An event that is due earlier looks again when it comes.
    if (at >= this.#timerEventAt) return;
    this.#timerEventAt = at;
    queue.schedule(at, () => this.#timerDue(at), this);
  }

  #timerDue(at: number): void {
    if (at === this.#timerEventAt) this.#timerEventAt = Number.POSITIVE_INFINITY;
    else return;
    if (this.clockMs < this.#timerAt)
      return this.#timerAt === Number.POSITIVE_INFINITY ? undefined : this.#scheduleTimer();
    // A timer fires once: who wants another sets one.
    this.#timerAt = Number.POSITIVE_INFINITY;
    this.step({ kind: "tick" });
  }

  #bottomFrontier(): Frontier {
    const { irreversible } = this.disk;
    if (irreversible === undefined) return append(EMPTY_FRONTIER, leafHash(hexBytes(this.#world.genesisBlock.id)));
    const frontier = decodeFrontier(irreversible.frontier);
    if (!frontier.ok) throw new Error(`frontier: ${frontier.error.detail}`);
    return frontier.value;
  }

  #keyOf(index: number): string {
    return (this.#world.nodes[index] as SimulatedNode).key;
  }
}

/** A frame as the link hands it over, in one piece. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  const frame = FRAMES.take(bytes);
  let at = 0;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}
