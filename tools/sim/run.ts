/** A whole run: faults and workload at first, then everything heals and must come to rest within a bound. */
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
/** A hint that was given before nodes agreed has led to an election by then, ms. */
const AFTERMATH_MS = 2_000;
/** More than f lie: two chains that were decided are found out within this of the heal, ms. */
const FOUND_OUT_MS = 20_000;
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
    return simulation.assertFoundOut();
  }
  const core = simulation.honest.filter((node) => !broken.includes(node));
  if (afterHealMs > 0) {
    simulation.advance(afterHealMs);
    simulation.endWorkload();
  }
  if (simulation.liars.length > 0) {
    // They lie on, and cannot keep the others from deciding what was submitted to them.
    const indices = new Set(core.map((node) => node.index));
    const isOpen = ({ node }: { node: number }): boolean => indices.has(node);
    const decided = "what was submitted comes to an end while some lie";
    simulation.until(decided, () => !simulation.workload.unresolved.some(isOpen), CONVERGENCE_MS);
    simulation.faults.endLies();
  }
  comeToRest(simulation, core);
  simulation.assertEvidence(core);
}

/** Throws RuleBroken when these nodes do not agree in time, or do not rest then. */
export function comeToRest(simulation: Simulation, core: readonly SimulatedNode[] = simulation.nodes): void {
  const everyone = core.map((node) => node.index);
  const [first] = core as readonly [SimulatedNode];
  const bound = simulation.nowMs + CONVERGENCE_MS;
  for (let why = simulation.whyNotConverged(core); why !== undefined; why = simulation.whyNotConverged(core)) {
    if (simulation.nowMs >= bound)
      throw new RuleBroken("liveness", `converges within ${CONVERGENCE_MS} ms`, why, everyone);
    simulation.advance(LOOK_EVERY_MS);
  }
  simulation.assertStates();
  const converged = first.replica.ledger.head.height;
  simulation.advance(AFTERMATH_MS);
  // An election that the faults set off opens one view more; after that nothing grows.
  if (first.replica.ledger.head.height > converged && simulation.nowMs < bound) return comeToRest(simulation, core);
  const height = first.replica.ledger.head.height;
  simulation.advance(IDLE_MS);
  const grown = first.replica.ledger.head.height;
  if (grown !== height)
    throw new RuleBroken("liveness", "an idle network does not grow", `from ${height} to ${grown}`, everyone);
  const why = simulation.whyNotConverged(core);
  if (why !== undefined) throw new RuleBroken("liveness", "an idle network stays as it is", why, everyone);
}

function violationOf(error: unknown): Violation {
  if (error instanceof RuleBroken) return error.violation;
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { oracle: "exception", rule: "no step throws", detail, nodes: [] };
}
