/** When a producer that hears no leader asks for an election: random, longer after failed attempts, sooner when a link broke. */
import { type ConsensusSettings, TIMEOUT_GROWTH, TIMEOUT_GROWTH_MAX } from "../constants.ts";

/** A lost leader's followers do not ask again sooner than this, ms: the answers need a round trip and an fsync. */
const RETRY_MIN_MS = 20;

export interface ElectionTimerHost {
  readonly settings: ConsensusSettings;
  now(): number;
  random(): number;
}

export class ElectionTimer {
  readonly #host: ElectionTimerHost;
  #at = Number.POSITIVE_INFINITY;
  #growth = 1;
  /** The link to the leader broke and no leader was heard since: attempts follow one another faster. */
  #isLeaderLost = false;

  constructor(host: ElectionTimerHost) {
    this.#host = host;
  }

  /** Of the next attempt, ms. */
  get at(): number {
    return this.#at;
  }

  reset(): void {
    const { electionTimeoutMs, electionSpread, brokenLinkJitterMs } = this.#host.settings;
    const grown = this.#isLeaderLost
      ? Math.min(electionTimeoutMs, Math.max(RETRY_MIN_MS, 2 * brokenLinkJitterMs) * this.#growth)
      : electionTimeoutMs * this.#growth;
    this.#at = this.#host.now() + grown * (1 + electionSpread * this.#host.random());
  }

  /** An attempt follows a failed one: it waits longer for its end. */
  grow(): void {
    this.#growth = Math.min(TIMEOUT_GROWTH_MAX, this.#growth * TIMEOUT_GROWTH);
  }

  /** There is a leader. */
  calm(): void {
    this.#growth = 1;
    this.#isLeaderLost = false;
  }

  /** The link to the leader broke: the next attempt comes early. */
  leaderLost(): void {
    this.#isLeaderLost = true;
    const early = this.#host.now() + this.#host.random() * this.#host.settings.brokenLinkJitterMs;
    this.#at = Math.min(this.#at, early);
  }
}
