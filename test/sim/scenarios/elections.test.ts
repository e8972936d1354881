/** Elections and views (docs/testing.md, section 2). All oracles watch: what is not said here must hold as well. */
import { describe, expect, it } from "vitest";
import { NO_FAULTS, NO_WORKLOAD } from "../../../tools/sim/profile.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

describe("quorum", () => {
  it.each([
    [1, 0],
    [2, 0],
    [3, 1],
    [4, 1],
    [5, 2],
    [6, 2],
    [7, 3],
  ])("%d producers commit with %d of them down, and not with one more", (producers, tolerated) => {
    const stage = Stage.open(producers);
    for (const victim of stage.others(stage.leader).slice(0, tolerated)) stage.crash(victim);
    stage.commit(stage.elect());
    stage.advance(200);
    const victim = stage.up.find((index) => index !== stage.leader) ?? stage.leader;
    stage.crash(victim);
    const [survivor] = stage.up;
    if (survivor !== undefined) {
      const height = stage.height(survivor);
      stage.submit(survivor);
      stage.advance(10_000);
      expect(stage.height(survivor)).toBe(height);
      expect(stage.simulation.leader()).toBeUndefined();
    }
    stage.startAll();
    stage.settle();
  });

  it("an even split has no leader, and loses nothing when it ends", () => {
    const stage = Stage.open(4);
    stage.commit(0);
    stage.part([0, 1], [2, 3]);
    stage.advance(8_000);
    expect(stage.simulation.leader()).toBeUndefined();
    const height = Math.max(...stage.up.map((index) => stage.height(index)));
    const ids = stage.up.flatMap((index) => stage.submit(index));
    stage.advance(5_000);
    for (const index of stage.up) expect(stage.height(index)).toBeLessThanOrEqual(height);
    stage.heal();
    stage.elect();
    stage.settle();
    for (const id of ids) expect(stage.placeOf(id)).toBeDefined();
  });
});

describe("crashes", () => {
  it("random subsets crash every 10 s for 5 minutes: what was acknowledged stays, and the chain goes on", () => {
    const stage = Stage.open(5, { seed: 3, workload: { ...NO_WORKLOAD, transactionsPerSecond: 4 } });
    const { dice, workload } = stage.simulation;
    stage.underLoad(() => {
      for (let round = 0; round < 30; round++) {
        const victims = dice.shuffled(stage.others()).slice(0, dice.integer(1, 5));
        for (const victim of victims) stage.crash(victim, dice.chance(0.5));
        stage.advance(dice.between(0, 9_000));
        const before = workload.counts.irreversible;
        stage.startAll();
        stage.advance(10_000 - (stage.simulation.nowMs % 10_000));
        if (round % 5 === 4) {
          stage.elect();
          stage.until("the chain goes on", () => workload.counts.irreversible > before, 10_000);
        }
      }
    });
    expect(workload.counts.irreversible).toBeGreaterThan(300);
  });

  it("another leader soon after a crash that the kernel tells of, and within two timeouts and a vote after a silent one", () => {
    for (const [silent, boundMs] of [
      [false, 300],
      [true, 2_000],
    ] as const) {
      const stage = Stage.open(3);
      const old = stage.leader;
      stage.crash(old, silent);
      stage.until("another leader", () => stage.simulation.leader() !== undefined, boundMs);
      expect(stage.leader).not.toBe(old);
    }
  });

  it("power fails everywhere again and again, with unsynced writes lost: everything acknowledged stays", () => {
    const stage = Stage.open(3, { seed: 11, followers: 1, workload: { ...NO_WORKLOAD, transactionsPerSecond: 50 } });
    stage.underLoad(() => {
      for (let round = 0; round < 15; round++) {
        stage.advance(1_500);
        for (const index of stage.others()) stage.crash(index, true);
        stage.startAll();
      }
      stage.advance(2_000);
    });
    expect(stage.simulation.workload.counts.irreversible).toBeGreaterThan(100);
  });

  it("a single producer loses nothing it has answered for", () => {
    const stage = Stage.open(1, { seed: 12, workload: { ...NO_WORKLOAD, transactionsPerSecond: 50 } });
    stage.underLoad(() => {
      for (let round = 0; round < 15; round++) {
        stage.advance(2_000);
        stage.crash(0);
        stage.start(0);
      }
    });
    expect(stage.simulation.workload.counts.irreversible).toBeGreaterThan(100);
  });
});

