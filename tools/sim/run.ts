/** A whole run: faults and workload at first, then everything heals and must come to rest within a bound. */
import { assertEvidence, assertFoundOut, assertStates, whyNotConverged } from "./atRest.ts";
import { assertShare } from "./oracles/shares.ts";
import type { FaultProfile } from "./profile.ts";
import type { ScheduledFault } from "./schedule.ts";
import type { SimulatedNode } from "./simulatedNode.ts";
import { Simulation, type SimulationOptions } from "./simulation.ts";
import { RuleBroken, type Violation } from "./violation.ts";
import type { WorkloadCounts } from "./workload.ts";

export interface RunOptions extends SimulationOptions {
  /** Virtual time with faults, ms. Default 20 s. */
  readonly durationMs?: number;
  /** Replays these faults instead of drawing others. */
  readonly schedule?: readonly ScheduledFault[];
  /** Called before the first node starts. */
  readonly prepare?: (simulation: Simulation) => void;
}

export interface SimulationResult {
  readonly seed: number;
  readonly producers: number;
  readonly followers: number;
  /** Producers that lied. */
  readonly byzantine: number;
  /** Kind of faults, and all of what was drawn. */
  readonly profile: string;
  readonly drawnProfile: FaultProfile;
  readonly violation: Violation | undefined;
  /** Last notable events of the nodes that the violation names. */
  readonly histories: readonly { readonly node: number; readonly events: readonly string[] }[];
  /** Everything that went wrong, in order. */
  readonly schedule: readonly ScheduledFault[];
  /** The same for the same options, on every machine. */
  readonly traceHash: string;
  readonly virtualMs: number;
  readonly steps: number;
  readonly irreversibleHeight: number;
  readonly highestView: number;
  readonly transactions: WorkloadCounts;
}

/** After the heal all nodes hold one chain, all of it irreversible, within this, ms. */
export const CONVERGENCE_MS = 45_000;
/** Then nothing may grow for this long: longer than any timer of an idle node, ms. */
export const IDLE_MS = 12_000;
/** A timeout that began before nodes agreed, and had grown to its bound, has led to an election by then, ms (seed 1764). */
const AFTERMATH_MS = 10_000;
/** More than f lie: two chains that were decided are found out within this of the heal, ms. */
const FOUND_OUT_MS = 20_000;
/** Shares of leaders are judged over this time with a workload, begun so long after the heal, ms. */
const SHARE_MS = 6_000;
const SHARE_SETTLES_MS = 4_000;
/** ... where tenures are so short. */
const SHARE_TENURE_BLOCKS = 12;
/** How often convergence is looked at, ms. */
const LOOK_EVERY_MS = 100;

/** Pure: the result follows from the options alone. */
export function runSimulation(options: RunOptions): SimulationResult {
  const simulation = new Simulation(options);
  let violation: Violation | undefined;
  try {
    options.prepare?.(simulation);
    runPhases(simulation, options.durationMs ?? 20_000, options.schedule);
  } catch (error) {
    violation = violationOf(error);
  }
  const { trace, watch, workload, profile, nodes } = simulation;
  return {
    seed: options.seed,
    producers: options.producers,
    followers: options.followers ?? 0,
    byzantine: simulation.liars.length,
    profile: profile.name,
    drawnProfile: profile,
    violation,
    histories: (violation?.nodes ?? [])
      .filter((node) => nodes[node])
      .map((node) => ({ node, events: [...trace.history(node)] })),
    schedule: simulation.faults.schedule,
    traceHash: trace.digest(),
    virtualMs: Math.round(simulation.nowMs),
    steps: watch.steps,
    irreversibleHeight: watch.finality.height,
    highestView: watch.views.highestView,
    transactions: workload.counts,
  };
}

function runPhases(simulation: Simulation, durationMs: number, schedule?: readonly ScheduledFault[]): void {
  const { quietMs, afterHealMs } = simulation.workloadProfile;
  simulation.startAll();
  simulation.beginWorkload();
  simulation.faults.begin(schedule);
  const workMs = Math.max(0, durationMs - quietMs);
  simulation.advance(workMs);
  if (afterHealMs === 0) simulation.endWorkload();
  simulation.advance(durationMs - workMs);
  const broken = simulation.drawBroken();
  simulation.faults.heal(broken);
  if (simulation.isBeyond) {
    simulation.advance(FOUND_OUT_MS);
    return assertFoundOut(simulation);
  }
  const core = simulation.honest.filter((node) => !broken.includes(node));
  if (isHandedOn(simulation)) {
    if (afterHealMs === 0) simulation.beginWorkload();
    goThroughViews(simulation, core);
  }
  if (afterHealMs > 0) simulation.advance(afterHealMs);
  simulation.endWorkload();
  if (simulation.liars.length > 0) {
    // They lie on, and cannot keep the others from deciding what was submitted to them.
    const indices = new Set(core.map((node) => node.index));
    const isOpen = ({ node }: { node: number }): boolean => indices.has(node);
    const decided = "what was submitted comes to an end while some lie";
    simulation.until(decided, () => !simulation.workload.unresolved.some(isOpen), CONVERGENCE_MS);
    simulation.faults.endLies();
  }
  comeToRest(simulation, core);
  assertEvidence(simulation, core);
  if (simulation.engine === "bft") decideOnceMore(simulation, core);
}

