/**
 * How long a leader has led: in blocks of its view, and in active time, when there was something to decide. At the end of
 * its tenure it closes its view; the others wait a margin longer, because they count by their own clocks, and then ask for
 * the next one.
 */
import type { ConsensusSettings } from "../constants.ts";

/** Of a tenure, how much longer the others wait. */
const MARGIN = 0.1;
/** ... and at least so many view timeouts: the last block and its votes are on their way. */
const MARGIN_TIMEOUTS = 2;

export type TenureSettings = Pick<ConsensusSettings, "tenureBlocks" | "tenureMs" | "viewTimeoutMs" | "windowBlocks">;

export class Tenure {
  readonly #settings: TenureSettings;
  #view = -1;
  #activeMs = 0;
  /** When there was something to decide last; undefined: there was nothing. */
  #activeAt: number | undefined;

  constructor(settings: TenureSettings) {
    this.#settings = settings;
  }

  /** At the end of every step: from now on there is something to decide, or not. */
  update(view: number, isActive: boolean, now: number): void {
    if (view !== this.#view) {
      this.#view = view;
      this.#activeMs = 0;
      this.#activeAt = undefined;
    }
    // A clock that is set back takes nothing away.
    if (this.#activeAt !== undefined) this.#activeMs += Math.max(0, now - this.#activeAt);
    this.#activeAt = isActive ? now : undefined;
  }

  /** @param blocks of this leader above the one that opened its view */
  isOver(blocks: number): boolean {
    return blocks >= this.#settings.tenureBlocks || this.#activeMs >= this.#settings.tenureMs;
  }

  /** Does the leader go on after its end? */
  isOverstayed(blocks: number): boolean {
    const { tenureBlocks, tenureMs, windowBlocks, viewTimeoutMs } = this.#settings;
    if (blocks >= tenureBlocks + tenureBlocks * MARGIN + windowBlocks) return true;
    return this.#activeMs >= tenureMs + tenureMs * MARGIN + MARGIN_TIMEOUTS * viewTimeoutMs;
  }
}
