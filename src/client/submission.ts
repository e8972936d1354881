/**
 * Transactions on their way to a known outcome. Each is encoded once and sent to node after node until one tells what
 * became of it: sending again is harmless, since a transaction is in the chain once at most.
 *
 * What a node says is believed only as far as it can know. `irreversible` and `expired` it has proved. A refusal means "not
 * in the chain" only from the first node that was given the transaction: once an answer was lost, another node may have
 * it, or it may be in blocks that this one lacks. Then only the chain has the last word: the transaction is found in it, or
 * an irreversible block after `expiresAt` proves that it never will be.
 */
import type { Caller } from "./caller.ts";
import { type Answer, type NoAnswer } from "./exchange.ts";
import type { NodeEntry } from "./nodes.ts";
import {
  type Outcome,
  type Placed,
  readBatchAnswer,
  type Refusal,
  type Unknown,
  type WaitFor,
  type Word,
} from "./outcome.ts";
import { backoffMs } from "./platform.ts";
import { readFailure } from "./refusals.ts";
import { encodeBatch, type PreparedTransaction, takeUnsent } from "./transactions.ts";
import { lookUp } from "./transactionState.ts";

/** A node waits this long for an outcome before another one is asked. */
const WAIT_SLICE_MS = 5_000;
/** The answer's own way, beyond the wait. */
const ANSWER_MS = 5_000;
const ANSWER_BYTES = 64 * 1024;
const LINE_BYTES = 8 * 1024;
/** Single questions under way at a time. */
const LOOKUPS_AT_ONCE = 32;
/** Receipts that are asked for one by one; of more, the outcomes are told without. */
const RECEIPTS_MAX = 16;

/** Refusals that depend on nothing but the bytes and the genesis: no node ever took such a transaction. */
const NEVER_VALID = new Set(["TRANSACTION_UNDECODABLE", "KV_UNDECODABLE", "KV_INVALID", "AUTHOR_MISSING"]);

export interface SubmitTarget {
  readonly wait: WaitFor;
  /** ms since the epoch. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** A request that a node refuses as a whole, as for lack of a token. Nothing of it was taken. */
export interface RequestRefused {
  readonly status: "refused";
  readonly id: string;
  readonly url: string;
  readonly httpStatus: number;
  readonly refusal: Refusal;
}

export type Settled = Outcome | Unknown | RequestRefused;

interface Item {
  readonly transaction: PreparedTransaction;
  /** Somebody may have taken it whose answer is not known. */
  mayBeOut: boolean;
  isPending: boolean;
  refusal: Refusal | undefined;
  settled: Settled | undefined;
}

/** Outcomes in order. Never rejects. */
export async function settle(
  transactions: readonly PreparedTransaction[],
  target: SubmitTarget,
  caller: Caller,
): Promise<Settled[]> {
  const items = transactions.map((transaction): Item => {
    return {
      transaction,
      mayBeOut: !takeUnsent(transaction),
      isPending: false,
      refusal: undefined,
      settled: undefined,
    };
  });
  await new Submission(target, caller).run(items);
  return items.map((item) => item.settled as Settled);
}

class Submission {
  readonly #target: SubmitTarget;
  readonly #caller: Caller;
  /** Why it did not succeed so far. */
  #lastFailure = "no node could be asked";

  constructor(target: SubmitTarget, caller: Caller) {
    this.#target = target;
    this.#caller = caller;
  }

  async run(items: readonly Item[]): Promise<void> {
    const { deadline, signal } = this.#target;
    const { nodes, platform } = this.#caller;
    let avoid: NodeEntry | undefined;
    let fruitless = 0;
    for (let open = items; open.length > 0; open = items.filter((item) => item.settled === undefined)) {
      if (fruitless > 0) {
        const ms = Math.min(backoffMs(fruitless - 1, platform), Math.max(0, deadline - platform.now()));
        await platform.sleep(ms, signal);
      }
      const node = await nodes.acquire(deadline, signal, avoid);
      if (node === undefined) return this.#giveUp(open);
      const hasSettled = await this.#ask(node, open);
      fruitless = hasSettled ? 0 : fruitless + 1;
      avoid = node;
    }
  }

  #giveUp(open: readonly Item[]): void {
    for (const item of open) {
      const { id } = item.transaction;
      const why = item.refusal === undefined ? this.#lastFailure : `${item.refusal.message} (${item.refusal.code})`;
      const message = item.isPending ? "still under way: a node has it and waits for a block" : why;
      item.settled = { status: "unknown", id, pending: item.isPending, message };
    }
  }

