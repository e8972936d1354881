/** Changes of the producer set by joint consensus (docs/protocol.md, section 4, "Producer sets"). */
import { describe, expect, it } from "vitest";
import { ENGINE_NAMES, type EngineName } from "../../../chain/genesis.ts";
import { SYNC_LIMITS } from "../../../consensus/sync/constants.ts";
import { Stage, type StageOptions } from "../../../tools/sim/scenarios/stage.ts";

function open(engine: EngineName, producers: number, followers: number, options: StageOptions = {}): Stage {
  return Stage.open(producers, { engine, followers, changes: true, ...options });
}

/** Every pair of sets of four nodes, one after the other: a walk over all edges of the complete graph. */
function allPairs(): number[][] {
  const sets = Array.from({ length: 15 }, (_, i) => [0, 1, 2, 3].filter((node) => ((i + 1) >> node) & 1));
  const left = new Map(sets.map((set) => [set, sets.filter((each) => each !== set)]));
  const stack = [sets.at(-1) as number[]];
  const walk: number[][] = [];
  while (stack.length > 0) {
    const next = left.get(stack.at(-1) as number[])?.pop();
    if (next === undefined) walk.push(stack.pop() as number[]);
    else stack.push(next);
  }
  return walk.reverse();
}

describe.each(ENGINE_NAMES)("producer sets: %s", (engine) => {
  it("every set of up to four nodes becomes every other, and decides", { timeout: 120_000 }, () => {
    const stage = open(engine, 4, 0);
    const [first, ...rest] = allPairs();
    expect([first, rest.length]).toEqual([[0, 1, 2, 3], 210]);
    for (const set of rest) stage.change(0, set);
    stage.commit(0);
    stage.settle();
  });

  it(
    "a tenth of these changes while one node is cut off: they end when it is back, at the latest",
    { timeout: 60_000 },
    () => {
      const stage = open(engine, 4, 0);
      for (const [i, set] of allPairs().entries()) {
        if (i % 10 !== 3) continue;
        const away = i % 4;
        const at = (away + 1) % 4;
        stage.cutOff(away);
        stage.propose(at, set);
        stage.advance(1_500);
        stage.heal();
        stage.changed(set, 30_000);
      }
      stage.commit(0);
      stage.settle();
    },
  );

  it("a change completes on an idle network, which is idle again", () => {
    const stage = open(engine, 3, 1);
    stage.change(3, [0, 1, 2, 3]);
    const { height } = stage.head(0);
    stage.advance(20_000);
    expect(stage.head(0).height).toBe(height);
    // The proposing block, the one that ends the change, and the one that opens the new set's first view.
    expect(height).toBeLessThanOrEqual(4);
  });

  it("a producer is added, removed, and a dead one replaced", () => {
    const stage = open(engine, 4, 1);
    stage.change(0, [0, 1, 2, 3, 4]);
    stage.change(0, [0, 1, 2, 4]);
    expect(stage.status(3).engine.status).toBe("observer");
    stage.crash(1);
    stage.change(0, [0, 2, 3, 4]);
    stage.commit(2);
    // Now another one may die.
    stage.crash(4);
    stage.commit(0);
    stage.start(1);
    stage.start(4);
    stage.settle();
    expect(stage.status(1).engine.status).toBe("observer");
  });

  it("a leader removes itself, and no time is lost", () => {
    const stage = open(engine, 4, 0);
    const before = stage.leader;
    const rest = stage.others(before);
    stage.change(before, rest);
    expect(rest).toContain(stage.elect(before));
    stage.commit(before);
    expect(stage.status(before).engine.status).toBe("observer");
    stage.settle();
  });

  it("a set that is proposed while another change is under way changes nothing", () => {
    const stage = open(engine, 4, 2);
    stage.propose(0, [0, 1, 2, 3, 4]);
    stage.propose(0, [0, 1, 2]);
    stage.propose(1, [0, 1, 2, 3, 5]);
    stage.until("one set is in force", () => stage.producers(0).length === 5, 10_000);
    stage.settle();
    const { changes } = stage.simulation.watch.producerSets;
    expect([changes, stage.up.every((index) => stage.producers(index).length === 5)]).toEqual([1, true]);
  });

  it("the leader dies at any moment of a change: it completes all the same", () => {
    for (let afterMs = 0; afterMs <= 24; afterMs += 2) {
      const stage = open(engine, 4, 2);
      const leader = stage.leader;
      const [at] = stage.others(leader) as [number];
      const next = [...stage.others(leader, 4, 5), 4];
      stage.propose(at, next);
      stage.advance(afterMs);
      stage.crash(leader);
      stage.until("the change is done", () => stage.producers(at).includes(4), 20_000);
      stage.commit(at);
      stage.start(leader);
      stage.settle();
    }
  });

  it("everybody restarts in the middle of a change: it goes on", () => {
    for (let afterMs = 2; afterMs <= 14; afterMs += 4) {
      const stage = open(engine, 3, 2);
      stage.propose(0, [1, 2, 3, 4]);
      stage.advance(afterMs);
      for (const index of stage.up) stage.crash(index);
      stage.startAll();
      if (engine !== "bft") stage.elect(undefined, 10_000);
      stage.commit(1);
      stage.settle();
    }
  });

  it("who was cut off before two changes comes back by the stream, and by ranges when it is far behind", () => {
    for (const syncLimits of [SYNC_LIMITS, { ...SYNC_LIMITS, farBehindBlocks: 6, rangeBlocks: 4 }]) {
      const stage = open(engine, 4, 3, { syncLimits });
      stage.cutOff(6);
      for (const set of [
        [0, 1, 2, 4],
        [0, 1, 4, 5],
        [4, 5, 2, 3],
      ]) {
        stage.propose(set[0] as number, set);
        stage.changed(set, undefined, [6]);
        for (let i = 0; i < 4; i++) stage.commit(4);
      }
      stage.heal();
      stage.until("node 6 is there", () => stage.head(6).id === stage.head(4).id, 30_000);
      // It is one of those who decide as soon as it is asked to be.
      stage.change(6, [4, 5, 6, 2]);
      stage.settle();
    }
  });
});

