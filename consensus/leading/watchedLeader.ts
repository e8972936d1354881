/**
 * Whom an observer takes for the leader. Heartbeats are not for it, so it goes by two signs: a block of the leader's view
 * came lately, or the leader can be reached. Without either it names nobody.
 */
import type { EngineHost } from "../engine.ts";

/** A leader that cannot be reached is named for this many election timeouts after its last block: by then another would lead. */
export const LEADER_SIGN_TIMEOUTS = 2;

export class WatchedLeader {
  readonly #host: Pick<EngineHost, "now" | "reaches" | "settings">;
  #key: string | undefined;
  #blockAt = Number.NEGATIVE_INFINITY;

  constructor(host: Pick<EngineHost, "now" | "reaches" | "settings">) {
    this.#host = host;
  }

  /** A block was found at the start: who made it leads, if it is there. */
  assume(producer: string): void {
    this.#key = producer;
  }

  /** A block of the newest view came. */
  seen(producer: string): void {
    this.#key = producer;
    this.#blockAt = this.#host.now();
  }

  get key(): string | undefined {
    if (this.#key === undefined) return undefined;
    return this.#host.now() < this.#freshUntil || this.#host.reaches(this.#key) ? this.#key : undefined;
  }

  /** When it will be named no longer, ms, unless something comes; Infinity: not by itself. */
  get deadline(): number {
    if (this.#key === undefined || this.#host.reaches(this.#key)) return Number.POSITIVE_INFINITY;
    return this.#host.now() < this.#freshUntil ? this.#freshUntil : Number.POSITIVE_INFINITY;
  }

  get #freshUntil(): number {
    return this.#blockAt + LEADER_SIGN_TIMEOUTS * this.#host.settings.electionTimeoutMs;
  }
}
