/**
 * The Raft paper's figure 16 (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", extended
 * version, 2014): how long a cluster of five is without a leader after its leader crashed, by election timeout.
 */
import { ASSUMED, settle } from "../downtime/assumed.ts";
import { GIVEN_UP_MS } from "../downtime/figures.ts";
import { NO_WORKLOAD } from "../profile.ts";
import { Simulation } from "../simulation.ts";

/** Timeouts of the two plots, ms. */
export const RANGES: readonly (readonly [number, number])[] = [
  [150, 150],
  [150, 151],
  [150, 155],
  [150, 175],
  [150, 200],
  [150, 300],
  [12, 24],
  [25, 50],
  [50, 100],
  [100, 200],
];

export interface Trials {
  readonly lowMs: number;
  readonly highMs: number;
  /** Do followers take a broken link as a hint? In the paper they do not. */
  readonly hint: boolean;
  /** Times without a leader, ms, ascending. Of a trial that was given up: the bound. */
  readonly downMs: readonly number[];
}

/** Trials of one cluster; then another seed begins. */
const TRIALS_OF_A_CLUSTER = 50;

export function runTrials(lowMs: number, highMs: number, hint: boolean, count: number): Trials {
  const downMs: number[] = [];
  for (let seed = 1; downMs.length < count; seed++) {
    const cluster = startCluster(seed, lowMs, highMs);
    const inThis = Math.min(TRIALS_OF_A_CLUSTER, count - downMs.length);
    for (let i = 0; i < inThis; i++) downMs.push(runTrial(cluster, lowMs, hint));
  }
  return { lowMs, highMs, hint, downMs: downMs.sort((a, b) => a - b) };
}

function startCluster(seed: number, lowMs: number, highMs: number): Simulation {
  const settings = {
    electionTimeoutMs: lowMs,
    electionSpread: (highMs - lowMs) / lowMs,
    // Half of the smallest timeout, as in the paper.
    heartbeatMs: lowMs / 2,
    brokenLinkJitterMs: Math.min(50, lowMs),
  };
  const simulation = new Simulation({ seed, producers: 5, faults: ASSUMED, workload: NO_WORKLOAD, settings });
  simulation.startAll();
  return simulation;
}

/** The leader crashes at a random moment of its heartbeat interval. @returns ms until another leads */
function runTrial(simulation: Simulation, lowMs: number, hint: boolean): number {
  const { dice } = simulation;
  settle(simulation);
  simulation.advance(dice.between(0, lowMs / 2));
  const old = simulation.leader();
  if (old === undefined) return runTrial(simulation, lowMs, hint);
  // Without the hint nobody is told: followers go by their timers alone, as in the paper.
  simulation.crash(old, !hint);
  const began = simulation.nowMs;
  while (simulation.leader() === undefined && simulation.nowMs < began + GIVEN_UP_MS) simulation.advance(0.5);
  const tookMs = simulation.nowMs - began;
  simulation.start(old);
  return tookMs;
}
