import Database from "better-sqlite3";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createChainDatabase } from "../../../src/node/storage/chainSchema.ts";
import { ChainReader } from "../../../src/node/storage/chainReader.ts";
import type { ChainStore } from "../../../src/node/storage/chainStore.ts";
import type { ChainWrite } from "../../../src/node/storage/types.ts";
import {
  block,
  blockId,
  CHAIN_ID,
  FIRST_RECORD,
  irreversible,
  makeChain,
  openChain,
  removeDirectory,
} from "./fixtures.ts";
import type { Told } from "./fixtures.ts";

let dir: string;
let store: ChainStore;
let told: Told;
let token = 0;

beforeEach(async () => {
  dir = makeChain();
  token = 0;
  ({ store, told } = await openChain(dir, CHAIN_ID));
});
afterEach(async () => {
  await store.close();
  removeDirectory(dir);
});

function persist(write: Omit<ChainWrite, "token">): Promise<void> {
  store.persist({ token: ++token, ...write });
  return told.until(token);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

describe("writing and reading", () => {
  test("a block comes back byte for byte, by its id at once and by its height when it is irreversible", async () => {
    await persist({ blocks: [block(1)] });
    expect(store.byId(blockId(1))).toEqual(block(1));
    expect(store.byHeight(1)).toBeUndefined();
    await persist({ blocks: [], irreversible: irreversible(1) });
    expect(store.byHeight(1)).toEqual(block(1));
  });

  test("changes of the producer set are found by what their end proves", async () => {
    const change = { from: 9, provenHeight: 4, sets: Buffer.from("sets") };
    const blocks = range(1, 9).map((height) => block(height));
    await persist({ blocks, irreversible: { ...irreversible(9), producerSets: [change] } });
    expect(store.producerSets()).toEqual([change]);
    expect([3, 4].map((height) => store.changeProving(height)?.from)).toEqual([9, undefined]);
  });

  test("the caller's buffers are copied: changing them after persist changes nothing", async () => {
    const written = block(1);
    const given = { ...written, body: Uint8Array.from(written.body) };
    const done = persist({ blocks: [given] });
    given.body.fill(0);
    await done;
    expect(store.byId(blockId(1))?.body).toEqual(written.body);
  });

  test("empty headers, signatures and bodies are kept as such", async () => {
    const empty = { ...block(1), header: new Uint8Array(0), signature: new Uint8Array(0), body: new Uint8Array(0) };
    await persist({ blocks: [empty] });
    expect(store.byId(blockId(1))?.body).toHaveLength(0);
  });

  test("range gives irreversible blocks in order up to the limit, the bytes or the end", async () => {
    await persist({ blocks: range(1, 9).map((height) => block(height)), irreversible: irreversible(7) });
    expect(store.range(3, 3).map((found) => found.height)).toEqual([3, 4, 5]);
    expect(store.range(6, 10).map((found) => found.height)).toEqual([6, 7]);
    expect(store.range(1, 10, 250).map((found) => found.height)).toEqual([1, 2, 3]);
  });

  test("meta tells chain, format, first height, irreversible block and record; all survive closing", async () => {
    await persist({ blocks: [block(1), block(2)], record: Buffer.from("record:7"), irreversible: irreversible(2) });
    await store.close();
    ({ store, told } = await openChain(dir, CHAIN_ID));
    expect(store.meta()).toEqual({
      formatVersion: 2,
      chainId: CHAIN_ID,
      firstHeight: 0,
      irreversible: irreversible(2),
      record: { verdict: "ok", bytes: Buffer.from("record:7") },
    });
  });

  test("certificateFor gives the certificate of the first advance at or above a height", async () => {
    await persist({ blocks: range(1, 5).map((height) => block(height)), irreversible: irreversible(2) });
    await persist({ blocks: [], irreversible: irreversible(5) });
    expect(store.certificateFor(1)).toEqual({ height: 2, id: blockId(2), certificate: Buffer.from("certificate 2") });
    expect(store.certificateFor(3)?.height).toBe(5);
    expect(store.certificateFor(6)).toBeUndefined();
  });

  test("idsWithPrefix finds the ids that begin with some digits, also an odd number of them", async () => {
    await persist({ blocks: range(1, 50).map((height) => block(height)) });
    for (const digits of [1, 2, 9, 64]) {
      const prefix = blockId(7).slice(0, digits);
      const expected = range(0, 50)
        .map((height) => blockId(height))
        .filter((id) => id.startsWith(prefix));
      expect(store.idsWithPrefix(prefix, 100)).toEqual(expected.sort());
    }
  });
});

describe("branches", () => {
  const fork = (height: number) => block(height, "fork", 100, 1);

  test("blocksAbove gives all branches, parents before children", async () => {
    const written = [...range(1, 30).map((height) => block(height)), ...range(2, 40).map(fork)];
    await persist({ blocks: written.toReversed() });
    const found = [...store.blocksAbove(0)];
    expect(found.map((each) => each.id).sort()).toEqual(written.map((each) => each.id).sort());
    const seen = new Set([blockId(0)]);
    for (const each of found) {
      expect(seen).toContain(each.parent);
      seen.add(each.id);
    }
    expect([...store.blocksAbove(35)].map((each) => each.id)).toEqual(range(36, 40).map((height) => fork(height).id));
  });

  test("blocksAbove below the irreversible height includes the irreversible ones", async () => {
    await persist({ blocks: range(1, 60).map((height) => block(height)), irreversible: irreversible(40) });
    expect([...store.blocksAbove(20)].map((each) => each.height)).toEqual(range(21, 60));
  });

  test("an advance deletes what is not above it and not its ancestor, and nothing that is above it", async () => {
    await persist({ blocks: [...range(1, 6).map((height) => block(height)), ...range(2, 6).map(fork)] });
    await persist({ blocks: [], irreversible: irreversible(4) });
    expect(range(1, 6).map((height) => store.byId(blockId(height)) !== undefined)).toEqual(Array(6).fill(true));
    expect(range(2, 6).map((height) => store.byId(fork(height).id) !== undefined)).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
    expect([...store.blocksAbove(4)].map((each) => each.id).sort()).toEqual(
      [blockId(5), blockId(6), fork(5).id, fork(6).id].sort(),
    );
  });

  test("an advance to a block of another branch, back, or to a block that is not there stops the store: REFUSED", async () => {
    await persist({ blocks: [...range(1, 4).map((height) => block(height)), ...range(2, 4).map(fork)] });
    await persist({ blocks: [], irreversible: irreversible(3) });
    for (const wrong of [
      { ...irreversible(4), id: fork(4).id },
      { ...irreversible(3), id: fork(3).id },
      irreversible(2),
      irreversible(9),
    ]) {
      const failure = told.nextFailure();
      store.persist({ token: ++token, blocks: [], irreversible: wrong });
      expect(await failure).toMatchObject({ retrying: false, error: { code: "REFUSED" } });
      expect(() => store.persist({ token: ++token, blocks: [] })).toThrow(/takes no more writes/);
      await expect(store.close()).rejects.toThrow(/could not be written/);
      ({ store, told } = await openChain(dir));
      expect(store.meta().irreversible).toEqual(irreversible(3));
      expect(store.byId(blockId(4))).toEqual(block(4));
    }
  });

  test("a link that is missing in between never deletes a chain as stale", async () => {
    await persist({
      blocks: range(1, 9)
        .filter((height) => height !== 5)
        .map((height) => block(height)),
    });
    const failure = told.nextFailure();
    store.persist({ token: ++token, blocks: [], irreversible: irreversible(9) });
    expect((await failure).error.message).toContain("ancestors end at height 6");
    await expect(store.close()).rejects.toThrow();
    ({ store, told } = await openChain(dir));
    expect([...store.blocksAbove(0)]).toHaveLength(8);
  });

  test("a write that names the first height kept may jump there (a snapshot) and drops what is below", async () => {
    await persist({ blocks: [block(1), block(2)], irreversible: irreversible(2) });
    const blocks = range(100, 105).map((height) => block(height));
    await persist({ blocks, irreversible: irreversible(103), firstHeight: 100 });
    expect(store.meta()).toMatchObject({ firstHeight: 100, irreversible: { height: 103 } });
    expect(store.byHeight(2)).toBeUndefined();
    expect(store.certificateFor(1)?.height).toBe(103);
  });

  test("pruning removes irreversible blocks and certificates below a height", async () => {
    for (const height of range(1, 9)) await persist({ blocks: [block(height)], irreversible: irreversible(height) });
    await persist({ blocks: [], firstHeight: 6 });
    expect(store.meta().firstHeight).toBe(6);
    expect(store.byId(blockId(5))).toBeUndefined();
    expect(store.certificateFor(0)?.height).toBe(6);
    expect(store.range(6, 10)).toHaveLength(4);
  });

  test("a block written again is kept once", async () => {
    await persist({ blocks: [block(1)] });
    await persist({ blocks: [block(1), block(1)] });
    expect([...store.blocksAbove(0)]).toHaveLength(1);
  });
});

describe("durability and order", () => {
  test("the writer's connection is in WAL mode with synchronous=FULL", () => {
    expect(store.settings).toEqual({ journalMode: "wal", synchronous: 2 });
  });

  test("group commit: a thousand writes queued together share few transactions, acknowledged in order", async () => {
    for (const height of range(1, 1000)) store.persist({ token: ++token, blocks: [block(height)] });
    expect(store.queuedBytes).toBeGreaterThan(100_000);
    await told.until(1000);
    expect(told.commits.reduce((sum, commit) => sum + commit.writes, 0)).toBe(1000);
    expect(told.commits.length).toBeLessThan(100);
    expect(told.tokens).toEqual(told.tokens.toSorted((a, b) => a - b));
    expect(store.queuedBytes).toBe(0);
  });

  test("what is acknowledged is in the file for another reader", async () => {
    await persist({ blocks: [block(1)] });
    const reader = ChainReader.open(dir);
    expect(reader.byId(blockId(1))).toEqual(block(1));
    reader.close();
  });

  test("another process's write transaction (an operator's sqlite3) delays the store and is told, nothing is lost", async () => {
    const operator = new Database(join(dir, "chain.db"));
    operator.exec("BEGIN IMMEDIATE");
    const failure = told.nextFailure();
    const done = persist({ blocks: [block(1)] });
    expect(await failure).toMatchObject({ retrying: true, error: { code: "LOCKED" } });
    operator.exec("ROLLBACK");
    operator.close();
    await done;
    expect(store.byId(blockId(1))).toEqual(block(1));
  });

  test("close writes everything queued and leaves a single file", async () => {
    for (const height of range(1, 300)) store.persist({ token: ++token, blocks: [block(height, "main", 10_000)] });
    await store.close();
    expect(readdirSync(dir)).toEqual(["chain.db"]);
    ({ store, told } = await openChain(dir));
    expect([...store.blocksAbove(0)]).toHaveLength(300);
  });

  test("tokens must increase, ids must be ids, a closed store takes nothing", async () => {
    await persist({ blocks: [] });
    expect(() => store.persist({ token, blocks: [] })).toThrow(RangeError);
    expect(() => store.persist({ token: token + 1, blocks: [{ ...block(1), id: "zz" }] })).toThrow(RangeError);
    const closed = store.close();
    expect(() => store.persist({ token: token + 1, blocks: [] })).toThrow(/takes no more writes/);
    await closed;
  });
});

describe("creation", () => {
  test("a database is never made over another", () => {
    const again = () => createChainDatabase(dir, { chainId: CHAIN_ID, record: FIRST_RECORD });
    expect(again).toThrow(expect.objectContaining({ code: "CANNOT_OPEN" }));
  });

  test("opening a directory without chain.db is CANNOT_OPEN and makes none", async () => {
    const other = join(dir, "..", "cairn-storage-missing");
    await expect(openChain(other)).rejects.toMatchObject({ code: "CANNOT_OPEN" });
    expect(existsSync(other)).toBe(false);
  });

  test("another chain's database is WRONG_FORMAT and names both chains", async () => {
    const opening = openChain(dir, "cd".repeat(32));
    await expect(opening).rejects.toMatchObject({
      code: "WRONG_FORMAT",
      message: expect.stringContaining(CHAIN_ID) as string,
    });
  });

  test("the sqlite3 command reads it", async (context) => {
    await persist({ blocks: [block(1)] });
    await store.close();
    let version = "";
    try {
      version = execFileSync("sqlite3", ["--version"], { encoding: "utf8" });
    } catch {
      context.skip("no sqlite3 command on this machine");
    }
    expect(version).not.toBe("");
    const sql = "PRAGMA integrity_check; SELECT count(*) FROM blocks;";
    expect(
      execFileSync("sqlite3", [join(dir, "chain.db"), sql], { encoding: "utf8" })
        .trim()
        .split("\n"),
    ).toEqual(["ok", "2"]);
  });
});

describe("evidence against producers", () => {
  const [liar, other] = ["cd".repeat(32), "ef".repeat(32)];
  const piece = (producer: string, kind: string, text: string) => ({ producer, kind, bytes: Buffer.from(text) });

  test("one piece of each producer and kind is kept, the newest, and is there after closing", async () => {
    await persist({ blocks: [], evidence: [piece(other, "twoVotes", "a"), piece(liar, "twoBlocks", "b")] });
    await persist({ blocks: [block(1)], evidence: [piece(liar, "twoVotes", "c"), piece(liar, "twoBlocks", "d")] });
    await store.close();
    ({ store, told } = await openChain(dir, CHAIN_ID));
    expect(store.evidence()).toEqual([
      piece(liar, "twoBlocks", "d"),
      piece(liar, "twoVotes", "c"),
      piece(other, "twoVotes", "a"),
    ]);
  });

  test("a damaged piece is told and left out", async () => {
    await persist({ blocks: [], evidence: [piece(liar, "twoBlocks", "a"), piece(liar, "twoVotes", "b")] });
    await store.close();
    const connection = new Database(join(dir, "chain.db"));
    connection.exec("UPDATE evidence SET bytes = CAST('x' AS BLOB) WHERE kind = 'twoVotes'");
    connection.close();
    ({ store, told } = await openChain(dir, CHAIN_ID));
    const damaged: string[] = [];
    expect(store.evidence(({ message }) => damaged.push(message))).toEqual([piece(liar, "twoBlocks", "a")]);
    expect(damaged).toEqual([expect.stringContaining(`evidence (twoVotes) against producer ${liar}`)]);
    expect(() => store.evidence()).toThrow(/checksum/);
  });

  test("a directory made before there was a table of it is read, and has one once a node has started on it", async () => {
    await store.close();
    const connection = new Database(join(dir, "chain.db"));
    connection.exec("DROP TABLE evidence");
    connection.close();
    const reader = ChainReader.open(dir);
    expect(reader.evidence()).toEqual([]);
    reader.close();
    ({ store, told } = await openChain(dir, CHAIN_ID));
    await persist({ blocks: [], evidence: [piece(liar, "twoBlocks", "a")] });
    expect(store.evidence()).toEqual([piece(liar, "twoBlocks", "a")]);
  });
});
