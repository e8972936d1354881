/**
 * Makes a failing run smaller while the same oracle still finds fault: fewer faults (delta debugging over the schedule,
 * Zeller and Hildebrandt 2002), a quieter profile, fewer nodes, a shorter run.
 */
import { drawSettings, type FaultProfile, NO_FAULTS } from "./profile.ts";
import { concernsOnly, type ScheduledFault } from "./schedule.ts";
import { runSimulation, type RunOptions, type SimulationResult } from "./run.ts";
import type { SweepRun } from "./sweep.ts";

/** A run whose faults are all written down. */
export interface ExplicitRun extends Omit<SweepRun, "faults"> {
  readonly profile: FaultProfile;
  readonly schedule: readonly ScheduledFault[];
}

export interface Shrunk {
  readonly run: ExplicitRun;
  readonly result: SimulationResult;
  /** Runs it took. */
  readonly tries: number;
}

/** Rates of a profile that need no schedule; each is tried without. */
export const RATES = [
  "latency",
  "bytesPerMs",
  "corruption",
  "urgent",
  "disk",
  "clock",
  "brokenForGood",
  "checkedOnTheSpot",
] as const;

/** As {@link RunOptions} has it. */
export function optionsOf({ profile, ...run }: ExplicitRun): RunOptions {
  return { ...run, faults: profile, workload: "default", syncLimits: "default", settings: drawSettings(run) };
}

/**
 * @param budget runs at most
 * @returns undefined when the run with its faults written down does not fail as the drawn one did
 */
export function shrink(start: ExplicitRun, oracle: string, budget: number): Shrunk | undefined {
  let tries = 0;
  let best: { run: ExplicitRun; result: SimulationResult } | undefined;
  const fails = (run: ExplicitRun): boolean => {
    if (tries >= budget) return false;
    tries++;
    const result = runSimulation(optionsOf(run));
    if (result.violation?.oracle !== oracle) return false;
    best = { run, result };
    return true;
  };
  if (!fails(start)) return undefined;
  const current = (): ExplicitRun => (best as { run: ExplicitRun }).run;
  fails({ ...start, schedule: [] });
  shorten(current, fails);
  dropFaults(current, fails);
  dropNodes(current, fails);
  for (const rate of RATES) {
    const { profile } = current();
    if (profile[rate] !== NO_FAULTS[rate]) fails({ ...current(), profile: { ...profile, [rate]: NO_FAULTS[rate] } });
  }
  dropFaults(current, fails);
  const { run, result } = best as unknown as { run: ExplicitRun; result: SimulationResult };
  return { run, result, tries };
}

type Attempt = (run: ExplicitRun) => boolean;

/** What comes after the end of the run is of no use; then half of what is left, as long as that fails. */
function shorten(current: () => ExplicitRun, fails: Attempt): void {
  for (let shorter = true; shorter;) {
    const run = current();
    const durationMs = Math.floor(run.durationMs / 2);
    shorter = durationMs >= 250 && fails({ ...run, durationMs, schedule: before(run.schedule, durationMs) });
  }
}

function before(schedule: readonly ScheduledFault[], ms: number): ScheduledFault[] {
  return schedule.filter(({ atUs }) => atUs < ms * 1000);
}

function dropFaults(current: () => ExplicitRun, fails: Attempt): void {
  for (let size = Math.ceil(current().schedule.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < current().schedule.length;) {
      const { schedule } = current();
      const rest = [...schedule.slice(0, at), ...schedule.slice(at + size)];
      if (!fails({ ...current(), schedule: rest })) at += size;
    }
  }
}

function dropNodes(current: () => ExplicitRun, fails: Attempt): void {
  while (current().followers > 0 && fails(withNodes(current(), current().producers, current().followers - 1)));
  while (current().producers > 1 && fails(withNodes(current(), current().producers - 1, current().followers)));
}

/** The last ones go, and the faults that speak of them. */
function withNodes(run: ExplicitRun, producers: number, followers: number): ExplicitRun {
  const schedule = run.schedule.filter(({ fault }) => concernsOnly(fault, producers + followers));
  return { ...run, producers, followers, schedule };
}
