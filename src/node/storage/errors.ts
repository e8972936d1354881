/**
 * SQLite's result codes as storage errors, in one place. The table says what each code means to a node and
 * what its operator can do; everything not listed is IO.
 */
import { StorageError } from "./types.ts";
import type { StorageErrorCode } from "./types.ts";

/** What to do about a damaged or truncated file; derived files are simply rebuilt. */
export type FileKind = "chain" | "derived" | "lock";

const RESTORE =
  "stop the node and keep the file for analysis. A follower starts again from an empty directory, or from a backup of the " +
  'whole one; a producer never from a backup, its vote record is in this file: docs/operate.md, "A lost disk"';

export function whatToDo(kind: FileKind): string {
  switch (kind) {
    case "chain":
      return RESTORE;
    case "derived":
      return "stop the node and delete this file: it is rebuilt from chain.db";
    case "lock":
      return "make sure that no node runs on this directory, then delete this file";
  }
}

function classify(code: string): StorageErrorCode {
  if (code === "SQLITE_FULL" || code === "SQLITE_IOERR_SHMSIZE" || code === "ENOSPC") return "DISK_FULL";
  if (code === "EACCES" || code === "EPERM") return "CANNOT_OPEN";
  if (code === "SQLITE_NOTADB" || code.startsWith("SQLITE_CORRUPT")) return "DAMAGED";
  if (code.startsWith("SQLITE_BUSY") || code === "SQLITE_LOCKED") return "LOCKED";
  if (code.startsWith("SQLITE_CANTOPEN") || code.startsWith("SQLITE_READONLY") || code === "SQLITE_PERM") {
    return "CANNOT_OPEN";
  }
  return "IO";
}

function describe(code: StorageErrorCode, file: string, kind: FileKind, detail: string): string {
  switch (code) {
    case "DISK_FULL":
      return `${file}: no space left on the disk (${detail}); make room, the node goes on by itself`;
    case "DAMAGED":
      return `${file} is damaged (${detail}); ${whatToDo(kind)}`;
    case "LOCKED":
      return `${file} is being written by another process (${detail}); stop that process`;
    case "CANNOT_OPEN":
      return `${file} cannot be opened for this (${detail}); check that it exists and who may read and write it and its directory`;
    default:
      return `${file}: reading or writing failed (${detail}); check the disk and the system log`;
  }
}

/** Any thrown value as a StorageError about `file`; one that is already passes unchanged. */
export function toStorageError(error: unknown, file: string, kind: FileKind): StorageError {
  if (error instanceof StorageError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const sqliteCode =
    error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "no code";
  const code = classify(sqliteCode);
  return new StorageError(code, file, describe(code, file, kind, `${sqliteCode}: ${message}`), { cause: error });
}

/** True for what passes by itself: room appears, another process lets go. */
export function isRetryable(error: StorageError): boolean {
  return error.code === "DISK_FULL" || error.code === "LOCKED";
}

/** A StorageError as plain data for a message between threads. */
export interface PlainStorageError {
  readonly code: StorageErrorCode;
  readonly file: string;
  readonly message: string;
}

export function toPlain(error: StorageError): PlainStorageError {
  return { code: error.code, file: error.file, message: error.message };
}

export function fromPlain(plain: PlainStorageError): StorageError {
  return new StorageError(plain.code, plain.file, plain.message);
}

/** What `open` gives; undefined when it cannot be opened. Derived databases may be missing: a node rebuilds them. */
export function ifThere<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    if (error instanceof StorageError && error.code === "CANNOT_OPEN") return undefined;
    throw error;
  }
}

/** What `work` gives; whatever it throws is thrown as a StorageError about `file`. */
export function asStorage<T>(file: string, kind: FileKind, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toStorageError(error, file, kind);
  }
}
