/** Reading state.db: for the store's own thread and for tools. Every read sees the newest committed run. */
import { type Connection, fileFaultOf } from "./connection.ts";
import { checkDerivedFile, openDerivedReader } from "./derivedFile.ts";
import { asStorage } from "./errors.ts";
import { markClosed, markOpen } from "./fileCheck.ts";
import { STATE_FORMAT, stateFile } from "./stateTables.ts";
import type { AppliedBlock, StateEntry } from "./types.ts";

const CACHE_BYTES = 16 * 1024 * 1024;

/** A run of entries. */
export interface StateText {
  readonly count: number;
  /** Of the greatest key; null when there are none. */
  readonly last: Uint8Array | null;
  readonly text: string | null;
}

export class StateReader {
  readonly file: string;
  readonly #connection: Connection;
  readonly #statements: ReturnType<typeof prepareStatements>;

  private constructor(file: string, connection: Connection) {
    this.file = file;
    this.#connection = connection;
    this.#statements = prepareStatements(connection);
  }

  /** Throws StorageError: CANNOT_OPEN, TRUNCATED, DAMAGED, WRONG_FORMAT (also for another chain than `chainId`). */
  static open(dir: string, chainId?: string): StateReader {
    const file = stateFile(dir);
    checkDerivedFile(file);
    const connection = openDerivedReader(file, STATE_FORMAT, CACHE_BYTES, chainId);
    markOpen(file);
    return new StateReader(file, connection);
  }

  close(): void {
    if (!this.#connection.open) return;
    this.#connection.close();
    markClosed(this.file);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#read(() => this.#statements.get.get(key));
  }

  /** Entries with start <= key < end (no end: to the last), in key order or from the greatest down, at most `limit`. */
  range(start: Uint8Array, end: Uint8Array | undefined, limit: number, reverse = false): StateEntry[] {
    const { ascending, descending, ascendingToEnd, descendingFromEnd } = this.#statements;
    return this.#read(() => {
      if (end === undefined) return (reverse ? descendingFromEnd : ascendingToEnd).all(start, limit);
      return (reverse ? descending : ascending).all(start, end, limit);
    });
  }

  /**
   * As many entries as `range` gives from `start` on, as one text of their bytes and types: to compare many, where an object for each
   * would cost more than reading it.
   */
  rangeText(start: Uint8Array, limit: number): StateText {
    return this.#read(() => this.#statements.rangeText.get(start, limit)!);
  }

  /** The encoded receipts of an irreversible block, as written. */
  receipts(height: number): Uint8Array | undefined {
    return this.#read(() => this.#statements.receipts.get(height));
  }

  /** The newest block whose changes are in the state; none in a new file: not even the genesis is applied. */
  applied(): AppliedBlock | undefined {
    return this.#read(() => this.#statements.applied.get());
  }

  /** Every read from here to {@link release} sees one commit, whatever a running node writes; that commit's block. */
  hold(): AppliedBlock | undefined {
    return this.#read(() => {
      this.#connection.exec("BEGIN");
      return this.#statements.applied.get();
    });
  }

  release(): void {
    if (this.#connection.inTransaction) this.#connection.exec("COMMIT");
  }

  /** The first thing SQLite finds wrong with the file itself; reads all of it. */
  fileFault(): string | undefined {
    return this.#read(() => fileFaultOf(this.#connection));
  }

  #read<T>(read: () => T): T {
    return asStorage(this.file, "derived", read);
  }
}

function prepareStatements(connection: Connection) {
  const range = (where: string, order: string) =>
    `SELECT key, value FROM state WHERE ${where} ORDER BY key ${order} LIMIT ?`;
  return {
    get: connection.prepare<[Uint8Array], Buffer>("SELECT value FROM state WHERE key = ?").pluck(),
    ascending: connection.prepare<[Uint8Array, Uint8Array, number], StateEntry>(range("key >= ? AND key < ?", "ASC")),
    descending: connection.prepare<[Uint8Array, Uint8Array, number], StateEntry>(range("key >= ? AND key < ?", "DESC")),
    ascendingToEnd: connection.prepare<[Uint8Array, number], StateEntry>(range("key >= ?", "ASC")),
    descendingFromEnd: connection.prepare<[Uint8Array, number], StateEntry>(range("key >= ?", "DESC")),
    rangeText: connection.prepare<[Uint8Array, number], StateText>(
      `SELECT count(*) AS count, max(key) AS last, group_concat(hex(key) || typeof(key) || hex(value) || typeof(value)) AS text
       FROM (${range("key >= ?", "ASC")})`,
    ),
    receipts: connection.prepare<[number], Buffer>("SELECT receipts FROM receipts WHERE height = ?").pluck(),
    applied: connection.prepare<[], AppliedBlock>("SELECT height, id FROM applied"),
  };
}
