/** Leadership transfer on planned shutdown: no time is lost, and nothing that was accepted (docs/protocol.md, section 5). */
import { describe, expect, it } from "vitest";
import type { EngineName } from "../../../chain/genesis.ts";
import { CONSENSUS_DEFAULTS } from "../../../consensus/constants.ts";
import { NO_WORKLOAD } from "../../../tools/sim/profile.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

const { electionTimeoutMs } = CONSENSUS_DEFAULTS;
/** Far less than a graft (250 ms) or an election waits for; at 200 transactions a second a block is due every few ms. */
const LITTLE_MS = 100;
/** Links of 1 ms one way and disks of 0.5 to 5 ms: five messages and three writes from TimeoutNow to a decided block. */
const FEW_ROUND_TRIPS_MS = 30;

describe("hand-over on planned shutdown", () => {
  it.each([2, 3, 5])("loses no time and no transaction: %d producers under load", (producers) => {
    for (let seed = 1; seed <= 5; seed++) {
      const stage = Stage.open(producers, { seed, workload: { ...NO_WORKLOAD, transactionsPerSecond: 100 } });
      const { simulation } = stage;
      simulation.beginWorkload();
      stage.advance(500 + 7 * seed);
      const old = stage.leader;
      const { view } = stage.status(old).engine;
      const height = simulation.watch.finality.height;
      const held = stage.submit(old, 50);
      const before = simulation.nowMs;
      let decidedAt: number | undefined;
      simulation.onlookers.push({
        stepped: (_, __, effects) => {
          const isNext = effects.some((effect) => effect.kind === "irreversible" && effect.block.view > view);
          if (isNext) decidedAt ??= simulation.nowMs;
        },
      });
      stage.stop(old, 2 * electionTimeoutMs);
      stage.until("the next view decides", () => decidedAt !== undefined, electionTimeoutMs);
      expect((decidedAt as number) - before).toBeLessThan(FEW_ROUND_TRIPS_MS);
      expect(simulation.watch.finality.height).toBeGreaterThan(height);
      expect(stage.leader).not.toBe(old);
      for (const id of held) expect(stage.placeOf(id)).toBeDefined();
      if (producers === 2) stage.start(old);
      simulation.endWorkload();
      stage.settle();
      // One change of view, by the hand-over, and none by the stop.
      const highest = Math.max(...stage.up.map((index) => stage.status(index).engine.view));
      expect(highest).toBe(view + 1);
    }
  });

  it("goes to who holds the leader's head: one that lags behind is not asked", () => {
    const stage = Stage.open(3);
    const old = stage.leader;
    const [lagging, near] = stage.others(old) as [number, number];
    stage.block(old, lagging);
    stage.block(near, lagging);
    stage.commit(old, 5);
    stage.submit(old);
    // Were the other one asked, it would not hear of it, and the second question comes a quarter of the timeout later.
    expect(stage.stop(old)).toBeLessThan(electionTimeoutMs / 4);
    expect(stage.simulation.leader()).toBe(near);
    stage.heal();
    stage.settle();
  });

  it("the first one asked is silent: the next one takes over within the bound", () => {
    const stage = Stage.open(3);
    const old = stage.leader;
    stage.commit(old);
    stage.advance(50);
    const asked: number[] = [];
    stage.simulation.onlookers.push({
      sent: (node, to, lane, parts) => {
        if (node.index !== old || lane !== "urgent" || parts.at(-1)?.[0] !== 21) return;
        if (asked.length === 0) stage.simulation.node(to).pause(2_000);
        asked.push(to);
      },
    });
    stage.stop(old, 2 * electionTimeoutMs);
    expect(new Set(asked).size).toBe(2);
    expect(stage.elect(old)).toBe(asked[1]);
    stage.settle();
  });

  it("nobody can take over: the leader goes on for what it holds, and stops in time", () => {
    const stage = Stage.open(3);
    const old = stage.leader;
    for (const index of stage.others(old)) stage.node(index).pause(10_000);
    stage.submit(old, 5);
    expect(stage.stop(old)).toBeGreaterThanOrEqual(electionTimeoutMs);
    stage.advance(10_000);
    stage.elect(old);
    stage.start(old);
    stage.settle();
  });

  it("a single producer brings what it holds into the chain and stops", () => {
    const stage = Stage.open(1);
    const held = stage.submit(0, 50);
    expect(stage.stop(0)).toBeLessThan(50);
    for (const id of held) expect(stage.placeOf(id)).toBeDefined();
  });

  it("a follower that stops tells the leader first what it holds, and costs no view", () => {
    const stage = Stage.open(3);
    const { leader } = stage;
    const [follower] = stage.others(leader) as [number];
    const { view } = stage.status(leader).engine;
    const held = stage.submit(follower, 50);
    stage.stop(follower);
    for (const id of held) expect(stage.placeOf(id)).toBeDefined();
    stage.advance(2_000);
    expect(stage.status(leader).engine).toMatchObject({ view, status: "leader" });
  });

  it("all stop at once: nobody waits for the others' time to run out", () => {
    const stage = Stage.open(3);
    const { leader } = stage;
    stage.commit(leader);
    for (const index of stage.others(leader)) stage.node(index).step({ kind: "handOver" });
    stage.node(leader).step({ kind: "handOver" });
    for (const index of stage.others(leader)) stage.crash(index);
    expect(stage.stop(leader)).toBeLessThan(50);
  });
});

