/** Named scenarios (TESTING section 2): each sets up one situation and says what must follow. All oracles watch. */
import { describe, expect, it } from "vitest";
import { comeToRest } from "../../tools/sim/run.ts";
import { NO_FAULTS, NO_WORKLOAD } from "../../tools/sim/profile.ts";
import { Simulation, type SimulationOptions } from "../../tools/sim/simulation.ts";

/** A leader is elected within this after a start or a crash: two timeouts and a vote, ms. */
const ELECTION_MS = 3_000;

/** All nodes up, a leader elected, nothing submitted yet. */
function network(producers: number, options: Partial<SimulationOptions> = {}): Simulation {
  const simulation = new Simulation({ seed: 7, producers, workload: NO_WORKLOAD, ...options });
  simulation.startAll();
  elect(simulation);
  return simulation;
}

/** Waits until a leader has opened its view and a majority holds that block. */
function elect(simulation: Simulation): number {
  const began = simulation.watch.views.highestView;
  const opened = (): boolean => {
    const leader = simulation.leader();
    if (leader === undefined) return false;
    const { ledger } = simulation.node(leader).replica;
    return ledger.bottom.view === simulation.node(leader).replica.status().engine.view && ledger.bottom.view >= began;
  };
  simulation.until("a leader is elected", opened, ELECTION_MS);
  return simulation.leader() as number;
}

function heightAt(simulation: Simulation, index: number): number {
  return simulation.node(index).replica.ledger.bottom.height;
}

/** Submits at a node and waits until the node has told that it is irreversible. */
function commit(simulation: Simulation, index: number, count = 1): void {
  const before = simulation.workload.counts.irreversible;
  simulation.workload.submitNew(simulation.node(index), count);
  simulation.until(
    "transactions become irreversible",
    () => simulation.workload.counts.irreversible === before + count,
    5_000,
  );
}

function others(simulation: Simulation, index: number): number[] {
  return simulation.nodes.map((node) => node.index).filter((other) => other !== index);
}

function cutOff(simulation: Simulation, index: number): void {
  for (const other of others(simulation, index)) {
    simulation.network.block(index, other);
    simulation.network.block(other, index);
  }
}

