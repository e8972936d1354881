/**
 * The way back of a replica that lost its record, or found it old (Liskov and Cowling, "Viewstamped Replication Revisited",
 * 2012, section 4.3): it asks the others, with a nonce of its own, and takes part again with what they tell [V2].
 *
 * Its earlier messages may still be on their way: a departure that was sent before the loss, counted after the recovery,
 * would open a view without what was acknowledged since. So the nonce is an incarnation that grows, who answers keeps it
 * on disk, and departures and answers tell of it.
 */
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { BlockRef } from "../../chain/header.ts";
import type { Ledger } from "../../chain/ledger.ts";
import { configurationsOf, type ProducerSets } from "../../chain/producerSets.ts";
import type { EngineHost } from "../engine.ts";
import { isAtLeast, refOf } from "../leading/messages.ts";
import { Incarnations, isLatest } from "./incarnations.ts";
import type { Incarnation, RecoveryResponse } from "./messages.ts";

/** What a replica may have promised at most. */
export interface Told {
  readonly view: number;
  readonly head: BlockRef;
}

interface Answer {
  readonly view: number;
  readonly head: BlockRef | undefined;
  readonly incarnations: Incarnations;
}

export class RecoveryExchange {
  readonly #ledger: Pick<Ledger, "get" | "head">;
  readonly #self: string;
  #nonce: number;
  /** Of each replica the last one. */
  readonly #said = new Map<string, Answer>();
  /** Who is recovering itself, where the operator has confirmed that others may be. */
  readonly #lost: Set<string> | undefined;

  /**
   * @param nonce the clock, ms: greater than any used before, unless the others say otherwise
   * @param withOthers the operator has confirmed that others have lost their records, too
   */
  constructor(ledger: Pick<Ledger, "get" | "head">, self: string, nonce: number, withOthers = false) {
    this.#ledger = ledger;
    this.#self = self;
    this.#nonce = nonce;
    if (withOthers) this.#lost = new Set();
  }

  /** Another producer asks, too. */
  asked(producer: string): void {
    this.#lost?.add(producer);
  }

  get nonce(): number {
    return this.#nonce;
  }

