import * as fc from "fast-check";
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openDerivedWriter } from "../../../src/node/storage/derivedFile.ts";
import { positionAt, sortEntries, WORDS } from "../../../src/node/storage/indexEntries.ts";
import { INDEX_FORMAT, indexFile } from "../../../src/node/storage/indexSegments.ts";
import { FLUSH_ENTRIES, TransactionIndex } from "../../../src/node/storage/transactionIndex.ts";
import type { Connection } from "../../../src/node/storage/connection.ts";
import type { TransactionPosition } from "../../../src/node/storage/types.ts";
import { CHAIN_ID, removeDirectory, temporaryDirectory } from "./fixtures.ts";

let dir: string;
let connection: Connection;
let index: TransactionIndex;

beforeEach(() => {
  dir = temporaryDirectory();
  open();
});
afterEach(() => {
  connection.close();
  removeDirectory(dir);
});

function open(): void {
  connection = openDerivedWriter(indexFile(dir), INDEX_FORMAT, CHAIN_ID);
  index = new TransactionIndex(connection);
}

/** As after a crash: what waits in memory and any merge under way is gone. */
function crashAndReopen(): void {
  connection.close();
  open();
}

function finishUpkeep(): void {
  while (index.upkeep(true));
}

/** Ids added to the index and to a map from id to where it is. */
class Model {
  readonly positions = new Map<string, TransactionPosition>();
  height = 0;

  addBlock(count: number): void {
    this.height++;
    const ids = randomBytes(32 * count);
    index.add([{ height: this.height, transactionIds: ids }]);
    for (let at = 0; at < count; at++) {
      this.positions.set(ids.toString("hex", at * 32, at * 32 + 32), { height: this.height, index: at });
    }
  }

  /** Looks up every `step`th id. */
  expectAllFound(step: number): void {
    let at = 0;
    for (const [id, position] of this.positions) if (at++ % step === 0) expect(index.lookup(id)).toEqual([position]);
  }
}

test("300,000 random ids: every one is found where a map says, during merges, after them and after reopening", () => {
  const model = new Model();
  while (model.positions.size < 300_000) {
    model.addBlock(997);
    if (model.height % 7 === 0) index.flush();
    index.upkeep(true);
    if (model.height % 60 === 0) model.expectAllFound(1_009);
  }
  model.expectAllFound(101);
  finishUpkeep();
  model.expectAllFound(101);
  expect(index.segmentCount).toBeLessThan(25);
  index.close();
  open();
  expect(index.height).toBe(model.height);
  model.expectAllFound(101);
  for (let i = 0; i < 1_000; i++) expect(index.lookup(randomBytes(32).toString("hex"))).toEqual([]);
});

test("a crash at any point of flushing and merging loses no entry at or below the height it reopens with", () => {
  const model = new Model();
  let merged = 0;
  for (let round = 0; round < 120; round++) {
    model.addBlock(50 + (round % 5) * 700);
    index.flush();
    for (let slice = 0; slice < round % 11; slice++) merged += index.upkeep(true) ? 1 : 0;
    if (round % 3 === 0) crashAndReopen();
    expect(index.height).toBe(model.height);
    if (round % 10 === 0) model.expectAllFound(337);
  }
  expect(merged).toBeGreaterThan(50);
  finishUpkeep();
  model.expectAllFound(97);
  expect(segmentStatuses()).toEqual(["live"]);
});

function segmentStatuses(): unknown[] {
  return connection.prepare("SELECT DISTINCT status FROM segments").pluck().all();
}

test("a crash before a flush leaves the height of the last flush, so that the rest is filled in again", () => {
  const model = new Model();
  model.addBlock(10);
  index.flush();
  model.addBlock(10);
  expect(index.height).toBe(2);
  crashAndReopen();
  expect(index.height).toBe(1);
});

test("blocks without transactions move the height too", () => {
  index.add([{ height: 1, transactionIds: new Uint8Array(0) }]);
  index.flush();
  crashAndReopen();
  expect(index.height).toBe(1);
  expect(index.segmentCount).toBe(0);
});

test("ids with the same first eight bytes are all given, newest first, across memory and segments", () => {
  const same = (rest: number) => Buffer.concat([Buffer.alloc(8, 0xfe), Buffer.alloc(24, rest)]);
  for (let height = 1; height <= 5; height++) {
    index.add([{ height, transactionIds: Buffer.concat([same(height), randomBytes(64), same(height + 100)]) }]);
    if (height % 2 === 0) index.flush();
  }
  const heights = [5, 4, 3, 2, 1].flatMap((height) => [
    { height, index: 3 },
    { height, index: 0 },
  ]);
  expect(index.lookup(same(0).toString("hex"))).toEqual(heights);
});

test("thousands of entries with one prefix, more than a page holds, are all found", () => {
  const ids = Buffer.concat(
    Array.from({ length: 3_000 }, () => Buffer.concat([Buffer.alloc(8, 0x77), randomBytes(24)])),
  );
  index.add([{ height: 1, transactionIds: Buffer.concat([randomBytes(32 * 2_000), ids, randomBytes(32 * 2_000)]) }]);
  index.flush();
  expect(index.lookup("77".repeat(32))).toHaveLength(3_000);
});

test("heights beyond 32 bits and the last index of a block come back exactly", () => {
  const height = 2 ** 39 + 12_345;
  const ids = randomBytes(32 * 20_000);
  index.add([{ height, transactionIds: ids }]);
  expect(index.lookup(ids.toString("hex", 32 * 19_999))).toEqual([{ height, index: 19_999 }]);
});

test("what waits in memory and the number of segments stay bounded when flushes come faster than upkeep", () => {
  const model = new Model();
  for (let round = 0; round < 400; round++) {
    index.makeRoom();
    model.addBlock(FLUSH_ENTRIES / 256);
    if (round % 2 === 0) index.flush();
    expect(index.pendingEntries).toBeLessThanOrEqual(FLUSH_ENTRIES);
    expect(index.segmentCount).toBeLessThan(60);
  }
  model.expectAllFound(997);
});

test("a full batch is written as one segment and merging rewrites an entry once a level", () => {
  const model = new Model();
  for (let segment = 0; segment < 9; segment++) {
    model.addBlock(FLUSH_ENTRIES);
    index.makeRoom();
  }
  expect(index.segmentCount).toBe(9);
  finishUpkeep();
  expect(index.segmentCount).toBe(2);
  model.expectAllFound(5_003);
});

test("entries are sorted by prefix, equal ones in the order given", () => {
  const entry = fc.tuple(fc.constantFrom(0, 1, 255, 256, 2 ** 31, 2 ** 32 - 1), fc.constantFrom(0, 5, 2 ** 32 - 1));
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 60 }), (entries) => {
      const words = Uint32Array.from(entries.flatMap(([high, low], at) => [high, low, 0, at]));
      const sorted = sortEntries(words);
      const expected = entries
        .map(([high, low], at) => ({ high, low, at }))
        .sort((a, b) => a.high - b.high || a.low - b.low);
      const found = expected.map((_, at) => ({
        high: sorted[at * WORDS],
        low: sorted[at * WORDS + 1],
        at: positionAt(sorted, at).index,
      }));
      expect(found).toEqual(expected);
    }),
  );
});
