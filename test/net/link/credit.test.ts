// Credit of a lane (docs/protocol.md, section 1), on a path of known rate and round trip, in virtual time.

import { describe, expect, test } from "vitest";
import { encodeCredit, readCredit } from "../../../net/link/control.ts";
import { CreditGrants, CreditWindow } from "../../../net/link/credit.ts";
import { DEFAULT_LIMITS } from "../../../net/link/limits.ts";
import { CHUNK_BYTES } from "../../../net/link/outbox.ts";

const LIMITS = DEFAULT_LIMITS.credit;
const KiB = 1024;

interface Path {
  readonly roundTripMs: number;
  readonly megabytesPerSecond: number;
}

/** A lane that always has data, over a path with a queue without an end before its narrowest place. */
class Flow {
  readonly window = new CreditWindow(LIMITS);
  readonly #grants = new CreditGrants(LIMITS);
  #now = 0;
  /** When the narrow place is free. */
  #freeAt = 0;
  /** Nothing overtakes, when the path becomes shorter either. */
  #arrivesAt = 0;
  #creditAt = 0;
  #events: { readonly at: number; readonly happens: () => void }[] = [];
  arrivedBytes = 0;
  /** Longest that a byte stood before the narrow place. */
  longestQueueMs = 0;

  /** @returns MB/s that arrived in the time's second half */
  run(path: Path, ms: number): number {
    const endAt = this.#now + ms;
    let halfBytes: number | undefined;
    this.#fill(path);
    for (;;) {
      this.#events.sort((a, b) => a.at - b.at);
      const next = this.#events[0];
      if (next === undefined || next.at > endAt) break;
      this.#events.shift();
      this.#now = next.at;
      if (halfBytes === undefined && this.#now > endAt - ms / 2) {
        halfBytes = this.arrivedBytes;
        this.longestQueueMs = 0;
      }
      next.happens();
      this.#fill(path);
    }
    this.#now = endAt;
    return (this.arrivedBytes - (halfBytes ?? 0)) / 1e6 / (ms / 2000);
  }

