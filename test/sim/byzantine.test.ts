/** Producers that lie (docs/testing.md, section 1): up to f of them harm nobody, and each way of lying is one. */
import { describe, expect, it } from "vitest";
import { LIE_NAMES, type LieName } from "../../tools/sim/byzantine/producer.ts";
import { runSimulation, type SimulationResult } from "../../tools/sim/run.ts";
import type { SimulatedNode } from "../../tools/sim/simulatedNode.ts";
import type { Effect } from "../../src/replica/types.ts";

/** The liar of seed 4 is node 1, which leads the first view. */
const SEED = 4;
const LIAR = 1;

/** One lie, from the start to the end of the run and after. */
function lie(how: LieName): { readonly result: SimulationResult; readonly said: readonly string[] } {
  const said: string[] = [];
  const stepped = (node: SimulatedNode, _: unknown, effects: readonly Effect[]): void => {
    if (node.hostile !== undefined) return;
    for (const effect of effects) if (effect.kind === "log" && effect.level !== "debug") said.push(effect.message);
  };
  const result = runSimulation({
    seed: SEED,
    engine: "bft",
    producers: 4,
    byzantine: 1,
    faults: "none",
    durationMs: 2_500,
    settings: { tenureBlocks: 6 },
    schedule: [{ atUs: 0, fault: { kind: "lie", node: LIAR, how, durationMs: Infinity } }],
    onlooker: { stepped },
  });
  return { result, said };
}

describe("one of four lies", () => {
  it.each(LIE_NAMES)("%s: what the others decide is one chain, and nothing is lost", (how) => {
    const { violation, transactions } = lie(how).result;
    expect(violation).toBeUndefined();
    expect(transactions.irreversible).toBe(transactions.submitted);
  });

  it.each(["twoBlocks", "bothBlocks"] as const)("%s: it is found out", (how) => {
    expect(lie(how).said).toContain("evidence against a producer");
  });

  it("who makes invalid blocks is told apart", () => {
    expect(lie("falseOpenings").said).toContain("a producer misbehaves");
  });

  it("a leader that makes no block of what it is given is suspected", () => {
    expect(lie("censorship").said).toContain("asks for another view");
    expect(lie("falseHellos").said).not.toContain("asks for another view");
  });
});

describe("a run with liars", () => {
  it("is the same run again, and lies are faults that can be left out", () => {
    const options = {
      seed: 2,
      engine: "bft",
      producers: 7,
      byzantine: 2,
      faults: "crashing",
      durationMs: 3_000,
    } as const;
    const first = runSimulation(options);
    expect(first.violation).toBeUndefined();
    const { schedule } = first;
    expect(schedule.some(({ fault }) => fault.kind === "lie")).toBe(true);
    expect(runSimulation(options).traceHash).toBe(first.traceHash);
    const calm = schedule.filter(({ fault }) => fault.kind !== "lie");
    expect(runSimulation({ ...options, schedule: calm }).violation).toBeUndefined();
  });
});
