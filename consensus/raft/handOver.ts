/**
 * A leader's way out (Ongaro's dissertation, section 3.10): it has stopped producing, and asks a producer that holds all it
 * has to stand for election at once; another one when that one does not come forward.
 */
export class HandOver {
  /** Then the leader gives it up and goes on leading, ms. */
  readonly until: number;
  readonly #patienceMs: number;
  readonly #asked = new Set<string>();
  /** When who was asked has had time enough, ms. */
  #askAgainAt: number | undefined;

  /** @param boundMs for all of it: without a successor by then there is none */
  constructor(now: number, boundMs: number) {
    this.until = now + boundMs;
    this.#patienceMs = boundMs / 4;
  }

  get deadline(): number {
    return Math.min(this.until, this.#askAgainAt ?? this.until);
  }

  /**
   * Whom to ask now, if anybody.
   * @param upToDate producers that hold the leader's head, the one heard last first
   */
  next(now: number, upToDate: readonly string[]): string | undefined {
    if (this.#askAgainAt !== undefined && now < this.#askAgainAt) return undefined;
    this.#askAgainAt = undefined;
    const successor = upToDate.find((key) => !this.#asked.has(key)) ?? upToDate[0];
    if (successor === undefined) return undefined;
    this.#asked.add(successor);
    this.#askAgainAt = now + this.#patienceMs;
    return successor;
  }
}
