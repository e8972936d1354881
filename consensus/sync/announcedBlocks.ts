/**
 * What a peer announced over its backup link and has not come by another one: for how long, and how often it was asked
 * for. Of several announced blocks the oldest that is still missing has the timer: a newer one must not put it off.
 */
import type { BlockRef } from "../../chain/header.ts";
import { GRAFT_AFTER_MAX_MS, GRAFT_AFTER_MS } from "./constants.ts";

export class AnnouncedBlocks {
  readonly #lacks: (block: BlockRef) => boolean;
  #newest: BlockRef | undefined;
  #missing: BlockRef | undefined;
  #at = Number.POSITIVE_INFINITY;
  #asks = 0;

  /** @param lacks is the block wanted and not here? */
  constructor(lacks: (block: BlockRef) => boolean) {
    this.#lacks = lacks;
  }

  get newest(): BlockRef | undefined {
    return this.#newest;
  }
  /** What the timer is for. */
  get missing(): BlockRef | undefined {
    return this.#missing;
  }
  /** When what is missing is overdue, ms. */
  get deadline(): number {
    return this.#at;
  }
  /** How often what is missing was asked of this peer. */
  get asks(): number {
    return this.#asks;
  }

  announced(block: BlockRef, now: number): void {
    this.#newest = block;
    this.review(now);
  }

  /** Something came, or was announced. */
  review(now: number): void {
    if (this.#missing !== undefined && this.#lacks(this.#missing)) return;
    const isMissing = this.#newest !== undefined && this.#lacks(this.#newest);
    this.#missing = isMissing ? this.#newest : undefined;
    this.#at = isMissing ? now + GRAFT_AFTER_MS : Number.POSITIVE_INFINITY;
    this.#asks = 0;
  }

  overdue(now: number): BlockRef | undefined {
    if (now < this.#at) return undefined;
    this.review(now);
    return now < this.#at ? undefined : this.#missing;
  }

  /** @param here by a graft of this link; a peer that does not send what it announces is asked ever more rarely */
  asked(now: number, here: boolean): void {
    if (here) this.#asks++;
    this.#at = now + Math.min(GRAFT_AFTER_MAX_MS, GRAFT_AFTER_MS * 2 ** this.#asks);
  }
}
