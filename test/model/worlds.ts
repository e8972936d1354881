/** Worlds of a model that are reached step by step: every one within small bounds, or runs drawn through larger ones. */
import { seededRandom } from "../../src/base/random.ts";

export interface Step<World> {
  readonly name: string;
  readonly world: World;
}

export interface Model<World> {
  readonly first: World;
  /** Everything that can happen next. */
  steps(world: World): Iterable<Step<World>>;
  /** Names a world: two of one name go on alike. */
  nameOf(world: World): string;
  /** What must never be, in this world; undefined: it is not. */
  conflict(world: World): unknown;
}

export interface Outcome {
  readonly worlds: number;
  /** Everything within the bounds was seen. */
  readonly isWhole: boolean;
  /** The steps to a conflict. */
  readonly counterexample: readonly string[] | undefined;
  /** What else is to be printed. */
  readonly note?: string;
}

type CameFrom = ReadonlyMap<string, { readonly from: string; readonly by: string }>;

/** Breadth first: the shortest counterexample is found. */
export function searchAll<World>(model: Model<World>, maxWorlds: number): Outcome {
  const { first } = model;
  const cameFrom = new Map([[model.nameOf(first), { from: "", by: "" }]]);
  let worlds = [first];
  while (worlds.length > 0) {
    const next: World[] = [];
    for (const world of worlds) {
      const from = model.nameOf(world);
      for (const { name: by, world: reached } of model.steps(world)) {
        const name = model.nameOf(reached);
        if (cameFrom.has(name)) continue;
        cameFrom.set(name, { from, by });
        const isConflict = model.conflict(reached) !== undefined;
        if (isConflict || cameFrom.size >= maxWorlds) {
          const counterexample = isConflict ? pathTo(name, cameFrom) : undefined;
          return { worlds: cameFrom.size, isWhole: false, counterexample };
        }
        next.push(reached);
      }
    }
    worlds = next;
  }
  return { worlds: cameFrom.size, isWhole: true, counterexample: undefined };
}

/**
 * Runs of one step after another, each drawn from what is possible.
 * @param weightOf how often a step of a name is drawn, compared with others
 * @param ended is told the last world of each run without a conflict
 */
export function drawRuns<World>(
  model: Model<World>,
  runs: number,
  seed: number,
  weightOf: (name: string) => number,
  ended: (world: World) => void = () => undefined,
): Outcome {
  const random = seededRandom(seed);
  let worlds = 0;
  for (let run = 0; run < runs; run++) {
    const path: string[] = [];
    let world = model.first;
    for (;;) {
      const step = draw([...model.steps(world)], random.next(), weightOf);
      if (step === undefined) break;
      worlds++;
      path.push(step.name);
      world = step.world;
      if (model.conflict(world) !== undefined) return { worlds, isWhole: false, counterexample: path };
    }
    ended(world);
  }
  return { worlds, isWhole: false, counterexample: undefined };
}

/** Runs a search and prints what came of it; the exit status is 1 when a conflict was found, or not found, against expectation. */
export function report(name: string, search: () => Outcome, mustFind: boolean): void {
  const began = performance.now();
  const { worlds, isWhole, counterexample, note = "" } = search();
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const found = counterexample === undefined ? "no conflict" : `conflict after ${counterexample.length} steps`;
  console.log(`${name}: ${worlds} worlds${isWhole ? ", all there are" : note}, ${found}, ${seconds} s`);
  if ((counterexample !== undefined) === mustFind) return;
  process.exitCode = 1;
  if (counterexample !== undefined) console.log(counterexample.join("\n"));
}

function draw<Drawn extends { readonly name: string }>(
  steps: readonly Drawn[],
  at: number,
  weightOf: (name: string) => number,
): Drawn | undefined {
  const weights = steps.map(({ name }) => weightOf(name));
  let left = at * weights.reduce((sum, each) => sum + each, 0);
  return steps.find((_, index) => (left -= weights[index] as number) < 0);
}

function pathTo(name: string, cameFrom: CameFrom): string[] {
  const path: string[] = [];
  for (let at = cameFrom.get(name); at !== undefined && at.by !== ""; at = cameFrom.get(at.from)) path.unshift(at.by);
  return path;
}
