/** `npm run bft-downtime [-- TRIALS]`: writes docs/bftDowntime.json and .svg, prints the table of docs/performance.md. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { drawCurves } from "../downtime/curves.ts";
import { cellOf, figuresOf } from "../downtime/figures.ts";
import { onThreads } from "../downtime/onThreads.ts";
import { type BftTrials, type Task, VIEW_TIMEOUTS_MS } from "./trials.ts";

const count = Number(process.argv[2] ?? 1_000);
if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`${process.argv[2]}: not a number of trials`);

const tasks: Task[] = [false, true].flatMap((hint) =>
  VIEW_TIMEOUTS_MS.map((viewTimeoutMs) => ({ viewTimeoutMs, hint, count })),
);
const name = ({ viewTimeoutMs, hint }: Task): string => `${viewTimeoutMs} ms ${hint ? "with" : "without"} the hint`;
const trials = await onThreads<Task, BftTrials>(new URL("./worker.ts", import.meta.url), tasks, (task) => {
  process.stderr.write(`${name(task)}: done\n`);
});

const panels = [false, true].map((hint) => ({
  title: hint ? "With the broken link as a hint" : "Without the hint",
  curves: trials
    .filter((each) => each.hint === hint)
    .map(({ viewTimeoutMs, downMs }) => ({ label: `view timeout ${viewTimeoutMs} ms`, downMs })),
}));
const summaries = trials.map(({ viewTimeoutMs, hint, downMs, undecidedMs, views }) => ({
  viewTimeoutMs,
  hint,
  ...figuresOf(downMs),
  undecidedMs: figuresOf(undecidedMs),
  views,
}));
const docs = join(import.meta.dirname, "../../../docs");
writeFileSync(join(docs, "bftDowntime.json"), `${JSON.stringify(summaries, null, 2)}\n`);
writeFileSync(
  join(docs, "bftDowntime.svg"),
  drawCurves("Time without a leader after a crash, four producers under BFT", panels),
);

const viewsOf = ({ views }: BftTrials): string =>
  Object.entries(views)
    .map(([many, times]) => `${many}: ${times}`)
    .join(", ");
const rows = trials.map(
  (each) =>
    `| ${each.viewTimeoutMs} | ${each.hint ? "with" : "without"} | ${cellOf(figuresOf(each.downMs))} | ${cellOf(figuresOf(each.undecidedMs))} | ${viewsOf(each)} |`,
);
process.stdout.write(
  [
    "| view timeout ms | hint | until another leads: median, mean, p99, worst ms | until something is decided | views a crash costs: trials |",
    "|--:|---|---|---|---|",
    ...rows,
    "",
  ].join("\n"),
);
