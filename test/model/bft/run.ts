/**
 * `npm run model:bft`: the voting rules of BFT, every order of everything with four producers, one a liar, within the bounds
 * of `searches.ts`; then drawn runs through larger worlds; then each mutation, which must be found.
 *
 *     npm run model:bft                  all of it, minutes
 *     npm run model:bft -- --runs 50000  so many drawn runs of each larger world
 *
 * Exit 1 when two decided blocks conflict, or a mutation is not found.
 */
import { MODEL_MUTATIONS } from "./mutations.ts";
import { report, searchAll } from "../worlds.ts";
import { searchRuns } from "./search.ts";
import { FAST_RUNS, LARGE, MAX_WORLDS, MUTATION_RUNS, WHOLE } from "./searches.ts";
import { Model } from "./world.ts";

const at = process.argv.indexOf("--runs");
const runs = at < 0 ? 20_000 : Number(process.argv[at + 1]);

for (const bounds of WHOLE) report(JSON.stringify(bounds), () => searchAll(new Model(bounds), MAX_WORLDS), false);
for (const bounds of FAST_RUNS)
  report(`${JSON.stringify(bounds)}, ${runs} runs`, () => searchRuns(new Model(bounds), runs, 1), false);
for (const { tag, name, changed, wiring, bounds } of MODEL_MUTATIONS)
  report(
    `[${tag}] ${name}`,
    () => searchRuns(new Model({ ...LARGE, ...bounds }, changed, wiring), MUTATION_RUNS, 1),
    true,
  );
