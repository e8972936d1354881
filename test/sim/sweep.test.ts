/** Seeds over mixed sizes with faults of every kind: all oracles hold; and the same seed is the same run. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Dice } from "../../tools/sim/dice.ts";
import { drawProfile, NO_FAULTS, PROFILE_NAMES } from "../../tools/sim/profile.ts";
import { runSimulation } from "../../tools/sim/run.ts";
import { describeFailure } from "../../tools/sim/command.ts";
import { planSweep, runOne, type SweepOptions } from "../../tools/sim/sweep.ts";

const OPTIONS: SweepOptions = {
  firstSeed: 1,
  seeds: 60,
  producers: undefined,
  followers: undefined,
  faults: "default",
  durationMs: 20_000,
};
/** Seeds a test: small enough to say where a run that takes too long was. */
const PART = 20;

describe("60 seeds, 1 to 5 producers, 0 to 2 followers, any faults: every rule holds and every run comes to rest", () => {
  for (let firstSeed = 1; firstSeed <= OPTIONS.seeds; firstSeed += PART) {
    it(`seeds ${firstSeed} to ${firstSeed + PART - 1}`, { timeout: 300_000 }, () => {
      for (const run of planSweep({ ...OPTIONS, firstSeed, seeds: PART })) {
        const result = runOne(run);
        if (result.violation !== undefined) expect.fail(describeFailure(run, result));
      }
    });
  }
});

/**
 * Seeds that broke a rule once, each with the fault that it found. With the fault put back, 3, 6, 38 and 5308 still fail.
 * 9 and jumping 1 do not any more, because the runs have changed, nor do 150 seeds of their kind within two minutes: the first fault
 * has a test of its own in `test/consensus/raft.test.ts`. 31 and 418 were not tried again.
 */
const REGRESSIONS: readonly (readonly [string, number, number, number, string])[] = [
  ["rounds of heartbeats count anew in a view that one stood for oneself", 9, 5, 0, "pausing"],
  ["a leader takes expired transactions in, so that their submitters are told", 31, 2, 2, "default"],
  ["what expires too late for the present block waits for a later one and is not refused", 418, 5, 2, "pausing"],
  ["who has lost its record answers no heartbeat: a leader must not count on it", 3, 3, 2, "forgetful"],
  ["what is held back for its time is not sent back when it comes", 1, 2, 0, "jumping"],
  ["whoever sends a block that is held back is known to have it", 6, 3, 0, "jumping"],
  ["who did not hold a range is asked again: its disk may read again", 38, 1, 2, "overloaded"],
  ["the disk of a node that is up again is not damaged: a broken fault", 6, 3, 0, "rotting"],
  ["a node without its disk gives back its own old blocks: a broken oracle", 80, 3, 1, "default"],
  ["the same in a later view", 82, 3, 1, "default"],
  ["a block that was asked for comes beside the stream: a broken oracle", 91, 3, 2, "default"],
  ["the same, before its parent", 109, 3, 2, "default"],
  ["what was too old for a leader of a future time is forwarded to the next one", 123, 3, 1, "default"],
  ["what a peer is known to have is not forgotten with its abandoned branch", 5308, 3, 1, "churning"],
  ["whoever sends a block for which there is no room is known to have it", 1087, 3, 2, "default"],
  ["a frame that does not read is under way at the heal: a broken observer", 172, 5, 2, "garbling"],
  [
    "the leader waits to make a block of what a node that stays away has forwarded: a broken oracle",
    11,
    3,
    0,
    "restored",
  ],
];

