/**
 * What state.db and index.db have in common: made by opening them, marked with format and chain, thrown away
 * rather than repaired, because chain.db holds all they are made from.
 */
import { openReader, openWriter } from "./connection.ts";
import type { Connection, WriterSettings } from "./connection.ts";
import { toStorageError, whatToDo } from "./errors.ts";
import { checkDatabaseFile, fileBytes } from "./fileCheck.ts";
import { StorageError } from "./types.ts";

/** One kind of derived file: its tables, its mark in `PRAGMA application_id` and the version of its format. */
export interface DerivedFormat {
  readonly applicationId: number;
  readonly version: number;
  readonly schema: string;
  readonly writer: WriterSettings;
}

/** Checks a file that exists. Throws TRUNCATED or DAMAGED. An empty one is new: a crash stopped its making. */
export function checkDerivedFile(file: string): void {
  try {
    if ((fileBytes(file) ?? 0) > 0) checkDatabaseFile(file, "derived");
  } catch (error) {
    throw toStorageError(error, file, "derived");
  }
}

/** Opens for writing, making tables when the file is new. Throws StorageError. */
export function openDerivedWriter(file: string, format: DerivedFormat, chainId: string): Connection {
  let connection: Connection | undefined;
  try {
    connection = openWriter(file, format.writer);
    if (isEmpty(connection)) makeTables(connection, format, chainId);
    checkFormat(connection, file, format, chainId);
    return connection;
  } catch (error) {
    connection?.close();
    throw toStorageError(error, file, "derived");
  }
}

/** Opens for reading. Throws StorageError: CANNOT_OPEN when there is no file, WRONG_FORMAT, DAMAGED. */
export function openDerivedReader(
  file: string,
  format: DerivedFormat,
  cacheBytes: number,
  chainId?: string,
): Connection {
  let connection: Connection | undefined;
  try {
    connection = openReader(file, cacheBytes);
    checkFormat(connection, file, format, chainId);
    return connection;
  } catch (error) {
    connection?.close();
    throw toStorageError(error, file, "derived");
  }
}

function isEmpty(connection: Connection): boolean {
  return connection.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
}

function makeTables(connection: Connection, format: DerivedFormat, chainId: string): void {
  connection.exec("BEGIN IMMEDIATE");
  connection.exec("CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID");
  connection.exec(format.schema);
  connection.pragma(`application_id = ${format.applicationId}`);
  const putMeta = connection.prepare("INSERT INTO meta (key, value) VALUES (?, ?)");
  putMeta.run("format", format.version);
  putMeta.run("chainId", chainId);
  connection.exec("COMMIT");
}

function checkFormat(connection: Connection, file: string, format: DerivedFormat, chainId: string | undefined): void {
  const application = connection.pragma("application_id", { simple: true });
  if (application !== format.applicationId) throw wrongFormat(file, "it is no such file of this program");
  const get = connection.prepare<[string], unknown>("SELECT value FROM meta WHERE key = ?").pluck();
  const version = Number(get.get("format"));
  if (version !== format.version) throw wrongFormat(file, `it has format ${version}, this program ${format.version}`);
  const found = String(get.get("chainId"));
  if (chainId !== undefined && found !== chainId)
    throw wrongFormat(file, `it belongs to chain ${found}, not ${chainId}`);
}

function wrongFormat(file: string, why: string): StorageError {
  return new StorageError("WRONG_FORMAT", file, `${file} cannot be used (${why}); ${whatToDo("derived")}`);
}
