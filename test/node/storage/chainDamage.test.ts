import Database from "better-sqlite3";
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ChainReader } from "../../../src/node/storage/chainReader.ts";
import type { StorageError } from "../../../src/node/storage/types.ts";
import { block, blockId, CHAIN_ID, irreversible, makeChain, openChain, removeDirectory } from "./fixtures.ts";

let dir: string;
let file: string;
const COUNT = 40;

beforeEach(async () => {
  dir = makeChain();
  file = join(dir, "chain.db");
  const { store } = await openChain(dir);
  const blocks = Array.from({ length: COUNT }, (_, i) => block(i + 1, "main", 5_000));
  store.persist({ token: 1, blocks, irreversible: irreversible(COUNT - 10) });
  await store.close();
});
afterEach(() => removeDirectory(dir));

/** Runs SQL on the closed file, as a fault would change it. */
function sql(text: string, ...parameters: unknown[]): void {
  const connection = new Database(file);
  connection.prepare(text).run(...parameters);
  connection.close();
}

function flipByteOf(column: string, height: number): void {
  const connection = new Database(file);
  const bytes = connection
    .prepare<[number], Buffer>(`SELECT ${column} FROM blocks WHERE height = ?`)
    .pluck()
    .get(height)!;
  bytes[bytes.length >> 1]! ^= 1;
  connection.prepare(`UPDATE blocks SET ${column} = ? WHERE height = ?`).run(bytes, height);
  connection.close();
}

for (const column of ["header", "signature", "body", "parent"]) {
  test(`one flipped bit in a block's ${column} is DAMAGED when read, naming height, id and file`, async () => {
    flipByteOf(column, 7);
    const { store } = await openChain(dir);
    const expected = expect.objectContaining({ code: "DAMAGED", height: 7, id: blockId(7), file }) as StorageError;
    expect(() => store.byHeight(7)).toThrow(expected);
    expect(() => store.byId(blockId(7))).toThrow(expected);
    expect(() => store.range(5, 10)).toThrow(expected);
    expect(store.byHeight(8)).toEqual(block(8, "main", 5_000));
    await store.close();
  });
}

test("a wrong height in a row is DAMAGED too", async () => {
  sql("UPDATE blocks SET height = 8 WHERE height = 7");
  const reader = ChainReader.open(dir);
  expect(() => reader.byHeight(7)).toThrow(expect.objectContaining({ code: "DAMAGED", height: 7 }));
  reader.close();
});

test("blocksAbove passes damaged blocks to the callback and goes on", async () => {
  flipByteOf("body", COUNT - 3);
  const { store } = await openChain(dir);
  const damaged: StorageError[] = [];
  const found = [...store.blocksAbove(COUNT - 10, (error) => damaged.push(error))];
  expect(found).toHaveLength(9);
  expect(damaged).toMatchObject([{ code: "DAMAGED", height: COUNT - 3, id: blockId(COUNT - 3) }]);
  expect(() => [...store.blocksAbove(COUNT - 10)]).toThrow(/checksum/);
  await store.close();
});

test("writing a damaged block again repairs it; an intact one stays as it is", async () => {
  flipByteOf("body", 7);
  const { store, told } = await openChain(dir);
  const otherSignature = { ...block(8, "main", 5_000), signature: Buffer.alloc(64, 9) };
  store.persist({ token: 1, blocks: [block(7, "main", 5_000), otherSignature] });
  await told.until(1);
  expect(store.byHeight(7)).toEqual(block(7, "main", 5_000));
  expect(store.byHeight(8)).toEqual(block(8, "main", 5_000));
  await store.close();
});

test("a damaged certificate is DAMAGED", async () => {
  sql("UPDATE certificates SET certificate = x'00'");
  const reader = ChainReader.open(dir);
  expect(() => reader.certificateFor(1)).toThrow(expect.objectContaining({ code: "DAMAGED", height: COUNT - 10 }));
  reader.close();
});

test("a damaged irreversible pointer is DAMAGED", async () => {
  sql("UPDATE pointer SET height = height + 1");
  const reader = ChainReader.open(dir);
  expect(() => reader.meta()).toThrow(expect.objectContaining({ code: "DAMAGED" }));
  reader.close();
});

test("a missing vote record is told by meta, and opening makes none", async () => {
  sql("DELETE FROM record");
  const { store } = await openChain(dir, CHAIN_ID);
  expect(store.meta().record).toEqual({ verdict: "missing" });
  await store.close();
  const reader = ChainReader.open(dir);
  expect(reader.meta().record).toEqual({ verdict: "missing" });
  reader.close();
});

test("a vote record that does not match its checksum is told as damaged", async () => {
  sql("UPDATE record SET bytes = ?", Buffer.from("record:1"));
  const { store } = await openChain(dir);
  expect(store.meta().record).toEqual({ verdict: "damaged" });
  await store.close();
});

for (const keptPart of [0, 0.001, 0.3, 0.9]) {
  test(`a file cut to ${keptPart * 100} % is TRUNCATED at opening, with what to do`, async () => {
    truncateSync(file, Math.floor(statSync(file).size * keptPart));
    const expected = {
      code: "TRUNCATED",
      file,
      message: expect.stringContaining("a producer never from a backup") as string,
    };
    await expect(openChain(dir)).rejects.toMatchObject(expected);
    expect(() => ChainReader.open(dir)).toThrow(expect.objectContaining(expected));
  });
}

test("a file without its last byte is TRUNCATED", async () => {
  const descriptor = openSync(file, "r+");
  ftruncateSync(descriptor, statSync(file).size - 1);
  closeSync(descriptor);
  await expect(openChain(dir)).rejects.toMatchObject({ code: "TRUNCATED" });
});

test("a file that is no database is DAMAGED, a database of another program WRONG_FORMAT", async () => {
  writeFileSync(file, Buffer.alloc(20_000, 7));
  await expect(openChain(dir)).rejects.toMatchObject({ code: "DAMAGED" });
  writeFileSync(file, "");
  removeDirectory(file);
  const other = new Database(file);
  other.exec("CREATE TABLE t (a)");
  other.close();
  await expect(openChain(dir)).rejects.toMatchObject({ code: "WRONG_FORMAT" });
});

test("random damage to the file's bytes never gives other bytes than were written", () => {
  const intact = readFileSync(file);
  let refused = 0;
  for (let round = 0; round < 30; round++) {
    const damaged = Buffer.from(intact);
    const at = (round * 7_919 * 97) % damaged.length;
    damaged.fill(round + 1, at, at + 300);
    writeFileSync(file, damaged);
    for (let height = 0; height <= COUNT - 10; height++) refused += readsRight(height) ? 0 : 1;
  }
  expect(refused).toBeGreaterThan(10);
});

/** True: the block came back as written. False: DAMAGED or absent. Anything else fails the test. */
function readsRight(height: number): boolean {
  let reader: ChainReader | undefined;
  try {
    reader = ChainReader.open(dir);
    const found = reader.byHeight(height);
    if (found !== undefined) expect(found).toEqual(block(height, "main", height === 0 ? 100 : 5_000));
    return found !== undefined;
  } catch (error) {
    expect(error).toMatchObject({
      name: "StorageError",
      code: expect.stringMatching(/DAMAGED|TRUNCATED|WRONG_FORMAT/) as string,
    });
    return false;
  } finally {
    reader?.close();
  }
}
