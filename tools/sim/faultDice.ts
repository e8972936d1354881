/** Draws faults of each kind, as a profile says, at nodes as they are now. */
import type { Dice } from "./dice.ts";
import type { Network } from "./network.ts";
import type { FaultProfile } from "./profile.ts";
import type { Damage, Fault } from "./schedule.ts";
import type { SimulatedNode } from "./simulatedNode.ts";

type Pair = readonly [number, number];

export class FaultDice {
  readonly #nodes: readonly SimulatedNode[];
  readonly #network: Network;
  readonly #dice: Dice;
  readonly #profile: FaultProfile;

  constructor(nodes: readonly SimulatedNode[], network: Network, dice: Dice, profile: FaultProfile) {
    this.#nodes = nodes;
    this.#network = network;
    this.#dice = dice;
    this.#profile = profile;
  }

  interval(meanMs: number): number {
    return this.#dice.interval(meanMs);
  }

  /** How often each kind strikes, and what it does then; none when nobody is there to be struck. */
  kinds(): readonly { readonly everyMs: number; readonly draw: () => readonly Fault[] }[] {
    const { crash, blackout, partition, linkBreak, clog, pause, slow, diskFull, readErrors, clock, restore } =
      this.#profile;
    const one = (draw: (node: SimulatedNode) => Fault) => (): Fault[] => {
      const up = this.#up();
      return up.length === 0 ? [] : [draw(this.#pickVictim(up))];
    };
    return [
      { everyMs: crash.everyMs, draw: one((node) => this.#crash(node)) },
      { everyMs: blackout.everyMs, draw: () => this.#blackout() },
      { everyMs: partition.everyMs, draw: () => this.#partition() },
      { everyMs: linkBreak.everyMs, draw: () => this.#breakLinks() },
      {
        everyMs: clog.everyMs,
        draw: () => [
          { kind: "clog", node: this.#dice.pick(this.#nodes).index, durationMs: this.interval(clog.durationMs) },
        ],
      },
      {
        everyMs: pause.everyMs,
        draw: one(({ index }) => ({ kind: "pause", node: index, durationMs: this.interval(pause.durationMs) })),
      },
      {
        everyMs: slow.everyMs,
        draw: one(({ index }) => ({
          kind: "slow",
          node: index,
          durationMs: this.interval(slow.durationMs),
          stepMs: this.interval(slow.stepMs),
        })),
      },
      {
        everyMs: diskFull.everyMs,
        draw: one(({ index }) => ({ kind: "diskFull", node: index, durationMs: this.interval(diskFull.durationMs) })),
      },
      {
        everyMs: readErrors.everyMs,
        draw: one(({ index }) => ({
          kind: "readErrors",
          node: index,
          durationMs: this.interval(readErrors.durationMs),
        })),
      },
      { everyMs: clock.jumpEveryMs, draw: () => this.#clockJump() },
      { everyMs: restore.everyMs, draw: () => this.#restore() },
    ];
  }

  /** Both directions of all links of one. */
  around(one: number): Pair[] {
    return bothWays([one], this.#neighbours(one));
  }

  #up(): SimulatedNode[] {
    return this.#nodes.filter((node) => node.isUp);
  }

  /** Leaders are worth more: half of all crashes are theirs. */
  #pickVictim(up: readonly SimulatedNode[]): SimulatedNode {
    const leaders = up.filter((node) => node.replica.status().engine.status === "leader");
    return this.#dice.pick(leaders.length > 0 && this.#dice.chance(0.5) ? leaders : up);
  }

  #crash(node: SimulatedNode): Fault {
    const { crash } = this.#profile;
    return {
      kind: "crash",
      node: node.index,
      downMs: this.interval(crash.downMs),
      silent: this.#dice.chance(crash.silent),
      midStep: this.#dice.chance(crash.midStep),
      aloneMs: this.#dice.chance(crash.afterIsolation) ? this.#dice.between(1, 1_500) : 0,
      damage: this.#damage(node),
    };
  }

  /** A minority of producers may lose what they promised, and any follower everything: more is beyond what Raft bears. */
  #damage(node: SimulatedNode): Damage {
    if (!node.mayFail) return "none";
    const { block, record, disk } = this.#profile.damage;
    if (this.#dice.chance(block)) return "block";
    if (node.isProducer && this.#dice.chance(record)) return "record";
    return this.#dice.chance(disk) ? "disk" : "none";
  }

  #blackout(): Fault[] {
    const { downMs } = this.#profile.blackout;
    return this.#up().map((node) => ({
      kind: "crash",
      node: node.index,
      downMs: this.interval(downMs),
      silent: true,
      midStep: false,
      aloneMs: 0,
      damage: "none",
    }));
  }

  #partition(): Fault[] {
    if (this.#nodes.length < 2) return [];
    const kinds = [() => this.#halves(), () => this.#oneAgainstAll(), () => this.#oneWay(), () => this.#bridge()];
    const pairs = this.#dice
      .pick(kinds)()
      .filter(([from, to]) => this.#network.isWired(from, to));
    return [{ kind: "partition", pairs, durationMs: this.interval(this.#profile.partition.durationMs) }];
  }

  #halves(): Pair[] {
    const order = this.#dice.shuffled(this.#nodes.map((node) => node.index));
    const cut = this.#dice.integer(1, order.length - 1);
    return bothWays(order.slice(0, cut), order.slice(cut));
  }

  #oneAgainstAll(): Pair[] {
    return this.around(this.#pickUp());
  }

  /** Hears, is not heard; or the other way round. */
  #oneWay(): Pair[] {
    const one = this.#pickUp();
    const mute = this.#dice.chance(0.5);
    return this.#neighbours(one).map((other) => (mute ? [one, other] : [other, one]));
  }

  /** Two neighbours that cannot talk to each other, while both talk to the rest. */
  #bridge(): Pair[] {
    const [a, ...others] = this.#dice.shuffled(this.#nodes.map((node) => node.index)) as [number, ...number[]];
    const b = others.find((other) => this.#network.isWired(a, other));
    return b === undefined ? [] : bothWays([a], [b]);
  }

  #pickUp(): number {
    const up = this.#up();
    return up.length === 0 ? 0 : this.#pickVictim(up).index;
  }

  #neighbours(one: number): number[] {
    return this.#nodes.map((node) => node.index).filter((index) => index !== one && this.#network.isWired(one, index));
  }

  #breakLinks(): Fault[] {
    if (this.#nodes.length < 2) return [];
    const node = this.#pickUp();
    const neighbours = this.#neighbours(node);
    if (neighbours.length === 0) return [];
    const peers = this.#dice.chance(this.#profile.linkBreak.wholeNode) ? neighbours : [this.#dice.pick(neighbours)];
    return [{ kind: "breakLinks", node, peers }];
  }

  /** The same producer every time, honest, or any follower: who was restored takes no part any more. */
  #restore(): Fault[] {
    const failing = this.#nodes.filter((node) => node.mayFail);
    const producer = failing.find((node) => node.isProducer && node.hostile === undefined);
    const candidates = failing.filter((node) => node === producer || !node.isProducer);
    if (candidates.length === 0) return [];
    return [
      {
        kind: "crash",
        node: this.#dice.pick(candidates).index,
        downMs: this.#dice.between(3_000, 5_000),
        silent: this.#dice.chance(0.3),
        midStep: false,
        aloneMs: 0,
        damage: this.#profile.restore.confirmed === true ? "confirmed" : "backup",
      },
    ];
  }

  /** Seconds, at anybody; a year, at one of those that may fail. */
  #clockJump(): Fault[] {
    const { jumpMs, yearAhead } = this.#profile.clock;
    const failing = this.#nodes.filter((node) => node.mayFail && node.isProducer);
    if (failing.length > 0 && this.#dice.chance(yearAhead)) {
      return [{ kind: "clockJump", node: (failing[0] as SimulatedNode).index, jumpMs: YEAR_MS }];
    }
    const node = this.#dice.pick(this.#nodes).index;
    return [{ kind: "clockJump", node, jumpMs: Math.floor(this.#dice.between(-jumpMs, jumpMs)) }];
  }
}

const YEAR_MS = 365 * 24 * 3_600_000;

function bothWays(left: readonly number[], right: readonly number[]): Pair[] {
  return left.flatMap((a) =>
    right.flatMap((b): Pair[] => [
      [a, b],
      [b, a],
    ]),
  );
}
