/**
 * Prints the trace hashes of the first runs of a sweep, one a line: run it under two versions of Node and compare.
 *
 *     node test/sim/hashes.ts 20 > a; npx node@22 --experimental-strip-types test/sim/hashes.ts 20 > b; cmp a b
 */
import { planSweep, runOne } from "../../tools/sim/sweep.ts";

const seeds = Number(process.argv[2] ?? 20);
const print = process.argv[3] === "--print" ? () => undefined : undefined;
for (const run of planSweep({
  firstSeed: 1,
  seeds,
  producers: undefined,
  followers: undefined,
  faults: "default",
  durationMs: 3_000,
})) {
  console.log(run.seed, runOne(run, print).traceHash);
}