/** Throws RuleBroken when nodes at rest do not decide what is submitted to one of them: under BFT nobody need lead there. */
export function decideOnceMore(simulation: Simulation, core: readonly SimulatedNode[]): void {
  const { dice, workload } = simulation;
  const { index } = dice.pick(core);
  workload.submitNew(simulation.node(index), 1);
  const isOpen = ({ node }: { node: number }): boolean => node === index;
  const rule = "a network at rest decides what is submitted to it";
  simulation.until(rule, () => !workload.unresolved.some(isOpen), CONVERGENCE_MS);
  converge(simulation, core);
}

/** Under BFT, with tenures so short that all have their turn, one is faulty, or could be. */
function isHandedOn({ engine, settings, workloadProfile, changes }: Simulation): boolean {
  if (changes) return false;
  return engine === "bft" && settings.tenureBlocks <= SHARE_TENURE_BLOCKS && workloadProfile.transactionsPerSecond > 0;
}

/** Throws RuleBroken where correct leaders do not get through. */
function goThroughViews(simulation: Simulation, core: readonly SimulatedNode[]): void {
  const { watch, nodes } = simulation;
  simulation.advance(SHARE_SETTLES_MS);
  const from = Math.max(...core.map(({ replica }) => replica.status().engine.view)) + 1;
  const height = watch.finality.height;
  simulation.advance(SHARE_MS);
  const decided = watch.decidedBlocks(watch.finality.height).slice(height);
  const correct = core.filter(({ replica }) => replica.status().engine.status !== "recovering");
  assertShare({
    producers: nodes.filter((node) => node.isProducer).length,
    isCorrect: (index) => correct.some((node) => node.index === index),
    decided: new Set(decided.map(({ header }) => header.view)),
    from,
    to: decided.at(-1)?.header.view ?? from,
  });
}

/**
 * Throws RuleBroken when these nodes do not agree in time, or do not rest then.
 * @param bound whatever grows from then on is one block too many, virtual ms
 */
export function comeToRest(
  simulation: Simulation,
  core: readonly SimulatedNode[] = simulation.nodes,
  bound: number = simulation.nowMs + CONVERGENCE_MS,
): void {
  const everyone = core.map((node) => node.index);
  const [first] = core as readonly [SimulatedNode];
  converge(simulation, core);
  const converged = first.replica.ledger.head.height;
  simulation.advance(AFTERMATH_MS);
  // An election that the faults set off opens one view more; after that nothing grows.
  if (first.replica.ledger.head.height > converged && simulation.nowMs < bound)
    return comeToRest(simulation, core, bound);
  const height = first.replica.ledger.head.height;
  simulation.advance(IDLE_MS);
  const grown = first.replica.ledger.head.height;
  if (grown !== height)
    throw new RuleBroken("liveness", "an idle network does not grow", `from ${height} to ${grown}`, everyone);
  const why = whyNotConverged(simulation, core);
  if (why !== undefined) throw new RuleBroken("liveness", "an idle network stays as it is", why, everyone);
}

/** Throws RuleBroken when they do not agree in time. */
function converge(simulation: Simulation, core: readonly SimulatedNode[]): void {
  const bound = simulation.nowMs + CONVERGENCE_MS;
  for (let why = whyNotConverged(simulation, core); why !== undefined; why = whyNotConverged(simulation, core)) {
    if (simulation.nowMs >= bound) {
      const everyone = core.map((node) => node.index);
      throw new RuleBroken("liveness", `converges within ${CONVERGENCE_MS} ms`, why, everyone);
    }
    simulation.advance(LOOK_EVERY_MS);
  }
  assertStates(simulation);
}

function violationOf(error: unknown): Violation {
  if (error instanceof RuleBroken) return error.violation;
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { oracle: "exception", rule: "no step throws", detail, nodes: [] };
}