  /** Sends the open ones to a node. @returns whether any was settled */
  async #ask(node: NodeEntry, open: readonly Item[]): Promise<boolean> {
    const { wait, deadline, signal } = this.#target;
    const { platform } = this.#caller;
    const waitMs = Math.max(0, Math.min(WAIT_SLICE_MS, deadline - platform.now()));
    const answer = await this.#caller.exchange(node, {
      path: `/v1/transactions/batch?wait=${wait}&timeout=${Math.floor(waitMs)}`,
      method: "POST",
      body: encodeBatch(open.map((item) => item.transaction)),
      contentType: "application/octet-stream",
      timeoutMs: waitMs + ANSWER_MS,
      maxBytes: ANSWER_BYTES + open.length * LINE_BYTES,
      signal,
    });
    if (answer.kind === "answer" && answer.status === 200) return this.#takeWords(node, answer.text, open);
    if (answer.kind === "answer" && answer.status === 413 && open.length > 1) return this.#split(node, open);
    return this.#takeFailure(node, answer, open);
  }

  /** The batch is larger than this node takes. */
  async #split(node: NodeEntry, open: readonly Item[]): Promise<boolean> {
    this.#caller.nodes.succeeded(node);
    const half = Math.ceil(open.length / 2);
    await this.run(open.slice(0, half));
    await this.run(open.slice(half));
    return true;
  }

  /** Not the answer that was hoped for, for all of them alike. */
  #takeFailure(node: NodeEntry, answer: Answer | NoAnswer, open: readonly Item[]): boolean {
    const failure = readFailure(node, answer, this.#caller.nodes);
    this.#lastFailure = failure.message;
    for (const item of open) {
      if (failure.kind === "refused" && !item.mayBeOut) {
        const { httpStatus, refusal } = failure;
        item.settled = { status: "refused", id: item.transaction.id, url: node.url, httpStatus, refusal };
      }
      if (failure.kind === "lost") item.mayBeOut = true;
    }
    return failure.kind === "refused";
  }

  async #takeWords(node: NodeEntry, text: string, open: readonly Item[]): Promise<boolean> {
    const words = readBatchAnswer(
      text,
      open.map((item) => item.transaction.id),
    );
    if (words === undefined) {
      this.#lastFailure = `${node.url} does not answer as a Cairn node`;
      this.#caller.nodes.failed(node);
      for (const item of open) item.mayBeOut = true;
      return false;
    }
    this.#caller.nodes.succeeded(node);
    for (const [i, item] of open.entries()) this.#takeWord(words[i] as Word, item);
    const unproven = open.filter((item) => item.settled === undefined && item.refusal !== undefined);
    await inParallel(unproven, (item) => this.#prove(node, item));
    const bare = open.filter((item) => isPlaced(item.settled) && item.settled.receipt === undefined);
    if (bare.length <= RECEIPTS_MAX) await inParallel(bare, (item) => this.#fetchReceipt(node, item));
    if (open.some((item) => item.settled === undefined)) this.#caller.nodes.passOver(node);
    return open.some((item) => item.settled !== undefined);
  }

  #takeWord(word: Word, item: Item): void {
    const { wait } = this.#target;
    const { id } = item.transaction;
    item.isPending = word.kind === "accepted" || word.kind === "pending" || word.kind === "placed";
    item.refusal = undefined;
    switch (word.kind) {
      case "accepted":
      case "pending":
        if (wait === "accepted") item.settled = { status: "accepted", id };
        item.mayBeOut = true;
        return;
      case "placed":
        if (word.outcome.status === "irreversible" || wait !== "irreversible") item.settled = word.outcome;
        item.mayBeOut = true;
        return;
      case "expired":
        item.settled = { status: "expired", id };
        return;
      case "invalid":
      case "rejected": {
        const { refusal } = word;
        if (!item.mayBeOut || NEVER_VALID.has(refusal.code)) item.settled = { status: word.kind, id, ...refusal };
        else item.refusal = refusal;
        return;
      }
      case "noLeader":
        this.#lastFailure = "no leader is known";
        item.mayBeOut = true;
        return;
      case "full":
        this.#lastFailure = "too many transactions wait for a block";
        return;
    }
  }

  /** It was refused, but may be out: does the chain have it, or prove that it never will? */
  async #prove(node: NodeEntry, item: Item): Promise<void> {
    const { wait, deadline, signal } = this.#target;
    const { id, expiresAt } = item.transaction;
    const state = await lookUp(id, node, this.#caller, { deadline, signal });
    if (state === undefined) return;
    if (state.status === "pending") item.isPending = true;
    else if (state.status !== "unknown") {
      if (state.status === "irreversible" || wait !== "irreversible") item.settled = placedOf(state);
    } else if (state.absentThrough !== undefined && state.absentThrough.time > expiresAt) {
      const { refusal } = item;
      item.settled = { status: "expired", id, ...(refusal === undefined ? {} : { refusal }) };
    }
  }

  /** The place came without it. Where no node holds it, the outcome stays as it is. */
  async #fetchReceipt(node: NodeEntry, item: Item): Promise<void> {
    const placed = item.settled as Placed;
    const { deadline, signal } = this.#target;
    const state = await lookUp(placed.id, node, this.#caller, { deadline, signal });
    if (state === undefined || !isPlaced(state) || state.receipt === undefined) return;
    if (state.height === placed.height && state.index === placed.index) {
      item.settled = { ...placed, receipt: state.receipt };
    }
  }
}

function isPlaced(state: { readonly status: string } | undefined): state is Placed {
  return state?.status === "included" || state?.status === "irreversible";
}

function placedOf({ status, id, height, index, receipt }: Placed): Placed {
  return { status, id, height, index, ...(receipt === undefined ? {} : { receipt }) };
}

async function inParallel(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++] as Item);
  };
  await Promise.all(Array.from({ length: Math.min(LOOKUPS_AT_ONCE, items.length) }, worker));
}
