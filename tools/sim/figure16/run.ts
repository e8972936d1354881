/** `npm run figure16 [-- TRIALS]`: writes docs/figure16.json and docs/figure16.svg, prints the table of docs/performance.md. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { onThreads } from "../downtime/onThreads.ts";
import { plot } from "./plot.ts";
import { summarize, tableOf } from "./table.ts";
import { RANGES, type Trials } from "./trials.ts";

const count = Number(process.argv[2] ?? 1_000);
if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`${process.argv[2]}: not a number of trials`);

interface Task {
  readonly lowMs: number;
  readonly highMs: number;
  readonly hint: boolean;
  readonly count: number;
}

const tasks: Task[] = [false, true].flatMap((hint) =>
  RANGES.map(([lowMs, highMs]) => ({ lowMs, highMs, hint, count })),
);
const trials = await onThreads<Task, Trials>(
  new URL("./worker.ts", import.meta.url),
  tasks,
  ({ lowMs, highMs, hint }) => {
    process.stderr.write(`${lowMs}-${highMs} ms ${hint ? "with" : "without"} the hint: done\n`);
  },
);
const docs = join(import.meta.dirname, "../../../docs");
writeFileSync(join(docs, "figure16.json"), `${JSON.stringify(trials.map(summarize), null, 2)}\n`);
writeFileSync(join(docs, "figure16.svg"), plot(trials));
process.stdout.write(tableOf(trials));
