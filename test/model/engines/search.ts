/** Drawn runs, and every world within small bounds. */
import { seededRandom } from "../../../src/base/random.ts";
import type { Model, Step, World } from "./world.ts";

export interface Outcome {
  readonly worlds: number;
  /** Of drawn runs: in which the new engine decided something. */
  readonly switched: number;
  /** Everything within the bounds was seen. */
  readonly isWhole: boolean;
  /** What led to two irreversible blocks on different branches. */
  readonly counterexample: readonly string[] | undefined;
}

/** Breadth first: the shortest counterexample is found. */
export function searchAll(model: Model, maxWorlds: number): Outcome {
  const seen = new Map<string, { readonly from: string; readonly by: string }>();
  seen.set(model.nameOf(model.first), { from: "", by: "" });
  let worlds: World[] = [model.first];
  while (worlds.length > 0) {
    const next: World[] = [];
    for (const world of worlds) {
      const from = model.nameOf(world);
      for (const { name: by, world: reached } of model.steps(world)) {
        const name = model.nameOf(reached);
        if (seen.has(name)) continue;
        seen.set(name, { from, by });
        const isConflict = model.conflict(reached) !== undefined;
        if (isConflict || seen.size >= maxWorlds) {
          const counterexample = isConflict ? pathTo(name, seen) : undefined;
          return { worlds: seen.size, switched: 0, isWhole: false, counterexample };
        }
        next.push(reached);
      }
    }
    worlds = next;
  }
  return { worlds: seen.size, switched: 0, isWhole: true, counterexample: undefined };
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

/** Runs of one step after another, each drawn from what is possible. */
export function searchRuns(model: Model, runs: number, seed: number): Outcome {
  const random = seededRandom(seed);
  let worlds = 0;
  let switched = 0;
  for (let run = 0; run < runs; run++) {
    const path: string[] = [];
    let world = model.first;
    for (;;) {
      const step = draw([...model.steps(world)], random.next());
      if (step === undefined) break;
      worlds++;
      path.push(step.name);
      world = step.world;
      if (model.conflict(world) !== undefined) return { worlds, switched, isWhole: false, counterexample: path };
    }
    if (model.hasSwitched(world)) switched++;
  }
  return { worlds, switched, isWhole: false, counterexample: undefined };
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

function draw(steps: readonly Step[], at: number): Step | undefined {
  const weights = steps.map(({ name }) => WEIGHTS.find(([pattern]) => pattern.test(name))?.[1] ?? 1);
  let left = at * weights.reduce((sum, each) => sum + each, 0);
  return steps.find((_, index) => (left -= weights[index] as number) < 0);
}

function pathTo(name: string, seen: ReadonlyMap<string, { readonly from: string; readonly by: string }>): string[] {
  const path: string[] = [];
  for (let at = seen.get(name); at !== undefined && at.by !== ""; at = seen.get(at.from)) path.unshift(at.by);
  return path;
}
