/** Times without a leader as figures. */

/** Where the paper's plot ends: a trial is given up. */
export const GIVEN_UP_MS = 10_000;

export interface Figures {
  readonly trials: number;
  readonly minMs: number;
  readonly medianMs: number;
  readonly meanMs: number;
  readonly p99Ms: number;
  readonly worstMs: number;
  /** Trials without a leader at the end of the plot. */
  readonly givenUp: number;
}

/** @param downMs ascending, at least one */
export function figuresOf(downMs: readonly number[]): Figures {
  const at = (share: number): number =>
    Math.round(downMs[Math.min(downMs.length - 1, Math.floor(share * downMs.length))] as number);
  return {
    trials: downMs.length,
    minMs: at(0),
    medianMs: at(0.5),
    meanMs: Math.round(downMs.reduce((sum, each) => sum + each, 0) / downMs.length),
    p99Ms: at(0.99),
    worstMs: at(1),
    givenUp: downMs.filter((each) => each >= GIVEN_UP_MS).length,
  };
}

/** In a cell of a table: median, mean, p99, worst. */
export function cellOf({ medianMs, meanMs, p99Ms, worstMs, givenUp, trials }: Figures): string {
  const up = givenUp > 0 ? ` (${givenUp} of ${trials} given up)` : "";
  return `${medianMs}, ${meanMs}, ${p99Ms}, ${worstMs}${up}`;
}
