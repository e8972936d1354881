/** `npm run mutations [TEXT]`: runs all mutations, or those whose tag or name contains TEXT; exit 1 when one survives. */
import { availableParallelism } from "node:os";
import { CONTROL, MODEL_CONTROL, MUTATIONS } from "./mutations.ts";
import { runMutation, type Verdict } from "./runner.ts";

const wanted = process.argv[2] ?? "";
const waiting = MUTATIONS.filter(({ name, tag }) => tag.startsWith(wanted) || name.includes(wanted));
const verdicts: Verdict[] = [];

async function work(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const verdict = await runMutation(next);
    verdicts.push(verdict);
    const { mutation, caughtAt, seconds, how } = verdict;
    const caught =
      caughtAt === undefined ? "NOT CAUGHT" : mutation.check === "model" ? `${caughtAt} states` : `seed ${caughtAt}`;
    console.log(
      `${mutation.tag.padEnd(3)} ${caught.padEnd(14)} ${seconds.toFixed(1).padStart(6)} s  ${mutation.name}\n      ${how.slice(0, 160)}`,
    );
  }
}

for (const unchanged of [CONTROL, MODEL_CONTROL]) {
  const { caughtAt, how } = await runMutation(unchanged);
  if (caughtAt === undefined) continue;
  console.error(`without any mutation the ${unchanged.check} breaks a rule already, at ${caughtAt}: ${how}`);
  process.exit(1);
}
await Promise.all(Array.from({ length: availableParallelism() }, work));
const survivors = verdicts.filter(({ caughtAt }) => caughtAt === undefined);
console.log(`${verdicts.length} mutations, ${survivors.length} not caught`);
process.exitCode = survivors.length === 0 && verdicts.length > 0 ? 0 : 1;
