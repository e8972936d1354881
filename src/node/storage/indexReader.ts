/** Reading index.db from outside the node (inspection); what the node has not flushed yet is not in it. */
import { type Connection, fileFaultOf } from "./connection.ts";
import { checkDerivedFile, openDerivedReader } from "./derivedFile.ts";
import { asStorage } from "./errors.ts";
import { markClosed, markOpen } from "./fileCheck.ts";
import { prefixOf } from "./indexEntries.ts";
import { INDEX_FORMAT, indexFile, SegmentTables } from "./indexSegments.ts";
import { sortNewestFirst } from "./transactionIndex.ts";
import type { TransactionPosition } from "./types.ts";

const CACHE_BYTES = 8 * 1024 * 1024;

/** One page of a segment. */
export interface IndexPage {
  readonly segment: number;
  readonly page: number;
  /** What the segment's row says is the page's first word. */
  readonly fence: number;
  /** Entries of four words (`indexEntries.ts`). */
  readonly words: Uint32Array;
  /** Entries that the segment's row says it has. */
  readonly entries: number;
}

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

  /**
   * Everything in the index as it lies there, in one read transaction; the height up to which it is said to be whole.
   * What `visit` throws ends it and is thrown on.
   */
  scan(visit: (page: IndexPage) => void): number {
    let thrown: { readonly error: unknown } | undefined;
    const height = this.#read(() =>
      this.#connection.transaction(() => {
        for (const page of this.#pages()) {
          try {
            visit(page);
          } catch (error) {
            thrown = { error };
            break;
          }
        }
        return this.#tables.height();
      })(),
    );
    if (thrown !== undefined) throw thrown.error;
    return height;
  }

  *#pages(): Generator<IndexPage, void, void> {
    for (const { segment, entries, fences } of this.#tables.live()) {
      for (let page = 0; page < fences.length; page++) {
        const words = this.#tables.readPage(segment, page);
        yield { segment, page, fence: fences[page] as number, words, entries };
      }
    }
  }

  /** The first thing SQLite finds wrong with the file itself; reads all of it. */
  fileFault(): string | undefined {
    return this.#read(() => fileFaultOf(this.#connection));
  }

  close(): void {
    if (!this.#connection.open) return;
    this.#connection.close();
    markClosed(this.file);
  }

  #read<T>(read: () => T): T {
    return asStorage(this.file, "derived", read);
  }
}