  /** @returns undefined: not known yet */
  answered(signer: string, answer: RecoveryResponse): Told | undefined {
    if (answer.replica !== this.#self || signer === this.#self || answer.nonce < this.#nonce) return undefined;
    if (answer.nonce > this.#nonce) {
      this.#nonce = answer.nonce + 1;
      this.#said.clear();
      return undefined;
    }
    const { view, head, incarnations } = answer;
    this.#said.set(signer, { view, head, incarnations: new Incarnations(incarnations) });
    return this.told();
  }

  /**
   * Those that count. Who has lost its record after it answered may have come back by others, who did not know of this
   * recovery yet: it answers again, and with what it knows then [V2].
   */
  get #answers(): ReadonlyMap<string, Answer> {
    return new Map([...this.#said].filter(([replica]) => isLatest(replica, this.#said)));
  }

  /** What those who were counted know of earlier losses. */
  get incarnations(): Incarnation[] {
    return [...this.#answers.values()].flatMap(({ incarnations }) => incarnations.list);
  }

  /** The block that the primary of the highest view has told, while it is not here: by its producer sets answers are counted. */
  get missing(): string | undefined {
    const head = this.#newest?.head;
    return head === undefined || this.#ledger.get(head.id) !== undefined ? undefined : head.id;
  }

  /** What a majority of the others has told; undefined: not known yet. */
  told(): Told | undefined {
    const newest = this.#newest;
    if (newest === undefined) return this.#toldByRest();
    const node = this.#ledger.get(newest.head.id);
    if (node === undefined) return undefined;
    const isMajority = [node.sets, node.setsAfter].every((sets) => this.#isMajority(sets));
    return isMajority || this.#isRest(node) ? newest : undefined;
  }

  /**
   * No primary of the highest view is left to tell of its head: this replica has promised no more than it holds, or than
   * one of a lower view tells, as its operator has confirmed.
   */
  #toldByRest(): Told | undefined {
    const answers = [...this.#answers.values()];
    if (answers.length === 0 || !this.#isRest(this.#ledger.head)) return undefined;
    const heads = [refOf(this.#ledger.head), ...answers.flatMap(({ head }) => head ?? [])];
    const head = heads.reduce((best, each) => (isAtLeast(best, each) ? best : each));
    return { view: Math.max(...answers.map((each) => each.view)), head };
  }

  /** Whoever has not lost its record has answered. */
  #isRest({ sets, setsAfter }: Pick<BlockNode, "sets" | "setsAfter">): boolean {
    const [lost, answers] = [this.#lost, this.#answers];
    if (lost === undefined) return false;
    const producers = [sets, setsAfter].flatMap(configurationsOf).flatMap((each) => each.producers);
    return producers.every((key) => key === this.#self || answers.has(key) || lost.has(key));
  }

  /** Of the primary of the highest view, who alone tells of its head. */
  get #newest(): Told | undefined {
    const answers = [...this.#answers.values()];
    const view = Math.max(...answers.map((each) => each.view));
    const head = answers.find((each) => each.view === view && each.head !== undefined)?.head;
    return head && { view, head };
  }

  /** In each set that this replica is in [S10]: in others it has promised nothing. */
  #isMajority(sets: ProducerSets): boolean {
    const answers = this.#answers;
    return configurationsOf(sets).every(({ producers }) => {
      if (!producers.includes(this.#self)) return true;
      const others = producers.filter((key) => key !== this.#self);
      return others.filter((key) => answers.has(key)).length >= Math.floor(others.length / 2) + 1;
    });
  }
}

interface RecoveryHost extends EngineHost {
  want(id: string): void;
}

/** A replica's part in recoveries: its own while its record is lost or old, and those of the others. */
export class Recovery {
  readonly #host: RecoveryHost;
  readonly incarnations: Incarnations;
  #withOthers: boolean;
  /** While this replica cannot know what it promised. */
  #exchange: RecoveryExchange | undefined;

  /** @param withOthers see {@link RecoveryExchange} */
  constructor(host: RecoveryHost, incarnations: readonly Incarnation[], withOthers: boolean) {
    this.#host = host;
    this.#withOthers = withOthers;
    this.incarnations = new Incarnations(incarnations);
  }

  get isOn(): boolean {
    return this.#exchange !== undefined;
  }

  begin(): void {
    const { ledger, self } = this.#host;
    this.#exchange = new RecoveryExchange(ledger, self, this.#host.now(), this.#withOthers);
  }

  ask(): void {
    if (this.#exchange === undefined) return;
    const content = { nonce: this.#exchange.nonce, ...(this.#withOthers && { lostWithOthers: true }) };
    this.#host.multicast({ kind: "recovery", content }, { durable: false });
  }

  /** Another producer has lost its record. */
  asked(producer: string): void {
    this.#exchange?.asked(producer);
  }

  /** @returns when the exchange ends with this answer: what to go on with; the record is the caller's to write */
  answered(signer: string, answer: RecoveryResponse): Told | undefined {
    return this.#end(this.#exchange?.answered(signer, answer));
  }

  /** A block came: it may be the one by which answers are counted. */
  headMoved(): Told | undefined {
    return this.#end(this.#exchange?.told());
  }

  #end(told: Told | undefined): Told | undefined {
    if (this.#exchange === undefined) return undefined;
    if (told === undefined) {
      const { missing } = this.#exchange;
      if (missing !== undefined) this.#host.want(missing);
      return undefined;
    }
    // A majority remembers each recovery that has ended; without this, one fewer whenever one of them loses its record [V2].
    for (const { replica, number } of this.#exchange.incarnations) this.incarnations.raise(replica, number);
    this.incarnations.raise(this.#host.self, this.#exchange.nonce);
    this.#exchange = undefined;
    this.#withOthers = false;
    return told;
  }

  /** @param head of the primary of an open view; nobody else's: what it holds may not be all of its view */
  answer(replica: string, asked: number, view: number, head: BlockRef | undefined): void {
    this.incarnations.keep((key) => this.#host.ledger.isProducer(key));
    if (this.incarnations.raise(replica, asked)) this.#host.persistRecord();
    const nonce = this.incarnations.of(replica);
    const content = { replica, nonce, view, ...(head && { head }), incarnations: this.incarnations.list };
    this.#host.unicast(replica, { kind: "recoveryResponse", content }, { durable: true });
  }
}
