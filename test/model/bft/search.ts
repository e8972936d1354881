/** Every world that can be reached within bounds, or runs drawn at random through a larger space. */
import { seededRandom } from "../../../src/base/random.ts";
import { firstWorld, type Model, type Step, type World } from "./world.ts";

export interface Outcome {
  readonly worlds: number;
  /** Everything within the bounds was seen. */
  readonly isWhole: boolean;
  /** What led to two decided blocks on different branches. */
  readonly counterexample: readonly string[] | undefined;
}

/** Breadth first: the shortest counterexample is found. */
export function searchAll(model: Model, maxWorlds: number): Outcome {
  const first = firstWorld();
  const cameFrom = new Map<string, { readonly from: string; readonly by: string }>();
  cameFrom.set(model.nameOf(first), { from: "", by: "" });
  let worlds: World[] = [first];
  while (worlds.length > 0) {
    const next: World[] = [];
    for (const world of worlds) {
      const from = model.nameOf(world);
      for (const { name: by, world: reached } of model.steps(world)) {
        const name = model.nameOf(reached);
        if (cameFrom.has(name)) continue;
        cameFrom.set(name, { from, by });
        if (model.conflict(reached) !== undefined) {
          return { worlds: cameFrom.size, isWhole: false, counterexample: pathTo(name, cameFrom) };
        }
        if (cameFrom.size >= maxWorlds) return { worlds: cameFrom.size, isWhole: false, counterexample: undefined };
        next.push(reached);
      }
    }
    worlds = next;
  }
  return { worlds: cameFrom.size, isWhole: true, counterexample: undefined };
}

/** Runs of one step after another, each drawn from what is possible, from `seed`. */
export function searchRuns(model: Model, runs: number, seed: number): Outcome {
  const random = seededRandom(seed);
  let worlds = 0;
  for (let run = 0; run < runs; run++) {
    const path: string[] = [];
    let world = firstWorld();
    for (;;) {
      const step = draw([...model.steps(world)], random.next());
      if (step === undefined) break;
      worlds++;
      path.push(step.name);
      world = step.world;
      if (model.conflict(world) !== undefined) return { worlds, isWhole: false, counterexample: path };
    }
  }
  return { worlds, isWhole: false, counterexample: undefined };
}

/** Votes are drawn more often than anything else: with many view changes nothing is ever decided. */
function draw(steps: readonly Step[], at: number): Step | undefined {
  const weights = steps.map(({ name }) => (name.includes("asks for") ? 1 : name.startsWith("block") ? 2 : 6));
  let left = at * weights.reduce((sum, each) => sum + each, 0);
  return steps.find((_, index) => (left -= weights[index] as number) < 0);
}

function pathTo(name: string, cameFrom: ReadonlyMap<string, { readonly from: string; readonly by: string }>): string[] {
  const path: string[] = [];
  for (let at = cameFrom.get(name); at !== undefined && at.by !== ""; at = cameFrom.get(at.from)) path.unshift(at.by);
  return path;
}
