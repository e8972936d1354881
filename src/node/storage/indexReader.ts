/** Reading index.db from outside the node (inspection); what the node has not flushed yet is not in it. */
import type { Connection } from "./connection.ts";
import { checkDerivedFile, openDerivedReader } from "./derivedFile.ts";
import { toStorageError } from "./errors.ts";
import { markClosed, markOpen } from "./fileCheck.ts";
import { prefixOf } from "./indexEntries.ts";
import { INDEX_FORMAT, indexFile, SegmentTables } from "./indexSegments.ts";
import { sortNewestFirst } from "./transactionIndex.ts";
import type { TransactionPosition } from "./types.ts";

const CACHE_BYTES = 8 * 1024 * 1024;

export class IndexReader {
  readonly file: string;
  readonly #connection: Connection;
  readonly #tables: SegmentTables;

  private constructor(file: string, connection: Connection) {
    this.file = file;
    this.#connection = connection;
    this.#tables = new SegmentTables(connection);
  }

  /** Throws StorageError: CANNOT_OPEN, TRUNCATED, DAMAGED, WRONG_FORMAT (also for another chain than `chainId`). */
  static open(dir: string, chainId?: string): IndexReader {
    const file = indexFile(dir);
    checkDerivedFile(file);
    const connection = openDerivedReader(file, INDEX_FORMAT, CACHE_BYTES, chainId);
    markOpen(file);
    return new IndexReader(file, connection);
  }

  /** Every transaction of the blocks up to this height can be found. */
  height(): number {
    return this.#read(() => this.#tables.height());
  }

  /** As `DerivedStore.lookup`. */
  lookup(id: string): TransactionPosition[] {
    const prefix = prefixOf(id);
    const found: TransactionPosition[] = [];
    // One read transaction: a merge may remove segments between two statements.
    this.#read(() => {
      this.#connection.transaction(() => {
        for (const segment of this.#tables.live()) this.#tables.find(segment, prefix, found);
      })();
    });
    return sortNewestFirst(found);
  }

  close(): void {
    if (!this.#connection.open) return;
    this.#connection.close();
    markClosed(this.file);
  }

  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw toStorageError(error, this.file, "derived");
    }
  }
}
