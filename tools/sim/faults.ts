/** Carries faults out until the heal: those of a given schedule, or others drawn as the profile says. */
import { ByzantineProducer, LIE_NAMES } from "./byzantine/producer.ts";
import type { EventQueue } from "./eventQueue.ts";
import { FaultDice } from "./faultDice.ts";
import type { Dice } from "./dice.ts";
import type { Network } from "./network.ts";
import { type FaultProfile, NO_FAULTS } from "./profile.ts";
import type { Damage, Fault, ScheduledFault } from "./schedule.ts";
import { describeFault } from "./schedule.ts";
import type { SimulatedNode } from "./simulatedNode.ts";

export interface FaultHost {
  readonly queue: EventQueue;
  readonly network: Network;
  readonly nodes: readonly SimulatedNode[];
  crash(node: SimulatedNode, silent: boolean): void;
  start(node: SimulatedNode): void;
  /** A disk was lost, or is an old one: what the node promised and told is not known there. */
  damaged(node: SimulatedNode, damage: Damage): void;
  /** Nothing fails from here on. */
  healed(): void;
  note(what: string): void;
}

/** A step that should kill the process may never come: then it dies anyway, ms. */
const DIES_WITHIN_MS = 300;
/**
 * A clock that is further off than this is set right at the heal, and the process restarted, ms. Two of them are then less
 * far apart than a leader bears that its blocks are held back: where both are needed, nothing is decided else (seed 1779).
 */
const CLOCK_TOLERABLE_MS = 2_500;

export class Faults {
  readonly #host: FaultHost;
  readonly #draw: FaultDice;
  readonly #profile: FaultProfile;
  readonly #schedule: ScheduledFault[] = [];
  /** Lies are drawn apart: with and without liars a seed means the same other faults. */
  readonly #lieDice: Dice;
  #over = false;
  #liesEnded = false;

  constructor(host: FaultHost, dice: Dice, lieDice: Dice, profile: FaultProfile) {
    this.#host = host;
    this.#lieDice = lieDice;
    this.#draw = new FaultDice(host.nodes, host.network, dice, profile);
    this.#profile = profile;
  }

  /** Everything that went wrong so far, in order: replaying it replays the run. */
  get schedule(): readonly ScheduledFault[] {
    return this.#schedule;
  }

