/**
 * Credit of the lanes `chain` and `bulk` (docs/protocol.md, section 1; docs/decisions/050-lanes.md). The receiver says
 * how much of a lane it has read and how much more it takes; the sender keeps no more in flight than that, and no more
 * than its own window, which follows the measured round trip: what is in flight is what an urgent message may have to
 * wait behind.
 *
 * The window holds the delivery of one round trip and a quarter. A round trip that stays near the shortest one known
 * means that the path takes more: the window grows. One that stays longer means that bytes stand in a queue: it shrinks.
 * The shortest is forgotten after a while, and measured anew over a window at its floor, so that no queue passes for the
 * path itself.
 *
 * Deterministic: time is an argument, in milliseconds of any steady clock.
 */

import type { Fault } from "./frame.ts";

/** Sizes of a lane's credit; `limits.ts` holds the values. */
export interface CreditLimits {
  /** What both sides take as granted before the first credit frame: part of the protocol. */
  readonly startBytes: number;
  /** A sender's smallest and largest window. */
  readonly floorBytes: number;
  readonly maxBytes: number;
  /** What a receiver reads before it says so. */
  readonly refillBytes: number;
}

/** A credit frame's content: of this lane `readBytes` were read since the link began, `windowBytes` more may be sent. */
export interface Credit {
  readonly readBytes: number;
  readonly windowBytes: number;
}

/** Growth in one round trip, and how far above the shortest round trip the window settles. */
const GAIN = 1.25;
const SHRINK = 0.5;
/** The least of so many round trips is compared with the shortest: one that was slow by chance says nothing. */
const RECENT_ROUND_TRIPS = 4;
const BASE_LIFE_MS = 10_000;

interface Sample {
  /** The round trip ends when this much is read. */
  readonly endBytes: number;
  readonly sentAtMs: number;
  /** Did the window hold the lane back meanwhile? Else the round trip says nothing about the window. */
  limited: boolean;
}

/** What the receiving side grants. */
export class CreditGrants {
  readonly #limits: CreditLimits;
  #readBytes = 0;
  #saidBytes = 0;
  #grantedBytes: number;

  constructor(limits: CreditLimits) {
    this.#limits = limits;
    this.#grantedBytes = limits.startBytes;
  }

  /** @returns a fault where the peer sent more than it was granted */
  read(bytes: number): Fault | undefined {
    this.#readBytes += bytes;
    if (this.#readBytes <= this.#grantedBytes) return undefined;
    return { reason: "misbehaviour", detail: `${this.#readBytes - this.#grantedBytes} bytes above the lane's credit` };
  }

  get isDue(): boolean {
    return this.#readBytes - this.#saidBytes >= this.#limits.refillBytes;
  }

  /** What a credit frame says now. */
  take(): Credit {
    const windowBytes = this.#limits.maxBytes;
    this.#saidBytes = this.#readBytes;
    this.#grantedBytes = this.#readBytes + windowBytes;
    return { readBytes: this.#readBytes, windowBytes };
  }
}

/** What the sending side may put in flight. */
export class CreditWindow {
  readonly #limits: CreditLimits;
  #sentBytes = 0;
  #readBytes = 0;
  #grantedBytes: number;
  #windowBytes: number;
  #sample: Sample | undefined;
  #recentMs: number[] = [];
  #baseMs = Number.POSITIVE_INFINITY;
  #baseAtMs = 0;
  /** The window to go back to when the shortest round trip is measured. */
  #beforeProbe: number | undefined;
  #waitsSinceMs: number | undefined;
  /** Times that data waited for credit. */
  waits = 0;

  constructor(limits: CreditLimits) {
    this.#limits = limits;
    this.#grantedBytes = limits.startBytes;
    this.#windowBytes = Math.max(limits.floorBytes, Math.min(limits.startBytes, limits.maxBytes));
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** Bytes that may leave of `queuedBytes`: all of it or a chunk worth sending, else 0, which counts as waiting. */
  room(queuedBytes: number, nowMs: number): number {
    const room = Math.min(this.#grantedBytes, this.#readBytes + this.#windowBytes) - this.#sentBytes;
    if (room >= Math.min(queuedBytes, this.#limits.refillBytes)) return room;
    if (this.#sample !== undefined) this.#sample.limited = true;
    if (this.#waitsSinceMs === undefined) {
      this.#waitsSinceMs = nowMs;
      this.waits += 1;
    }
    return 0;
  }

  /** How long data has been waiting without any credit. */
  waitedMs(nowMs: number): number {
    return this.#waitsSinceMs === undefined ? 0 : nowMs - this.#waitsSinceMs;
  }

  /** A chunk leaves. */
  sent(bytes: number, nowMs: number): void {
    this.#sentBytes += bytes;
    this.#waitsSinceMs = undefined;
    // A chunk of at least what the receiver counts as due is answered when it is read, whatever follows.
    if (this.#sample === undefined && bytes >= this.#limits.refillBytes) {
      this.#sample = { endBytes: this.#sentBytes, sentAtMs: nowMs, limited: false };
    }
  }

  /** A credit frame came. Windows beyond our own bound are no use to anybody, and no harm. */
  granted({ readBytes, windowBytes }: Credit, nowMs: number): Fault | undefined {
    if (readBytes > this.#sentBytes) return { reason: "misbehaviour", detail: "credit for bytes that were never sent" };
    if (readBytes < this.#readBytes) return { reason: "misbehaviour", detail: "credit that goes back" };
    if (readBytes > this.#readBytes) this.#waitsSinceMs = undefined;
    this.#readBytes = readBytes;
    this.#grantedBytes = readBytes + Math.min(windowBytes, this.#limits.maxBytes);
    const sample = this.#sample;
    if (sample !== undefined && readBytes >= sample.endBytes) {
      this.#sample = undefined;
      this.#measured(nowMs - sample.sentAtMs, sample.limited, nowMs);
    }
    return undefined;
  }

  #measured(roundTripMs: number, limited: boolean, nowMs: number): void {
    if (this.#beforeProbe !== undefined) {
      this.#windowBytes = this.#beforeProbe;
      this.#beforeProbe = undefined;
      this.#recentMs = [];
    }
    if (roundTripMs <= this.#baseMs) {
      this.#baseMs = roundTripMs;
      this.#baseAtMs = nowMs;
    }
    this.#recentMs.push(roundTripMs);
    if (this.#recentMs.length > RECENT_ROUND_TRIPS) this.#recentMs.shift();
    if (nowMs - this.#baseAtMs > BASE_LIFE_MS) this.#probe();
    else if (limited) this.#adapt();
  }

  #adapt(): void {
    const { floorBytes, maxBytes } = this.#limits;
    // A clock too coarse for the round trip shows 0.
    const ratio = this.#baseMs / Math.max(Math.min(...this.#recentMs), Number.EPSILON);
    const wanted = this.#windowBytes * Math.max(SHRINK, GAIN * ratio);
    this.#windowBytes = Math.max(floorBytes, Math.min(maxBytes, Math.round(wanted)));
  }

  /** Until what is in flight fits the floor nothing leaves; the chunk that leaves then measures the path. */
  #probe(): void {
    this.#beforeProbe = this.#windowBytes;
    this.#windowBytes = this.#limits.floorBytes;
    this.#baseMs = Number.POSITIVE_INFINITY;
  }
}
