/**
 * chain.db's tables, and the only place that makes one.
 *
 *  blocks       every block of every branch, appended in the order written; `crc` covers all other columns
 *  chain        height -> block of the irreversible chain. A mapping of its own and not a flag in `blocks`,
 *               because changing a flag would rewrite a row of up to 4 MiB
 *  reversible   the blocks not in `chain`: few, so that what an advance deletes is found at once
 *  certificates one for each advance of the irreversible block
 *  producers    one for each change of the irreversible chain's producer sets, by the height from which they judge
 *  pointer      the last irreversible block;  record: the vote record. One row each
 *  evidence     against producers, one piece of each kind: as many rows as there are producers, times three
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { packChainWrite, unpackChainWrite } from "./chainMessage.ts";
import { ChainTables } from "./chainTables.ts";
import { openWriter } from "./connection.ts";
import type { Connection, WriterSettings } from "./connection.ts";
import { toStorageError } from "./errors.ts";
import { StorageError } from "./types.ts";
import type { StoredBlock, StoredIrreversible } from "./types.ts";

export const CHAIN_FORMAT_VERSION = 2;

/** "CAIR", so that `file` and other tools can tell. */
const APPLICATION_ID = 0x43414952;

/** Pages of 8 KiB: a 1 MiB body is written in half the calls of the default size, a vote costs 16 KiB at most. */
export const CHAIN_WRITER: WriterSettings = { durable: true, pageBytes: 8_192, cacheBytes: 4 * 1024 * 1024 };

const SCHEMA = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE record (one INTEGER PRIMARY KEY CHECK (one = 1), bytes BLOB NOT NULL, sha256 BLOB NOT NULL);
CREATE TABLE pointer (one INTEGER PRIMARY KEY CHECK (one = 1), height INTEGER NOT NULL, id BLOB NOT NULL,
  certificate BLOB NOT NULL, frontier BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE blocks (number INTEGER PRIMARY KEY, height INTEGER NOT NULL, crc INTEGER NOT NULL, id BLOB NOT NULL,
  parent BLOB NOT NULL, header BLOB NOT NULL, signature BLOB NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX blocks_id ON blocks (id);
CREATE TABLE chain (height INTEGER PRIMARY KEY, block INTEGER NOT NULL);
CREATE TABLE reversible (height INTEGER NOT NULL, block INTEGER NOT NULL, PRIMARY KEY (height, block)) WITHOUT ROWID;
CREATE TABLE certificates (height INTEGER PRIMARY KEY, id BLOB NOT NULL, certificate BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE producers (height INTEGER PRIMARY KEY, proven INTEGER NOT NULL, sets BLOB NOT NULL, crc INTEGER NOT NULL);
`;

/** Of `blocks`. */
export interface BlockRow {
  readonly number: number;
  readonly height: number;
  readonly crc: number;
  readonly id: Buffer;
  readonly parent: Buffer;
  readonly header: Buffer;
  readonly signature: Buffer;
  readonly body: Buffer;
}

/** Directories that were made before it get it when a node starts on them. */
const EVIDENCE_TABLE = `CREATE TABLE IF NOT EXISTS evidence (producer BLOB NOT NULL, kind TEXT NOT NULL, bytes BLOB NOT NULL,
  crc INTEGER NOT NULL, PRIMARY KEY (producer, kind))`;

export function chainFile(dir: string): string {
  return join(dir, "chain.db");
}

export interface NewChain {
  /** 64 hex digits: the hash of the genesis file. */
  readonly chainId: string;
  /** The first vote record, encoded. Undefined: it counts as lost, and the node that starts promises nothing. */
  readonly record?: Uint8Array;
  /** The genesis block, or what a snapshot starts from. */
  readonly blocks?: readonly StoredBlock[];
  readonly irreversible?: StoredIrreversible;
}

/**
 * Makes DIR/chain.db with its vote record, where that is not lost. Nothing else ever makes either: a node that starts and finds none
 * must not take itself for new, it may have voted. The file appears whole or not at all. Throws CANNOT_OPEN
 * when there is one already.
 */
export function createChainDatabase(dir: string, start: NewChain): void {
  const file = chainFile(dir);
  if (existsSync(file)) {
    throw new StorageError("CANNOT_OPEN", file, `${file} exists already; choose an empty directory`);
  }
  const unfinished = `${file}.new`;
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(unfinished + suffix, { force: true });
  try {
    const connection = openWriter(unfinished, CHAIN_WRITER);
    try {
      fill(connection, start);
    } finally {
      connection.close(); // the last connection: moves the log into the file and deletes it
    }
    syncPath(unfinished);
    renameSync(unfinished, file);
    syncPath(dir);
  } catch (error) {
    throw toStorageError(error, file, "chain");
  }
}

function fill(connection: Connection, start: NewChain): void {
  connection.exec("BEGIN IMMEDIATE");
  connection.exec(SCHEMA);
  addLaterTables(connection);
  connection.pragma(`application_id = ${APPLICATION_ID}`);
  const putMeta = connection.prepare("INSERT INTO meta (key, value) VALUES (?, ?)");
  putMeta.run("format", CHAIN_FORMAT_VERSION);
  putMeta.run("chainId", start.chainId);
  const { record, blocks = [], irreversible } = start;
  const first = { token: 0, blocks, ...(record && { record }), ...(irreversible && { irreversible }) };
  new ChainTables(connection).write(unpackChainWrite(packChainWrite(first)));
  connection.exec("COMMIT");
}

/** What the first version of the schema had not. */
export function addLaterTables(connection: Connection): void {
  connection.exec(EVIDENCE_TABLE);
}

/** Is there a table of evidence? Not in a directory of an earlier version on which no node has started since. */
export function hasEvidence(connection: Connection): boolean {
  return connection.prepare("SELECT 1 FROM sqlite_master WHERE name = 'evidence'").get() !== undefined;
}

/** fsync of a file or directory by path; Windows cannot open directories and needs no such sync. */
function syncPath(path: string): void {
  if (process.platform === "win32") return;
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

export interface ChainIdentity {
  readonly formatVersion: number;
  readonly chainId: string;
}

/** Reads format and chain id. Throws WRONG_FORMAT for another format or, when `chainId` is given, another chain. */
export function readChainIdentity(connection: Connection, file: string, chainId?: string): ChainIdentity {
  const application = connection.pragma("application_id", { simple: true });
  if (application !== APPLICATION_ID) {
    throw new StorageError("WRONG_FORMAT", file, `${file} is a SQLite database, but not one of this program`);
  }
  const get = connection.prepare<[string], unknown>("SELECT value FROM meta WHERE key = ?").pluck();
  const formatVersion = Number(get.get("format"));
  if (formatVersion !== CHAIN_FORMAT_VERSION) {
    throw new StorageError(
      "WRONG_FORMAT",
      file,
      `${file} has format ${formatVersion}, this program reads ${CHAIN_FORMAT_VERSION}; use the version that wrote it`,
    );
  }
  const found = String(get.get("chainId"));
  if (chainId !== undefined && found !== chainId) {
    throw new StorageError(
      "WRONG_FORMAT",
      file,
      `${file} belongs to chain ${found}, the genesis file to ${chainId}; put the right genesis.json beside it`,
    );
  }
  return { formatVersion, chainId: found };
}
