/** Opening SQLite connections with the settings that the promises rest on. */
import Database from "better-sqlite3";
import { StorageError } from "./types.ts";

export type Connection = Database.Database;

export interface WriterSettings {
  /** true: synchronous=FULL, a commit returns after its fsync. false: NORMAL, a power loss may take the last commits. */
  readonly durable: boolean;
  /** Bytes a page, for a file that is new. */
  readonly pageBytes: number;
  readonly cacheBytes: number;
}

/** How long a statement waits for another process (an operator's sqlite3, a backup) to let go. */
const BUSY_TIMEOUT_MS = 2_000;

/** A read-write connection in WAL mode that checkpoints only when told to (`checkpoint`). Throws SqliteError or CANNOT_OPEN. */
export function openWriter(file: string, settings: WriterSettings): Connection {
  const connection = new Database(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    connection.pragma(`page_size = ${settings.pageBytes}`);
    const mode = connection.pragma("journal_mode = WAL", { simple: true });
    if (mode !== "wal") {
      throw new StorageError(
        "CANNOT_OPEN",
        file,
        `${file}: the file system allows no write-ahead log (mode ${String(mode)}); use a local disk`,
      );
    }
    connection.pragma(`synchronous = ${settings.durable ? "FULL" : "NORMAL"}`);
    // macOS: fsync alone leaves the data in the drive's cache. No effect elsewhere.
    connection.pragma(`fullfsync = ${settings.durable ? 1 : 0}`);
    connection.pragma("checkpoint_fullfsync = 1");
    connection.pragma("wal_autocheckpoint = 0");
    connection.pragma("journal_size_limit = 67108864");
    connection.pragma(`cache_size = -${Math.ceil(settings.cacheBytes / 1024)}`);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** A read-only connection; sees every commit made before each read. Throws SqliteError. */
export function openReader(file: string, cacheBytes: number): Connection {
  const connection = new Database(file, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  connection.pragma(`cache_size = -${Math.ceil(cacheBytes / 1024)}`);
  return connection;
}

interface CheckpointRow {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

/** Pages in the write-ahead log that are not in the database yet. Costs microseconds. */
export function pagesInLog(connection: Connection): number {
  const [row] = connection.pragma("wal_checkpoint(NOOP)") as CheckpointRow[];
  return row === undefined ? 0 : Math.max(0, row.log - row.checkpointed);
}

/** Moves what it can from the log to the database without waiting for readers; fsyncs both. */
export function checkpoint(connection: Connection): void {
  connection.pragma("wal_checkpoint(PASSIVE)");
}

/** The first thing SQLite finds wrong with pages, rows or indexes. Reads the whole file. */
export function fileFaultOf(connection: Connection): string | undefined {
  const verdict = String(connection.pragma("integrity_check(1)", { simple: true }));
  return verdict === "ok" ? undefined : verdict;
}