describe("elections and views", () => {
  it.each([
    [1, 0],
    [2, 0],
    [3, 1],
    [4, 1],
    [5, 2],
  ])("%d producers commit with %d of them down, and not with one more", (producers, tolerated) => {
    const simulation = network(producers);
    const victims = others(simulation, simulation.leader() as number).slice(0, tolerated);
    for (const victim of victims) simulation.crash(victim);
    const leader = elect(simulation);
    commit(simulation, leader);
    const last =
      producers === 1 ? leader : (others(simulation, leader).find((index) => simulation.node(index).isUp) as number);
    const survivor = simulation.nodes.find((node) => node.isUp && node.index !== last)?.index;
    simulation.advance(200);
    simulation.crash(last);
    if (survivor !== undefined) {
      const height = heightAt(simulation, survivor);
      simulation.workload.submitNew(simulation.node(survivor), 1);
      simulation.advance(10_000);
      expect(heightAt(simulation, survivor)).toBe(height);
      expect(simulation.leader()).toBeUndefined();
    }
    simulation.startAll();
    comeToRest(simulation);
  });

  it("elects another leader soon after a crash that the kernel tells of, and within two timeouts and a vote after a silent one", () => {
    for (const [silent, boundMs] of [
      [false, 300],
      [true, 2_000],
    ] as const) {
      const simulation = network(3);
      const old = simulation.leader() as number;
      simulation.crash(old, silent);
      const tookMs = simulation.until("another leader", () => simulation.leader() !== undefined, boundMs);
      expect(simulation.leader()).not.toBe(old);
      expect(tookMs).toBeGreaterThan(0);
    }
  });

  it("a leader that was cut off returns, and its uncommitted blocks give way to the new leader's", () => {
    const simulation = network(3, { settings: { electionTimeoutMs: 400 } });
    const old = simulation.leader() as number;
    cutOff(simulation, old);
    const [lost] = simulation.workload.submitNew(simulation.node(old), 1);
    simulation.until(
      "a block that nobody hears of",
      () => simulation.node(old).replica.ledger.head.height > heightAt(simulation, old),
      1_000,
    );
    const abandoned = simulation.node(old).replica.ledger.head.id;
    simulation.until(
      "another leader",
      () => simulation.leader() !== undefined && simulation.leader() !== old,
      ELECTION_MS,
    );
    commit(simulation, simulation.leader() as number, 3);
    expect(simulation.node(old).replica.status().engine.status).not.toBe("leader");
    simulation.network.clearAll();
    comeToRest(simulation);
    expect(simulation.node(old).replica.chain.highestAncestorOf(abandoned)).toBeUndefined();
    // Its transaction is not lost with the block: the node that accepted it has told that it is in the chain.
    expect(simulation.watch.transactions.placeOf(lost as string)).toBeDefined();
  });

  it("asymmetric partition: a leader that hears but is not heard is replaced, and steps down when it is told", () => {
    const simulation = network(5);
    const mute = simulation.leader() as number;
    for (const other of others(simulation, mute)) simulation.network.block(mute, other);
    simulation.until(
      "another leader",
      () => simulation.leader() !== undefined && simulation.leader() !== mute,
      2 * ELECTION_MS,
    );
    commit(simulation, simulation.leader() as number);
    simulation.network.clearAll();
    comeToRest(simulation);
  });

  it("a node that comes back from behind a partition does not disturb the leader: the view stays", () => {
    const simulation = network(3);
    const leader = simulation.leader() as number;
    const away = others(simulation, leader)[0] as number;
    cutOff(simulation, away);
    simulation.advance(8_000);
    commit(simulation, leader);
    const { view } = simulation.node(leader).replica.status().engine;
    // It asked for pre-votes all the time, and has not raised its view.
    expect(simulation.node(away).replica.status().engine.view).toBe(view);
    simulation.network.clearAll();
    comeToRest(simulation);
    expect(simulation.leader()).toBe(leader);
    expect(simulation.node(leader).replica.status().engine.view).toBe(view);
  });

  it("two candidates at once do not go on for ever: some view has a leader", () => {
    for (let seed = 1; seed <= 20; seed++) {
      // Timers without spread and a slow network: candidates meet.
      const latency = { lowMs: 20, highMs: 40, jitter: 0.5, tailChance: 0, tailMs: 0 };
      const simulation = network(4, { seed, settings: { brokenLinkJitterMs: 0 } });
      simulation.network.profile = { ...simulation.profile, latency };
      simulation.crash(simulation.leader() as number);
      simulation.until("a leader", () => simulation.leader() !== undefined, 5_000);
    }
  });

  it("a leader without followers stops producing, and leads no more", () => {
    const simulation = network(3);
    const leader = simulation.leader() as number;
    commit(simulation, leader);
    for (const other of others(simulation, leader)) simulation.crash(other, true);
    simulation.until("it steps down", () => simulation.leader() === undefined, 1_000);
    const { head } = simulation.node(leader).replica.ledger;
    simulation.workload.submitNew(simulation.node(leader), 5);
    simulation.advance(10_000);
    expect(simulation.node(leader).replica.ledger.head.id).toBe(head.id);
    simulation.startAll();
    comeToRest(simulation);
  });

  it("an idle leader that gets a transaction after a long time keeps its view, however slow its disk", () => {
    const simulation = network(3, { faults: { ...NO_FAULTS, disk: { typicalMs: 150, capMs: 400 } } });
    const { view } = simulation.node(simulation.leader() as number).replica.status().engine;
    for (let i = 0; i < 10; i++) {
      simulation.advance(10_000);
      commit(simulation, i % 3);
    }
    expect(simulation.watch.views.highestView).toBe(view);
  });
});

