/** Many runs, on several threads: the same results in the order of their seeds, however many threads there are. */
import { Worker } from "node:worker_threads";
import type { EngineName } from "../../chain/genesis.ts";
import { Dice } from "./dice.ts";
import { drawSettings, LATER_BFT_NAMES, LATER_NAMES } from "./profile.ts";
import { runSimulation, type SimulationResult } from "./run.ts";
import { TOPOLOGIES, type Topology } from "./topologies.ts";

/** One run of a sweep: what can be sent to a worker and printed as a command. */
export interface SweepRun {
  readonly seed: number;
  /** Default raft. */
  readonly engine?: EngineName;
  readonly producers: number;
  readonly followers: number;
  /** Producers that lie, under BFT. Default 0. */
  readonly byzantine?: number;
  /** The producer set is changed now and then. Default false. */
  readonly changes?: boolean;
  /** "default", "none", or a kind of profile. */
  readonly faults: string;
  /** Default "mesh". */
  readonly topology?: Topology;
  readonly durationMs: number;
}

export interface SweepOptions {
  readonly firstSeed: number;
  /** Default raft. */
  readonly engine?: EngineName;
  readonly seeds: number;
  /** A fixed number or a range to draw from; undefined: mixed sizes. */
  readonly producers: readonly [number, number] | undefined;
  readonly followers: readonly [number, number] | undefined;
  /** Liars, of those that BFT bears at most; undefined: none in a third of the runs, else 1 to f. */
  readonly byzantine?: number | undefined;
  /** Undefined: in a part of the runs. */
  readonly changes?: boolean | undefined;
  readonly faults: string;
  /** Undefined: a mesh mostly, for some seeds another one. */
  readonly topology?: Topology;
  readonly durationMs: number;
}

/** Share of the runs of a sweep over any faults that draw one of the kinds that came later. */
const LATER_SHARE = 0.2;
/** Share of the runs in which the producer set is changed. */
const CHANGES_SHARE = 0.3;
/** Share of the runs of a sweep over any topology in which not everybody is everybody's neighbour. */
const SPARSE_SHARE = 0.15;
const SPARSE = TOPOLOGIES.filter((name) => name !== "mesh");

/** Sizes of mixed sweeps: small quorums and large, three most often. */
const PRODUCERS = [1, 2, 3, 3, 3, 4, 5, 5];
/** Who bears none, one and two liars or dead. */
const BFT_PRODUCERS = [1, 3, 4, 4, 4, 5, 7, 7];
const FOLLOWERS = [0, 0, 1, 2];

export function* planSweep({
  firstSeed,
  engine,
  seeds,
  producers,
  followers,
  byzantine,
  changes,
  faults,
  topology,
  durationMs,
}: SweepOptions): Generator<SweepRun> {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    // Not the run's own generator: a given size must not change what the seed means.
    const dice = new Dice(seed ^ 0x51ed270b);
    const drawn = {
      producers: dice.pick(engine === "bft" ? BFT_PRODUCERS : PRODUCERS),
      followers: dice.pick(FOLLOWERS),
    };
    // Under BFT they came later still: what a seed draws beside them stays.
    const laterDice = engine === "bft" ? new Dice(seed ^ 0x1a7e6) : dice;
    const names = engine === "bft" ? LATER_BFT_NAMES : LATER_NAMES;
    const later = laterDice.chance(LATER_SHARE) ? laterDice.pick(names) : "default";
    const links = dice.chance(SPARSE_SHARE) ? dice.pick(SPARSE) : "mesh";
    const size = {
      producers: producers === undefined ? drawn.producers : dice.integer(...producers),
      followers: followers === undefined ? drawn.followers : dice.integer(...followers),
    };
    yield {
      seed,
      ...(engine && { engine }),
      ...size,
      // Beside the dice: seeds that were swept before changes were known mean what they meant.
      ...((changes ?? new Dice(seed ^ 0x5e75).chance(CHANGES_SHARE)) && { changes: true }),
      ...(engine === "bft" && { byzantine: drawLiars(dice, size.producers, topology ?? links, byzantine) }),
      faults: faults === "default" ? later : faults,
      topology: topology ?? links,
      durationMs,
    };
  }
}

/** Where messages go through others, a liar can cut the network in two: no liars there unless they are asked for. */
function drawLiars(dice: Dice, producers: number, topology: Topology = "mesh", given: number | undefined): number {
  const bearable = Math.floor((producers - 1) / 3);
  const drawn = topology === "mesh" && dice.chance(2 / 3) ? dice.integer(Math.min(1, bearable), bearable) : 0;
  return given === undefined ? drawn : Math.min(given, bearable);
}

export function runOne(run: SweepRun, print?: (line: string) => void): SimulationResult {
  return runSimulation({
    ...run,
    workload: "default",
    syncLimits: "default",
    settings: drawSettings(run),
    ...(print && { print }),
  });
}

/** The command that replays a run. */
export function commandOf(run: SweepRun): string {
  const { seed, engine, producers, followers, byzantine = 0, changes, faults, topology, durationMs } = run;
  const named = engine === undefined || engine === "raft" ? "" : `--engine ${engine} --byzantine ${byzantine} `;
  const links = topology === undefined ? "" : ` --topology ${topology}`;
  const changing = changes === undefined ? "" : ` --changes ${changes ? "on" : "off"}`;
  return `cairn sim ${named}--seed ${seed} --producers ${producers} --followers ${followers} --faults ${faults}${links}${changing} --until ${durationMs}ms`;
}

/**
 * Runs the plan until a run breaks a rule, or to its end.
 * @param jobs threads; 1 runs on this one
 * @param each is told of every run, in order of their ends
 * @returns the failing run with the lowest seed among those that were run
 */
export async function sweep(
  plan: Iterable<SweepRun>,
  jobs: number,
  each: (run: SweepRun, result: SimulationResult) => void,
): Promise<{ readonly run: SweepRun; readonly result: SimulationResult } | undefined> {
  const runs = plan[Symbol.iterator]();
  let failed: { run: SweepRun; result: SimulationResult } | undefined;
  const next = (): SweepRun | undefined => {
    const drawn = failed === undefined ? runs.next() : undefined;
    return drawn?.done === false ? drawn.value : undefined;
  };
  const done = (run: SweepRun, result: SimulationResult): void => {
    each(run, result);
    if (result.violation !== undefined && (failed === undefined || run.seed < failed.run.seed))
      failed = { run, result };
  };
  if (jobs <= 1) for (let run = next(); run !== undefined; run = next()) done(run, runOne(run));
  else await Promise.all(Array.from({ length: jobs }, () => work(next, done)));
  return failed;
}

const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./sweepWorker.ts" : "./sweepWorker.js", import.meta.url);

function work(
  next: () => SweepRun | undefined,
  done: (run: SweepRun, result: SimulationResult) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER, { execArgv: [] });
    let current: SweepRun | undefined;
    const goOn = (): void => {
      current = next();
      if (current === undefined) void worker.terminate().then(() => resolve());
      else worker.postMessage(current);
    };
    worker.on("message", (result: SimulationResult) => {
      done(current as SweepRun, result);
      goOn();
    });
    worker.on("error", reject);
    goOn();
  });
}
