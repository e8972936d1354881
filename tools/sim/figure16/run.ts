/** `npm run figure16 [-- TRIALS]`: writes docs/figure16.json and docs/figure16.svg, prints the table of docs/performance.md. */
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
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

/** On a thread of its own. */
function runOne(task: Task): Promise<Trials> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: task });
    worker.once("message", resolve).once("error", reject);
  });
}

/** The longest first, on as many threads as there are cores. */
async function runAll(tasks: Task[]): Promise<Trials[]> {
  const done: Trials[] = [];
  const work = async (): Promise<void> => {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
      done.push(await runOne(task));
      process.stderr.write(`${task.lowMs}-${task.highMs} ms ${task.hint ? "with" : "without"} the hint: done\n`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return done;
}

const tasks = [false, true].flatMap((hint) => RANGES.map(([lowMs, highMs]) => ({ lowMs, highMs, hint, count })));
const order = tasks.map(({ lowMs, highMs, hint }) => `${lowMs} ${highMs} ${hint}`);
const trials = (await runAll(tasks)).sort(
  (a, b) => order.indexOf(`${a.lowMs} ${a.highMs} ${a.hint}`) - order.indexOf(`${b.lowMs} ${b.highMs} ${b.hint}`),
);
const docs = join(import.meta.dirname, "../../../docs");
writeFileSync(join(docs, "figure16.json"), `${JSON.stringify(trials.map(summarize), null, 2)}\n`);
writeFileSync(join(docs, "figure16.svg"), plot(trials));
process.stdout.write(tableOf(trials));