describe("forks and sync", () => {
  it("fork switch: transactions of abandoned blocks wait again and come into the chain once", () => {
    const simulation = network(5, { seed: 3 });
    const old = simulation.leader() as number;
    cutOff(simulation, old);
    const lost = simulation.workload.submitNew(simulation.node(old), 40);
    simulation.until(
      "another leader",
      () => simulation.leader() !== undefined && simulation.leader() !== old,
      2 * ELECTION_MS,
    );
    commit(simulation, simulation.leader() as number, 10);
    simulation.network.clearAll();
    comeToRest(simulation);
    for (const id of lost) expect(simulation.watch.transactions.placeOf(id)).toBeDefined();
  });

  it("orphan before parent: blocks from two peers at different speeds leave no gap", () => {
    const simulation = network(3, { followers: 1 });
    const follower = 3;
    // Nothing but certificates reaches the follower for a while; then everything at once, from all sides.
    for (let round = 0; round < 5; round++) {
      simulation.network.clog(follower);
      for (let i = 0; i < 5; i++) commit(simulation, simulation.leader() as number);
      simulation.network.breakLink(follower, round % 3);
      simulation.advance(400);
      simulation.network.unclog(follower);
      simulation.advance(200);
    }
    comeToRest(simulation);
  });

  it("a peer that restarts in the middle of a stream goes on from what it holds", () => {
    const simulation = network(3, { followers: 1 });
    const follower = 3;
    simulation.crash(follower);
    for (let i = 0; i < 150; i++) commit(simulation, simulation.leader() as number);
    const target = heightAt(simulation, simulation.leader() as number);
    for (const restartAt of [20, 60, 110]) {
      simulation.start(follower);
      simulation.until(
        "some blocks arrive",
        () => simulation.node(follower).replica.ledger.head.height >= restartAt,
        10_000,
      );
      const height = heightAt(simulation, follower);
      expect(height).toBeLessThan(target);
      simulation.crash(follower);
    }
    simulation.start(follower);
    comeToRest(simulation);
  });

  it("a follower 2,000 blocks behind catches up", () => {
    const simulation = network(3, { followers: 1 });
    const follower = 3;
    simulation.crash(follower);
    while (simulation.watch.finality.height < 2_000) commit(simulation, simulation.leader() as number);
    simulation.start(follower);
    const tookMs = simulation.until("it has caught up", () => heightAt(simulation, follower) >= 2_000, 20_000);
    expect(tookMs).toBeLessThan(20_000);
    comeToRest(simulation);
  });

  it("a new node that starts from nothing while the chain grows catches up and follows", () => {
    const simulation = new Simulation({ seed: 5, producers: 3, followers: 1 });
    for (const index of [0, 1, 2]) simulation.start(index);
    simulation.beginWorkload();
    simulation.advance(20_000);
    simulation.start(3);
    simulation.advance(10_000);
    expect(heightAt(simulation, 3)).toBeGreaterThan(heightAt(simulation, 0) - 5);
    simulation.endWorkload();
    comeToRest(simulation);
  });
});

describe("power loss", () => {
  it("all at once, with unsynced writes lost, again and again: everything acknowledged stays", () => {
    const simulation = new Simulation({
      seed: 11,
      producers: 3,
      followers: 1,
      workload: { ...NO_WORKLOAD, transactionsPerSecond: 50 },
    });
    simulation.startAll();
    simulation.beginWorkload();
    for (let round = 0; round < 15; round++) {
      simulation.advance(1_500);
      for (const { index } of simulation.nodes) simulation.crash(index, true);
      simulation.startAll();
    }
    simulation.advance(2_000);
    simulation.endWorkload();
    comeToRest(simulation);
    expect(simulation.workload.counts.irreversible).toBeGreaterThan(100);
  });

  it("a single producer loses nothing it has answered for", () => {
    const simulation = new Simulation({
      seed: 12,
      producers: 1,
      workload: { ...NO_WORKLOAD, transactionsPerSecond: 50 },
    });
    simulation.startAll();
    simulation.beginWorkload();
    for (let round = 0; round < 15; round++) {
      simulation.advance(2_000);
      simulation.crash(0);
      simulation.start(0);
    }
    simulation.endWorkload();
    comeToRest(simulation);
    expect(simulation.workload.counts.irreversible).toBeGreaterThan(100);
  });
});
