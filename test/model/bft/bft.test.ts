/** Four producers, one a liar, over the product's own voting rules (docs/protocol.md, section 7; more: `npm run model:bft`). */
import { describe, expect, it } from "vitest";
import { MODEL_MUTATIONS } from "./mutations.ts";
import { searchAll } from "../worlds.ts";
import { searchRuns } from "./search.ts";
import { FAST, FAST_RUNS, LARGE, MAX_WORLDS, MUTATION_RUNS } from "./searches.ts";
import { Model } from "./world.ts";

describe("no two conflicting blocks are decided", () => {
  it.each(FAST)("in any world of $views views and $blocks blocks, producer $liar lying", (bounds) => {
    const { isWhole, counterexample } = searchAll(new Model(bounds), MAX_WORLDS);
    expect(counterexample).toBeUndefined();
    expect(isWhole).toBe(true);
  });

  it.each(FAST_RUNS)("in drawn runs of $views views and $blocks blocks", (bounds) => {
    expect(searchRuns(new Model(bounds), 1_000, 1).counterexample).toBeUndefined();
  });
});

describe("a broken rule is found", () => {
  it.each(MODEL_MUTATIONS)("[$tag] $name", ({ changed, wiring, bounds }) => {
    const model = new Model({ ...LARGE, ...bounds }, changed, wiring);
    expect(searchRuns(model, MUTATION_RUNS, 1).counterexample).toBeDefined();
  });
});
