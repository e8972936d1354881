import { openDerivedWriter } from "./derivedFile.ts";
import type { PackedDerivedWrite } from "./derivedMessage.ts";
import { asStorage, isRetryable, toPlain, toStorageError } from "./errors.ts";
import { INDEX_FORMAT } from "./indexSegments.ts";
import { TransactionIndex } from "./transactionIndex.ts";
import { StorageError } from "./types.ts";
import type { FromWriter } from "./writerMessages.ts";

/** Entries that wait this long without company are flushed. */
const IDLE_FLUSH_MS = 5_000;

/**
 * The index is optional: damage to its file switches it off and is told, but stops neither the state nor the
 * node. A full disk is an error like any other writer's and is tried again.
 */
export class GuardedIndex {
  readonly #file: string;
  readonly #wake: () => void;
  #index: TransactionIndex | undefined;
  #lost: StorageError | undefined;
  #isLossTold = false;
  #idleTimer: NodeJS.Timeout | undefined;
  #idleIsOver = false;

  /** Opens or makes the file. `wake` makes the thread's loop do upkeep. Throws StorageError. */
  constructor(file: string, chainId: string, wake: () => void) {
    this.#file = file;
    this.#wake = wake;
    this.#index = new TransactionIndex(openDerivedWriter(file, INDEX_FORMAT, chainId));
  }

  get height(): number | undefined {
    return this.#index?.height;
  }

  /** On a caller's behalf: throws what went wrong, also earlier, and changes nothing about it. */
  ask<T>(question: (index: TransactionIndex) => T): T {
    const index = this.#index;
    if (index === undefined) throw this.#lost ?? new StorageError("IO", this.#file, `${this.#file} is closed`);
    return asStorage(this.#file, "derived", () => question(index));
  }

  add(write: PackedDerivedWrite): void {
    if (this.#index === undefined || write.indexed.length === 0) return;
    this.#index.add(write.indexed);
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => {
      this.#idleIsOver = true;
      this.#wake();
    }, IDLE_FLUSH_MS);
  }

  upkeep(queueIsEmpty: boolean, report: (message: FromWriter) => void): boolean {
    const isMore = this.use((index) => {
      if (this.#idleIsOver) index.flush();
      this.#idleIsOver = false;
      return index.upkeep(queueIsEmpty);
    });
    if (this.#lost !== undefined && !this.#isLossTold) {
      this.#isLossTold = true;
      report({ kind: "partLost", error: toPlain(this.#lost) });
    }
    return isMore ?? false;
  }

  /** Works with the index if it is there. What passes by itself is thrown, everything else loses the index. */
  use<T>(work: (index: TransactionIndex) => T): T | undefined {
    if (this.#index === undefined) return undefined;
    try {
      return work(this.#index);
    } catch (thrown) {
      const error = toStorageError(thrown, this.#file, "derived");
      if (isRetryable(error)) throw error;
      this.#lost = error;
      clearTimeout(this.#idleTimer);
      this.#index = undefined;
      return undefined;
    }
  }

  close(): void {
    clearTimeout(this.#idleTimer);
    this.#index?.close();
    this.#index = undefined;
  }
}
