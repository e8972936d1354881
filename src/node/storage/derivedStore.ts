/**
 * state.db and index.db as the node uses them: runs of irreversible blocks are written by a thread of their
 * own, reads happen here. Both files are derived: `open` makes them, deleting them makes the node fill them
 * again from chain.db. Apply only what chain.db holds as irreversible and durable.
 *
 * A commit is visible to readers when `onApplied` comes and survives the death of the process. A power loss may
 * take the last commits (synchronous=NORMAL), never consistency: the height is in the same transaction as the
 * state, so the node replays from there.
 */
import { checkDerivedFile } from "./derivedFile.ts";
import { packDerivedWrite, packIndexedBlocks } from "./derivedMessage.ts";
import type { IndexedBlock } from "./derivedMessage.ts";
import type { DerivedRequest, DerivedWorkerData, DerivedWorkerInfo } from "./derivedWorker.ts";
import { markClosed, markOpen } from "./fileCheck.ts";
import { indexFile } from "./indexSegments.ts";
import { StateReader } from "./stateReader.ts";
import { stateFile } from "./stateTables.ts";
import type {
  AppliedBlock,
  DerivedWrite,
  StateEntry,
  StorageError,
  TransactionPosition,
  WriterEvents,
} from "./types.ts";
import { WriterThread } from "./writerThread.ts";

export type { IndexedBlock } from "./derivedMessage.ts";

export interface DerivedStoreEvents extends WriterEvents {
  /** Readers see the state of this height. */
  onApplied(height: number): void;
  /** index.db is damaged: lookups reject from now on, everything else goes on. */
  onIndexLost?(error: StorageError): void;
}

export interface DerivedOptions {
  /** 64 hex digits: the hash of the genesis file. */
  readonly chainId: string;
  /** false: no transaction index; index.db is not touched. */
  readonly index: boolean;
  /** The lowest height whose transactions can be indexed, where chain.db does not begin at 1. */
  readonly indexFrom?: number;
}

const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./derivedWorker.ts" : "./derivedWorker.js", import.meta.url);

export class DerivedStore {
  readonly #thread: WriterThread;
  readonly #reader: StateReader;
  readonly #files: readonly string[];
  /** Height of the next block for the index; absent when it is switched off. */
  #indexNext: number | undefined;
  #lastHeight: number;

  private constructor(
    thread: WriterThread,
    reader: StateReader,
    files: readonly string[],
    indexNext: number | undefined,
  ) {
    this.#thread = thread;
    this.#reader = reader;
    this.#files = files;
    this.#indexNext = indexNext;
    this.#lastHeight = reader.applied()?.height ?? -1;
  }

  /** Opens or makes both files. Rejects with a StorageError: CANNOT_OPEN, TRUNCATED, DAMAGED, WRONG_FORMAT, IO. */
  static async open(dir: string, events: DerivedStoreEvents, options: DerivedOptions): Promise<DerivedStore> {
    const workerData: DerivedWorkerData = {
      stateFile: stateFile(dir),
      indexFile: options.index ? indexFile(dir) : undefined,
      chainId: options.chainId,
    };
    const files = [workerData.stateFile, ...(workerData.indexFile === undefined ? [] : [workerData.indexFile])];
    for (const file of files) checkDerivedFile(file);
    const onCommitted = (height: number): void => {
      if (height >= 0) events.onApplied(height);
    };
    const { thread, info } = await WriterThread.start(WORKER, workerData, workerData.stateFile, events, onCommitted);
    for (const file of files) markOpen(file);
    try {
      const { indexedHeight } = info as DerivedWorkerInfo;
      const indexNext = indexedHeight === undefined ? undefined : Math.max(indexedHeight + 1, options.indexFrom ?? 1);
      return new DerivedStore(thread, StateReader.open(dir), files, indexNext);
    } catch (error) {
      await thread.close();
      for (const file of files) markClosed(file);
      throw error;
    }
  }

