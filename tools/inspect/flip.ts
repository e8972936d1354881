/** One changed bit in a row of a node's databases: what verification is tested with. */
import type Database from "better-sqlite3";
import { checksum, evidenceChecksum, recordChecksum } from "../../src/node/storage/chainChecksum.ts";

/** Columns that name a row of each table. */
const PRIMARY_KEY = {
  meta: ["key"],
  record: ["one"],
  pointer: ["one"],
  blocks: ["number"],
  chain: ["height"],
  reversible: ["height", "block"],
  certificates: ["height"],
  evidence: ["producer", "kind"],
  state: ["key"],
  receipts: ["height"],
  applied: ["one"],
  segments: ["segment"],
  pages: ["number"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Table = keyof typeof PRIMARY_KEY;
export type Value = Buffer | number | string;
export type Row = Record<string, Value>;

export interface Flip {
  readonly table: Table;
  /** SQL that the row fulfils; the first one that does is taken. */
  readonly where: string;
  readonly column: string;
  /** Of a number 0 is the lowest bit, of bytes and text the lowest of the first byte; one in the middle unless told. */
  readonly bit?: number;
}

/** The row as it was and as it is, and the way back. */
export interface Flipped {
  readonly before: Row;
  readonly after: Row;
  readonly undo: (database: Database.Database) => void;
}

/** Changes the row; with `fixed` also its checksum, as somebody who wants to deceive would. */
export function flipBit(database: Database.Database, { table, where, column, bit }: Flip, fixed = false): Flipped {
  const before = database.prepare<[], Row>(`SELECT * FROM ${table} WHERE ${where} LIMIT 1`).get();
  const value = before?.[column];
  if (before === undefined || value === undefined) throw new Error(`${table}: no ${column} where ${where}`);
  const changed: Row = { ...before, [column]: flipped(value, bit) };
  const after = fixed ? { ...changed, ...checksumOf(table, changed) } : changed;
  replaceRow(database, table, before, after);
  return { before, after, undo: (again) => replaceRow(again, table, after, before) };
}

function replaceRow(database: Database.Database, table: Table, from: Row, to: Row): void {
  const columns = Object.keys(to).filter((name) => to[name] !== from[name]);
  const key = PRIMARY_KEY[table];
  database
    .prepare(
      `UPDATE ${table} SET ${columns.map((name) => `${name} = ?`).join(", ")} WHERE ${key.map((name) => `${name} = ?`).join(" AND ")}`,
    )
    .run(...columns.map((name) => to[name] as Value), ...key.map((name) => from[name] as Value));
}

function flipped(value: Value, bit: number | undefined): Value {
  if (typeof value === "number") return value ^ (1 << (bit ?? 1));
  const bytes = Buffer.from(value); // a copy
  // The lowest bit of text leaves letters letters.
  const at = bit ?? 8 * (bytes.length >> 1) + (typeof value === "string" ? 0 : 3);
  bytes[at >> 3]! ^= 1 << (at & 7);
  return typeof value === "string" ? bytes.toString("latin1") : bytes;
}

function checksumOf(table: Table, row: Row): Row {
  if (table === "evidence") {
    const [producer, kind, bytes] = [row["producer"], Buffer.from(row["kind"] as string, "latin1"), row["bytes"]];
    return { crc: evidenceChecksum(producer as Buffer, kind, bytes as Buffer) };
  }
  if (table === "record") return { sha256: recordChecksum(row["bytes"] as Buffer) };
  const parts = {
    blocks: ["id", "parent", "header", "signature", "body"],
    certificates: ["id", "certificate"],
    pointer: ["id", "certificate", "frontier"],
  }[table as "blocks" | "certificates" | "pointer"];
  if (parts === undefined) return {};
  return { crc: checksum(row["height"] as number, ...parts.map((part) => row[part] as Buffer)) };
}
