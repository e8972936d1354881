/**
 * What can be told about a database file before SQLite sees it, from its first hundred bytes and its size:
 * whether it is one, and whether its end is missing.
 *
 * Closing any descriptor of a file drops every POSIX lock the process has on it, SQLite's included; another
 * process could then take itself for the last user and delete the write-ahead log under us. So a file that
 * this process has open through SQLite is never read directly: `markOpen` and `markClosed` keep the list.
 */
import { closeSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { whatToDo } from "./errors.ts";
import type { FileKind } from "./errors.ts";
import { StorageError } from "./types.ts";

const HEADER_BYTES = 100;
const MAGIC = "SQLite format 3\0";
const WAL_HEADER_BYTES = 32;
const WAL_FRAME_HEADER_BYTES = 24;

const openCounts = new Map<string, number>();

/** To be called before a connection is opened; `markClosed` after it is closed. */
export function markOpen(file: string): void {
  const path = realpathSync(file);
  openCounts.set(path, (openCounts.get(path) ?? 0) + 1);
}

export function markClosed(file: string): void {
  const path = resolvedOrSelf(file);
  const count = (openCounts.get(path) ?? 1) - 1;
  if (count > 0) openCounts.set(path, count);
  else openCounts.delete(path);
}

function resolvedOrSelf(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file; // deleted meanwhile: nothing left to protect
  }
}

/** Size in bytes, or undefined when there is no such file. Does not open it. */
export function fileBytes(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size;
}

/**
 * Throws TRUNCATED when pages that the header counts are neither in the file nor possibly in the write-ahead
 * log beside it, DAMAGED when the file is no SQLite database. A missing file is the caller's matter.
 */
export function checkDatabaseFile(file: string, kind: FileKind): void {
  if (openCounts.has(realpathSync(file))) return; // whoever opened it has checked it
  if ((fileBytes(`${file}-journal`) ?? 0) > 0) return; // its making was interrupted: SQLite undoes it first
  const header = readHeader(file);
  if (header.length < HEADER_BYTES) throw truncated(file, kind, header.length, HEADER_BYTES);
  if (header.toString("latin1", 0, MAGIC.length) !== MAGIC) {
    throw new StorageError("DAMAGED", file, `${file} is not a SQLite database; ${whatToDo(kind)}`);
  }
  const rawPageSize = header.readUInt16BE(16);
  const pageBytes = rawPageSize === 1 ? 65_536 : rawPageSize;
  // The page count is valid only if it was written by the last change (SQLite file format, 1.3.7).
  const countIsValid = header.readUInt32BE(24) === header.readUInt32BE(92);
  if (!countIsValid || pageBytes < 512) return;
  const expectedBytes = header.readUInt32BE(28) * pageBytes;
  const presentBytes = fileBytes(file) ?? 0;
  const logBytes = Math.max(0, (fileBytes(`${file}-wal`) ?? 0) - WAL_HEADER_BYTES);
  const loggedPages = Math.floor(logBytes / (pageBytes + WAL_FRAME_HEADER_BYTES));
  // A crash inside a checkpoint leaves a short file whose missing pages are all in the log.
  if (presentBytes + loggedPages * pageBytes < expectedBytes) throw truncated(file, kind, presentBytes, expectedBytes);
}

function truncated(file: string, kind: FileKind, presentBytes: number, expectedBytes: number): StorageError {
  const sizes = `${presentBytes} bytes where ${expectedBytes} are expected`;
  return new StorageError("TRUNCATED", file, `${file} is truncated (${sizes}); ${whatToDo(kind)}`);
}

function readHeader(file: string): Buffer {
  const descriptor = openSync(file, "r");
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    return header.subarray(0, readSync(descriptor, header, 0, HEADER_BYTES, 0));
  } finally {
    closeSync(descriptor);
  }
}
