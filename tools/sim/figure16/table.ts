/** The results as figures. */
import { GIVEN_UP_MS, type Trials } from "./trials.ts";

/** What the paper's text says of its own figure; it gives no others in words. Milliseconds. */
const PUBLISHED: Record<string, string> = {
  "150-150": "consistently above 10,000",
  "150-155": "median 287",
  "150-200": "worst 513",
  "12-24": "mean 35, worst 152",
};

export interface Summary {
  readonly range: string;
  readonly hint: boolean;
  readonly trials: number;
  readonly minMs: number;
  readonly medianMs: number;
  readonly meanMs: number;
  readonly p99Ms: number;
  readonly worstMs: number;
  /** Trials without a leader at the end of the plot. */
  readonly givenUp: number;
}

export function summarize({ lowMs, highMs, hint, downMs }: Trials): Summary {
  const at = (share: number): number =>
    Math.round(downMs[Math.min(downMs.length - 1, Math.floor(share * downMs.length))] as number);
  return {
    range: `${lowMs}-${highMs}`,
    hint,
    trials: downMs.length,
    minMs: at(0),
    medianMs: at(0.5),
    meanMs: Math.round(downMs.reduce((sum, each) => sum + each, 0) / downMs.length),
    p99Ms: at(0.99),
    worstMs: at(1),
    givenUp: downMs.filter((each) => each >= GIVEN_UP_MS).length,
  };
}

/** Markdown. */
export function tableOf(trials: readonly Trials[]): string {
  const all = trials.map(summarize);
  const lines = all
    .filter(({ hint }) => !hint)
    .map((without) => {
      const withHint = all.find(({ range, hint }) => hint && range === without.range);
      return `| ${without.range} | ${PUBLISHED[without.range] ?? ""} | ${cells(without)} | ${withHint ? cells(withHint) : ""} |`;
    });
  return [
    "| timeout ms | paper's text | median, mean, p99, worst without the hint | with it |",
    "|--:|---|---|---|",
    ...lines,
    "",
  ].join("\n");
}

function cells({ medianMs, meanMs, p99Ms, worstMs, givenUp, trials }: Summary): string {
  const up = givenUp > 0 ? ` (${givenUp} of ${trials} given up)` : "";
  return `${medianMs}, ${meanMs}, ${p99Ms}, ${worstMs}${up}`;
}
