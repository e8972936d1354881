/** Everything that can happen between two nodes, within bounds (docs/testing.md, section 2; all of it: `npm run model`). */
import { describe, expect, it } from "vitest";
import { type Outcome, Search } from "./search.ts";
import { FAST } from "./searches.ts";
import { shapes } from "./universe.ts";

describe("two nodes in every order of everything that may happen (docs/protocol.md, section 3)", () => {
  it.each(FAST)(
    "$name, $blocks blocks: no rule is broken, and left alone they reach the same head",
    { timeout: 120_000 },
    ({ blocks, bounds }) => {
      for (const shape of shapes(blocks)) {
        const outcome = new Search(shape, bounds).run();
        expect(outcome.counterexample, describeFault(outcome)).toBeUndefined();
        expect(outcome.isWhole || outcome.states > bounds.maxStates).toBe(true);
      }
    },
  );

  it("shapes differ in the order in which their blocks rank", () => {
    // Ties are broken by ids, which are hashes: where one falls otherwise, two shapes more or less rank alike.
    const counts = [1, 2, 3, 4].map((blocks) => shapes(blocks).length);
    expect(counts.slice(0, 3)).toEqual([1, 2, 5]);
    expect(counts[3]).toBeGreaterThanOrEqual(12);
  });
});

function describeFault({ universe, counterexample }: Outcome): string {
  return counterexample === undefined
    ? universe
    : `${universe}: ${counterexample.rule}\n${counterexample.trace.join("\n")}`;
}
