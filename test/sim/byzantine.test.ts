/** Producers that lie (docs/testing.md, section 1): up to f of them harm nobody, and each way of lying is one. */
import { describe, expect, it } from "vitest";
import { LIE_NAMES, type LieName } from "../../tools/sim/byzantine/producer.ts";
import { runSimulation, type SimulationResult } from "../../tools/sim/run.ts";
import type { Simulation } from "../../tools/sim/simulation.ts";
import type { SimulatedNode } from "../../tools/sim/simulatedNode.ts";
import type { Effect } from "../../src/replica/types.ts";

/** The liar of seed 4 is node 1, which leads the first view. */
const SEED = 4;
const LIAR = 1;

/** One lie, from the start to the end of the run and after. */
function lie(how: LieName): {
  readonly result: SimulationResult;
  readonly said: readonly string[];
  /** Of each honest node that is up in the end: the kinds that it holds against the liar. */
  readonly named: readonly string[];
} {
  const said: string[] = [];
  let simulation: Simulation | undefined;
  const stepped = (node: SimulatedNode, _: unknown, effects: readonly Effect[]): void => {
    if (node.hostile !== undefined) return;
    for (const effect of effects) if (effect.kind === "log" && effect.level !== "debug") said.push(effect.message);
  };
  const result = runSimulation({
    seed: SEED,
    engine: "bft",
    producers: 4,
    followers: 1,
    byzantine: 1,
    faults: "none",
    durationMs: 2_500,
    settings: { tenureBlocks: 6 },
    schedule: [{ atUs: 0, fault: { kind: "lie", node: LIAR, how, durationMs: Infinity } }],
    onlooker: { stepped },
    prepare: (prepared) => void (simulation = prepared),
  });
  const named = simulation?.honest.map(({ replica }) =>
    replica.evidence
      .map(({ kind, producer }) => (producer === simulation?.node(LIAR).key ? kind : `${kind} of another`))
      .sort()
      .join(),
  );
  return { result, said, named: named ?? [] };
}

/**
 * What every honest node can prove in the end, where a lie is of a kind that evidence proves. To say nothing, to say it to
 * some, and to lie about what is not signed (hellos, ranges, routes) proves nothing. Stale reports
 * contradict themselves only where others force a view change: not in this run.
 */
const PROVEN: Partial<Record<LieName, string>> = {
  twoBlocks: "twoBlocks",
  bothBlocks: "twoBlocks,twoVotes",
  invalidBlocks: "twoBlocks",
  votesForAll: "twoVotes",
  falseOpenings: "lessReported,twoBlocks,twoVotes",
  viewChanges: "lessReported",
  floods: "lessReported,twoVotes",
};

describe("one of four lies", () => {
  it.each(LIE_NAMES)("%s: what the others decide is one chain, nothing is lost, all name the liar or none", (how) => {
    const { result, named } = lie(how);
    const { violation, transactions } = result;
    expect(violation).toBeUndefined();
    expect(transactions.irreversible).toBe(transactions.submitted);
    expect(named).toEqual(Array.from({ length: 4 }, () => PROVEN[how] ?? ""));
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
