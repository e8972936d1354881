/** One network in the simulator: what its blocks cost on the wire, in a stable network and after a change of leaders. */
import type { Lane } from "../../../net/link/types.ts";
import { NO_WORKLOAD } from "../../sim/profile.ts";
import { Simulation } from "../../sim/simulation.ts";
import type { SimulatedNode } from "../../sim/simulatedNode.ts";
import { isBroadcastFrame, readWire } from "../../sim/wire.ts";
import { quantile } from "../statistics.ts";

export interface Settings {
  readonly nodes: number;
  /** The links that there may be. */
  readonly pairs: readonly (readonly [number, number])[];
  /** The first nodes. */
  readonly producers: number;
  readonly seed: number;
  readonly floods: boolean;
  /** Virtual seconds of each phase. */
  readonly seconds: number;
  readonly transactionBytes: number;
}

export interface Phase {
  readonly blocks: number;
  /** Whole copies of a block that crossed links, for each node but its producer. */
  readonly copiesANode: number;
  /** Copies of one block that crossed one link, both directions together, at most. */
  readonly mostOnALink: number;
  /** Bytes of blocks, hellos, announcements, certificates, prunes, grafts, for each byte of a block and node but its producer. */
  readonly wireBytesABlockByteAndNode: number;
  /** From the first copy sent to the leader's word that the block is irreversible, median, virtual ms. */
  readonly irreversibleMs: number;
  /** From the first copy sent to the last node's first copy of the block, median, virtual ms. */
  readonly everywhereMs: number;
  /** Blocks until ten in a row cost at most the copies that are the aim; undefined: that did not happen. */
  readonly blocksUntilStable: number | undefined;
}

export interface Row {
  readonly stable: Phase;
  /** From the new leader's first block on, the old one being dead. */
  readonly afterChange: Phase;
  /** From the old one's return on. */
  readonly afterReturn: Phase;
}

interface Seen {
  readonly bytes: number;
  readonly firstUs: number;
  copies: number;
  lastUs: number;
  readonly nodes: Set<number>;
  /** Copies by link. */
  readonly links: Map<string, number>;
  irreversibleUs: number | undefined;
}

/** The aim: a fifth more copies than nodes. */
const STABLE_COPIES = 1.2;
const STABLE_BLOCKS = 10;

export function measure(settings: Settings): Row {
  const { nodes, pairs, producers, seed, floods, seconds, transactionBytes } = settings;
  const wired = new Set(pairs.map(([a, b]) => `${a}-${b}`));
  const watch = new Wire();
  const simulation = new Simulation({
    seed,
    producers,
    followers: nodes - producers,
    faults: "none",
    workload: { ...NO_WORKLOAD, valueBytes: transactionBytes, keys: 1_000 },
    wired: (a, b) => wired.has(`${Math.min(a, b)}-${Math.max(a, b)}`),
    floods,
    onlooker: watch,
  });
  watch.simulation = simulation;
  simulation.startAll();
  simulation.until("somebody leads", () => simulation.leader() !== undefined, 20_000);
  load(simulation, 3);
  watch.reset();
  load(simulation, seconds);
  const stable = watch.phase(nodes);
  const before = simulation.leader() as number;
  simulation.crash(before);
  watch.reset();
  // A single producer has no heir.
  if (producers > 1) simulation.until("another leads", () => simulation.leader() !== undefined, 20_000);
  load(simulation, seconds);
  const afterChange = watch.phase(nodes - 1);
  watch.reset();
  simulation.start(before);
  load(simulation, seconds);
  return { stable, afterChange, afterReturn: watch.phase(nodes) };
}

/** The leader is given transactions as fast as its blocks go; its own submitters, so that only blocks are compared. */
function load(simulation: Simulation, seconds: number): void {
  for (let i = 0; i < seconds * 50; i++) {
    const leader = simulation.leader();
    if (leader !== undefined) simulation.workload.submitNew(simulation.node(leader), 8);
    simulation.advance(20);
  }
}

/** Looks at every frame that leaves a node. */
class Wire {
  simulation: Simulation | undefined;
  #blocks = new Map<string, Seen>();
  /** Of phases before: who comes back is sent them, which is no broadcast. */
  readonly #past = new Set<string>();
  #bytes = 0;

  reset(): void {
    for (const id of this.#blocks.keys()) this.#past.add(id);
    this.#blocks = new Map();
    this.#bytes = 0;
  }

  sent({ index }: SimulatedNode, to: number, lane: Lane, parts: readonly Uint8Array[]): void {
    if (lane === "bulk" || (lane === "urgent" && !isBroadcastFrame(parts))) return;
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    const message = lane === "chain" ? readWire(lane, parts) : undefined;
    if (message?.kind === "block" && this.#past.has(message.id)) return;
    this.#bytes += bytes;
    if (message?.kind !== "block") return;
    const now = (this.simulation as Simulation).queue.now;
    const link = `${Math.min(index, to)}-${Math.max(index, to)}`;
    const seen = this.#blocks.get(message.id);
    if (seen === undefined)
      this.#blocks.set(message.id, {
        bytes,
        firstUs: now,
        copies: 1,
        lastUs: now,
        nodes: new Set([to]),
        links: new Map([[link, 1]]),
        irreversibleUs: undefined,
      });
    else {
      seen.copies++;
      seen.links.set(link, (seen.links.get(link) ?? 0) + 1);
      if (seen.nodes.has(to)) return;
      seen.nodes.add(to);
      seen.lastUs = now;
    }
  }

  stepped(node: SimulatedNode, _input: unknown, effects: readonly { readonly kind: string }[]): void {
    if (!effects.some(({ kind }) => kind === "irreversible")) return;
    const { bottom } = node.replica.ledger;
    for (let at: typeof bottom | undefined = bottom; at !== undefined; at = at.parent) {
      const seen = this.#blocks.get(at.id);
      if (at.block.header.producer !== node.key || seen === undefined || seen.irreversibleUs !== undefined) return;
      seen.irreversibleUs = (this.simulation as Simulation).queue.now;
    }
  }

  /** @param nodes that were up */
  phase(nodes: number): Phase {
    const blocks = [...this.#blocks.values()].filter(({ irreversibleUs }) => irreversibleUs !== undefined);
    const total = [...this.#blocks.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    const times = (of: (seen: Seen) => number): number =>
      quantile(
        blocks.map((seen) => of(seen) / 1000),
        0.5,
      );
    return {
      blocks: blocks.length,
      copiesANode: blocks.reduce((sum, { copies }) => sum + copies, 0) / blocks.length / (nodes - 1),
      mostOnALink: Math.max(...blocks.flatMap(({ links }) => [...links.values()])),
      wireBytesABlockByteAndNode: this.#bytes / total / (nodes - 1),
      irreversibleMs: times(({ firstUs, irreversibleUs }) => (irreversibleUs as number) - firstUs),
      everywhereMs: times(({ firstUs, lastUs }) => lastUs - firstUs),
      blocksUntilStable: this.#untilStable(nodes),
    };
  }

  #untilStable(nodes: number): number | undefined {
    const costs = [...this.#blocks.values()].map(({ copies }) => copies / (nodes - 1) <= STABLE_COPIES);
    for (let i = 0; i + STABLE_BLOCKS <= costs.length; i++)
      if (costs.slice(i, i + STABLE_BLOCKS).every(Boolean)) return i;
    return undefined;
  }
}
