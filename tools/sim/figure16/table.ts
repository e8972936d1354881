/** The results as figures. */
import { cellOf, type Figures, figuresOf } from "../downtime/figures.ts";
import type { Trials } from "./trials.ts";

/** What the paper's text says of its own figure; it gives no others in words. Milliseconds. */
const PUBLISHED: Record<string, string> = {
  "150-150": "consistently above 10,000",
  "150-155": "median 287",
  "150-200": "worst 513",
  "12-24": "mean 35, worst 152",
};

export interface Summary extends Figures {
  readonly range: string;
  readonly hint: boolean;
}

export function summarize({ lowMs, highMs, hint, downMs }: Trials): Summary {
  return { range: `${lowMs}-${highMs}`, hint, ...figuresOf(downMs) };
}

/** Markdown. */
export function tableOf(trials: readonly Trials[]): string {
  const all = trials.map(summarize);
  const lines = all
    .filter(({ hint }) => !hint)
    .map((without) => {
      const withHint = all.find(({ range, hint }) => hint && range === without.range);
      return `| ${without.range} | ${PUBLISHED[without.range] ?? ""} | ${cellOf(without)} | ${withHint ? cellOf(withHint) : ""} |`;
    });
  return [
    "| timeout ms | paper's text | median, mean, p99, worst without the hint | with it |",
    "|--:|---|---|---|",
    ...lines,
    "",
  ].join("\n");
}
