/**
 * state.db: the application's keys and values, receipts by height, and the height that both stand at, all
 * changed in one transaction. Pages of 4 KiB: a run touches random keys, and each costs its page.
 */
import { join } from "node:path";
import type { Connection } from "./connection.ts";
import type { PackedDerivedWrite } from "./derivedMessage.ts";
import type { DerivedFormat } from "./derivedFile.ts";

export const STATE_FORMAT: DerivedFormat = {
  applicationId: 0x43414953, // "CAIS"
  version: 1,
  schema: `
CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE receipts (height INTEGER PRIMARY KEY, receipts BLOB NOT NULL);
CREATE TABLE applied (one INTEGER PRIMARY KEY CHECK (one = 1), height INTEGER NOT NULL, id TEXT NOT NULL);
INSERT INTO meta (key, value) VALUES ('syncs', 0);
`,
  writer: { durable: false, pageBytes: 4_096, cacheBytes: 16 * 1024 * 1024 },
};

export function stateFile(dir: string): string {
  return join(dir, "state.db");
}

export class StateTables {
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(connection: Connection) {
    this.#statements = prepareStatements(connection);
  }

  /** Inside the caller's transaction. */
  write(write: PackedDerivedWrite): void {
    if (write.id === undefined) return;
    const { put, remove, putReceipts, pruneReceipts, putApplied } = this.#statements;
    for (const { key, value } of write.changes()) {
      if (value === null) remove.run(key);
      else put.run(key, value);
    }
    for (const { height, receipts } of write.receipts) putReceipts.run(height, receipts);
    if (write.firstHeight !== undefined) pruneReceipts.run(write.firstHeight);
    putApplied.run(write.height, write.id);
  }
}

function prepareStatements(connection: Connection) {
  return {
    put: connection.prepare(
      "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    ),
    remove: connection.prepare("DELETE FROM state WHERE key = ?"),
    putReceipts: connection.prepare("INSERT OR REPLACE INTO receipts (height, receipts) VALUES (?, ?)"),
    pruneReceipts: connection.prepare("DELETE FROM receipts WHERE height < ?"),
    putApplied: connection.prepare("INSERT OR REPLACE INTO applied (one, height, id) VALUES (1, ?, ?)"),
  };
}
