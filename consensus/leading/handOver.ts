/**
 * A leader's way out (Ongaro's dissertation, section 3.10): it has stopped producing, and asks a producer that holds all it
 * has to lead the next view at once; another one when that one does not come forward.
 */
import type { EngineHost } from "../engine.ts";

/** What the leader knows of its producers. */
export interface HandOverState {
  /** Has this producer acknowledged the leader's head? */
  isUpToDate(producer: string): boolean;
  /** When it was heard last, ms. */
  heardAt(producer: string): number;
  /** Asks it to lead the next view. */
  askToLead(producer: string): void;
}

export class HandOver {
  readonly #host: EngineHost;
  readonly #state: HandOverState;
  /** Then it is given up, ms. */
  readonly #until: number;
  readonly #patienceMs: number;
  readonly #asked = new Set<string>();
  /** When who was asked has had time enough, ms. */
  #askAgainAt: number | undefined;

  constructor(host: EngineHost, state: HandOverState) {
    this.#host = host;
    this.#state = state;
    this.#until = host.now() + host.settings.electionTimeoutMs;
    this.#patienceMs = host.settings.electionTimeoutMs / 4;
  }

  /** ms */
  get deadline(): number {
    return Math.min(this.#until, this.#askAgainAt ?? this.#until);
  }

  /** Asks the next one, if it is time to. @returns false when nobody takes over */
  proceed(): boolean {
    const { self, ledger } = this.#host;
    const now = this.#host.now();
    const peers = ledger.head.setsAfter.members.filter((key) => key !== self && this.#host.reaches(key));
    if (peers.length === 0 || now >= this.#until) return false;
    if (this.#askAgainAt !== undefined && now < this.#askAgainAt) return true;
    this.#askAgainAt = undefined;
    const upToDate = peers
      .filter((key) => this.#state.isUpToDate(key))
      .sort((a, b) => this.#state.heardAt(b) - this.#state.heardAt(a));
    const target = upToDate.find((key) => !this.#asked.has(key)) ?? upToDate[0];
    if (target === undefined) return true;
    this.#asked.add(target);
    this.#askAgainAt = now + this.#patienceMs;
    this.#host.log("info", "hands over", { to: target });
    this.#state.askToLead(target);
    return true;
  }
}