describe("a fork at the block that proposes a set", () => {
  it.each(["raft", "vsr"] as const)("%s: what a cut-off leader proposed gives way to what the others did", (engine) => {
    const stage = open(engine, 3, 2);
    const old = stage.leader;
    const rest = [0, 1, 2].filter((index) => index !== old);
    stage.part([old], stage.others(old));
    stage.propose(old, [0, 1, 2, 3]);
    stage.advance(20);
    expect(stage.head(old).setsAfter.next?.configuration.producers.length).toBe(4);
    stage.elect(old, 5_000);
    const [at] = rest as [number];
    stage.propose(at, [...rest, 4]);
    stage.until("the others have changed", () => stage.producers(at).includes(4), 10_000);
    stage.heal();
    stage.until("all know", () => stage.up.every((index) => stage.producers(index).includes(4)), 20_000);
    stage.settle();
    // What the cut-off leader proposed may be proposed again: its transaction waited.
    expect(stage.up.every((index) => stage.head(index).id === stage.head(at).id)).toBe(true);
  });

  it("what is undecided when both sets lose their quorum is decided once they have it again", () => {
    for (const engine of ENGINE_NAMES) {
      const stage = open(engine, 4, 3);
      // The new set cannot be reached: the old one decides the proposal, and nothing more.
      stage.part([0, 1, 2, 3], [4, 5, 6]);
      stage.propose(0, [0, 4, 5, 6]);
      stage.advance(5_000);
      const height = Math.max(...[0, 1, 2, 3].map((index) => stage.height(index)));
      // The block that would end the change waits for both.
      const { sets, block } = stage.head(0);
      expect([sets.next?.configuration.producers.length, block.header.closing]).toEqual([4, true]);
      expect(stage.head(0).height).toBe(height + 1);
      stage.advance(5_000);
      expect(Math.max(...[0, 1, 2, 3].map((index) => stage.height(index)))).toBe(height);
      stage.heal();
      stage.changed([0, 4, 5, 6], 30_000);
      stage.commit(4);
      stage.settle();
    }
  });
});
