/** A link's failure detector (docs/protocol.md, section 1): pings every 5 s, three resends, then the peer is given up. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DEFAULT_LIMITS } from "../../../net/link/index.ts";
import { Pinger } from "../../../net/link/pinger.ts";

const { pingIntervalMs, pingTimeoutsMs } = DEFAULT_LIMITS;

class Bench {
  /** When pings left, ms. */
  readonly pings: number[] = [];
  ids: number[] = [];
  /** Each ping is answered after so long. */
  answersAfterMs: number | undefined;
  silentAt: number | undefined;
  readonly #start = performance.now();
  readonly pinger = new Pinger({
    intervalMs: pingIntervalMs,
    timeoutsMs: pingTimeoutsMs,
    send: (id) => {
      this.pings.push(this.now);
      this.ids.push(id);
      if (this.answersAfterMs !== undefined) setTimeout(() => this.answer(id), this.answersAfterMs);
    },
    onSilent: () => {
      this.silentAt = this.now;
    },
  });
  get now(): number {
    return performance.now() - this.#start;
  }
  /** The pong comes twice, and one for nothing. */
  answer(id: number): void {
    this.pinger.heard();
    for (const each of [id, id, 4_000]) this.pinger.pong(each);
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.stubGlobal("setImmediate", (then: () => void) => then());
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function started(answersAfterMs?: number): Bench {
  const bench = new Bench();
  bench.answersAfterMs = answersAfterMs;
  bench.pinger.start();
  return bench;
}

describe("a peer that is silent", () => {
  test("is pinged again after 2, 3 and 4.5 s, and given up 4.5 s later", () => {
    expect([pingIntervalMs, pingTimeoutsMs]).toEqual([5_000, [2_000, 3_000, 4_500]]);
    const bench = started();
    vi.advanceTimersByTime(60_000);
    expect(bench.pings).toEqual([0, 2_000, 5_000, 9_500]);
    expect(bench.silentAt).toBe(14_000);
  });

  test("is not given up when anything comes before the last timeout, and is asked anew 5 s after the last ping", () => {
    const bench = started();
    vi.advanceTimersByTime(13_999);
    bench.pinger.heard();
    vi.advanceTimersByTime(501);
    expect(bench.silentAt).toBeUndefined();
    expect(bench.pings.at(-1)).toBe(14_500);
    // It begins anew: three more resends.
    vi.advanceTimersByTime(60_000);
    expect(bench.silentAt).toBe(28_500);
  });

  test("is asked no more when the link is over", () => {
    const bench = started();
    bench.pinger.stop();
    vi.advanceTimersByTime(60_000);
    expect([bench.pings, bench.silentAt]).toEqual([[0], undefined]);
  });
});

describe("a peer that answers", () => {
  test("is pinged thrice when the link is new, then every 5 s; the smoothed round trip follows its pongs, unknown ids do not count", () => {
    const bench = started(80);
    vi.advanceTimersByTime(4_000 + 40 * pingIntervalMs - 1);
    expect(bench.pings).toEqual([0, 2_000, ...Array.from({ length: 40 }, (_, i) => 4_000 + i * pingIntervalMs)]);
    expect(bench.pinger.rttMs).toBe(80);
    bench.answersAfterMs = 160;
    vi.advanceTimersByTime(161);
    expect(bench.pinger.rttMs).toBe(90);
  });

  test("that was slow while it started counts as what it is with its next pong", () => {
    const bench = started(800);
    vi.advanceTimersByTime(800);
    expect(bench.pinger.rttMs).toBe(800);
    bench.answersAfterMs = 20;
    vi.advanceTimersByTime(1_220);
    expect(bench.pinger.rttMs).toBe(20);
  });
});

describe("a probe", () => {
  test("pings at once, and says whether anything came in time", async () => {
    const bench = started();
    const first = bench.pinger.probe(100);
    expect(bench.pings).toEqual([0, 0]);
    bench.pinger.heard();
    expect(await first).toBe(true);
    const second = bench.pinger.probe(100);
    vi.advanceTimersByTime(100);
    expect(await second).toBe(false);
    bench.pinger.stop();
    expect(await bench.pinger.probe(100)).toBe(false);
  });
});