/** Of the sweeps of 2,000 seeds (`docs/decisions/080-two-thousand-seeds.md`); drawn as the sweep draws them. */
const SWEPT: readonly (readonly [string, "raft" | "vsr" | "bft", number])[] = [
  ["who is between two changes of the producers is shown a certificate that it can judge", "raft", 498],
  ["an election may still come after all nodes agree: a broken oracle", "raft", 1764],
  ["what was held back comes out parents first, so that it is known who has it", "raft", 1618],
  ["no liar lies between those who are correct: a broken fault", "raft", 1780],
  ["clocks further apart than a leader bears: a broken fault", "raft", 1779],
  ["who answers late what it was asked is not at fault", "vsr", 388],
  ["who is left alone by a change waits for nobody's answer before it opens its view", "vsr", 778],
  ["a view opens without the head that nobody else can take", "vsr", 915],
  ["who was made a producer by a block restored at its start tells the way to it", "vsr", 866],
  ["who becomes a producer is reached by routes only, no more by its way back", "vsr", 1904],
  ["of two leaders of one view, by two sets, none goes on with the other's blocks", "bft", 1196],
  ["whoever sends one block too many of its place is known to have it", "bft", 853],
  ["all who sent a block that waited for its parent are known to have it", "bft", 75],
  ["one's own block of a time that is ahead is not held back when somebody returns it", "bft", 1483],
  ["who knows by its prepared root only what a change's end proves is shown that", "bft", 1186],
];

describe("seeds that once broke a rule", () => {
  it.each(SWEPT)("%s (%s, seed %d)", { timeout: 60_000 }, (_, engine, seed) => {
    for (const run of planSweep({ ...OPTIONS, engine, firstSeed: seed, seeds: 1 })) {
      const result = runOne(run);
      if (result.violation !== undefined) expect.fail(describeFailure(run, result));
    }
  });

  it.each(REGRESSIONS)("%s (seed %d)", { timeout: 60_000 }, (_, seed, producers, followers, faults) => {
    const run = { seed, producers, followers, faults, durationMs: 20_000 };
    const result = runOne(run);
    if (result.violation !== undefined) expect.fail(describeFailure(run, result));
  });
});

describe("a run follows from its options alone", () => {
  it("the same seed gives the same trace, another seed another one", () => {
    const hashOf = (seed: number): string =>
      runSimulation({ seed, producers: 3, followers: 1, faults: "wild", workload: "default", durationMs: 4_000 })
        .traceHash;
    expect(hashOf(1)).toBe(hashOf(1));
    expect(hashOf(1)).not.toBe(hashOf(2));
  });

  it("another process gives the same trace, whether it prints the trace or not", () => {
    const script = fileURLToPath(new URL("./hashes.ts", import.meta.url));
    const hashes = (...args: string[]): string => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });
      expect(stderr.replace(/^\(node:.*|^\(Use .*/gm, "").trim()).toBe("");
      expect(status).toBe(0);
      return stdout;
    };
    expect(hashes("3")).toBe(hashes("3", "--print"));
    expect(hashes("3").trim().split("\n")).toHaveLength(3);
  });

  it("printing the trace says what every node did, in order of time", () => {
    const lines: string[] = [];
    runSimulation({ seed: 1, producers: 2, durationMs: 1_500, print: (line) => lines.push(line) });
    expect(lines.some((line) => /n\d -> log info leads/.test(line))).toBe(true);
    expect(lines.some((line) => /n\d <- .*urgent vote .*"granted":true/.test(line))).toBe(true);
    expect(lines.some((line) => /n\d -> irreversible/.test(line))).toBe(true);
  });
});

describe("faults do happen", () => {
  it("every kind of profile draws something that no run without faults has", () => {
    for (const name of PROFILE_NAMES) {
      const { name: _, latency: __, disk: ___, ...faults } = drawProfile(new Dice(1), name);
      const { name: _a, latency: _b, disk: _c, ...none } = NO_FAULTS;
      expect(faults, name).not.toEqual(none);
    }
  });

  it("a run with faults has several views and restarts, one without has a single view", () => {
    const calm = runSimulation({ seed: 4, producers: 3, faults: "none" });
    const wild = runSimulation({ seed: 4, producers: 3, faults: "churning" });
    expect(calm.violation).toBeUndefined();
    expect(wild.violation).toBeUndefined();
    expect(calm.highestView).toBe(1);
    expect(wild.highestView).toBeGreaterThan(3);
    expect(calm.transactions.irreversible).toBe(calm.transactions.submitted);
  });
});
