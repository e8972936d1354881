/** The paper's two plots, without the hint and with it. */
import { drawCurves } from "../downtime/curves.ts";
import type { Trials } from "./trials.ts";

interface Plot {
  readonly title: string;
  readonly hint: boolean;
  /** Without randomness to much of it, or short to long. */
  readonly kind: "randomness" | "length";
}

const PLOTS: readonly Plot[] = [
  { title: "More randomness, without the hint", hint: false, kind: "randomness" },
  { title: "Longer timeouts, without the hint", hint: false, kind: "length" },
  { title: "More randomness, with the broken link as a hint", hint: true, kind: "randomness" },
  { title: "Longer timeouts, with the broken link as a hint", hint: true, kind: "length" },
];

export function plot(trials: readonly Trials[]): string {
  const panels = PLOTS.map(({ title, hint, kind }) => {
    const shown = trials.filter((each) => each.hint === hint && belongs(each, kind));
    return { title, curves: shown.map(({ lowMs, highMs, downMs }) => ({ label: `${lowMs}-${highMs} ms`, downMs })) };
  });
  return drawCurves("Time without a leader after a crash, five servers", panels);
}

function belongs({ lowMs, highMs }: Trials, kind: Plot["kind"]): boolean {
  return kind === "randomness" ? lowMs === 150 : highMs === 2 * lowMs;
}
