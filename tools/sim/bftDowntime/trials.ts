/**
 * How long four producers under BFT are without a leader after theirs crashed, by view timeout, while there is something
 * to decide: each of the others is given a transaction at the moment of the crash.
 */
import { ASSUMED, settle } from "../downtime/assumed.ts";
import { GIVEN_UP_MS } from "../downtime/figures.ts";
import { NO_WORKLOAD } from "../profile.ts";
import { Simulation } from "../simulation.ts";

export const VIEW_TIMEOUTS_MS: readonly number[] = [100, 250, 500, 1_000];

export interface Task {
  readonly viewTimeoutMs: number;
  /** Do links break with the crash, or is nobody told? */
  readonly hint: boolean;
  readonly count: number;
}

export interface BftTrials extends Task {
  /** Until another leads, ms, ascending. */
  readonly downMs: readonly number[];
  /** Until something is decided again, ms, ascending. */
  readonly undecidedMs: readonly number[];
  /** Views that a crash cost, by how many: trials. */
  readonly views: Readonly<Record<number, number>>;
}

/** Trials of one network; then another seed begins. */
const TRIALS_OF_A_NETWORK = 25;

export function runTrials({ viewTimeoutMs, hint, count }: Task): BftTrials {
  const downMs: number[] = [];
  const undecidedMs: number[] = [];
  const views: Record<number, number> = {};
  for (let seed = 1; downMs.length < count; seed++) {
    const settings = { viewTimeoutMs };
    const options = { seed, engine: "bft", producers: 4, faults: ASSUMED, workload: NO_WORKLOAD, settings } as const;
    const network = new Simulation(options);
    network.startAll();
    for (let i = 0; i < TRIALS_OF_A_NETWORK && downMs.length < count; i++) {
      const trial = runTrial(network, hint);
      downMs.push(trial.downMs);
      undecidedMs.push(trial.undecidedMs);
      views[trial.views] = (views[trial.views] ?? 0) + 1;
    }
  }
  const ascending = (a: number, b: number): number => a - b;
  return {
    viewTimeoutMs,
    hint,
    count,
    views,
    downMs: downMs.sort(ascending),
    undecidedMs: undecidedMs.sort(ascending),
  };
}

/** The leader crashes at a random moment of its heartbeat interval. */
function runTrial(network: Simulation, hint: boolean): { downMs: number; undecidedMs: number; views: number } {
  // Who restarted leads no more: something has to be decided for another to.
  while (network.leader() === undefined) {
    network.workload.submitNew(network.node(0), 1);
    network.advance(1_000);
  }
  settle(network);
  network.advance(network.dice.between(0, network.settings.heartbeatMs));
  const old = network.leader() as number;
  const { view } = network.node(old).replica.status().engine;
  network.crash(old, !hint);
  const others = network.nodes.filter((node) => node.isUp);
  for (const node of others) network.workload.submitNew(node, 1);
  const began = network.nowMs;
  const { height } = network.watch.finality;
  const wait = (isOver: () => boolean): number => {
    while (!isOver() && network.nowMs < began + GIVEN_UP_MS) network.advance(0.5);
    return network.nowMs - began;
  };
  const downMs = wait(() => network.leader() !== undefined);
  const undecidedMs = wait(() => network.watch.finality.height > height);
  const views = Math.max(...others.map(({ replica }) => replica.status().engine.view)) - view;
  network.start(old);
  return { downMs, undecidedMs, views };
}
