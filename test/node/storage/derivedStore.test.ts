import Database from "better-sqlite3";
import { execFileSync } from "node:child_process";
import { rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DerivedStore } from "../../../src/node/storage/derivedStore.ts";
import { IndexReader } from "../../../src/node/storage/indexReader.ts";
import { StateReader } from "../../../src/node/storage/stateReader.ts";
import { blockId, openDerived, removeDirectory, temporaryDirectory } from "./fixtures.ts";
import { FLUSH_ENTRIES } from "../../../src/node/storage/transactionIndex.ts";
import type { Told } from "./fixtures.ts";
import { derivedWrite, expectStateConsistent, transactionId, transactionIds } from "./sequence.ts";

let dir: string;
let store: DerivedStore;
let told: Told;

beforeEach(async () => {
  dir = temporaryDirectory();
  ({ store, told } = await openDerived(dir));
});
afterEach(async () => {
  await store.close();
  removeDirectory(dir);
});

async function applyUpTo(height: number): Promise<void> {
  for (let next = (store.appliedHeight() ?? 0) + 1; next <= height; next++) store.apply(derivedWrite(next));
  await told.until(height);
}

async function reopen(): Promise<void> {
  await store.close();
  ({ store, told } = await openDerived(dir));
}

test("new files: nothing is applied, not even a genesis; the index waits for height 1", () => {
  expect(store.applied()).toBeUndefined();
  expect(store.appliedHeight()).toBeUndefined();
  expect(store.indexedHeight()).toBe(0);
});

test("a run is visible as a whole when onApplied comes, and after reopening", async () => {
  await applyUpTo(120);
  expect(expectStateConsistent(store)).toBe(120);
  await reopen();
  expect(expectStateConsistent(store)).toBe(120);
  expect(store.indexedHeight()).toBe(120);
});

test("the genesis state can be applied at height 0", async () => {
  store.apply({ height: 0, id: blockId(0), changes: [{ key: Buffer.from("a"), value: Buffer.from("1") }], blocks: [] });
  await told.until(0);
  expect(store.applied()).toEqual({ height: 0, id: blockId(0) });
  expect(store.get(Buffer.from("a"))?.toString()).toBe("1");
});

test("empty keys and values are kept apart from absent ones", async () => {
  const empty = new Uint8Array(0);
  store.apply({ height: 1, id: blockId(1), changes: [{ key: empty, value: empty }], blocks: [] });
  await told.until(1);
  expect(store.get(empty)).toHaveLength(0);
  expect(store.get(Uint8Array.of(0))).toBeUndefined();
});

test("queued runs share transactions", async () => {
  await applyUpTo(500);
  expect(told.commits.length).toBeLessThan(100);
  expect(told.commits.reduce((sum, commit) => sum + commit.writes, 0)).toBe(500);
});

test("heights must increase", async () => {
  await applyUpTo(3);
  expect(() => store.apply(derivedWrite(3))).toThrow(RangeError);
});

test("receipts below the first height kept are deleted", async () => {
  await applyUpTo(9);
  store.apply({ ...derivedWrite(10), firstHeight: 5 });
  await told.until(10);
  expect([4, 5].map((height) => store.receipts(height)?.toString())).toEqual([undefined, "receipts 5"]);
});

test("a lookup finds transactions handed over before it, still in memory or flushed, and no others", async () => {
  store.apply(derivedWrite(1));
  expect(await store.lookup(transactionId(1, 1))).toEqual([{ height: 1, index: 1 }]);
  await store.flushIndex();
  expect(await store.lookup(transactionId(1, 1))).toEqual([{ height: 1, index: 1 }]);
  expect(await store.lookup(transactionId(2, 1))).toEqual([]);
});

test("a lookup waits for all that was handed over before it, however many transactions that takes", async () => {
  const large = [{ key: Buffer.from("large"), value: Buffer.alloc(9 * 1024 * 1024) }];
  for (let height = 1; height <= 4; height++) store.apply({ ...derivedWrite(height), changes: large });
  expect(await store.lookup(transactionId(4, 0))).toEqual([{ height: 4, index: 0 }]);
  expect(told.commits.length).toBeGreaterThan(1);
});

test("another process finds in index.db what was flushed", async () => {
  await applyUpTo(5);
  const reader = IndexReader.open(dir);
  expect(reader.height()).toBe(0);
  await store.flushIndex();
  expect(reader.height()).toBe(5);
  expect(reader.lookup(transactionId(4, 2))).toEqual([{ height: 4, index: 2 }]);
  reader.close();
});

test("an index that was deleted says from where to fill in, and catches up while new blocks are applied", async () => {
  await applyUpTo(50);
  await store.close();
  rmSync(join(dir, "index.db"));
  ({ store, told } = await openDerived(dir));
  expect(store.indexedHeight()).toBe(0);
  store.apply(derivedWrite(51));
  expect(store.indexedHeight()).toBe(0);
  const blocks = Array.from({ length: 51 }, (_, i) => ({ height: i + 1, transactionIds: transactionIds(i + 1) }));
  store.fillIndex(blocks.slice(0, 30));
  store.fillIndex(blocks.slice(20));
  store.apply(derivedWrite(52));
  expect(store.indexedHeight()).toBe(52);
  for (const height of [1, 29, 30, 31, 51, 52]) {
    expect(await store.lookup(transactionId(height, 0))).toEqual([{ height, index: 0 }]);
  }
});