describe("partitions", () => {
  it("a leader that was cut off returns, and its uncommitted blocks give way to the new leader's", () => {
    const stage = Stage.open(3, { settings: { electionTimeoutMs: 400 } });
    const old = stage.leader;
    stage.cutOff(old);
    const [lost] = stage.submit(old);
    stage.until("a block that nobody hears of", () => stage.head(old).height > stage.height(old), 1_000);
    const abandoned = stage.head(old).id;
    stage.commit(stage.elect(old), 3);
    expect(stage.status(old).engine.status).not.toBe("leader");
    stage.heal();
    stage.settle();
    expect(stage.node(old).replica.chain.highestAncestorOf(abandoned)).toBeUndefined();
    // Its transaction is not lost with the block: the node that accepted it has told that it is in the chain.
    expect(stage.placeOf(lost as string)).toBeDefined();
  });

  it("asymmetric: a leader that hears but is not heard is replaced, and steps down when it is told", () => {
    const stage = Stage.open(5);
    const mute = stage.leader;
    for (const other of stage.others(mute)) stage.block(mute, other);
    const leader = stage.elect(mute, 6_000);
    stage.commit(leader);
    expect(stage.status(mute).engine.status).not.toBe("leader");
    stage.heal();
    stage.settle();
  });

  it("asymmetric: a leader that is heard but does not hear gives up, because no quorum answers", () => {
    const stage = Stage.open(5);
    const deaf = stage.leader;
    for (const other of stage.others(deaf)) stage.block(other, deaf);
    const { electionTimeoutMs } = stage.simulation.settings;
    stage.until("it gives up", () => stage.status(deaf).engine.status !== "leader", 2 * electionTimeoutMs);
    stage.commit(stage.elect(deaf, 6_000));
    stage.heal();
    stage.settle();
  });

  it("a node that comes back from behind a partition does not disturb the leader: the view stays", () => {
    const stage = Stage.open(3);
    const { leader } = stage;
    const away = stage.others(leader)[0] as number;
    stage.cutOff(away);
    stage.advance(8_000);
    stage.commit(leader);
    const { view } = stage.status(leader).engine;
    // It asked for pre-votes all the time, and has not raised its view.
    expect(stage.status(away).engine.view).toBe(view);
    stage.heal();
    stage.settle();
    expect(stage.leader).toBe(leader);
    expect(stage.status(leader).engine.view).toBe(view);
  });
});

describe("candidates", () => {
  it("two at once do not go on for ever: some view has a leader", () => {
    for (let seed = 1; seed <= 20; seed++) {
      // Timers without spread and a slow network: candidates meet.
      const latency = { lowMs: 20, highMs: 40, jitter: 0.5, tailChance: 0, tailMs: 0 };
      const stage = Stage.open(4, { seed, settings: { brokenLinkJitterMs: 0 } });
      stage.simulation.network.profile = { ...stage.simulation.profile, latency };
      stage.crash(stage.leader);
      stage.until("a leader", () => stage.simulation.leader() !== undefined, 5_000);
    }
  });

  it("the one that wins dies before it has opened its view, and so does the next: the third leads", () => {
    const stage = Stage.open(7);
    for (let round = 0; round < 2; round++) {
      const old = stage.leader;
      stage.crash(old);
      stage.until("a leader", () => stage.simulation.leader() !== undefined, 3_000);
    }
    stage.commit(stage.elect());
    stage.startAll();
    stage.settle();
  });

  it("a candidate whose chain is behind is refused, however high its view [S1]", () => {
    const stage = Stage.open(3);
    const { leader } = stage;
    const [behind, other] = stage.others(leader) as [number, number];
    // Blocks do not reach it, votes do.
    stage.simulation.network.clog(behind);
    stage.commit(leader, 3);
    const irreversible = stage.height(leader);
    expect(stage.head(behind).height).toBeLessThan(irreversible);
    stage.crash(leader);
    stage.until("a leader", () => stage.simulation.leader() !== undefined, 3_000);
    expect(stage.leader).toBe(other);
    stage.heal();
    stage.startAll();
    stage.settle();
  });
});

describe("leaders", () => {
  it("one without followers stops producing, and leads no more", () => {
    const stage = Stage.open(3);
    const { leader } = stage;
    stage.commit(leader);
    for (const other of stage.others(leader)) stage.crash(other, true);
    stage.until("it steps down", () => stage.simulation.leader() === undefined, 1_000);
    const { id } = stage.head(leader);
    stage.submit(leader, 5);
    stage.advance(10_000);
    expect(stage.head(leader).id).toBe(id);
    stage.startAll();
    stage.settle();
  });

  it("one that is told of a higher view while it fills a block gives the block up, and its transactions come in later, once", () => {
    const stage = Stage.open(4);
    const { leader } = stage;
    const usurper = stage.puppet(stage.others(leader)[0] as number);
    usurper.connect(leader);
    stage.advance(200);
    const ids = stage.submit(leader, 2_000);
    stage.until("it is filling a block", () => stage.node(leader).replica.ledger.producing, 1_000);
    const { view } = stage.status(leader).engine;
    // A reply of a higher view, as from one that was elected behind a partition.
    usurper.signed(leader, { kind: "heartbeatReply", content: { view: view + 1, round: 1 } });
    stage.until("it follows", () => stage.status(leader).engine.status !== "leader", 100);
    expect(stage.node(leader).replica.ledger.producing).toBe(false);
    stage.elect();
    stage.settle();
    for (const id of ids) expect(stage.placeOf(id)).toBeDefined();
  });

  it("an idle one that gets a transaction after a long time keeps its view, however slow its disk", () => {
    const stage = Stage.open(3, { faults: { ...NO_FAULTS, disk: { typicalMs: 150, capMs: 400 } } });
    const { view } = stage.status(stage.leader).engine;
    for (let i = 0; i < 10; i++) {
      stage.advance(10_000);
      stage.commit(i % 3);
    }
    expect(stage.simulation.watch.views.highestView).toBe(view);
  });
});
