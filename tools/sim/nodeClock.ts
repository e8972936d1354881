/** A node's clock: off by some from the start, too fast or too slow, set at times. */
import type { Dice } from "./dice.ts";
import type { EventQueue } from "./eventQueue.ts";
import type { FaultProfile } from "./profile.ts";

/** Virtual time 0 on an exact clock, milliseconds since the epoch. */
export const START_TIME_MS = 1_700_000_000_000;

export class NodeClock {
  readonly #queue: EventQueue;
  readonly #offsetMs: number;
  readonly #rate: number;
  /** Added by jumps. */
  jumpedMs = 0;

  constructor(queue: EventQueue, { offsetMs, driftPpm }: FaultProfile["clock"], dice: Dice) {
    this.#queue = queue;
    this.#offsetMs = Math.floor(dice.between(-offsetMs, offsetMs));
    this.#rate = 1 + dice.between(-driftPpm, driftPpm) / 1e6;
  }

  /** Whole milliseconds since the epoch. */
  get ms(): number {
    return START_TIME_MS + this.#offsetMs + this.jumpedMs + Math.floor((this.#queue.now * this.#rate) / 1000);
  }

  /** Virtual time, not before now, at which it shows a time or a little more, microseconds. */
  whenShowing(ms: number): number {
    const sinceStart = Math.ceil(ms) - START_TIME_MS - this.#offsetMs - this.jumpedMs;
    return Math.max(this.#queue.now, Math.ceil((sinceStart * 1000) / this.#rate) + 1);
  }
}