test("with the index switched off index.db is not made, lookups are empty; switched on later it fills in", async () => {
  const other = temporaryDirectory();
  const off = await openDerived(other, { index: false });
  off.store.apply(derivedWrite(1));
  await off.told.until(1);
  expect(off.store.indexedHeight()).toBeUndefined();
  expect(await off.store.lookup(transactionId(1, 0))).toEqual([]);
  expect(statSync(join(other, "index.db"), { throwIfNoEntry: false })).toBeUndefined();
  await off.store.close();
  const on = await openDerived(other);
  expect(on.store.indexedHeight()).toBe(0);
  await on.store.close();
  removeDirectory(other);
});

test("makeDurable tells the height that is safe against power loss, and syncs the log to get there", async () => {
  expect(await store.makeDurable()).toBeUndefined();
  await applyUpTo(7);
  const logBytes = statSync(join(dir, "state.db-wal")).size;
  expect(await store.makeDurable()).toBe(7);
  expect(statSync(join(dir, "state.db-wal")).size).toBeGreaterThan(logBytes);
});

test("a deleted state.db starts again from nothing while the index stays", async () => {
  await applyUpTo(5);
  await store.close();
  rmSync(join(dir, "state.db"));
  ({ store, told } = await openDerived(dir));
  expect(store.applied()).toBeUndefined();
  expect(store.indexedHeight()).toBe(5);
  expect(await store.lookup(transactionId(3, 0))).toHaveLength(1);
});

for (const name of ["state.db", "index.db"]) {
  test(`a damaged or truncated ${name} cannot be opened and says that deleting it is the cure`, async () => {
    await applyUpTo(60);
    await store.close();
    const file = join(dir, name);
    truncateSync(file, statSync(file).size >> 1);
    const cure = expect.stringContaining("delete this file") as string;
    await expect(openDerived(dir)).rejects.toMatchObject({ code: "TRUNCATED", file, message: cure });
    writeFileSync(file, Buffer.alloc(10_000, 3));
    await expect(openDerived(dir)).rejects.toMatchObject({ code: "DAMAGED", file, message: cure });
    rmSync(file);
    ({ store, told } = await openDerived(dir));
  });
}

test("files whose making was interrupted by a crash are new files", async () => {
  await store.close();
  for (const name of ["state.db", "index.db"]) {
    writeFileSync(join(dir, name), "");
    if (name === "index.db") new Database(join(dir, name)).pragma("journal_mode = WAL");
  }
  ({ store, told } = await openDerived(dir));
  expect(store.applied()).toBeUndefined();
  await applyUpTo(3);
  expect(await store.lookup(transactionId(2, 1))).toEqual([{ height: 2, index: 1 }]);
});

test("damage to index.db while running switches the index off, is told, and stops nothing else", async () => {
  await applyUpTo(10);
  await store.flushIndex();
  const connection = new Database(join(dir, "index.db"));
  connection.exec("DROP TABLE pages");
  connection.close();
  const [block] = derivedWrite(11).blocks;
  store.apply({ ...derivedWrite(11), blocks: [{ ...block!, transactionIds: Buffer.alloc(32 * FLUSH_ENTRIES, 7) }] });
  const file = join(dir, "index.db");
  expect(await told.nextIndexLoss()).toMatchObject({ file });
  await applyUpTo(30);
  expect(expectStateConsistent(store)).toBe(30);
  await expect(store.lookup(transactionId(5, 0))).rejects.toMatchObject({ file });
  expect(told.failures).toEqual([]);
});

test("another chain's state.db is refused", async () => {
  await store.close();
  await expect(openDerived(dir, { chainId: "cd".repeat(32) })).rejects.toMatchObject({ code: "WRONG_FORMAT" });
  ({ store, told } = await openDerived(dir));
});

test("a tool reads the state while the node writes it", async () => {
  const reader = StateReader.open(dir);
  await applyUpTo(3);
  expect(expectStateConsistent(reader)).toBe(3);
  await applyUpTo(4);
  expect(expectStateConsistent(reader)).toBe(4);
  reader.close();
});

test("the sqlite3 command reads both files", async (context) => {
  await applyUpTo(60);
  await store.flushIndex();
  try {
    execFileSync("sqlite3", ["--version"]);
  } catch {
    context.skip("no sqlite3 command on this machine");
  }
  const run = (name: string, sql: string) =>
    execFileSync("sqlite3", [join(dir, name), sql], { encoding: "utf8" }).trim();
  expect(run("state.db", "PRAGMA integrity_check; SELECT height FROM applied")).toBe("ok\n60");
  expect(run("index.db", "PRAGMA integrity_check; SELECT sum(entries) FROM segments")).toBe("ok\n180");
});
