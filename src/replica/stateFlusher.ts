/**
 * When irreversible changes go to the state database: now and then, or when much waits. A write for every small block
 * would cost more than the block.
 */
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { Ledger } from "../../chain/ledger.ts";
import { FLUSH_DELAY_MS, FLUSH_TRANSACTIONS } from "./constants.ts";
import type { StateFlush } from "./types.ts";

export class StateFlusher {
  readonly #ledger: Ledger;
  #delayMs = FLUSH_DELAY_MS;
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** When the next flush is due, ms; one at a time. */
  get deadline(): number {
    return this.#ledger.isFlushing ? Number.POSITIVE_INFINITY : this.#dueAt;
  }

  /** There may be something to flush. */
  changed(now: number): void {
    if (this.#ledger.hasUnflushed) this.#dueAt = Math.min(this.#dueAt, now + this.#delayMs);
  }

  /** The node is about to stop: nothing waits any more. */
  stopping(now: number): void {
    this.#delayMs = 0;
    this.#dueAt = Math.min(this.#dueAt, now);
  }

  /** What is to be flushed now. */
  take(now: number): StateFlush | undefined {
    if (now < this.#dueAt && this.#ledger.unflushedTransactions < FLUSH_TRANSACTIONS) return undefined;
    const flush = this.#ledger.takeFlush();
    if (flush === undefined) return undefined;
    this.#dueAt = Number.POSITIVE_INFINITY;
    const last = flush.nodes.at(-1) as BlockNode;
    return {
      height: last.height,
      id: last.id,
      changes: flush.changes,
      blocks: flush.nodes.map((node) => ({
        height: node.height,
        receipts: node.execution?.receipts.buffer ?? NO_RECEIPTS,
        transactionIds: node.block.transactionIds,
      })),
    };
  }
}

const NO_RECEIPTS = new Uint8Array(0);
