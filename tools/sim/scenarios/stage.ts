/**
 * The language of named scenarios: a run that is set up and pushed step by step, with words for what happens to nodes,
 * links and disks. Time is virtual, ms; nodes are named by their index, producers first. All oracles watch.
 *
 *     const stage = Stage.open(3);
 *     stage.cutOff(stage.leader);
 *     stage.elect();
 *     stage.heal();
 *     stage.settle();
 */
import type { BlockNode } from "../../../chain/forkDatabase.ts";
import type { ReplicaStatus } from "../../../src/replica/types.ts";
import { assertStates } from "../atRest.ts";
import { NO_WORKLOAD } from "../profile.ts";
import { CONVERGENCE_MS } from "../run.ts";
import { Simulation, type SimulationOptions } from "../simulation.ts";
import type { SimulatedNode } from "../simulatedNode.ts";
import { RuleBroken } from "../violation.ts";
import { Forge } from "./forge.ts";
import { Puppet } from "./puppet.ts";

/** A leader is elected within this after a start or a crash: two timeouts and a vote. */
const ELECTION_MS = 3_000;
/** A transaction becomes irreversible within this where a quorum is there. */
const COMMIT_MS = 5_000;
/** A change of the producer set has ended, and the new set has decided a block, within this. */
const CHANGE_MS = 10_000;
/** Peers have been told of a crash that the kernel tells of. */
const NOTICED_MS = 20;
/** How often a stage is looked at while it settles. */
const LOOK_EVERY_MS = 50;

export type StageOptions = Partial<Omit<SimulationOptions, "producers">>;

export class Stage {
  readonly simulation: Simulation;
  readonly forge: Forge;
  readonly #puppets = new Map<number, Puppet>();

  private constructor(options: SimulationOptions) {
    this.simulation = new Simulation({ workload: NO_WORKLOAD, ...options });
    this.forge = new Forge(this.simulation);
  }

  /** Nobody has started yet. */
  static closed(producers: number, options: StageOptions = {}): Stage {
    return new Stage({ seed: 7, producers, ...options });
  }

  /** All nodes are up, a leader is elected, nothing was submitted. */
  static open(producers: number, options: StageOptions = {}): Stage {
    const stage = Stage.closed(producers, options);
    stage.startAll();
    stage.elect();
    return stage;
  }

  // Who is there

  node(index: number): SimulatedNode {
    return this.simulation.node(index);
  }
  status(index: number): ReplicaStatus {
    return this.node(index).replica.status();
  }
  head(index: number): BlockNode {
    return this.node(index).replica.ledger.head;
  }
  /** Height that is irreversible on the node's disk. */
  height(index: number): number {
    return this.node(index).replica.ledger.bottom.height;
  }
  /** All but these, whether up or down. */
  others(...but: readonly number[]): number[] {
    return this.simulation.nodes.map((node) => node.index).filter((index) => !but.includes(index));
  }
  get up(): number[] {
    return this.simulation.nodes.filter((node) => node.isUp).map((node) => node.index);
  }
  /** Throws when nobody leads. */
  get leader(): number {
    const leader = this.simulation.leader();
    if (leader === undefined) throw new Error("nobody leads");
    return leader;
  }

  // Time

  advance(ms: number): void {
    this.simulation.advance(ms);
  }
  /** @returns ms it took; throws when it does not hold in time */
  until(what: string, holds: () => boolean, boundMs: number): number {
    return this.simulation.until(what, holds, boundMs);
  }
  /** Waits until a leader, other than `instead` if that is given, has opened its view and a majority holds the block. */
  elect(instead?: number, boundMs = ELECTION_MS): number {
    const opened = (): boolean => {
      const leader = this.simulation.leader();
      if (leader === undefined || leader === instead) return false;
      return this.node(leader).replica.ledger.bottom.view === this.status(leader).engine.view;
    };
    this.until("a leader is elected", opened, boundMs);
    return this.leader;
  }

  // Processes

