/** Transactions with known ids, submitted at random nodes, and what their submitters are told. */
import { encodeTransaction, transactionId } from "../../chain/transaction.ts";
import { toHex, utf8 } from "../../src/base/bytes.ts";
import { encodeKvPayload, type Operation } from "../../src/node/applications/kvPayload.ts";
import type { Effect, SubmitAnswer, TransactionOutcome } from "../../src/replica/types.ts";
import { proposalPayload } from "./changes.ts";
import type { Dice } from "./dice.ts";
import type { TransactionOracle } from "./oracles/transactions.ts";
import type { WorkloadProfile } from "./profile.ts";
import type { SimulatedNode } from "./simulatedNode.ts";
import { RuleBroken } from "./violation.ts";

/** A set that is not proposed by then is proposed no more, ms. */
const PROPOSAL_EXPIRY_MS = 10_000;

export interface WorkloadCounts {
  readonly submitted: number;
  readonly irreversible: number;
  readonly expired: number;
  readonly rejected: number;
  readonly refused: number;
}

export class Workload {
  readonly #dice: Dice;
  readonly #profile: WorkloadProfile;
  readonly #oracle: TransactionOracle;
  /** By node: what it accepted in this life and has not told the end of. */
  readonly #open = new Map<number, Set<string>>();
  /** The newest, to be submitted again elsewhere. */
  #last: Uint8Array | undefined;
  #count = 0;
  #irreversible = 0;
  #expired = 0;
  #rejected = 0;
  #refused = 0;

  constructor(dice: Dice, profile: WorkloadProfile, oracle: TransactionOracle) {
    this.#dice = dice;
    this.#profile = profile;
    this.#oracle = oracle;
  }

  get counts(): WorkloadCounts {
    return {
      submitted: this.#count,
      irreversible: this.#irreversible,
      expired: this.#expired,
      rejected: this.#rejected,
      refused: this.#refused,
    };
  }

  /** Accepted by nodes that have been up since and have not told what became of them. */
  get unresolved(): readonly { readonly node: number; readonly id: string }[] {
    return [...this.#open].flatMap(([node, ids]) => [...ids].map((id) => ({ node, id })));
  }

  get intervalMs(): number {
    return this.#dice.interval(1000 / this.#profile.transactionsPerSecond);
  }

  /** One more, or now and then a burst, or the last one again. */
  submitSome(node: SimulatedNode): void {
    const { burst, retry } = this.#profile;
    if (this.#last !== undefined && this.#dice.chance(retry)) this.submit(node, [this.#last]);
    else if (burst > 0 && this.#dice.chance(0.01)) this.submitNew(node, burst);
    else this.submitNew(node, 1);
  }

  /** @returns ids */
  submitNew(node: SimulatedNode, count: number): string[] {
    return this.submit(
      node,
      Array.from({ length: count }, () => this.#make(node)),
    );
  }

  /** @returns ids */
  submit(node: SimulatedNode, transactions: readonly Uint8Array[]): string[] {
    const ids = transactions.map((bytes) => toHex(transactionId(bytes)));
    for (const id of ids) this.#oracle.submitted(id);
    this.#last = transactions.at(-1);
    node.step({ kind: "submit", request: this.#count, transactions, isAwaited: true });
    return ids;
  }

  /** A transaction that proposes this producer set. @returns its id */
  propose(node: SimulatedNode, keys: readonly string[]): string {
    const [id] = this.submit(node, [this.#encode(node, proposalPayload(keys), this.#count++, PROPOSAL_EXPIRY_MS)]);
    return id as string;
  }

  crashed(node: number): void {
    this.#open.delete(node);
  }

  effect(node: number, effect: Effect): void {
    if (effect.kind === "submitted") for (const answer of effect.answers) this.#answered(node, answer);
    else if (effect.kind === "outcomes") for (const outcome of effect.outcomes) this.#told(node, outcome);
  }

  #answered(node: number, answer: SubmitAnswer): void {
    switch (answer.status) {
      case "accepted":
      case "included":
        this.#openOf(node).add(answer.id);
        return;
      case "inChain":
        return this.#oracle.irreversible(node, answer.id, answer.place);
      case "full":
      case "invalid":
        this.#refused++;
        return;
    }
  }

  #told(node: number, outcome: TransactionOutcome): void {
    if (outcome.status === "included") return;
    // A resubmission is answered by one end, too: what is not open was never taken.
    if (!this.#openOf(node).delete(outcome.id)) {
      throw new RuleBroken(
        "transactions",
        "an outcome is told once, for what was accepted",
        `${outcome.status} ${outcome.id}`,
        [node],
      );
    }
    switch (outcome.status) {
      case "irreversible":
        this.#irreversible++;
        return this.#oracle.irreversible(node, outcome.id, outcome.place);
      case "expired":
        this.#expired++;
        return this.#oracle.dead(node, outcome.id, "expired");
      case "rejected":
        this.#rejected++;
        return this.#oracle.dead(node, outcome.id, `rejected ${outcome.code}`);
    }
  }

  #openOf(node: number): Set<string> {
    const open = this.#open.get(node) ?? new Set();
    this.#open.set(node, open);
    return open;
  }

  #make(node: SimulatedNode): Uint8Array {
    const { keys, valueBytes, shortestExpiryMs, longestExpiryMs } = this.#profile;
    const number = this.#count++;
    const key = utf8(`key ${this.#dice.below(keys)}`);
    const value = utf8(`${number}`.padEnd(valueBytes, "."));
    const operation = this.#operation(number, key, value);
    const aheadMs = Math.floor(this.#dice.between(shortestExpiryMs, longestExpiryMs));
    return this.#encode(node, encodeKvPayload([operation]), number, aheadMs);
  }

  #encode(node: SimulatedNode, payload: Uint8Array, number: number, aheadMs: number): Uint8Array {
    const nonce = new Uint8Array(16);
    new DataView(nonce.buffer).setUint32(0, number);
    return encodeTransaction({ payload, nonce, expiresAt: node.clientClockMs + aheadMs });
  }

  /** One in ten does only once what it does: executed again it fails, where a put would change nothing. */
  #operation(number: number, key: Uint8Array, value: Uint8Array): Operation {
    const kind = this.#dice.below(10);
    if (kind === 0) return { kind: "delete", key };
    if (kind > 1) return { kind: "put", key, value };
    return { kind: "compareAndSet", key: utf8(`once ${number}`), expectedVersion: 0, value };
  }
}
