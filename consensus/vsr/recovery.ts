/**
 * The way back of a replica that lost its record, or found it old (Liskov and Cowling, "Viewstamped Replication Revisited",
 * 2012, section 4.3): it asks the others, with a nonce of its own, and takes part again with what they tell [V2].
 *
 * Its earlier messages may still be on their way: a departure that was sent before the loss, counted after the recovery,
 * would open a view without what was acknowledged since. So the nonce is an incarnation that grows, who answers keeps it
 * on disk, and departures tell of it (Michael et al., "Recovering Shared Objects Without Stable Storage", 2017).
 */
import type { Configuration } from "../../chain/configuration.ts";
import type { BlockRef } from "../../chain/header.ts";
import { primaryOf } from "./headerRule.ts";
import type { Incarnation, RecoveryResponse } from "./messages.ts";

/** Which incarnation of each replica counts; 0: it never lost its record. */
export class Incarnations {
  readonly #numbers: Map<string, number>;

  constructor(list: readonly Incarnation[]) {
    this.#numbers = new Map(list.map(({ replica, number }) => [replica, number]));
  }

  of(replica: string): number {
    return this.#numbers.get(replica) ?? 0;
  }

  /** @returns whether it was news */
  raise(replica: string, number: number): boolean {
    if (number <= this.of(replica)) return false;
    this.#numbers.set(replica, number);
    return true;
  }

  get list(): Incarnation[] {
    return [...this.#numbers].map(([replica, number]) => ({ replica, number }));
  }
}

export class RecoveryExchange {
  readonly #configuration: Configuration;
  readonly #self: string;
  #nonce: number;
  readonly #answers = new Map<string, RecoveryResponse>();

  /** @param nonce the clock, ms: greater than any used before, unless the others say otherwise */
  constructor(configuration: Configuration, self: string, nonce: number) {
    this.#configuration = configuration;
    this.#self = self;
    this.#nonce = nonce;
  }

  get nonce(): number {
    return this.#nonce;
  }

  /** @returns what this replica may have promised at most; undefined: not known yet */
  answered(signer: string, answer: RecoveryResponse): { readonly view: number; readonly head: BlockRef } | undefined {
    if (answer.replica !== this.#self || signer === this.#self || answer.nonce < this.#nonce) return undefined;
    if (answer.nonce > this.#nonce) {
      this.#nonce = answer.nonce + 1;
      this.#answers.clear();
      return undefined;
    }
    this.#answers.set(signer, answer);
    const others = this.#configuration.producers.length - 1;
    if (this.#answers.size < Math.floor(others / 2) + 1) return undefined;
    const view = Math.max(...[...this.#answers.values()].map((each) => each.view));
    const primary = this.#answers.get(primaryOf(this.#configuration, view));
    if (primary?.view !== view || primary.head === undefined) return undefined;
    return { view, head: primary.head };
  }
}
