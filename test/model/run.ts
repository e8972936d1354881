/**
 * `npm run model`: searches everything that can happen between two nodes, within the bounds of `searches.ts`.
 *
 *     npm run model                  all of it
 *     npm run model -- --fast        the part that the tests run
 *     npm run model -- --json        a line of JSON for each search
 *     npm run model -- TEXT          searches whose name contains TEXT
 *
 * Exit 1 when a rule is broken, with what led there; 2 when a search was cut off by its bound of states.
 */
import { Search } from "./search.ts";
import { FAST, WHOLE } from "./searches.ts";
import { shapes } from "./universe.ts";

/** A plan with a bound this low says by its name that it is not whole. */
const CUT_OFF_ON_PURPOSE = 200_000;

const args = process.argv.slice(2);
const json = args.includes("--json");
const wanted = args.find((arg) => !arg.startsWith("--")) ?? "";
const plans = (args.includes("--fast") ? FAST : WHOLE).filter(({ name }) => name.includes(wanted));
let totalStates = 0;
let totalTransitions = 0;
let isWhole = true;

for (const { name, blocks, bounds } of plans) {
  for (const shape of shapes(blocks)) {
    const began = performance.now();
    const search = new Search(shape, bounds);
    const outcome = search.run(json || !process.stderr.isTTY ? undefined : showProgress);
    const seconds = (performance.now() - began) / 1000;
    totalStates += outcome.states;
    totalTransitions += outcome.transitions;
    isWhole &&= outcome.isWhole || bounds.maxStates < CUT_OFF_ON_PURPOSE;
    if (json) console.log(JSON.stringify({ name, seconds, totalStates, ...outcome }));
    else {
      console.log(
        `${name}: ${outcome.universe}: ${outcome.states} states, ${outcome.transitions} transitions, depth ${outcome.depth}, ${outcome.nodeStates} states of a node, at rest within ${outcome.restMs} ms, ${seconds.toFixed(1)} s${outcome.isWhole || outcome.counterexample !== undefined ? "" : ", CUT OFF"}`,
      );
    }
    if (outcome.counterexample === undefined) continue;
    if (!json) console.log(`\n${outcome.counterexample.rule}\n\n${outcome.counterexample.trace.join("\n")}`);
    process.exit(1);
  }
}
if (!json) console.log(`${totalStates} states, ${totalTransitions} transitions: no rule is broken`);
if (!isWhole) process.exitCode = 2;

function showProgress(found: number, done: number): void {
  process.stderr.write(`\r${done} of ${found} states\u001b[K\r`);
}
