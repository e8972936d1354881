/**
 * One process at a time on a data directory. Node has no flock, SQLite has: DIR/lock is an empty database in
 * which the holder keeps a write transaction open; the operating system drops it when the process dies,
 * however it dies. The transaction is IMMEDIATE rather than EXCLUSIVE: as exclusive among holders, but others
 * may read, so that the refused one can say who holds it (`PRAGMA user_version` is the holder's process id).
 */
import Database from "better-sqlite3";
import { join } from "node:path";
import { toStorageError } from "./errors.ts";
import { StorageError } from "./types.ts";

export interface Lock {
  readonly file: string;
  /** Lets go; the file stays. Idempotent. */
  release(): void;
}

/** A connection that nobody refers to is closed by the garbage collector, and its lock with it. */
const held = new Set<Database.Database>();

const READ_HOLDER_TIMEOUT_MS = 200;

/** Throws LOCKED when another holds it, CANNOT_OPEN when the directory or file is not writable. */
export function acquireLock(dir: string): Lock {
  const file = join(dir, "lock");
  const connection = openLockFile(file);
  try {
    begin(connection);
    connection.pragma(`user_version = ${process.pid}`);
    connection.exec("COMMIT");
    // Between the two transactions another process can get in; then this one is refused below, which is as right.
    begin(connection);
  } catch (error) {
    const refused = isBusy(error)
      ? lockedError(file, dir, readHolder(connection))
      : toStorageError(error, file, "lock");
    connection.close();
    throw refused;
  }
  held.add(connection);
  return { file, release: () => release(connection) };
}

function openLockFile(file: string): Database.Database {
  try {
    return new Database(file, { timeout: READ_HOLDER_TIMEOUT_MS });
  } catch (error) {
    if (error instanceof TypeError)
      throw new StorageError("CANNOT_OPEN", file, `${file}: the directory does not exist`);
    throw toStorageError(error, file, "lock");
  }
}

function release(connection: Database.Database): void {
  connection.close();
  held.delete(connection);
}

function begin(connection: Database.Database): void {
  connection.exec("BEGIN IMMEDIATE");
}

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY");
}

function readHolder(connection: Database.Database): number | undefined {
  try {
    const pid = connection.pragma("user_version", { simple: true });
    return typeof pid === "number" && pid > 0 ? pid : undefined;
  } catch {
    return undefined; // the holder is writing its process id just now: the refusal stands without it
  }
}

function lockedError(file: string, dir: string, pid: number | undefined): StorageError {
  const holder = pid === undefined ? "another process" : pid === process.pid ? "this process" : `process ${pid}`;
  return new StorageError(
    "LOCKED",
    file,
    `${dir} is in use by ${holder} (it holds ${file}); stop that node, or give this one its own directory`,
  );
}
