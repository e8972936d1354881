/** The leader's side of linearizable reads [R2], and its rounds, piece by piece. */
import { describe, expect, it } from "vitest";
import { makeConfiguration } from "../../chain/configuration.ts";
import { singleSet } from "../../chain/producerSets.ts";
import { READ_ROUND_EVERY_MS } from "../../consensus/constants.ts";
import { ReadRounds } from "../../consensus/leading/readRounds.ts";
import { Rounds } from "../../consensus/leading/rounds.ts";
import { KEYS } from "../fixtures/naiveChain.ts";

const [SELF, B, C, STRANGER] = KEYS as [string, string, string, string];

const SETS = singleSet(makeConfiguration([SELF, B, C]));

class Leader {
  now = 1_000;
  decided: number | undefined = 7;
  readonly rounds = new Rounds(SELF);
  readonly begun: number[] = [];
  readonly answers: { reads: readonly number[]; height: number | undefined }[] = [];
  readonly reads = new ReadRounds({
    now: () => this.now,
    decidedHeight: () => this.decided,
    beginRound: () => {
      const round = this.rounds.begin();
      this.begun.push(round);
      return round;
    },
    confirmed: () => this.rounds.confirmed(SETS),
    answer: (reads, height) => void this.answers.push({ reads, height }),
  });
  reply(from: string, round: number): void {
    this.rounds.answered(from, round, this.now);
    this.reads.proceed();
  }
}

describe("a read waits for a round that began after it arrived [R2]", () => {
  it("a reply to an earlier round does not count, one to a later round does", () => {
    const leader = new Leader();
    leader.rounds.begin();
    leader.reads.add(1);
    leader.reply(B, 1);
    expect(leader.answers).toEqual([]);
    leader.rounds.begin();
    leader.reply(B, 3);
    expect(leader.answers).toEqual([{ reads: [1], height: 7 }]);
  });

  it("who comes while a round is under way waits for the next, with all others", () => {
    const leader = new Leader();
    leader.reads.add(1);
    leader.reads.add(2);
    leader.reads.add(3);
    leader.decided = 9;
    leader.reply(B, 1);
    expect(leader.answers).toEqual([{ reads: [1], height: 7 }]);
    expect(leader.begun).toEqual([1]);
    expect(leader.reads.deadline).toBe(1_000 + READ_ROUND_EVERY_MS);
    leader.now += READ_ROUND_EVERY_MS;
    leader.reads.proceed();
    leader.reply(C, 2);
    expect(leader.answers[1]).toEqual({ reads: [2, 3], height: 9 });
  });

  it("none begins before a block of the leader's view is decided", () => {
    const leader = new Leader();
    leader.decided = undefined;
    leader.reads.add(1);
    leader.rounds.begin();
    leader.reply(B, 1);
    leader.reply(C, 1);
    expect([leader.begun, leader.answers, leader.reads.deadline]).toEqual([[], [], Number.POSITIVE_INFINITY]);
    leader.decided = 8;
    leader.reads.proceed();
    leader.reply(B, 2);
    expect(leader.answers).toEqual([{ reads: [1], height: 8 }]);
  });

  it("who steps down answers none", () => {
    const leader = new Leader();
    leader.reads.add(1);
    leader.reads.add(2);
    leader.reads.drop();
    leader.reply(B, 1);
    expect(leader.answers).toEqual([{ reads: [1, 2], height: undefined }]);
  });
});

describe("rounds", () => {
  it("count producers only, the leader itself as one, and no round that was not begun", () => {
    const { rounds } = new Leader();
    rounds.begin();
    rounds.answered(STRANGER, 1, 1_000);
    expect(rounds.confirmed(SETS)).toBe(0);
    rounds.answered(B, 9, 1_000);
    expect(rounds.confirmed(SETS)).toBe(0);
    rounds.answered(B, 1, 1_000);
    expect(rounds.confirmed(SETS)).toBe(1);
  });

  it("an older reply that comes late takes nothing back", () => {
    const { rounds } = new Leader();
    rounds.begin();
    rounds.begin();
    rounds.answered(B, 2, 1_000);
    rounds.answered(B, 1, 1_001);
    expect(rounds.confirmed(SETS)).toBe(2);
  });
});
