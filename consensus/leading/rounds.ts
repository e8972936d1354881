/** A leader's heartbeat rounds in its view: when each producer was heard last, and which round it has answered. */
import { majorityValue, type ProducerSets } from "../../chain/producerSets.ts";

export class Rounds {
  readonly #self: string;
  readonly #heardAt = new Map<string, number>();
  readonly #answered = new Map<string, number>();
  #newest = 0;

  constructor(self: string) {
    this.#self = self;
  }

  /** The number of a round that begins now. */
  begin(): number {
    this.#newest++;
    return this.#newest;
  }

  /** These are to be heard from now on: who elected the leader counts as heard, and who joins has as long as they. */
  expect({ members }: ProducerSets, now: number): void {
    for (const key of members) if (!this.#heardAt.has(key)) this.#heardAt.set(key, now);
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
  quorumHeardAt(sets: ProducerSets, now: number): number {
    return majorityValue(sets, (key) => (key === this.#self ? now : this.heardAt(key)));
  }

  /** The newest round that a majority, the leader in it, has answered. */
  confirmed(sets: ProducerSets): number {
    return majorityValue(sets, (key) => (key === this.#self ? this.#newest : (this.#answered.get(key) ?? 0)));
  }
}
