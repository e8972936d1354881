/** What is searched: whole where that is possible, by drawn runs beyond. */
import type { Bounds } from "./world.ts";

export const LARGE: Bounds = { views: 3, blocks: 4, liar: 1 };
/** Mutations are looked for in so many drawn runs at most; the slowest is found after some hundred. */
export const MUTATION_RUNS = 20_000;
export const MAX_WORLDS = 12_000_000;

/** Seconds. */
export const FAST: readonly Bounds[] = [
  { views: 1, blocks: 2, liar: 1 },
  { views: 2, blocks: 1, liar: 1 },
  { views: 2, blocks: 1, liar: 2 },
];
export const FAST_RUNS: readonly Bounds[] = [LARGE, { views: 5, blocks: 7, liar: 1, claims: true }];

/** Minutes. */
export const WHOLE: readonly Bounds[] = [
  ...FAST,
  { views: 1, blocks: 3, liar: 1 },
  { views: 2, blocks: 2, liar: 1 },
  { views: 2, blocks: 2, liar: 2 },
];
