/** Faults as data: what is drawn can be replayed, made smaller, written down and read again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { drawProfile, NO_FAULTS, NO_WORKLOAD, PROFILE_NAMES } from "../../tools/sim/profile.ts";
import { Dice } from "../../tools/sim/dice.ts";
import { readReplay, writeReplay } from "../../tools/sim/replayFile.ts";
import { runSimulation } from "../../tools/sim/run.ts";
import { describeFault, type Fault, type ScheduledFault } from "../../tools/sim/schedule.ts";
import { type ExplicitRun, shrink } from "../../tools/sim/shrink.ts";
import { Simulation } from "../../tools/sim/simulation.ts";

const calm = (fault: Fault, producers = 3, followers = 0): Simulation => {
  const simulation = new Simulation({ seed: 1, producers, followers, workload: NO_WORKLOAD });
  simulation.startAll();
  simulation.advance(3_000);
  simulation.faults.begin([{ atUs: 3_000_000, fault }]);
  return simulation;
};

describe("a schedule of faults", () => {
  it("is recorded by a run that draws, and replaying it is the same run", () => {
    const options = {
      seed: 7,
      producers: 3,
      followers: 1,
      faults: "wild",
      workload: "default",
      durationMs: 6_000,
    } as const;
    const drawn = runSimulation(options);
    expect(drawn.schedule.length).toBeGreaterThan(3);
    const again = runSimulation({ ...options, faults: drawn.drawnProfile, schedule: drawn.schedule });
    expect(again.schedule).toEqual(drawn.schedule);
    expect([again.irreversibleHeight, again.highestView]).toEqual([drawn.irreversibleHeight, drawn.highestView]);
  });

  it("an overloaded node takes its time for every step", () => {
    const simulation = calm({ kind: "slow", node: 0, durationMs: 1_000, stepMs: 50 });
    simulation.advance(1);
    const before = simulation.node(0).pausedUntil;
    simulation.advance(500);
    expect(simulation.node(0).pausedUntil).toBeGreaterThan(before);
  });

  it("a full disk writes nothing until there is room: the leader of one loses no promise, and goes on", () => {
    const simulation = calm({ kind: "diskFull", node: 0, durationMs: 2_000 }, 1);
    simulation.advance(1);
    const { height } = simulation.watch.finality;
    const [id] = simulation.workload.submitNew(simulation.node(0), 1);
    simulation.advance(1_500);
    expect(simulation.watch.finality.height).toBe(height);
    simulation.advance(1_000);
    expect(simulation.watch.transactions.placeOf(id as string)).toBeDefined();
  });

  it("a disk that does not read serves nothing, and a follower that needs its blocks gets them when it does again", () => {
    const simulation = new Simulation({ seed: 1, producers: 1, followers: 1, workload: NO_WORKLOAD });
    simulation.start(0);
    simulation.advance(2_000);
    for (let i = 0; i < 20; i++) {
      simulation.workload.submitNew(simulation.node(0), 1);
      simulation.advance(100);
    }
    const { height } = simulation.watch.finality;
    expect(height).toBeGreaterThan(10);
    simulation.faults.begin([
      { atUs: simulation.queue.now, fault: { kind: "readErrors", node: 0, durationMs: 3_000 } },
    ]);
    simulation.start(1);
    simulation.advance(2_900);
    expect(simulation.node(1).replica.ledger.bottom.height).toBe(0);
    simulation.until("the follower has all", () => simulation.node(1).replica.ledger.bottom.height === height, 15_000);
  });

  it("a producer that comes back with an empty disk follows, and takes no part", () => {
    const simulation = calm({
      kind: "crash",
      node: 0,
      downMs: 100,
      silent: false,
      midStep: false,
      aloneMs: 0,
      damage: "disk",
    });
    const { length } = simulation.nodes;
    simulation.advance(8_000);
    const { status } = simulation.node(0).replica.status().engine;
    expect([status, length]).toEqual(["recovering", 3]);
    expect(simulation.node(0).replica.ledger.head.id).toBe(simulation.node(1).replica.ledger.head.id);
    expect(simulation.node(0).replica.ledger.head.height).toBeGreaterThan(0);
  });

  it("a leader whose clock is a year ahead gives up, and the others go on", () => {
    const simulation = new Simulation({ seed: 3, producers: 3, workload: NO_WORKLOAD });
    simulation.startAll();
    simulation.until("somebody leads", () => simulation.leader() !== undefined, 5_000);
    simulation.advance(1_000);
    const leader = simulation.leader() as number;
    simulation.node(leader).jumpClock(365 * 24 * 3_600_000);
    const other = simulation.node((leader + 1) % 3);
    const [id] = simulation.workload.submitNew(other, 1);
    simulation.until("irreversible", () => simulation.watch.transactions.placeOf(id as string) !== undefined, 60_000);
    expect(simulation.leader()).not.toBe(leader);
  });

  it("every kind has words", () => {
    const kinds: Fault[] = [
      { kind: "partition", pairs: [[0, 1]], durationMs: 10 },
      { kind: "breakLinks", node: 0, peers: [1] },
      { kind: "clog", node: 0, durationMs: 10 },
      { kind: "pause", node: 0, durationMs: 10 },
      { kind: "clockJump", node: 0, jumpMs: -3 },
    ];
    for (const fault of kinds) expect(describeFault({ atUs: 1_500, fault })).toMatch(/^ +1\.500 ms \S+/);
  });
});

describe("a failing run is made smaller", () => {
  /** Whoever has lost its record takes no part any more. */
  const deadly: Fault = {
    kind: "crash",
    node: 0,
    downMs: 1e9,
    silent: false,
    midStep: false,
    aloneMs: 0,
    damage: "record",
  };
  const noise: ScheduledFault[] = Array.from({ length: 8 }, (_, i) => ({
    atUs: 200_000 * (i + 1),
    fault: { kind: "pause", node: i % 2, durationMs: 20 },
  }));

  it("to the faults that it takes: a lost record of the only producer stops the chain", () => {
    const schedule = [...noise.slice(0, 4), { atUs: 900_000, fault: deadly }, ...noise.slice(4)];
    const run: ExplicitRun = {
      seed: 5,
      producers: 1,
      followers: 1,
      durationMs: 4_000,
      profile: NO_FAULTS,
      schedule,
    };
    const shrunk = shrink(run, "liveness", 60);
    expect(shrunk?.run.schedule).toEqual([{ atUs: 900_000, fault: deadly }]);
    expect(shrunk?.run.followers).toBe(0);
    expect(shrunk?.run.durationMs).toBeLessThan(4_000);
    expect(shrunk?.result.violation?.oracle).toBe("liveness");
  });

  it("and is nothing when it does not fail by that oracle", () => {
    const run = { seed: 5, producers: 1, followers: 0, durationMs: 500, profile: NO_FAULTS, schedule: noise };
    expect(shrink(run, "finality", 5)).toBeUndefined();
  });

  it("is saved and read again, with every infinite interval", () => {
    const directory = mkdtempSync(join(tmpdir(), "cairn-replay-"));
    try {
      const path = join(directory, "run.json");
      for (const name of PROFILE_NAMES) {
        const profile = drawProfile(new Dice(3), name);
        const run = { seed: 5, producers: 1, followers: 0, durationMs: 500, profile, schedule: noise };
        writeReplay(path, run);
        expect(readReplay(path)).toEqual(run);
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("faults of the network that a replica sees", () => {
  it("both dial at once: a side sees its link go down and come up, the other may see it come up only", () => {
    const simulation = new Simulation({
      seed: 5,
      producers: 3,
      faults: { ...NO_FAULTS, mutualConnects: 1 },
      workload: NO_WORKLOAD,
    });
    const seen = new Map<string, string[]>();
    simulation.onlookers.push({
      stepped: ({ index }, input) => {
        if (input.kind !== "peerUp" && input.kind !== "peerDown") return;
        const link = `${index} with ${simulation.indexOf(input.peer)}`;
        seen.set(link, [...(seen.get(link) ?? []), input.kind]);
      },
    });
    simulation.startAll();
    simulation.advance(3_000);
    const sequences = new Set([...seen.values()].map((events) => events.join(" ")));
    expect(sequences).toEqual(new Set(["peerUp", "peerUp peerDown peerUp"]));
    expect(simulation.network.isWhole(simulation.nodes)).toBe(true);
    expect(simulation.leader()).toBeDefined();
  });

  it("frames that do not read cost their sender its link, and nobody else anything", () => {
    const faults = { ...NO_FAULTS, garbled: 0.3 };
    const reasons = new Set<string>();
    const prepare = (simulation: Simulation): void => {
      simulation.onlookers.push({
        stepped: ({ index }, _, effects) => {
          for (const effect of effects)
            if (effect.kind === "disconnect")
              reasons.add(`${index} ${simulation.indexOf(effect.peer)} ${effect.reason}`);
        },
      });
    };
    const result = runSimulation({ seed: 3, producers: 3, followers: 1, faults, durationMs: 6_000, prepare });
    expect(result.violation).toBeUndefined();
    expect(reasons).toContain("0 3 undecodable");
    expect([...reasons].every((reason) => /^[012] 3 /.test(reason))).toBe(true);
  });
});
