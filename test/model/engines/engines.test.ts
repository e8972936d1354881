/** An engine gives way to another (docs/protocol.md, section 4, "Engine change"; more: `npm run model:engines`). */
import { describe, expect, it } from "vitest";
import { MODEL_MUTATIONS } from "./mutations.ts";
import { follow, searchRuns } from "./search.ts";
import { CHANGES, FAST_RUNS, MUTATION_RUNS } from "./searches.ts";
import { Model } from "./world.ts";

describe("no two conflicting blocks are irreversible across both engines", () => {
  it.each(Object.entries(CHANGES))("%s, in drawn runs", (_, bounds) => {
    const { counterexample, switched } = searchRuns(new Model(bounds), FAST_RUNS, 1);
    expect(counterexample).toBeUndefined();
    // The new engine comes so far as to decide something.
    expect(switched).toBeGreaterThan(0);
  });
});

describe("a broken rule is found", () => {
  it.each(MODEL_MUTATIONS)("[$tag] $change: $name", ({ change, changed, path }) => {
    const model = new Model(CHANGES[change], changed);
    const found = path ? follow(model, path) : searchRuns(model, MUTATION_RUNS, 1).counterexample;
    expect(found).toBeDefined();
    // With the rule kept the way ends before that.
    if (path) expect(follow(new Model(CHANGES[change]), path)).toBeUndefined();
  });
});
