/** Drawn runs, and single ways to go. */
import { drawRuns, type Outcome } from "../worlds.ts";
import type { Model } from "./world.ts";

export interface RunsOutcome extends Outcome {
  /** Runs in which the new engine decided something. */
  readonly switched: number;
}

/** Goes one way, as far as its steps are possible. @returns the counterexample, or undefined */
export function follow(model: Model, path: readonly string[]): readonly string[] | undefined {
  let world = model.first;
  for (const name of path) {
    const step = [...model.steps(world)].find((each) => each.name === name);
    if (step === undefined) return undefined;
    world = step.world;
  }
  return model.conflict(world) && path;
}

export function searchRuns(model: Model, runs: number, seed: number): RunsOutcome {
  let switched = 0;
  const outcome = drawRuns(model, runs, seed, weightOf, (world) => {
    if (model.hasSwitched(world)) switched++;
  });
  return { ...outcome, switched, ...(switched > 0 && { note: `, the new engine decided in ${switched} runs` }) };
}

/** Who leaves views all the time decides nothing; the change comes early, or there is no room for what follows it. */
const WEIGHTS: readonly (readonly [RegExp, number])[] = [
  [/asks for|stands for/, 1],
  [/^block .*(C|D|\+)$/, 12],
  [/^block .*k$/, 3],
  [/^block/, 1],
  [/enters/, 1],
  [/./, 6],
];

function weightOf(name: string): number {
  return WEIGHTS.find(([pattern]) => pattern.test(name))?.[1] ?? 1;
}