  /** @param given instead of drawing */
  begin(given?: readonly ScheduledFault[]): void {
    if (given === undefined) {
      for (const { everyMs, draw } of this.#draw.kinds()) this.#every(everyMs, draw);
      for (const node of this.#host.nodes) if (node.hostile instanceof ByzantineProducer) this.#lie(node.index);
      return;
    }
    for (const { atUs, fault } of given)
      this.#host.queue.schedule(atUs, () => {
        if (fault.kind === "lie" ? !this.#liesEnded : !this.#over) this.#strike(fault);
      });
  }

  /** Liars are silent from now on: what is left of them is nobody's leader and answers nothing. */
  endLies(): void {
    this.#liesEnded = true;
    for (const node of this.#host.nodes) {
      if (!(node.hostile instanceof ByzantineProducer)) continue;
      node.hostile.end();
      this.#host.crash(node, true);
    }
  }

  /** One liar in three has one mind for good; the others change it now and then. */
  #lie(node: number): void {
    const dice = this.#lieDice.split();
    const isSettled = dice.chance(1 / 3);
    const everyMs = dice.between(300, 3_000);
    const lieOnce = (): void => {
      if (this.#liesEnded) return;
      const durationMs = isSettled ? Infinity : dice.interval(4_000);
      for (const how of dice.shuffled(LIE_NAMES).slice(0, dice.integer(1, 3)))
        this.#strike({ kind: "lie", node, how, durationMs });
      if (!isSettled) this.#host.queue.schedule(this.#host.queue.now + 1000 * dice.interval(everyMs), lieOnce);
    };
    this.#host.queue.schedule(this.#host.queue.now + 1000 * dice.between(0, 2_000), lieOnce);
  }

  /**
   * Nothing fails any more, and everything that is down comes up; but for `broken`, which stay down or cut off for good.
   */
  heal(broken: readonly SimulatedNode[] = []): void {
    this.#over = true;
    const { network, nodes } = this.#host;
    this.#host.note(broken.length === 0 ? "heals" : `heals, without ${broken.map(({ index }) => index).join(",")}`);
    network.clearAll();
    this.#host.healed();
    const latency = { ...this.#profile.latency, tailChance: 0 };
    network.profile = { ...this.#profile, latency, urgent: NO_FAULTS.urgent, corruption: 0 };
    for (const node of nodes) {
      node.heal();
      if (broken.includes(node)) this.#breakForGood(node);
      else {
        if (node.isUp && node.setClockRight(CLOCK_TOLERABLE_MS)) this.#host.crash(node, false);
        if (!node.isUp) this.#host.start(node);
      }
    }
  }

  /** Half of them are dead, the others live on with nobody to talk to. */
  #breakForGood(node: SimulatedNode): void {
    if (node.index % 2 === 0) {
      if (node.isUp) this.#host.crash(node, true);
      return;
    }
    for (const { index } of this.#host.nodes) {
      if (index === node.index) continue;
      this.#host.network.block(index, node.index);
      this.#host.network.block(node.index, index);
    }
    if (!node.isUp) this.#host.start(node);
  }

  #every(meanMs: number, draw: () => readonly Fault[]): void {
    if (meanMs === Infinity) return;
    this.#after(this.#draw.interval(meanMs), () => {
      for (const fault of draw()) this.#strike(fault);
      this.#every(meanMs, draw);
    });
  }

  #after(ms: number, act: () => void): void {
    this.#at(this.#host.queue.now + ms * 1000, act);
  }

  #at(us: number, act: () => void): void {
    this.#host.queue.schedule(us, () => {
      if (!this.#over) act();
    });
  }

  #strike(fault: Fault): void {
    const scheduled = { atUs: this.#host.queue.now, fault };
    this.#schedule.push(scheduled);
    this.#host.note(
      describeFault(scheduled)
        .trim()
        .replace(/^[\d.]+ ms /, ""),
    );
    const { network, nodes } = this.#host;
    if (fault.kind === "partition") {
      this.#cut(fault.pairs, fault.durationMs);
      return;
    }
    const node = nodes[fault.node] as SimulatedNode;
    switch (fault.kind) {
      case "crash":
        if (fault.aloneMs === 0) return this.#crash(node, fault);
        this.#cut(this.#draw.around(node.index), fault.aloneMs + 500);
        return this.#after(fault.aloneMs, () => this.#crash(node, fault));
      case "breakLinks":
        for (const peer of fault.peers) network.breakLink(node.index, peer);
        return;
      case "clog":
        network.clog(node.index);
        return this.#after(fault.durationMs, () => network.unclog(node.index));
      case "pause":
        return node.pause(fault.durationMs);
      case "slow":
        return node.slowDown(fault.stepMs, fault.durationMs);
      case "diskFull":
        return node.fillDisk(fault.durationMs);
      case "readErrors":
        return node.failReads(fault.durationMs);
      case "clockJump":
        return node.jumpClock(fault.jumpMs);
      case "lie":
        if (node.hostile instanceof ByzantineProducer) node.hostile.begin(fault.how, fault.durationMs);
        return;
    }
  }

  #crash(node: SimulatedNode, { silent, midStep, downMs, damage }: Extract<Fault, { kind: "crash" }>): void {
    if (!node.isUp) return;
    const { life } = node;
    const dies = (): void => {
      if (node.life === life) this.#host.crash(node, silent);
      // It may have died and come up again by another crash since: a disk in use is not swapped.
      if (damage !== "none" && !node.isUp) {
        node.damageDisk(damage);
        this.#host.damaged(node, damage);
      }
      this.#after(downMs, () => {
        if (!node.isUp) this.#host.start(node);
      });
    };
    if (!midStep) return dies();
    node.dying = silent ? "silently" : "heard";
    this.#after(DIES_WITHIN_MS, dies);
  }

  #cut(pairs: readonly (readonly [number, number])[], durationMs: number): void {
    const { network } = this.#host;
    for (const [from, to] of pairs) network.block(from, to);
    this.#after(durationMs, () => {
      for (const [from, to] of pairs) network.unblock(from, to);
    });
  }
}
