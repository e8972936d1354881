/**
 * When a producer suspects the leader: a time without progress while there is something to decide and a quorum is seen in
 * this view or a later one. Longer after each attempt, back with progress, sooner when the link to the leader broke.
 */
import type { ProducerSets } from "../../chain/producerSets.ts";
import { type ConsensusSettings, TIMEOUT_GROWTH, TIMEOUT_GROWTH_MAX } from "../constants.ts";
import { hasQuorum } from "./rules.ts";

/** Jitter of a timeout, as a share of it: not all ask at once. */
const JITTER = 0.2;
/** A producer not heard for so many view timeouts does not count as seen. */
const SEEN_TIMEOUTS = 3;

export interface PacemakerHost {
  readonly self: string;
  readonly settings: ConsensusSettings;
  /** Those of which quorums have to be seen. */
  sets(): ProducerSets;
  now(): number;
  random(): number;
}

export class Pacemaker {
  readonly #host: PacemakerHost;
  /** By producer: its view, and when it was heard. */
  readonly #seen = new Map<string, { view: number; at: number }>();
  #growth = 1;
  #at = Number.POSITIVE_INFINITY;

  constructor(host: PacemakerHost) {
    this.#host = host;
  }

  /** Time of the suspicion, ms; Infinity: none is due. */
  get at(): number {
    return this.#at;
  }

  seen(producer: string, view: number): void {
    const before = this.#seen.get(producer);
    this.#seen.set(producer, { view: Math.max(view, before?.view ?? 0), at: this.#host.now() });
  }

  viewOf(producer: string): number {
    return this.#seen.get(producer)?.view ?? 0;
  }

  /**
   * Runs, or stops, by what there is to do.
   * @param isLeaderLost there is no way to the leader: then the first attempt since there was progress comes early
   */
  update(view: number, hasWork: boolean, isLeaderLost: boolean): void {
    if (!hasWork || !this.#seesQuorum(view)) this.#at = Number.POSITIVE_INFINITY;
    else if (this.#at === Number.POSITIVE_INFINITY) {
      this.restart();
      if (isLeaderLost && this.#growth === 1) this.leaderLost();
    }
  }

  /** Progress, or a new view: all of the time again. */
  restart(): void {
    const timeout = this.#host.settings.viewTimeoutMs * this.#growth;
    this.#at = this.#host.now() + timeout * (1 + JITTER * this.#host.random());
  }

  stop(): void {
    this.#at = Number.POSITIVE_INFINITY;
  }

  calm(): void {
    this.#growth = 1;
  }

  grow(): void {
    this.#growth = Math.min(TIMEOUT_GROWTH_MAX, this.#growth * TIMEOUT_GROWTH);
  }

  /** The link to the leader broke. */
  leaderLost(): void {
    if (this.#at === Number.POSITIVE_INFINITY) return;
    const { brokenLinkJitterMs } = this.#host.settings;
    this.#at = Math.min(this.#at, this.#host.now() + this.#host.random() * brokenLinkJitterMs);
  }

  #seesQuorum(view: number): boolean {
    const since = this.#host.now() - SEEN_TIMEOUTS * this.#host.settings.viewTimeoutMs;
    return hasQuorum(this.#host.sets(), (key) => {
      const seen = this.#seen.get(key);
      return key === this.#host.self || (seen !== undefined && seen.view >= view && seen.at >= since);
    });
  }
}
