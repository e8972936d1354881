/** Storage (docs/testing.md, section 2): what a disk loses is never something that was promised. */
import { describe, expect, it } from "vitest";
import { raftRecordMessage } from "../../../consensus/raft/messages.ts";
import { OWED_PERSISTS_MAX } from "../../../src/replica/constants.ts";
import { NO_WORKLOAD } from "../../../tools/sim/profile.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

describe("kill", () => {
  /** Runs a small load and kills the node when its write of this number is on disk. @returns whether it came so far */
  function killedAt(write: number, all: boolean): boolean {
    const stage = Stage.closed(3, { seed: 5, workload: { ...NO_WORKLOAD, transactionsPerSecond: 20 } });
    let writes = 0;
    let killed = false;
    stage.simulation.onlookers.push({
      persisted: ({ index }) => {
        if (index !== 0 || ++writes !== write) return;
        killed = true;
        const { queue } = stage.simulation;
        queue.schedule(queue.now, () => (all ? stage.others() : [0]).forEach((each) => stage.crash(each)));
      },
    });
    stage.startAll();
    stage.underLoad(() => {
      stage.advance(2_500);
      stage.startAll();
      stage.advance(500);
    });
    return killed;
  }

  it("at every write boundary of a node: it comes back, and nothing promised is lost", () => {
    let last = 0;
    for (let write = 1; write <= 60; write += write < 20 ? 1 : 5) if (killedAt(write, false)) last = write;
    expect(last).toBeGreaterThan(40);
  });

  it("of all nodes at every fifth write boundary of one: the same", () => {
    for (let write = 1; write <= 40; write += 5) expect(killedAt(write, true)).toBe(true);
  });
});

describe("a block that does not read any more", () => {
  it("is fetched again from peers, before the node takes part, and never served", () => {
    const stage = Stage.open(3, { seed: 2 });
    const [victim, other] = stage.others(stage.leader) as [number, number];
    stage.commit(stage.leader, 2);
    // With one of the others away, the victim's ack is what decides; then the certificate is kept from it.
    stage.crash(other);
    stage.advance(100);
    stage.submit(stage.leader);
    stage.until("it has acked", () => stage.head(victim).height > stage.height(victim), 1_000);
    const { id } = stage.head(victim);
    stage.until("the block is on its disk", () => stage.node(victim).disk.has(id), 100);
    stage.crash(victim);
    stage.node(victim).disk.rot();
    expect(stage.node(victim).disk.has(id)).toBe(false);
    // Alone with the one that never had it, it may not elect anybody: what it acked could be lost.
    const old = stage.leader;
    stage.crash(old);
    stage.start(victim);
    stage.start(other);
    stage.advance(5_000);
    expect(stage.simulation.leader()).toBeUndefined();
    expect(stage.status(victim).engine.status).toBe("recovering");
    stage.start(old);
    stage.until("it has the block again", () => stage.node(victim).disk.has(id), 5_000);
    stage.elect();
    stage.settle();
    expect(stage.status(victim).engine.status).not.toBe("recovering");
  });
});

describe("a disk that does not read", () => {
  it("of the only source: nothing wrong is served, and who needs its blocks waits for them", () => {
    const stage = Stage.open(1, { followers: 1 });
    stage.crash(1);
    for (let i = 0; i < 200; i++) stage.commit(0);
    stage.node(0).failReads(20_000);
    stage.start(1);
    stage.advance(15_000);
    expect(stage.height(1)).toBe(0);
    stage.until("the follower has all", () => stage.height(1) === stage.height(0), 40_000);
    stage.settle();
  });
});

describe("full disks", () => {
  const records = (stage: Stage): (Uint8Array | undefined)[] => stage.up.map((index) => stage.node(index).disk.record);

  it("take no promises: no vote, no ack, nothing irreversible; it all goes on when there is room", () => {
    const stage = Stage.open(3);
    stage.commit(stage.leader, 3);
    stage.advance(500);
    const heights = stage.up.map((index) => stage.height(index));
    const before = records(stage);
    for (const index of stage.up) stage.node(index).fillDisk(6_000);
    const [id] = stage.submit(stage.leader);
    stage.advance(5_900);
    expect(stage.up.map((index) => stage.height(index))).toEqual(heights);
    expect(records(stage)).toEqual(before);
    expect(stage.placeOf(id as string)).toBeUndefined();
    stage.settle();
    expect(stage.placeOf(id as string)).toBeDefined();
  });

  it("of a majority: nobody is elected while they are full", () => {
    const stage = Stage.open(3);
    const [first, second] = stage.others(stage.leader) as [number, number];
    stage.node(first).fillDisk(20_000);
    stage.node(second).fillDisk(20_000);
    stage.crash(stage.leader);
    stage.advance(19_000);
    expect(stage.simulation.leader()).toBeUndefined();
    stage.elect(undefined, 5_000);
    stage.commit(stage.leader);
    stage.startAll();
    stage.settle();
  });

  it("of a leader: it gives up, one with room leads, and it follows when it has room again", () => {
    const stage = Stage.open(3, { workload: { ...NO_WORKLOAD, transactionsPerSecond: 5 } });
    const full = stage.leader;
    stage.simulation.beginWorkload();
    stage.node(full).fillDisk(60_000);
    stage.until("it gives up", () => stage.status(full).engine.status !== "leader", 8_000);
    const height = stage.height(full);
    const leader = stage.elect(full);
    stage.advance(40_000);
    expect(stage.leader).toBe(leader);
    expect(stage.height(full)).toBe(height);
    stage.simulation.endWorkload();
    stage.settle();
  });

  it(
    "for long: what the disk does not take does not pile up in memory, and the node catches up when there is room",
    { timeout: 120_000 },
    () => {
      const stage = Stage.open(3, { workload: { ...NO_WORKLOAD, transactionsPerSecond: 60 } });
      const full = stage.others(stage.leader)[0] as number;
      stage.simulation.beginWorkload();
      stage.node(full).fillDisk(30_000);
      // The oracle of bounds looks on.
      stage.advance(29_000);
      const { persistOutstanding } = stage.status(full).sizes;
      expect(persistOutstanding).toBeGreaterThan(OWED_PERSISTS_MAX);
      stage.simulation.endWorkload();
      stage.settle();
    },
  );

  it("of a node that dies meanwhile: nothing of what waited is there, and nothing was promised of it", () => {
    const stage = Stage.open(3);
    const victim = stage.others(stage.leader)[0] as number;
    stage.commit(stage.leader, 3);
    stage.advance(500);
    const { irreversibleHeight } = stage.node(victim).disk;
    stage.node(victim).fillDisk(2_000);
    stage.commit(stage.leader, 3);
    stage.crash(victim);
    expect(stage.node(victim).disk.irreversibleHeight).toBe(irreversibleHeight);
    stage.start(victim);
    stage.settle();
  });
});