  start(index: number): void {
    this.simulation.start(index);
  }
  /** All that are not scripted. */
  startAll(): void {
    for (const { index, isUp } of this.simulation.nodes) if (!isUp && !this.#puppets.has(index)) this.start(index);
  }
  /** `silent`: the machine, too, so that peers find out by their pings only. */
  crash(index: number, silent = false): void {
    this.simulation.crash(index, silent);
  }
  /** Of a node that is down. */
  loseDisk(index: number): void {
    const node = this.node(index);
    node.damageDisk("disk");
    this.simulation.watch.damaged(node, "disk");
  }
  /** Takes a node's place, which dies if it is up: the scenario says what its peers get from it. */
  puppet(index: number): Puppet {
    if (this.node(index).isUp) {
      this.crash(index);
      this.advance(NOTICED_MS);
    }
    const puppet = this.#puppets.get(index) ?? new Puppet(this.simulation, index);
    this.#puppets.set(index, puppet);
    return puppet;
  }

  // Links

  /** Cuts one direction, and nobody is told until the pings run out. */
  block(from: number, to: number): void {
    this.simulation.network.block(from, to);
  }
  unblock(from: number, to: number): void {
    this.simulation.network.unblock(from, to);
  }
  /** Cuts both directions between every one of these and every one of those. */
  part(these: readonly number[], those: readonly number[]): void {
    for (const a of these) {
      for (const b of those) {
        this.block(a, b);
        this.block(b, a);
      }
    }
  }
  cutOff(index: number): void {
    this.part([index], this.others(index));
  }
  join(these: readonly number[], those: readonly number[]): void {
    for (const a of these) {
      for (const b of those) {
        this.unblock(a, b);
        this.unblock(b, a);
      }
    }
  }
  heal(): void {
    this.simulation.network.clearAll();
  }

  // Transactions

  /** @returns ids */
  submit(index: number, count = 1): string[] {
    return this.simulation.workload.submitNew(this.node(index), count);
  }
  /** Submits and waits until the node has told that all are irreversible. */
  commit(index: number, count = 1): void {
    const { workload } = this.simulation;
    const before = workload.counts.irreversible;
    this.submit(index, count);
    this.until("transactions become irreversible", () => workload.counts.irreversible >= before + count, COMMIT_MS);
  }
  // Producer sets

  /** Proposes these nodes, in their order, as the producers. */
  propose(at: number, producers: readonly number[]): void {
    this.simulation.propose(at, producers);
  }
  /** Indices of those who decide about what follows a node's head; of a change under way, those of the set that is left. */
  producers(index: number): number[] {
    return this.head(index).setsAfter.current.producers.map((key) => this.simulation.indexOf(key));
  }
  /** Proposes and waits until all that are up know of these producers alone, irreversibly. @returns ms that it took */
  change(at: number, producers: readonly number[], boundMs = CHANGE_MS): number {
    this.propose(at, producers);
    return this.changed(producers, boundMs);
  }
  /** @param but those who need not know */
  changed(producers: readonly number[], boundMs = CHANGE_MS, but: readonly number[] = []): number {
    const isChanged = (index: number): boolean => {
      const { bottom } = this.node(index).replica.ledger;
      const { current, next } = bottom.sets;
      const indices = current.producers.map((key) => this.simulation.indexOf(key));
      return next === undefined && indices.join() === producers.join();
    };
    return this.until(
      `${producers.join(" ")} produce`,
      () => this.up.filter((index) => !but.includes(index)).every(isChanged),
      boundMs,
    );
  }

  /** Where in the chain a transaction is; undefined: nowhere. */
  placeOf(id: string): { readonly height: number; readonly index: number } | undefined {
    return this.simulation.watch.transactions.placeOf(id);
  }

  // Reads and planned stops

  /** A linearizable read begins at a node; the oracle judges what it is told. */
  read(index: number): void {
    this.simulation.read(this.node(index));
  }
  get reads(): { readonly seen: number; readonly refused: number } {
    return this.simulation.watch.reads.counts;
  }
  /** A planned stop: the node hands over, and ends when it may. @returns ms that it took */
  stop(index: number, boundMs = COMMIT_MS): number {
    let mayStop = false;
    this.simulation.onlookers.push({
      stepped: (node, _, effects) => {
        if (node.index === index) mayStop ||= effects.some((effect) => effect.kind === "handedOver");
      },
    });
    this.node(index).step({ kind: "handOver" });
    const took = this.until("the node may stop", () => mayStop, boundMs);
    this.crash(index);
    return took;
  }

  // The end

  /** Something happens while transactions are submitted as the workload says; then all of it has to be decided. */
  underLoad(happens: () => void): void {
    this.simulation.beginWorkload();
    happens();
    this.simulation.endWorkload();
    this.settle();
  }

  /** Heals nothing: waits until all that are up agree on one chain, all of it irreversible, and hold its state. */
  settle(boundMs = CONVERGENCE_MS): void {
    const end = this.simulation.nowMs + boundMs;
    for (let why = this.#whyNotSettled(); why !== undefined; why = this.#whyNotSettled()) {
      if (this.simulation.nowMs >= end) throw new RuleBroken("liveness", `settles within ${boundMs} ms`, why, this.up);
      this.advance(LOOK_EVERY_MS);
    }
    assertStates(this.simulation);
  }

  #whyNotSettled(): string | undefined {
    const [first, ...rest] = this.up;
    if (first === undefined) return "nobody is up";
    const { id, height } = this.head(first);
    for (const index of rest)
      if (this.head(index).id !== id)
        return `heads differ: ${height} at node ${first}, ${this.head(index).height} at ${index}`;
    for (const index of this.up)
      if (this.height(index) !== height) return `node ${index}: irreversible ${this.height(index)} of ${height}`;
    const [open] = this.simulation.workload.unresolved;
    return open && `node ${open.node} has not told what became of ${open.id}`;
  }
}
