import { describe, expect, it } from "vitest";
import { EARLY_VOTE_LIFE_MS, EARLY_VOTES_MAX } from "../../consensus/constants.ts";
import { EarlyVotes } from "../../consensus/earlyVotes.ts";

const block = (height: number, id = `b${height}`) => ({ view: 1, height, id });

class Bench {
  now = 0;
  readonly votes = new EarlyVotes<string>(() => this.now);
  hold(signer: string, height: number, vote: string, place = `${height}`, id?: string): void {
    this.votes.hold({ signer, place, block: block(height, id), vote });
  }
  take(height: number): string[] {
    return this.votes.take(`b${height}`).map(({ signer, vote }) => `${signer} ${vote}`);
  }
}

describe("votes that overtook their block", () => {
  it("wait for it, and are counted once when it comes", () => {
    const bench = new Bench();
    bench.hold("a", 1, "prepare", "p1");
    bench.hold("b", 1, "prepare", "p1");
    bench.hold("a", 1, "commit", "c1");
    bench.hold("a", 2, "prepare", "p2");
    expect(bench.take(1)).toEqual(["a prepare", "a commit", "b prepare"]);
    expect(bench.take(1)).toEqual([]);
    expect(bench.votes.counts).toEqual({ waiting: 1, counted: 3, dropped: 0, expired: 0 });
  });

  it("of a signer are 1,024, then the oldest leave; other signers' stay", () => {
    const bench = new Bench();
    bench.hold("b", 1, "x");
    for (let height = 1; height <= EARLY_VOTES_MAX + 10; height++) bench.hold("a", height, "x");
    expect(EARLY_VOTES_MAX).toBe(1_024);
    expect(bench.votes.counts).toMatchObject({ waiting: EARLY_VOTES_MAX + 1, dropped: 10 });
    expect(bench.take(1)).toEqual(["b x"]);
    expect(bench.take(11)).toEqual(["a x"]);
  });

  it("do not wait for ever; sent again, they wait anew", () => {
    const bench = new Bench();
    bench.hold("a", 1, "x");
    bench.hold("a", 2, "x");
    bench.now = EARLY_VOTE_LIFE_MS - 1;
    bench.hold("a", 2, "x");
    bench.now++;
    expect(bench.votes.expire().map((early) => early.block.height)).toEqual([1]);
    expect(bench.take(1)).toEqual([]);
    expect(bench.take(2)).toEqual(["a x"]);
    expect(bench.votes.counts).toEqual({ waiting: 0, counted: 1, dropped: 0, expired: 1 });
  });

  it("of one signer at one place are one: the newest", () => {
    const bench = new Bench();
    bench.hold("a", 1, "x", "p1", "other");
    bench.hold("a", 1, "x", "p1");
    expect(bench.votes.counts.waiting).toBe(1);
    expect(bench.votes.take("other")).toEqual([]);
    expect(bench.take(1)).toEqual(["a x"]);
  });

  it("leave when their height is decided", () => {
    const bench = new Bench();
    for (let height = 1; height <= 5; height++) bench.hold("a", height, "x");
    bench.votes.settled(3);
    expect(bench.votes.counts).toMatchObject({ waiting: 2, dropped: 3 });
    expect(bench.take(3)).toEqual([]);
    expect(bench.take(4)).toEqual(["a x"]);
  });
});