  /** Bytes handed over and not yet committed. */
  get queuedBytes(): number {
    return this.#thread.queuedBytes;
  }

  /** False when so much is queued that the caller should wait with more. */
  get hasRoom(): boolean {
    return this.#thread.hasRoom;
  }

  /**
   * Queues a run of irreversible blocks; one transaction for all of it. Buffers are copied before this returns.
   * Throws RangeError for a height that does not increase, QUEUE_FULL far above `hasRoom`, IO after a failure or
   * `close`.
   */
  apply(write: DerivedWrite): void {
    if (!(write.height > this.#lastHeight)) throw new RangeError(`height ${write.height} after ${this.#lastHeight}`);
    const { indexed, next } = this.#indexable(write.blocks);
    this.#thread.post(packDerivedWrite(write, indexed));
    this.#lastHeight = write.height;
    this.#indexNext = next;
  }

  /**
   * Fills in blocks that the index lacks (after a crash, when it was switched on later or deleted), in order of
   * height. While `indexedHeight` is below the applied height, read blocks from `indexedHeight + 1` on out of
   * chain.db and hand them over; blocks that are not next are ignored, here as in `apply`.
   */
  fillIndex(blocks: readonly IndexedBlock[]): void {
    const { indexed, next } = this.#indexable(blocks);
    if (indexed.length === 0) return;
    this.#thread.post(packIndexedBlocks(indexed[indexed.length - 1]!.height, indexed));
    this.#indexNext = next;
  }

  /** The index takes blocks without gaps only, so that one height says all it holds. */
  #indexable(blocks: readonly IndexedBlock[]): {
    readonly indexed: readonly IndexedBlock[];
    readonly next: number | undefined;
  } {
    let next = this.#indexNext;
    if (next === undefined) return { indexed: [], next };
    const indexed: IndexedBlock[] = [];
    for (const block of blocks) {
      if (block.height !== next) continue;
      indexed.push(block);
      next++;
    }
    return { indexed, next };
  }

  /** All transactions up to this height are, or are queued to be, in the index; undefined when it is switched off. */
  indexedHeight(): number | undefined {
    return this.#indexNext === undefined ? undefined : this.#indexNext - 1;
  }

  /**
   * Where the transaction with this id (64 hex digits) may be, newest first; compare the id in the block, the
   * index keeps eight bytes of it. Empty when the index is switched off. Rejects with a StorageError.
   */
  async lookup(id: string): Promise<TransactionPosition[]> {
    return (await this.#request({ kind: "lookup", id })) as TransactionPosition[];
  }

  /** Writes what the index keeps in memory, so that other processes find it too. */
  async flushIndex(): Promise<void> {
    await this.#request({ kind: "flushIndex" });
  }

  /** Makes what is committed survive a power loss too; the applied height of which that is true. Before pruning chain.db. */
  async makeDurable(): Promise<number | undefined> {
    return (await this.#request({ kind: "makeDurable" })) as number | undefined;
  }

  #request(request: DerivedRequest): Promise<unknown> {
    return this.#thread.request(request);
  }

  /** See StateReader for these. */
  get(key: Uint8Array): Uint8Array | undefined {
    return this.#reader.get(key);
  }

  range(start: Uint8Array, end: Uint8Array | undefined, limit: number, reverse = false): StateEntry[] {
    return this.#reader.range(start, end, limit, reverse);
  }

  receipts(height: number): Uint8Array | undefined {
    return this.#reader.receipts(height);
  }

  applied(): AppliedBlock | undefined {
    return this.#reader.applied();
  }

  /** Undefined in a new file: not even the genesis is applied. */
  appliedHeight(): number | undefined {
    return this.#reader.applied()?.height;
  }

  /** Writes what is queued, flushes the index, ends the thread. Rejects when something queued could not be written. */
  async close(): Promise<void> {
    this.#reader.close();
    try {
      await this.#thread.close();
    } finally {
      for (const file of this.#files) markClosed(file);
    }
  }
}
