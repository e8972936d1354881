/** Carries a fault profile out: crashes, partitions, broken links and pauses at random times, until the heal. */
import type { Dice } from "./dice.ts";
import type { EventQueue } from "./eventQueue.ts";
import type { Network } from "./network.ts";
import { type FaultProfile, NO_FAULTS } from "./profile.ts";
import type { SimulatedNode } from "./simulatedNode.ts";

export interface FaultHost {
  readonly queue: EventQueue;
  readonly network: Network;
  readonly nodes: readonly SimulatedNode[];
  crash(node: SimulatedNode, silent: boolean): void;
  start(node: SimulatedNode): void;
  note(what: string): void;
}

export class Faults {
  readonly #host: FaultHost;
  readonly #dice: Dice;
  readonly #profile: FaultProfile;
  #over = false;

  constructor(host: FaultHost, dice: Dice, profile: FaultProfile) {
    this.#host = host;
    this.#dice = dice;
    this.#profile = profile;
  }

  begin(): void {
    const { crash, blackout, partition, linkBreak, clog, pause } = this.#profile;
    this.#every(crash.everyMs, () => this.#crashOne());
    this.#every(blackout.everyMs, () => this.#blackout());
    this.#every(partition.everyMs, () => this.#partition());
    this.#every(linkBreak.everyMs, () => this.#breakLink());
    this.#every(clog.everyMs, () => this.#clog());
    this.#every(pause.everyMs, () => this.#pauseOne());
  }

  /** Nothing fails any more, and everything that is down comes up. */
  heal(): void {
    this.#over = true;
    const { network, nodes } = this.#host;
    this.#host.note("heals");
    network.clearAll();
    const latency = { ...this.#profile.latency, tailChance: 0 };
    network.profile = { ...this.#profile, latency, urgent: NO_FAULTS.urgent };
    for (const node of nodes) {
      node.dying = false;
      node.mayRot = false;
      if (!node.isUp) this.#host.start(node);
    }
  }

  #every(meanMs: number, act: () => void): void {
    if (meanMs === Infinity) return;
    this.#after(this.#dice.interval(meanMs), () => {
      act();
      this.#every(meanMs, act);
    });
  }

  #after(ms: number, act: () => void): void {
    const { queue } = this.#host;
    queue.schedule(queue.now + ms * 1000, () => {
      if (!this.#over) act();
    });
  }

  #crashOne(): void {
    const up = this.#host.nodes.filter((node) => node.isUp);
    if (up.length === 0) return;
    const node = this.#pickVictim(up);
    const { crash } = this.#profile;
    if (this.#dice.chance(crash.afterIsolation)) {
      this.#isolate(node);
      this.#after(this.#dice.between(1, 1_500), () => this.#crash(node, crash.downMs));
    } else this.#crash(node, crash.downMs);
  }

  /** Leaders are worth more: half of all crashes are theirs. */
  #pickVictim(up: readonly SimulatedNode[]): SimulatedNode {
    const leaders = up.filter((node) => node.replica.status().engine.status === "leader");
    return this.#dice.pick(leaders.length > 0 && this.#dice.chance(0.5) ? leaders : up);
  }

  #crash(node: SimulatedNode, downMs: number): void {
    if (!node.isUp) return;
    const { midStep, silent } = this.#profile.crash;
    const { life } = node;
    const dies = (): void => {
      if (node.life === life) this.#host.crash(node, this.#dice.chance(silent));
      this.#after(this.#dice.interval(downMs), () => {
        if (!node.isUp) this.#host.start(node);
      });
    };
    if (!this.#dice.chance(midStep)) return dies();
    node.dying = true;
    // It dies in its next step; should none come, it dies anyway.
    this.#after(300, dies);
  }

  #blackout(): void {
    const { downMs } = this.#profile.blackout;
    this.#host.note("blackout");
    for (const node of this.#host.nodes) {
      if (!node.isUp) continue;
      this.#host.crash(node, true);
      this.#after(this.#dice.interval(downMs), () => {
        if (!node.isUp) this.#host.start(node);
      });
    }
  }

  #partition(): void {
    const { nodes, network } = this.#host;
    if (nodes.length < 2) return;
    const kinds = [() => this.#halves(), () => this.#oneAgainstAll(), () => this.#oneWay(), () => this.#bridge()];
    const pairs = this.#dice.pick(kinds)();
    this.#host.note(`partition ${pairs.map(([from, to]) => `${from}>${to}`).join(" ")}`);
    for (const [from, to] of pairs) network.block(from, to);
    this.#after(this.#dice.interval(this.#profile.partition.durationMs), () => {
      this.#host.note("partition ends");
      for (const [from, to] of pairs) network.unblock(from, to);
    });
  }

  #halves(): [number, number][] {
    const order = this.#dice.shuffled(this.#host.nodes.map((node) => node.index));
    const cut = this.#dice.integer(1, order.length - 1);
    return bothWays(order.slice(0, cut), order.slice(cut));
  }

  #oneAgainstAll(): [number, number][] {
    const one = this.#pickUp();
    return bothWays([one], this.#others(one));
  }

  /** Hears, is not heard; or the other way round. */
  #oneWay(): [number, number][] {
    const one = this.#pickUp();
    const mute = this.#dice.chance(0.5);
    return this.#others(one).map((other) => (mute ? [one, other] : [other, one]));
  }

  /** Two that cannot talk to each other, while both talk to the rest. */
  #bridge(): [number, number][] {
    const [a, b] = this.#dice.shuffled(this.#host.nodes.map((node) => node.index));
    return bothWays([a as number], [b as number]);
  }

  #pickUp(): number {
    const up = this.#host.nodes.filter((node) => node.isUp);
    return up.length === 0 ? 0 : this.#pickVictim(up).index;
  }

  #others(one: number): number[] {
    return this.#host.nodes.map((node) => node.index).filter((index) => index !== one);
  }

  #isolate(node: SimulatedNode): void {
    const pairs = bothWays([node.index], this.#others(node.index));
    for (const [from, to] of pairs) this.#host.network.block(from, to);
    this.#after(2_000, () => {
      for (const [from, to] of pairs) this.#host.network.unblock(from, to);
    });
  }

  #breakLink(): void {
    const { nodes, network } = this.#host;
    if (nodes.length < 2) return;
    const one = this.#pickUp();
    const others = this.#others(one);
    const cut = this.#dice.chance(this.#profile.linkBreak.wholeNode) ? others : [this.#dice.pick(others)];
    this.#host.note(`links of ${one} to ${cut.join(",")} break`);
    for (const other of cut) network.breakLink(one, other);
  }

  #clog(): void {
    const one = this.#dice.pick(this.#host.nodes).index;
    const ms = this.#dice.interval(this.#profile.clog.durationMs);
    this.#host.note(`only urgent messages reach node ${one} for ${Math.floor(ms)} ms`);
    this.#host.network.clog(one);
    this.#after(ms, () => this.#host.network.unclog(one));
  }

  #pauseOne(): void {
    const up = this.#host.nodes.filter((node) => node.isUp);
    if (up.length === 0) return;
    const node = this.#pickVictim(up);
    const ms = this.#dice.interval(this.#profile.pause.durationMs);
    this.#host.note(`node ${node.index} pauses for ${Math.floor(ms)} ms`);
    node.pause(ms);
  }
}

function bothWays(left: readonly number[], right: readonly number[]): [number, number][] {
  return left.flatMap((a) =>
    right.flatMap((b): [number, number][] => [
      [a, b],
      [b, a],
    ]),
  );
}
