/** `inspect verify` on a small chain, whole and with one thing changed. */
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { runBitFlips } from "../../tools/inspect/bitFlips.ts";
import type { FaultKind } from "../../tools/inspect/fault.ts";
import { flipBit, type Table } from "../../tools/inspect/flip.ts";
import { chainGenesis, makeChain, SMALL_CHAIN } from "../../tools/inspect/makeChain.ts";
import type { Report } from "../../tools/inspect/verification.ts";
import { verifyDirectory } from "../../tools/inspect/verifyDirectory.ts";

const root = mkdtempSync(join(tmpdir(), "cairn-inspect-verify-"));
const original = join(root, "original");
let copies = 0;

beforeAll(() => makeChain(original, SMALL_CHAIN));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function verify(dir: string): Promise<Report> {
  return verifyDirectory(dir, chainGenesis(), createKvApplication(), () => undefined);
}

/** Verifies a copy in which one row was changed. */
async function afterChange(file: string, change: (database: Database.Database) => void): Promise<Report> {
  const dir = join(root, `copy${copies++}`);
  cpSync(original, dir, { recursive: true });
  const database = new Database(join(dir, file));
  change(database);
  database.close();
  const report = await verify(dir);
  rmSync(dir, { recursive: true });
  return report;
}

/** Changes a column of one row; with `fixed`, also the checksum, as somebody who wants to deceive would. */
function changeRow(table: Table, where: string, column: string, fixed: boolean, bit?: number) {
  return (database: Database.Database): void =>
    void flipBit(database, { table, where, column, ...(bit !== undefined && { bit }) }, fixed);
}

test("a whole chain verifies, every kind of thing counted", async () => {
  expect(await verify(original)).toEqual({
    ok: true,
    blocks: 20,
    transactions: 100,
    // One a block, one a transaction, two a certificate, two of the pointer's certificate.
    signatures: 22 + 110 + 10 + 2,
    certificates: 6,
    certifiedHeight: 20,
    stateHeight: 20,
    stateRows: 100,
    indexHeight: 20,
    indexEntries: 100,
    reversible: 2,
  });
});

describe("one flipped bit, with its checksum made right again, is named", () => {
  const cases: [Table, string, string, FaultKind, object][] = [
    ["blocks", "height = 7", "header", "header", { height: 7 }],
    ["blocks", "height = 7", "signature", "signature", { height: 7 }],
    ["blocks", "height = 7", "body", "body", { height: 7 }],
    ["blocks", "height = 7", "parent", "block row", { height: 7 }],
    ["blocks", "height = 7", "id", "block id", { height: 7 }],
    ["blocks", "height = 7", "height", "block row", { height: 5 }],
    ["blocks", "height = 22", "header", "header", { height: 22 }],
    ["blocks", "height = 22", "signature", "signature", { height: 22 }],
    ["certificates", "height = 8", "certificate", "certificate", { height: 8 }],
    ["certificates", "height = 8", "id", "certificate", { height: 8 }],
    ["pointer", "one = 1", "id", "irreversible pointer", { height: 20 }],
    ["pointer", "one = 1", "height", "irreversible pointer", { height: 22 }],
    ["pointer", "one = 1", "certificate", "irreversible pointer", { height: 20 }],
    ["pointer", "one = 1", "frontier", "frontier", { height: 20 }],
    ["record", "one = 1", "bytes", "vote record", {}],
  ];
  test.each(cases)("%s where %s, %s: %s", async (table, where, column, kind, place) => {
    const report = await afterChange("chain.db", changeRow(table, where, column, true));
    expect(report.ok).toBe(false);
    expect(report.fault).toMatchObject({ kind, ...place });
  });
});

test("one bit of each column of each table is named, and where it is", async () => {
  const { before, results, after } = await runBitFlips(original, () => undefined);
  expect(results.filter(({ isExact }) => !isExact)).toEqual([]);
  expect(results.length).toBe(40);
  expect([before.ok, after]).toEqual([true, before]);
});

