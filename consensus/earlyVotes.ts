/**
 * Votes that overtook their block: acks, prepares, commits for a block that is not here. They wait until it comes, one
 * place for all engines (docs/protocol.md, section 2): bounded per signer, whose oldest leave first, and not for ever.
 * A signer has one vote at a place; what a place is, and whether a second vote there is evidence, is for the engine to say.
 */
import type { BlockRef } from "../chain/header.ts";
import { EARLY_VOTE_LIFE_MS, EARLY_VOTES_MAX } from "./constants.ts";

export interface EarlyVote<Vote> {
  readonly signer: string;
  readonly place: string;
  readonly block: BlockRef;
  readonly vote: Vote;
}

/** What became of early votes since the start. */
export interface EarlyVoteCounts {
  /** Waiting now. */
  readonly waiting: number;
  /** Their block came. */
  readonly counted: number;
  /** The signer had too many, or the block's height was decided. */
  readonly dropped: number;
  /** The block did not come in time. */
  readonly expired: number;
}

interface Held<Vote> extends EarlyVote<Vote> {
  /** ms */
  readonly until: number;
}

export class EarlyVotes<Vote> {
  readonly #now: () => number;
  /** Of each signer by place, the oldest first. */
  readonly #held = new Map<string, Map<string, Held<Vote>>>();
  #waiting = 0;
  #counted = 0;
  #dropped = 0;
  #expired = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get counts(): EarlyVoteCounts {
    return { waiting: this.#waiting, counted: this.#counted, dropped: this.#dropped, expired: this.#expired };
  }

  /** The newest vote at a place stays. */
  hold(early: EarlyVote<Vote>): void {
    const { signer, place } = early;
    const held = this.#held.get(signer) ?? new Map<string, Held<Vote>>();
    this.#held.set(signer, held);
    if (held.delete(place)) this.#waiting--;
    held.set(place, { ...early, until: this.#now() + EARLY_VOTE_LIFE_MS });
    this.#waiting++;
    if (held.size <= EARLY_VOTES_MAX) return;
    const [oldest] = held.keys();
    held.delete(oldest as string);
    this.#waiting--;
    this.#dropped++;
  }

  /** The block is here: what was said of it, in the order in which the signers spoke. */
  take(id: string): EarlyVote<Vote>[] {
    if (this.#waiting === 0) return NONE;
    this.expire();
    const taken: EarlyVote<Vote>[] = [];
    for (const held of this.#held.values()) {
      for (const early of held.values()) {
        if (early.block.id !== id) continue;
        held.delete(early.place);
        taken.push(early);
      }
    }
    this.#waiting -= taken.length;
    this.#counted += taken.length;
    return taken;
  }

  /** @returns those that waited too long */
  expire(): EarlyVote<Vote>[] {
    if (this.#waiting === 0) return NONE;
    const now = this.#now();
    const expired: EarlyVote<Vote>[] = [];
    for (const held of this.#held.values()) {
      for (const early of held.values()) {
        if (now < early.until) break;
        held.delete(early.place);
        expired.push(early);
      }
    }
    this.#waiting -= expired.length;
    this.#expired += expired.length;
    return expired;
  }

  /** Blocks up to this height are decided: nobody needs votes on them. */
  settled(height: number): void {
    if (this.#waiting === 0) return;
    for (const held of this.#held.values()) {
      for (const { place, block } of held.values()) {
        if (block.height > height) continue;
        held.delete(place);
        this.#waiting--;
        this.#dropped++;
      }
    }
  }
}

const NONE: never[] = [];
