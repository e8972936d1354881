/**
 * What a peer's faults cost it: the one place that decides (docs/protocol.md, section 1, "Misbehaviour"). A grave fault
 * costs a non-producer its link at once. Lesser ones, which an honest peer may commit now and then, add to a score that
 * decays: half the bound slows a peer, the bound costs a non-producer its link. A producer is slowed and reported.
 */
import type { PeerKey } from "../base/key.ts";
import type { CloseReason, LogLevel } from "../../net/link/types.ts";
import {
  DUPLICATES_BEYOND_REASON,
  FAULT_REPORT_EVERY_MS,
  REQUESTS_A_SECOND,
  REQUESTS_AT_ONCE,
  SCORE_BOUND,
  SCORE_HALF_LIFE_MS,
  SCORE_SLOW,
  SCORED_PEERS_MAX,
  SLOWED_REQUESTS_A_SECOND,
} from "./constants.ts";

/** By class: what it adds to the score. The bound and more: grave. */
export const FAULT_WEIGHTS = {
  undecodable: SCORE_BOUND,
  badSignature: SCORE_BOUND,
  invalidBlock: SCORE_BOUND,
  invalidCertificate: SCORE_BOUND,
  invalidRange: SCORE_BOUND,
  /** A message that this sender may never send, or not in this way. */
  refusedMessage: 10,
  /** An answer that nobody waits for; an honest one may be late. */
  unrequested: 1,
  /** Of what is known, far more often than others tell news. */
  duplicates: 10,
  tooManyRequests: 1,
  /** Hellos faster than they are looked at: a peer whose head moves to and fro says some dozens. */
  hellos: 0.1,
  /** More than can be checked in time. An honest peer may have much to say: it is told apart in metrics, and not scored. */
  overload: 0,
} as const;
export type FaultClass = keyof typeof FAULT_WEIGHTS;
export const FAULT_CLASSES = Object.keys(FAULT_WEIGHTS) as FaultClass[];

export interface ConductHost {
  now(): number;
  isProducer(peer: PeerKey): boolean;
  disconnect(peer: PeerKey, reason: CloseReason, detail: string): void;
  log(level: LogLevel, message: string, fields: Record<string, unknown>): void;
}

interface Score {
  value: number;
  /** Up to when it has decayed, ms. */
  at: number;
  /** When a fault of it was last written to the log, ms. */
  reportedAt: number;
}

interface Allowance {
  left: number;
  at: number;
  /** Duplicates above what others' news allow, and the news seen when it was counted last. */
  excess: number;
  news: number;
}

export class Conduct {
  readonly #host: ConductHost;
  /** Outlive the link, so that a new one does not wipe the slate. Least recently at fault first. */
  readonly #scores = new Map<PeerKey, Score>();
  /** Of linked peers. */
  readonly #allowances = new Map<PeerKey, Allowance>();
  readonly #counts = Object.fromEntries(FAULT_CLASSES.map((each) => [each, 0])) as Record<FaultClass, number>;
  #news = 0;

  constructor(host: ConductHost) {
    this.#host = host;
  }

  /** Faults since the start, by class. */
  get counts(): Readonly<Record<FaultClass, number>> {
    return this.#counts;
  }
  /** Peers whose score is kept. */
  get scored(): number {
    return this.#scores.size;
  }

  score(peer: PeerKey): number {
    const score = this.#scores.get(peer);
    return score === undefined ? 0 : this.#decayed(score);
  }

  isSlowed(peer: PeerKey): boolean {
    return this.score(peer) >= SCORE_SLOW;
  }

  peerUp(peer: PeerKey): void {
    this.#allowances.set(peer, { left: REQUESTS_AT_ONCE, at: this.#host.now(), excess: 0, news: this.#news });
  }

  peerDown(peer: PeerKey): void {
    this.#allowances.delete(peer);
  }

  /** `lane`: of the frame at fault, where a hole in it matters. */
  fault(peer: PeerKey, what: FaultClass, detail: string, lane?: "chain"): void {
    this.#counts[what]++;
    const weight = FAULT_WEIGHTS[what];
    if (weight === 0) return;
    const score = this.#add(peer, weight);
    const reason: CloseReason = what === "undecodable" ? "undecodable" : "misbehaviour";
    if (this.#host.isProducer(peer)) {
      this.#report(peer, score, what, detail);
      // A stream with a hole is of no use to either: it begins anew, and is no ban.
      if (what === "undecodable" && lane === "chain") this.#host.disconnect(peer, reason, detail);
    } else if (score.value >= SCORE_BOUND) {
      this.#host.disconnect(peer, reason, weight >= SCORE_BOUND ? detail : `${what}, once more: ${detail}`);
    }
  }

  /** Something came that was not known: each peer may tell it once more, and that twice over. */
  news(): void {
    this.#news++;
  }

  /** Something came that is known. */
  duplicate(peer: PeerKey): void {
    const allowance = this.#allowances.get(peer);
    if (allowance === undefined) return;
    allowance.excess = Math.max(0, allowance.excess - 2 * (this.#news - allowance.news)) + 1;
    allowance.news = this.#news;
    if (allowance.excess <= DUPLICATES_BEYOND_REASON) return;
    allowance.excess = 0;
    this.fault(peer, "duplicates", `${DUPLICATES_BEYOND_REASON} messages that were known`);
  }

  /**
   * Is this request looked at now? `onlySlowed`: its rate is bounded elsewhere, unless the peer is slowed.
   */
  admits(peer: PeerKey, onlySlowed: boolean): boolean {
    const slowed = this.isSlowed(peer);
    const allowance = this.#allowances.get(peer);
    if (allowance === undefined || (onlySlowed && !slowed)) return true;
    const now = this.#host.now();
    const rate = slowed ? SLOWED_REQUESTS_A_SECOND : REQUESTS_A_SECOND;
    // What was saved up before does not help who is slowed.
    const most = slowed ? SLOWED_REQUESTS_A_SECOND : REQUESTS_AT_ONCE;
    allowance.left = Math.min(most, allowance.left + ((now - allowance.at) * rate) / 1000);
    allowance.at = now;
    if (allowance.left >= 1) {
      allowance.left--;
      return true;
    }
    if (!onlySlowed) this.fault(peer, "tooManyRequests", `more than ${rate} requests a second`);
    return false;
  }

  #add(peer: PeerKey, weight: number): Score {
    const score = this.#scores.get(peer) ?? { value: 0, at: 0, reportedAt: Number.NEGATIVE_INFINITY };
    // At most twice the bound: whoever behaves is forgiven in bounded time.
    score.value = Math.min(2 * SCORE_BOUND, this.#decayed(score) + weight);
    score.at = this.#host.now();
    this.#scores.delete(peer);
    this.#scores.set(peer, score);
    if (this.#scores.size > SCORED_PEERS_MAX) this.#forget();
    return score;
  }

  #decayed({ value, at }: Score): number {
    const decayed = value * 2 ** (-Math.max(0, this.#host.now() - at) / SCORE_HALF_LIFE_MS);
    return decayed < 0.5 ? 0 : decayed;
  }

  /** Who has behaved longest. */
  #forget(): void {
    const [oldest] = this.#scores.keys();
    this.#scores.delete(oldest as PeerKey);
  }

  #report(peer: PeerKey, score: Score, what: FaultClass, detail: string): void {
    const now = this.#host.now();
    if (score.value < SCORE_SLOW || now < score.reportedAt + FAULT_REPORT_EVERY_MS) return;
    score.reportedAt = now;
    this.#host.log("warn", "a producer misbehaves", { peer, fault: what, detail, score: Math.round(score.value) });
  }
}