test("a checksum that is wrong alone is told as that", async () => {
  const report = await afterChange("chain.db", (database) =>
    database.exec("UPDATE blocks SET crc = crc + 1 WHERE height = 7"),
  );
  expect(report.fault).toMatchObject({ kind: "block row", height: 7, detail: expect.stringContaining("checksum") });
});

describe("derived databases are compared with the chain executed again", () => {
  const key = (name: string): Buffer => Buffer.from(`key ${name}`);

  test("receipts: the first block and receipt that differ", async () => {
    const report = await afterChange("state.db", changeRow("receipts", "height = 9", "receipts", false));
    expect(report.fault).toMatchObject({ kind: "receipts", height: 9, index: expect.any(Number) });
    const missing = await afterChange("state.db", (database) =>
      database.exec("DELETE FROM receipts WHERE height = 10"),
    );
    expect(missing.fault).toMatchObject({ kind: "receipts", height: 10, detail: "they are missing" });
  });

  test("state rows: another value, another key, one too few, one too many", async () => {
    const change = (sql: string, ...values: unknown[]) =>
      afterChange("state.db", (database) => void database.prepare(sql).run(...values));
    const fault = { kind: "state row", height: 20 };
    const value = await change(
      "UPDATE state SET value = CAST(substr(value, 1, 3) || x'55' || substr(value, 5) AS BLOB) WHERE key = ?",
      key("4.2"),
    );
    expect(value.fault).toMatchObject({
      ...fault,
      key: key("4.2").toString("hex"),
      expected: expect.any(String),
      found: expect.any(String),
    });
    const moved = await change("UPDATE state SET key = ? WHERE key = ?", key("4.3x"), key("4.2"));
    expect(moved.fault).toMatchObject({ ...fault, key: key("4.2").toString("hex"), detail: "it is missing" });
    const typed = await change("UPDATE state SET value = CAST(value AS TEXT) WHERE key = ?", key("4.2"));
    expect(typed.fault).toMatchObject({ ...fault, detail: "it has a column of another type" });
    const fewer = await change("DELETE FROM state WHERE key = ?", key("9.4"));
    expect(fewer.fault).toMatchObject({ ...fault, key: key("9.4").toString("hex"), detail: "it is missing" });
    const more = await change("INSERT INTO state (key, value) VALUES (?, x'01')", key("9.9"));
    expect(more.fault).toMatchObject({
      ...fault,
      key: key("9.9").toString("hex"),
      detail: "the chain wrote no such key",
    });
  });

  test("the height and block that the state says it is of", async () => {
    const change = (sql: string) => afterChange("state.db", (database) => database.exec(sql));
    expect((await change("UPDATE applied SET height = 16")).fault).toMatchObject({ kind: "state", height: 16 });
    expect((await change("UPDATE applied SET height = 24")).fault).toMatchObject({ kind: "state", found: "24" });
    expect((await change("UPDATE applied SET id = replace(id, 'a', 'b')")).fault).toMatchObject({
      kind: "state",
      height: 20,
    });
  });

  test("index entries: prefix, position, fence, one too few", async () => {
    const flip = (table: Table, column: string, byte: number) =>
      afterChange(
        "index.db",
        changeRow(table, "rowid = (SELECT min(rowid) FROM " + table + ")", column, false, 8 * byte),
      );
    expect((await flip("pages", "entries", 16 * 5 + 4)).fault).toMatchObject({
      kind: "index entry",
      index: expect.any(Number),
    });
    expect((await flip("pages", "entries", 16 * 5 + 12)).fault).toMatchObject({
      kind: "index entry",
      index: expect.any(Number),
    });
    expect((await flip("segments", "fences", 0)).fault).toMatchObject({
      kind: "index",
      detail: expect.stringContaining("fence"),
    });
    const fewer = await afterChange("index.db", (database) => {
      database.exec(
        "UPDATE pages SET entries = CAST(substr(entries, 17) AS BLOB); UPDATE segments SET entries = entries - 1",
      );
      database.exec("UPDATE segments SET fences = (SELECT substr(entries, 1, 4) FROM pages)");
    });
    expect(fewer.fault).toMatchObject({ kind: "index entry", detail: expect.stringContaining("is not in the index") });
  });
});
