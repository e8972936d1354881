/** BFT in the simulator: whole nodes, crash faults of up to f producers, all oracles (more: `cairn sim --engine bft --seeds 2000`). */
import { describe, expect, it } from "vitest";
import { runSimulation } from "../../tools/sim/run.ts";

const run = (seed: number, producers: number, faults: string) =>
  runSimulation({ seed, engine: "bft", producers, followers: 1, faults, durationMs: 4_000 });

describe("BFT (docs/protocol.md, section 7)", () => {
  it("without faults it stays in the view that block 0 hands over to, and decides what is submitted", () => {
    const { violation, highestView, transactions } = run(1, 4, "none");
    expect(violation).toBeUndefined();
    expect(highestView).toBe(1);
    expect(transactions.irreversible).toBe(transactions.submitted);
  });

  it.each([
    [4, "crashing"],
    [4, "churning"],
    [4, "forgetful"],
    [7, "partitions"],
  ])("%i producers, %s: no rule is broken", (producers, faults) => {
    for (let seed = 1; seed <= 3; seed++) expect(run(seed, producers, faults).violation).toBeUndefined();
  });

  it("leaders that die are replaced", () => {
    const views = [1, 2, 3, 4].map((seed) => run(seed, 4, "churning").highestView);
    expect(Math.max(...views)).toBeGreaterThan(2);
  });
});
