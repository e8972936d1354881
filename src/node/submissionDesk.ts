/** Submitters who wait: from a request to the replica's answers and outcomes, with a bound and a timeout. */
import { transactionId } from "../../chain/transaction.ts";
import { toHex } from "../base/bytes.ts";
import type { SubmitAnswer, TransactionOutcome } from "../replica/types.ts";
import type { SubmitResult, WaitFor } from "./api.ts";

/** Transactions that somebody waits for, at most; above, submitters are answered `pending` at once. */
const WAITING_MAX = 200_000;

interface Batch {
  readonly wait: WaitFor;
  readonly results: (SubmitResult | undefined)[];
  remaining: number;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (results: SubmitResult[]) => void;
  readonly ids: string[];
}

/** A submission on its way to the replica. */
interface Request {
  readonly wait: WaitFor;
  readonly timeoutMs: number;
  readonly resolve: (results: SubmitResult[]) => void;
}

interface Waiter {
  readonly batch: Batch;
  readonly index: number;
}

export class SubmissionDesk {
  readonly #submit: (request: number, transactions: readonly Uint8Array[], isAwaited: boolean) => void;
  readonly #requests = new Map<number, Request>();
  readonly #waiters = new Map<string, Waiter[]>();
  #waiting = 0;
  #nextRequest = 1;

  /** @param submit hands transactions to the replica, which answers through {@link submitted} before it returns */
  constructor(submit: (request: number, transactions: readonly Uint8Array[], isAwaited: boolean) => void) {
    this.#submit = submit;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** The replica's answers to a request. Outcomes may follow in the same step, so waiting begins now. */
  submitted(request: number, answers: readonly SubmitAnswer[]): void {
    const asked = this.#requests.get(request);
    this.#requests.delete(request);
    if (asked !== undefined) this.#waitFor(answers, asked);
  }

  outcomes(outcomes: readonly TransactionOutcome[]): void {
    for (const outcome of outcomes) {
      const waiters = this.#waiters.get(outcome.id);
      if (waiters === undefined) continue;
      const left = waiters.filter((waiter) => !this.#settle(waiter, outcome));
      this.#waiting -= waiters.length - left.length;
      if (left.length > 0) this.#waiters.set(outcome.id, left);
      else this.#waiters.delete(outcome.id);
    }
  }

  /**
   * Never rejects. A wait that runs out gives `pending`; a node that stops gives `pending`, too. A node that has stopped
   * or halted takes nothing any more: `noLeader`.
   */
  submit(transactions: readonly Uint8Array[], wait: WaitFor, timeoutMs: number): Promise<SubmitResult[]> {
    if (transactions.length === 0) return Promise.resolve([]);
    return new Promise((resolve) => {
      const request = this.#nextRequest++;
      this.#requests.set(request, { wait, timeoutMs, resolve });
      this.#submit(request, transactions, wait !== "accepted");
      if (!this.#requests.delete(request)) return;
      resolve(transactions.map((bytes) => ({ status: "noLeader", id: toHex(transactionId(bytes)) })));
    });
  }

  stop(): void {
    const batches = new Set([...this.#waiters.values()].flat().map((waiter) => waiter.batch));
    for (const batch of batches) this.#timeOut(batch);
  }

  #waitFor(answers: readonly SubmitAnswer[], { wait, timeoutMs, resolve }: Request): void {
    const results = answers.map((answer) => resultOf(answer, wait));
    const remaining = results.reduce((count, result) => count + (result === undefined ? 1 : 0), 0);
    const ids = answers.map((answer) => answer.id);
    if (remaining === 0 || this.#waiting + remaining > WAITING_MAX) {
      return resolve(results.map((result, i) => result ?? { status: "pending", id: ids[i] as string }));
    }
    const timer = setTimeout(() => this.#timeOut(batch), timeoutMs);
    const batch: Batch = { wait, results, remaining, timer, resolve, ids };
    this.#waiting += remaining;
    for (let index = 0; index < ids.length; index++) {
      if (results[index] !== undefined) continue;
      const id = ids[index] as string;
      const others = this.#waiters.get(id);
      if (others === undefined) this.#waiters.set(id, [{ batch, index }]);
      else others.push({ batch, index });
    }
  }

  /** @returns whether the waiter is done */
  #settle({ batch, index }: Waiter, outcome: TransactionOutcome): boolean {
    if (outcome.status === "included" && batch.wait === "irreversible") return false;
    batch.results[index] = outcome;
    batch.remaining--;
    if (batch.remaining === 0) {
      clearTimeout(batch.timer);
      batch.resolve(batch.results as SubmitResult[]);
    }
    return true;
  }

  #timeOut(batch: Batch): void {
    clearTimeout(batch.timer);
    for (let index = 0; index < batch.ids.length; index++) {
      if (batch.results[index] !== undefined) continue;
      const id = batch.ids[index] as string;
      batch.results[index] = { status: "pending", id };
      const left = this.#waiters.get(id)?.filter((waiter) => waiter.batch !== batch) ?? [];
      if (left.length > 0) this.#waiters.set(id, left);
      else this.#waiters.delete(id);
      this.#waiting--;
    }
    batch.resolve(batch.results as SubmitResult[]);
  }
}

/** What an answer means to somebody who waits for this much; undefined: it has to be waited for. */
function resultOf(answer: SubmitAnswer, wait: WaitFor): SubmitResult | undefined {
  if (answer.status === "accepted") return wait === "accepted" ? answer : undefined;
  if (answer.status !== "included") return answer;
  return wait === "irreversible" ? undefined : { ...answer, receipt: undefined };
}
