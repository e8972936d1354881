/** A leader's heartbeat rounds in its view: when each producer was heard last, and which round it has answered. */
import type { Configuration } from "../../chain/configuration.ts";

export class Rounds {
  readonly #configuration: Configuration;
  readonly #self: string;
  readonly #majority: number;
  readonly #heardAt = new Map<string, number>();
  readonly #answered = new Map<string, number>();
  #newest = 0;

  /** Whoever elected a leader counts as heard at that time, ms. */
  constructor(configuration: Configuration, self: string, majority: number, now: number) {
    this.#configuration = configuration;
    this.#self = self;
    this.#majority = majority;
    for (const key of configuration.producers) this.#heardAt.set(key, now);
  }

  /** The number of a round that begins now. */
  begin(): number {
    this.#newest++;
    return this.#newest;
  }

  heard(producer: string, now: number): void {
    this.#heardAt.set(producer, now);
  }

  /** Since the view began, ms. */
  heardAt(producer: string): number {
    return this.#heardAt.get(producer) ?? Number.NEGATIVE_INFINITY;
  }

  /** A producer follows this leader still, and says so in answer to this round. */
  answered(producer: string, round: number, now: number): void {
    this.#heardAt.set(producer, now);
    if (round <= this.#newest) this.#answered.set(producer, Math.max(round, this.#answered.get(producer) ?? 0));
  }

  /** When a majority, the leader in it, was heard last, ms. */
  quorumHeardAt(now: number): number {
    return this.#majorityOf((key) => (key === this.#self ? now : this.heardAt(key)));
  }

  /** The newest round that a majority, the leader in it, has answered. */
  get confirmed(): number {
    return this.#majorityOf((key) => (key === this.#self ? this.#newest : (this.#answered.get(key) ?? 0)));
  }

  /** The greatest value that a majority has reached. */
  #majorityOf(reachedBy: (producer: string) => number): number {
    const values = this.#configuration.producers.map(reachedBy).sort((a, b) => b - a);
    return values[this.#majority - 1] as number;
  }
}