describe("a lost disk", () => {
  it("of a producer: it gets the chain from its peers, and takes no part any more", () => {
    const stage = Stage.open(3);
    for (let i = 0; i < 20; i++) stage.commit(i % 3);
    const victim = stage.others(stage.leader)[0] as number;
    loseDisk(stage, victim);
    stage.start(victim);
    stage.settle();
    expect(stage.status(victim).engine.status).toBe("recovering");
    // Its vote does not count: with another one away nobody leads.
    const other = stage.others(victim, stage.leader)[0] as number;
    stage.crash(other);
    stage.crash(stage.leader);
    stage.startAll();
    stage.crash(other);
    stage.advance(8_000);
    expect(stage.simulation.leader()).toBeUndefined();
    stage.startAll();
    stage.elect();
    stage.settle();
  });

  it("of a follower: it begins anew", () => {
    const stage = Stage.open(1, { followers: 1 });
    for (let i = 0; i < 100; i++) stage.commit(0);
    loseDisk(stage, 1);
    stage.start(1);
    stage.until("it has all", () => stage.height(1) === stage.height(0), 10_000);
    stage.settle();
  });

  function loseDisk({ simulation }: Stage, index: number): void {
    simulation.crash(index);
    simulation.node(index).damageDisk("disk");
    simulation.watch.damaged(simulation.node(index), "disk");
  }
});

describe("a state database", () => {
  it("that lost its last flushes is rebuilt from the blocks", () => {
    const stage = Stage.open(3);
    for (let i = 0; i < 20; i++) {
      stage.commit(stage.leader);
      stage.advance(120);
    }
    const victim = stage.others(stage.leader)[0] as number;
    stage.crash(victim);
    const { stateDisk } = stage.node(victim);
    const before = stateDisk.height;
    stateDisk.takeBack(10);
    expect(stateDisk.height).toBeLessThan(before);
    stage.start(victim);
    expect(stateDisk.height).toBeGreaterThanOrEqual(before);
    stage.settle();
  });
});

describe("a producer restored from an old backup (docs/protocol.md, section 4)", () => {
  /**
   * One of three is cut off; the other two elect a leader and decide blocks. The voter dies and is restored from a backup
   * of before; nothing but urgent messages reaches it, so that it has only its record to go by.
   */
  function restored(): { readonly stage: Stage; readonly voter: number; readonly leader: number } {
    const stage = Stage.closed(3, { seed: 3, backsUp: true });
    stage.cutOff(2);
    stage.startAll();
    const leader = stage.elect();
    const voter = 1 - leader;
    stage.commit(leader, 3);
    stage.crash(voter);
    stage.node(voter).damageDisk("backup");
    stage.simulation.watch.damaged(stage.node(voter), "backup");
    stage.simulation.network.clog(voter);
    return { stage, voter, leader };
  }

  it("is told by the one that it voted for, takes no part from then on, and elects nobody with one who lacks what was decided", () => {
    const { stage, voter, leader } = restored();
    stage.start(voter);
    const isOutdated = (): boolean => {
      const record = raftRecordMessage.decode(stage.node(voter).disk.record as Uint8Array);
      return record.ok && record.value.outdated === true;
    };
    stage.until("it knows that its record is old", isOutdated, 2_000);
    stage.cutOff(leader);
    stage.join([2], [voter]);
    stage.advance(10_000);
    expect(stage.simulation.leader([stage.node(2), stage.node(voter)])).toBeUndefined();
    // Not after a restart either; and it follows the chain like anybody who only watches.
    stage.crash(voter);
    stage.heal();
    stage.start(voter);
    stage.elect(undefined, 15_000);
    stage.commit(stage.leader);
    stage.settle();
    expect(stage.status(voter).engine.status).toBe("recovering");
  });

  it("what remains: linked only with one that holds no promise of its, it votes twice", () => {
    const { stage, voter, leader } = restored();
    stage.cutOff(leader);
    stage.join([2], [voter]);
    stage.start(voter);
    expect(() => stage.advance(10_000)).toThrow("a producer votes once a view [R1]");
  });
});
