/** Runs drawn at random through a larger space. */
import { drawRuns, type Outcome } from "../worlds.ts";
import type { Model } from "./world.ts";

export function searchRuns(model: Model, runs: number, seed: number): Outcome {
  return drawRuns(model, runs, seed, weightOf);
}

/** Votes are drawn more often than anything else: with many view changes nothing is ever decided. */
function weightOf(name: string): number {
  if (name.includes("asks for")) return 1;
  return name.startsWith("block") ? 2 : 6;
}
