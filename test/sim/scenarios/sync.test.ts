/** Sync (docs/testing.md, section 2): two nodes find what the other lacks, whatever happens meanwhile. */
import { describe, expect, it } from "vitest";
import type { Block } from "../../../chain/block.ts";
import { encodeHello } from "../../../consensus/messages.ts";
import { NO_FAULTS, NO_WORKLOAD } from "../../../tools/sim/profile.ts";
import { blockFrame } from "../../../tools/sim/scenarios/forge.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

/** Nodes 3 and 4 follow scripted producers; a message between them takes 20 ms. */
function twoFollowers(): { stage: Stage; tell: (to: number, blocks: readonly Block[]) => void } {
  const latency = { lowMs: 20, highMs: 20, jitter: 0, tailChance: 0, tailMs: 0 };
  const stage = Stage.closed(3, { followers: 2, faults: { ...NO_FAULTS, latency } });
  const producers = [0, 1, 2].map((index) => stage.puppet(index));
  stage.block(3, 4);
  stage.startAll();
  for (const producer of producers) for (const to of [3, 4]) producer.connect(to);
  const tell = (to: number, blocks: readonly Block[]): void => {
    for (const block of blocks) producers[0]?.say(to, "chain", blockFrame(block));
  };
  return { stage, tell };
}

function last<T>(list: readonly T[]): T {
  return list.at(-1) as T;
}

describe("hellos", () => {
  it("cross while both nodes fork away: both end on the best of the four branches", () => {
    const { stage, tell } = twoFollowers();
    const { forge } = stage;
    const old = [forge.chain(forge.genesis, 1, 0, 30), forge.chain(forge.genesis, 2, 1, 20)] as const;
    const next = [forge.chain(forge.genesis, 3, 2, 8), forge.chain(old[1][9] as Block, 4, 0, 8)] as const;
    tell(3, old[0]);
    tell(4, old[1]);
    stage.advance(100);
    stage.heal();
    stage.until("the hellos are on their way", () => stage.simulation.network.isLinked(3, 4), 2_000);
    stage.advance(10);
    tell(3, next[0]);
    tell(4, next[1]);
    stage.until("both have the best", () => [3, 4].every((index) => stage.head(index).id === last(next[1]).id), 3_000);
  });

  it("the head that a hello names is orphaned before the answer comes: the sync begins anew from what is there now", () => {
    const { stage, tell } = twoFollowers();
    const { forge } = stage;
    const common = forge.chain(forge.genesis, 1, 0, 10);
    const named = forge.chain(last(common), 1, 0, 10);
    const mine = forge.chain(common[4] as Block, 2, 1, 3);
    tell(3, [...common, ...named]);
    tell(4, common);
    stage.advance(100);
    stage.heal();
    stage.until("node 4 has heard the hello", () => stage.status(4).peers.some(({ height }) => height === 20), 2_000);
    // Node 3 leaves the branch that node 4 now waits for or asks about.
    tell(3, mine);
    stage.until("both have the best", () => [3, 4].every((index) => stage.head(index).id === last(mine).id), 3_000);
  });
});

describe("a stream", () => {
  it("goes on from what a peer holds that restarts in the middle of it", () => {
    const stage = Stage.open(3, { followers: 1 });
    stage.crash(3);
    for (let i = 0; i < 100; i++) stage.commit(stage.leader);
    const target = stage.height(stage.leader);
    for (const restartAt of [20, 50, 80]) {
      stage.start(3);
      stage.until("some blocks arrive", () => stage.head(3).height >= restartAt, 10_000);
      expect(stage.height(3)).toBeLessThan(target);
      stage.crash(3);
    }
    stage.start(3);
    stage.settle();
    expect(stage.height(3)).toBe(target);
  });

  it("of 300 blocks brings a follower up to date", () => {
    const stage = Stage.open(3, { followers: 1 });
    stage.crash(3);
    while (stage.simulation.watch.finality.height < 300) stage.commit(stage.leader);
    stage.start(3);
    stage.until("it has caught up", () => stage.height(3) >= 300, 20_000);
    stage.settle();
  });

  it("brings a node that starts from nothing up to a chain that grows meanwhile", () => {
    const stage = Stage.closed(3, { seed: 5, followers: 1, workload: { ...NO_WORKLOAD, transactionsPerSecond: 10 } });
    for (const index of [0, 1, 2]) stage.start(index);
    stage.underLoad(() => {
      stage.advance(20_000);
      stage.start(3);
      stage.advance(5_000);
      expect(stage.height(3)).toBeGreaterThan(stage.height(0) - 5);
    });
  });

  it("goes through a node in the middle where three are in a line, both ways", () => {
    const stage = Stage.closed(1, { followers: 2 });
    stage.part([0], [2]);
    stage.startAll();
    stage.elect();
    stage.commit(0, 5);
    stage.until("the far end has it", () => stage.height(2) === stage.height(0), 3_000);
    stage.crash(1);
    for (let i = 0; i < 10; i++) stage.commit(0);
    expect(stage.height(2)).toBeLessThan(stage.height(0));
    stage.start(1);
    stage.until("the far end has it again", () => stage.height(2) === stage.height(0), 5_000);
    stage.settle();
  });

  it("stops with garbage in the middle: the peer loses its link, its good blocks stay, the rest comes from others", () => {
    const stage = Stage.open(3, { followers: 2 });
    const garbler = stage.puppet(4);
    stage.crash(3);
    for (let i = 0; i < 40; i++) stage.commit(stage.leader);
    stage.advance(500);
    const { finality } = stage.simulation.watch;
    const blockAt = (height: number): Block => stage.simulation.watch.block(finality.idAt(height) as string);
    stage.part([3], [0, 1, 2]);
    stage.start(3);
    garbler.connect(3);
    const genesis = { view: 0, height: 0, id: stage.forge.genesis.id };
    garbler.say(
      3,
      "chain",
      encodeHello({ seq: 1, echo: 0, head: genesis, root: genesis, locator: [genesis], irreversibleHeight: 0 }),
    );
    for (let height = 1; height < 20; height++) garbler.say(3, "chain", blockFrame(blockAt(height)));
    stage.advance(50);
    const garbled = blockFrame(blockAt(20));
    garbled[garbled.length - 3] = (garbled.at(-3) as number) ^ 1;
    garbler.say(3, "chain", garbled);
    stage.advance(100);
    expect(garbler.closed).toMatchObject([{ by: 3, reason: "undecodable" }]);
    expect(stage.head(3).height).toBe(19);
    stage.heal();
    stage.settle();
  });

  it("that was promised and never comes holds nothing up: others bring the chain", () => {
    const stage = Stage.open(3, { followers: 2 });
    const staller = stage.puppet(4);
    staller.connect(3);
    const claimed = { view: 90, height: 5_000, id: "ab".repeat(32) };
    const genesis = { height: 0, id: stage.forge.genesis.id };
    const hello = (seq: number, echo: number): Uint8Array =>
      encodeHello({
        seq,
        echo,
        head: claimed,
        root: { view: 0, ...genesis },
        irreversibleHeight: 0,
        locator: [claimed, genesis].map(({ height, id }) => ({ height, id })),
      });
    staller.say(3, "chain", hello(1, 1));
    for (let round = 0; round < 10; round++) {
      stage.commit(3);
      stage.advance(1_000);
      staller.say(3, "chain", hello(round + 2, round + 1));
    }
    expect(stage.height(3)).toBe(stage.height(stage.leader));
    // It was asked for the block it boasts of, now and then, and nobody else for long.
    expect(staller.heard.length).toBeLessThan(60);
    stage.settle();
  });
});
