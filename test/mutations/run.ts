/** `npm run mutations [TEXT]`: runs all mutations, or those whose tag or name contains TEXT; exit 1 when one survives. */
import { availableParallelism } from "node:os";
import type { Mutation } from "./mutation.ts";
import { CONTROL, MODEL_CONTROL, MUTATIONS, testsControl } from "./mutations.ts";
import { runMutation, type Verdict } from "./runner.ts";

const wanted = process.argv[2] ?? "";
const waiting = MUTATIONS.filter(({ name, tag }) => tag.startsWith(wanted) || name.includes(wanted));
const verdicts: Verdict[] = [];

const CAUGHT: Record<Mutation["check"], (at: number) => string> = {
  sweep: (seed) => `seed ${seed}`,
  model: (states) => `${states} states`,
  tests: (failed) => `${failed} tests`,
};

async function work(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const verdict = await runMutation(next);
    verdicts.push(verdict);
    const { mutation, caughtAt, seconds, how } = verdict;
    const caught = caughtAt === undefined ? "NOT CAUGHT" : CAUGHT[mutation.check](caughtAt);
    console.log(
      `${mutation.tag.padEnd(3)} ${caught.padEnd(14)} ${seconds.toFixed(1).padStart(6)} s  ${mutation.name}\n      ${how.slice(0, 160)}`,
    );
  }
}

const controls = [CONTROL, MODEL_CONTROL, testsControl(waiting)];
for (const unchanged of controls.filter(({ check }) => waiting.some((each) => each.check === check))) {
  const { caughtAt, how } = await runMutation(unchanged);
  if (caughtAt === undefined) continue;
  console.error(`without any mutation the ${unchanged.check} breaks a rule already, at ${caughtAt}: ${how}`);
  process.exit(1);
}
await Promise.all(Array.from({ length: availableParallelism() }, work));
const survivors = verdicts.filter(({ caughtAt }) => caughtAt === undefined);
console.log(`${verdicts.length} mutations, ${survivors.length} not caught`);
process.exitCode = survivors.length === 0 && verdicts.length > 0 ? 0 : 1;