describe("a producer is stopped and started again under load", () => {
  /** The nodes that BFT needs all: without one nothing can be decided. */
  const needsAll = (engine: EngineName, producers: number): boolean => engine === "bft" && producers === 3;

  it.each<[EngineName, number, "leader" | "follower", number]>([
    ["raft", 3, "leader", 1],
    ["raft", 3, "follower", 2],
    ["vsr", 3, "leader", 3],
    ["vsr", 3, "follower", 6],
    ["bft", 4, "leader", 1],
    ["bft", 4, "follower", 1],
    ["bft", 3, "leader", 1],
    ["bft", 3, "leader", 5],
    ["bft", 3, "follower", 1],
  ])(
    "%s, %d producers, the %s: next to no pause, and what it is given at once goes on at once",
    (engine, producers, who, seed) => {
      const stage = Stage.open(producers, { engine, seed, workload: { ...NO_WORKLOAD, transactionsPerSecond: 200 } });
      const { simulation } = stage;
      const { finality } = simulation.watch;
      simulation.beginWorkload();
      stage.advance(700 + 7 * seed);
      const { leader } = stage;
      const one = who === "leader" ? leader : (stage.others(leader)[seed % (producers - 1)] as number);
      let [height, since, longestMs] = [finality.height, simulation.nowMs, 0];
      simulation.onlookers.push({
        stepped: () => {
          if (finality.height === height) return;
          longestMs = Math.max(longestMs, simulation.nowMs - since);
          [height, since] = [finality.height, simulation.nowMs];
        },
      });
      stage.stop(one);
      stage.advance(LITTLE_MS);
      expect(longestMs).toBeLessThan(LITTLE_MS);
      stage.advance(500);
      stage.start(one);
      const held = stage.submit(one, 5);
      const { network } = simulation;
      stage.until("its links are up", () => stage.others(one).every((each) => network.isLinked(one, each)), 2_000);
      const before = height;
      stage.until("more is decided", () => height > before, LITTLE_MS);
      if (needsAll(engine, producers)) longestMs = 0;
      stage.until("what it was given is decided", () => held.every((id) => stage.placeOf(id) !== undefined), LITTLE_MS);
      stage.advance(1_000);
      expect(longestMs).toBeLessThan(needsAll(engine, producers) ? 2 * LITTLE_MS : LITTLE_MS);
      simulation.endWorkload();
      stage.settle();
    },
  );
});
