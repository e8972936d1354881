/** VSR in the simulator: whole nodes, crash faults, lost disks, all oracles (more: `cairn sim --engine vsr --seeds 2000`). */
import { describe, expect, it } from "vitest";
import { runSimulation } from "../../tools/sim/run.ts";

const run = (seed: number, producers: number, faults: string) =>
  runSimulation({ seed, engine: "vsr", producers, followers: 1, faults, durationMs: 4_000 });

describe("VSR (docs/protocol.md, section 6)", () => {
  it("without faults it opens a view, and decides what is submitted", () => {
    const { violation, highestView, transactions } = run(1, 3, "none");
    expect(violation).toBeUndefined();
    // The first replicas may be up before their primary is.
    expect(highestView).toBeLessThanOrEqual(2);
    expect(transactions.irreversible).toBe(transactions.submitted);
  });

  it.each([
    [3, "churning"],
    [4, "crashing"],
    [5, "partitions"],
    [4, "forgetful"],
  ])("%i producers, %s: no rule is broken", (producers, faults) => {
    for (let seed = 1; seed <= 3; seed++) expect(run(seed, producers, faults).violation).toBeUndefined();
  });
});