  #fill(path: Path): void {
    for (;;) {
      const room = this.window.room(Number.MAX_SAFE_INTEGER, this.#now);
      if (room <= 0) return;
      const bytes = Math.min(CHUNK_BYTES, room);
      this.window.sent(bytes, this.#now);
      this.longestQueueMs = Math.max(this.longestQueueMs, this.#freeAt - this.#now);
      this.#freeAt = Math.max(this.#freeAt, this.#now) + bytes / 1e3 / path.megabytesPerSecond;
      this.#arrivesAt = Math.max(this.#arrivesAt, this.#freeAt + path.roundTripMs / 2);
      this.#at(this.#arrivesAt, () => this.#arrives(bytes, path));
    }
  }

  #arrives(bytes: number, path: Path): void {
    this.arrivedBytes += bytes;
    expect(this.#grants.read(bytes)).toBeUndefined();
    if (!this.#grants.isDue) return;
    const credit = this.#grants.take();
    this.#creditAt = Math.max(this.#creditAt, this.#now + path.roundTripMs / 2);
    this.#at(this.#creditAt, () => {
      expect(this.window.granted(credit, this.#now)).toBeUndefined();
    });
  }

  #at(at: number, happens: () => void): void {
    this.#events.push({ at, happens });
  }
}

describe("the window follows the measured round trip", () => {
  test("a long path is filled: 100 MB/s over 50 ms, where 256 KiB make 5 MB/s", () => {
    const flow = new Flow();
    expect(flow.run({ roundTripMs: 50, megabytesPerSecond: 100 }, 4_000)).toBeGreaterThan(95);
    expect(flow.window.windowBytes).toBeLessThan(10 * 1024 * KiB);
  });

  test("a narrow path gets no long queue: over 50 ms at 10 MB/s an urgent message waits for some 50 ms at most", () => {
    const flow = new Flow();
    expect(flow.run({ roundTripMs: 50, megabytesPerSecond: 10 }, 8_000)).toBeGreaterThan(9.5);
    expect(flow.longestQueueMs).toBeLessThan(50);
  });

  test("on one machine hardly more than the floor is enough, and what stands before an urgent message stays below it", () => {
    const flow = new Flow();
    expect(flow.run({ roundTripMs: 0.1, megabytesPerSecond: 400 }, 500)).toBeGreaterThan(390);
    expect(flow.window.windowBytes).toBeLessThan(160 * KiB);
    expect(flow.longestQueueMs).toBeLessThan(0.4);
  });

  test("a path that became longer is measured anew, and filled again", () => {
    const flow = new Flow();
    flow.run({ roundTripMs: 1, megabytesPerSecond: 100 }, 1_000);
    expect(flow.run({ roundTripMs: 50, megabytesPerSecond: 100 }, 40_000)).toBeGreaterThan(90);
  });

  test("and one that became shorter loses its queue, after the next measurement of the path", () => {
    const flow = new Flow();
    flow.run({ roundTripMs: 50, megabytesPerSecond: 100 }, 2_000);
    flow.run({ roundTripMs: 2, megabytesPerSecond: 100 }, 26_000);
    expect(flow.longestQueueMs).toBeLessThan(10);
  });

  test("a lane that sends little keeps its window", () => {
    const window = new CreditWindow(LIMITS);
    const before = window.windowBytes;
    for (let i = 1; i <= 20; i++) {
      window.sent(40 * KiB, i * 1_000);
      window.granted({ readBytes: i * 40 * KiB, windowBytes: LIMITS.maxBytes }, i * 1_000 + 50 * (i % 2));
    }
    expect(window.windowBytes).toBe(before);
  });
});

describe("a peer that plays with credit", () => {
  const room = (window: CreditWindow): number => window.room(Number.MAX_SAFE_INTEGER, 0);

  test("and grants none gets the starting credit and no more; the wait is told", () => {
    const window = new CreditWindow(LIMITS);
    let sent = 0;
    for (let bytes = room(window); bytes > 0; bytes = room(window)) {
      window.sent(Math.min(bytes, CHUNK_BYTES), 0);
      sent += Math.min(bytes, CHUNK_BYTES);
    }
    expect(sent).toBeLessThanOrEqual(LIMITS.startBytes);
    expect(window.waits).toBe(1);
    expect(window.waitedMs(31_000)).toBe(31_000);
    window.granted({ readBytes: 1, windowBytes: 0 }, 31_000);
    expect(window.waitedMs(31_000)).toBe(0);
  });

  test("and grants an absurd window gets ours", () => {
    const window = new CreditWindow(LIMITS);
    window.granted({ readBytes: 0, windowBytes: 0xffff_ffff }, 0);
    expect(room(window)).toBe(window.windowBytes);
  });

  test.each([
    ["for bytes never sent", [{ readBytes: 1001, windowBytes: 5 }]],
    [
      "that goes back",
      [
        { readBytes: 1000, windowBytes: 5 },
        { readBytes: 999, windowBytes: 5 },
      ],
    ],
  ])("and gives credit %s is at fault", (_what, credits) => {
    const window = new CreditWindow(LIMITS);
    window.sent(1000, 0);
    expect(credits.map((credit) => window.granted(credit, 1)?.reason).at(-1)).toBe("misbehaviour");
  });

  test("and sends more than it was granted is at fault, with the first byte", () => {
    const grants = new CreditGrants(LIMITS);
    expect(grants.read(LIMITS.startBytes)).toBeUndefined();
    expect(grants.read(1)?.reason).toBe("misbehaviour");
    const again = new CreditGrants(LIMITS);
    again.read(LIMITS.startBytes);
    again.take();
    expect(again.read(LIMITS.maxBytes)).toBeUndefined();
    expect(again.read(1)?.reason).toBe("misbehaviour");
  });
});

test("a credit frame has one form; another length, lane or count is none", () => {
  const credit = { readBytes: 2 ** 53 - 1, windowBytes: 0xffff_ffff };
  const frame = encodeCredit("bulk", credit);
  expect(readCredit(frame)).toEqual({ lane: "bulk", credit });
  expect(readCredit(frame.subarray(1))).toBeUndefined();
  expect(readCredit(Uint8Array.of(0, ...frame.subarray(1)))).toBeUndefined();
  expect(readCredit(Uint8Array.of(3, ...frame.subarray(1)))).toBeUndefined();
  expect(readCredit(Uint8Array.of(2, 255, ...frame.subarray(2)))).toBeUndefined();
});
