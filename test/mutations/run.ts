/** `npm run mutations [TEXT]`: runs all mutations, or those whose tag or name contains TEXT; exit 1 when one survives. */
import { availableParallelism } from "node:os";
import { CONTROL, MUTATIONS } from "./mutations.ts";
import { runMutation, type Verdict } from "./runner.ts";

const wanted = process.argv[2] ?? "";
const waiting = MUTATIONS.filter(({ name, tag }) => tag.startsWith(wanted) || name.includes(wanted));
const verdicts: Verdict[] = [];

async function work(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const verdict = await runMutation(next);
    verdicts.push(verdict);
    const { mutation, caughtAt, seconds, how } = verdict;
    const caught = caughtAt === undefined ? "NOT CAUGHT" : `seed ${caughtAt}`;
    console.log(
      `${mutation.tag.padEnd(3)} ${caught.padEnd(10)} ${seconds.toFixed(1).padStart(6)} s  ${mutation.name}\n      ${how.slice(0, 160)}`,
    );
  }
}

const control = await runMutation(CONTROL);
if (control.caughtAt !== undefined) {
  console.error(`without any mutation seed ${control.caughtAt} breaks a rule already: ${control.how}`);
  process.exit(1);
}
await Promise.all(Array.from({ length: availableParallelism() }, work));
const survivors = verdicts.filter(({ caughtAt }) => caughtAt === undefined);
console.log(`${verdicts.length} mutations, ${survivors.length} not caught`);
process.exitCode = survivors.length === 0 && verdicts.length > 0 ? 0 : 1;
