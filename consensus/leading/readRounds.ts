/**
 * Linearizable reads of a leader (Ongaro's dissertation, section 6.4): a read may see what is irreversible once a majority
 * has answered a heartbeat round begun after it arrived, so that no other leader had decided anything by then, and a
 * block of the leader's own view is decided, so that it knows of everything decided before [R2]. All reads that wait share
 * the next round.
 */
import { READ_ROUND_EVERY_MS } from "../constants.ts";

export interface ReadRoundHost {
  now(): number;
  /** Height of what is decided; undefined until a block of the leader's own view is. */
  decidedHeight(): number | undefined;
  /** @returns the number of a heartbeat round that was begun now */
  beginRound(): number;
  /** The newest round that a majority has answered. */
  confirmed(): number;
  /** `height`: the reads may see the state as of it, or a later one; undefined: this leader leads no more. */
  answer(reads: readonly number[], height: number | undefined): void;
}

export class ReadRounds {
  readonly #host: ReadRoundHost;
  /** Arrived since the last round began. */
  #waiting: number[] = [];
  #asked: { readonly round: number; readonly height: number; readonly reads: readonly number[] } | undefined;
  #nextRoundAt = Number.NEGATIVE_INFINITY;

  constructor(host: ReadRoundHost) {
    this.#host = host;
  }

  /** When a round for what waits may begin, ms. */
  get deadline(): number {
    const isWanted = this.#waiting.length > 0 && this.#asked === undefined && this.#host.decidedHeight() !== undefined;
    return isWanted ? this.#nextRoundAt : Number.POSITIVE_INFINITY;
  }

  add(read: number): void {
    this.#waiting.push(read);
    this.proceed();
  }

  /** Answers what is confirmed, begins the next round. Called whenever one of the two may have become possible. */
  proceed(): void {
    this.#settle();
    const height = this.#host.decidedHeight();
    const now = this.#host.now();
    if (this.#asked !== undefined || this.#waiting.length === 0 || height === undefined) return;
    if (now < this.#nextRoundAt) return;
    this.#nextRoundAt = now + READ_ROUND_EVERY_MS;
    this.#asked = { round: this.#host.beginRound(), height, reads: this.#waiting };
    this.#waiting = [];
    // A leader that is a majority alone has its answer.
    this.#settle();
  }

  /** The leader steps down. */
  drop(): void {
    const reads = [...(this.#asked?.reads ?? []), ...this.#waiting];
    this.#asked = undefined;
    this.#waiting = [];
    if (reads.length > 0) this.#host.answer(reads, undefined);
  }

  #settle(): void {
    const asked = this.#asked;
    if (asked === undefined || this.#host.confirmed() < asked.round) return;
    this.#asked = undefined;
    this.#host.answer(asked.reads, asked.height);
  }
}
