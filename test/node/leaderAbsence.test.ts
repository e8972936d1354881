import { expect, it, vi } from "vitest";
import { LeaderAbsence, type LeadSight } from "../../src/node/leaderAbsence.ts";

function make(engine: "raft" | "bft") {
  const clock = { now: 0 };
  const sight: { leader: string | undefined; waiting: number } = { leader: undefined, waiting: 1 };
  const absence = new LeaderAbsence(
    engine,
    { electionTimeoutMs: 100, viewTimeoutMs: 1_000 },
    { now: () => clock.now } as never,
    (): LeadSight => sight,
  );
  const passes = (now: number, seen: Partial<typeof sight> = {}): void => {
    clock.now = now;
    Object.assign(sight, seen);
  };
  const at = (now: number, seen: Partial<typeof sight> = {}): boolean => {
    passes(now, seen);
    return absence.isLong();
  };
  return Object.assign(at, { absence, passes });
}

it("an absence is long after two timeouts of the engine, from when it was seen first; a leader ends it", () => {
  const raft = make("raft");
  expect([raft(50), raft(250), raft(251)]).toEqual([false, false, true]);
  expect([raft(300, { leader: "a" }), raft(301, { leader: undefined }), raft(501), raft(502)]).toEqual([
    false,
    false,
    false,
    true,
  ]);
  const bft = make("bft");
  expect([bft(0), bft(2_000), bft(2_001)]).toEqual([false, false, true]);
});

it("under BFT one transaction is always taken: without any nobody looks for another leader", () => {
  expect(make("bft")(10_000, { waiting: 0 })).toBe(false);
  const bft = make("bft");
  bft(0, { waiting: 0 });
  expect([bft(5_000), bft(5_000, { waiting: 1 })]).toEqual([false, true]);
});

it("an absence counts from its beginning, though nobody submitted in it: the first to come is told", () => {
  vi.useFakeTimers();
  try {
    const raft = make("raft");
    raft.absence.start();
    raft.passes(25_000);
    expect(raft(25_000)).toBe(true);

    raft.passes(25_000, { leader: "a" });
    vi.advanceTimersByTime(1_000);
    raft.passes(26_000, { leader: undefined });
    vi.advanceTimersByTime(1_000);
    expect([raft(26_200), raft(26_201)]).toEqual([false, true]);

    raft.absence.stop();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
