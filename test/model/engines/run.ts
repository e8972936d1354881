/**
 * `npm run model:engines`: an engine gives way to another, every order of everything within the bounds of `searches.ts`; then
 * drawn runs through larger worlds; then each mutation, which must be found, and what the other rules cover.
 *
 *     npm run model:engines                   all of it, minutes
 *     npm run model:engines -- --runs 200000  so many drawn runs of each change
 *
 * Exit 1 when two irreversible blocks conflict, or a mutation is not found.
 */
import { COVERED, MODEL_MUTATIONS } from "./mutations.ts";
import { type Outcome, report, searchAll } from "../worlds.ts";
import { follow, searchRuns } from "./search.ts";
import { CHANGES, MAX_WORLDS, MUTATION_RUNS, WHOLE } from "./searches.ts";
import { Model } from "./world.ts";

const at = process.argv.indexOf("--runs");
const runs = at < 0 ? 20_000 : Number(process.argv[at + 1]);

for (const bounds of WHOLE) report(describe(bounds), () => searchAll(new Model(bounds), MAX_WORLDS), false);
for (const bounds of Object.values(CHANGES))
  report(`${describe(bounds)}, ${runs} runs`, () => searchRuns(new Model(bounds), runs, 1), false);
for (const { tag, name, change, changed, path } of MODEL_MUTATIONS) {
  const model = new Model(CHANGES[change], changed);
  const search = (): Outcome =>
    path
      ? { worlds: path.length, isWhole: false, counterexample: follow(model, path) }
      : searchRuns(model, MUTATION_RUNS, 1);
  report(`[${tag}] ${change}: ${name}`, search, true);
}

for (const { tag, name, change, changed } of COVERED)
  report(`[${tag}] covered, ${change}: ${name}`, () => searchRuns(new Model(CHANGES[change], changed), runs, 1), false);

function describe({ eras, liar, views, blocks }: (typeof CHANGES)["raftBft"]): string {
  const sets = eras.map(({ engine, producers }) => `${engine} ${producers.join("")}`).join(" -> ");
  return `${sets}${liar === undefined ? "" : ` (${liar} lies)`}, ${views} views, ${blocks} blocks`;
}
