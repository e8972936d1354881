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
import type { EngineHost } from "../engine.ts";
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

/** What a replica may have promised at most. */
export interface Told {
  readonly view: number;
  readonly head: BlockRef;
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

  /** @returns undefined: not known yet */
  answered(signer: string, answer: RecoveryResponse): Told | undefined {
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

/** A replica's part in recoveries: its own while its record is lost or old, and those of the others. */
export class Recovery {
  readonly #host: EngineHost;
  readonly incarnations: Incarnations;
  /** While this replica cannot know what it promised. */
  #exchange: RecoveryExchange | undefined;

  constructor(host: EngineHost, incarnations: readonly Incarnation[]) {
    this.#host = host;
    this.incarnations = new Incarnations(incarnations);
  }

  get isOn(): boolean {
    return this.#exchange !== undefined;
  }

  begin(): void {
    const { configuration, self } = this.#host;
    this.#exchange = new RecoveryExchange(configuration, self, this.#host.now());
  }

  ask(): void {
    if (this.#exchange === undefined) return;
    this.#host.multicast({ kind: "recovery", content: { nonce: this.#exchange.nonce } }, { durable: false });
  }

  /** @returns when the exchange ends with this answer: what to go on with; the record is the caller's to write */
  answered(signer: string, answer: RecoveryResponse): Told | undefined {
    const told = this.#exchange?.answered(signer, answer);
    if (this.#exchange === undefined || told === undefined) return undefined;
    this.incarnations.raise(this.#host.self, this.#exchange.nonce);
    this.#exchange = undefined;
    return told;
  }

  /** @param head of the primary of an open view */
  answer(replica: string, nonce: number, view: number, head: BlockRef | undefined): void {
    if (this.incarnations.raise(replica, nonce)) this.#host.persistRecord();
    const content = { replica, nonce: this.incarnations.of(replica), view, ...(head && { head }) };
    this.#host.unicast(replica, { kind: "recoveryResponse", content }, { durable: true });
  }
}
