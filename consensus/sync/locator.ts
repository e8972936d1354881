/** Locators: a few blocks of a chain by which two nodes find their nearest common ancestor. */
import { LOCATOR_MAX } from "../messages.ts";

export interface LocatorEntry {
  readonly height: number;
  readonly id: string;
}

/** Entries of a narrowed locator at most; each round divides the interval by one less. */
const NARROWED_MAX = 32;

type IdAt = (height: number) => string | undefined;

/** Blocks at distances 0, 1, 2, 4, 8, ... below the head, the last one the irreversible block. */
export function makeLocator(headHeight: number, irreversibleHeight: number, idAt: IdAt): LocatorEntry[] {
  const heights: number[] = [];
  for (let distance = 0; headHeight - distance > irreversibleHeight; distance = Math.max(1, distance * 2)) {
    if (heights.length === LOCATOR_MAX - 1) break;
    heights.push(headHeight - distance);
  }
  heights.push(irreversibleHeight);
  return entriesAt(heights, idAt);
}

/** Blocks spread evenly from `low` (common) to `high` (not common, or above my head), both included. */
export function narrowLocator({ low, high }: Interval, headHeight: number, idAt: IdAt): LocatorEntry[] {
  const top = Math.min(high, headHeight);
  const step = Math.max(1, Math.ceil((top - low) / (NARROWED_MAX - 1)));
  const heights: number[] = [];
  for (let height = top; height > low; height -= step) heights.push(height);
  heights.push(low);
  return entriesAt(heights, idAt);
}

/** The nearest common ancestor is at `low` or above it, and below `high`. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * What a peer's locator says about where our chains part.
 * @param has whether my best chain has the block
 * @returns undefined when no entry is on my chain
 */
export function locate(locator: readonly LocatorEntry[], has: (entry: LocatorEntry) => boolean): Interval | undefined {
  const index = locator.findIndex(has);
  const common = locator[index];
  if (common === undefined) return undefined;
  const above = locator[index - 1];
  return { low: common.height, high: above?.height ?? common.height + 1 };
}

/** True when the interval names the ancestor exactly. */
export function isExact({ low, high }: Interval): boolean {
  return high - low <= 1;
}

function entriesAt(heights: readonly number[], idAt: IdAt): LocatorEntry[] {
  const entries: LocatorEntry[] = [];
  for (const height of heights) {
    const id = idAt(height);
    if (id !== undefined) entries.push({ height, id });
  }
  return entries;
}
