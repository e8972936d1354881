import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LOCATOR_MAX } from "../../consensus/messages.ts";
import {
  type Interval,
  isExact,
  locate,
  type LocatorEntry,
  makeLocator,
  narrowLocator,
} from "../../consensus/sync/locator.ts";

/** Ids of a chain that leaves the common one above `fork`. */
const chain =
  (name: string, fork: number) =>
  (height: number): string =>
    height <= fork ? `common ${height}` : `${name} ${height}`;

describe("locator (docs/protocol.md, section 3)", () => {
  it("holds blocks at distances 0, 1, 2, 4, 8, ... below the head, the irreversible block last", () => {
    expect(makeLocator(100, 60, chain("mine", 100)).map((each) => each.height)).toEqual([
      100, 99, 98, 96, 92, 84, 68, 60,
    ]);
    expect(makeLocator(60, 60, chain("mine", 60)).map((each) => each.height)).toEqual([60]);
    expect(makeLocator(61, 60, chain("mine", 61)).map((each) => each.height)).toEqual([61, 60]);
  });

  it("is bounded on the longest chain, and so is a narrowed one", () => {
    expect(makeLocator(Number.MAX_SAFE_INTEGER, 0, String).length).toBeLessThanOrEqual(LOCATOR_MAX);
    expect(makeLocator(2 ** 70, 0, String)).toHaveLength(LOCATOR_MAX);
    for (const high of [1, 31, 32, 1_000, 12_345_678]) {
      const narrowed = narrowLocator({ low: 0, high }, high, String);
      expect(narrowed.length).toBeLessThanOrEqual(33);
      expect(narrowed.at(0)?.height).toBe(high);
      expect(narrowed.at(-1)?.height).toBe(0);
    }
  });

  it("what a chain has pruned is left out", () => {
    const idAt = (height: number): string | undefined => (height < 90 ? undefined : `block ${height}`);
    expect(makeLocator(100, 60, idAt).map((each) => each.height)).toEqual([100, 99, 98, 96, 92]);
  });

  it("nothing in common, nothing located", () => {
    expect(locate([{ height: 3, id: "x" }], () => false)).toBeUndefined();
    expect(locate([], () => true)).toBeUndefined();
  });

  it("narrowing round by round finds the nearest common ancestor, in few rounds", () => {
    const heights = fc.integer({ min: 0, max: 3_000_000 });
    fc.assert(
      fc.property(heights, heights, heights, (mineAbove, theirsAbove, fork) => {
        const mine = { head: fork + mineAbove, idAt: chain("mine", fork) };
        const theirs = { head: fork + theirsAbove, idAt: chain("theirs", fork) };
        const has = (one: typeof mine) => (entry: LocatorEntry) =>
          entry.height <= one.head && one.idAt(entry.height) === entry.id;
        let interval = locate(makeLocator(theirs.head, 0, theirs.idAt), has(mine)) as Interval;
        let rounds = 1;
        for (let [asks, answers] = [mine, theirs]; !isExact(interval); [asks, answers] = [answers, asks]) {
          expect(interval.low).toBeLessThanOrEqual(fork);
          expect(interval.high).toBeGreaterThan(fork);
          interval = locate(narrowLocator(interval, asks.head, asks.idAt), has(answers)) as Interval;
          rounds++;
          expect(rounds).toBeLessThan(10);
        }
        expect(interval.low).toBe(fork);
      }),
      { numRuns: 300 },
    );
  });
});
