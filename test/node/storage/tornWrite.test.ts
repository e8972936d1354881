/**
 * What a power loss can leave: a log that ends anywhere, pages of a checkpoint half done. Files are put
 * together as they would be found, then opened.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ChainReader } from "../../../src/node/storage/chainReader.ts";
import { makeChain, openChain, removeDirectory, temporaryDirectory } from "./fixtures.ts";
import { expectConsistent, sequenceWrite } from "./sequence.ts";

const TOKENS = 24;
const PAGE_BYTES = 8_192;
const FRAME_BYTES = PAGE_BYTES + 24;

let dir: string;
let before: Buffer;
let log: Buffer;
let after: Buffer;
/** Bytes of log at the moment when each token was acknowledged, by token. */
const logBytesAt: number[] = [0];

beforeAll(async () => {
  dir = makeChain();
  const copies = temporaryDirectory();
  const { store, told } = await openChain(dir);
  for (let token = 1; token <= TOKENS; token++) {
    store.persist(sequenceWrite(token));
    await told.until(token);
    logBytesAt.push(statSync(join(dir, "chain.db-wal")).size);
  }
  // By another process: closing a descriptor of an open database in this one would drop its locks.
  execFileSync("cp", [join(dir, "chain.db"), join(dir, "chain.db-wal"), copies]);
  await store.close();
  before = readFileSync(join(copies, "chain.db"));
  log = readFileSync(join(copies, "chain.db-wal"));
  after = readFileSync(join(dir, "chain.db"));
  removeDirectory(copies);
});
afterAll(() => removeDirectory(dir));

/** The token that a directory with these files is at; throws when it is not consistent. */
function openAsFound(database: Buffer, foundLog: Buffer): number {
  const found = temporaryDirectory();
  mkdirSync(found, { recursive: true });
  writeFileSync(join(found, "chain.db"), database);
  writeFileSync(join(found, "chain.db-wal"), foundLog);
  try {
    const reader = ChainReader.open(found);
    const token = expectConsistent(reader);
    reader.close();
    return token;
  } finally {
    removeDirectory(found);
  }
}

/** The newest token that was acknowledged when the log was no longer than this. */
function acknowledgedAt(logBytes: number): number {
  return logBytesAt.findLastIndex((bytes) => bytes <= logBytes);
}

function cuts(): number[] {
  const frames = Math.floor(log.length / FRAME_BYTES);
  return Array.from({ length: frames + 1 }, (_, frame) => 32 + frame * FRAME_BYTES).flatMap((end) => [
    end - 17,
    end,
    end + 100,
  ]);
}

test("the log cut at any place: exactly the tokens whose commit is whole are there, none acknowledged is missing", () => {
  const seen = new Set<number>();
  for (const cut of cuts()) {
    const token = openAsFound(before, log.subarray(0, cut));
    expect(token).toBe(acknowledgedAt(Math.min(cut, log.length)));
    seen.add(token);
  }
  expect(seen.size).toBe(TOKENS + 1);
});

test("the log's end replaced by zeros or by other bytes of the same length is as good as cut", () => {
  for (const cut of cuts().filter((end) => end > 32 && end < log.length && end % 5 === 0)) {
    const torn = Buffer.from(log);
    torn.fill(cut % 2 === 0 ? 0 : 0xa5, cut);
    expect(openAsFound(before, torn)).toBeGreaterThanOrEqual(acknowledgedAt(cut));
  }
});

test("a checkpoint stopped after any page loses nothing: the log still holds what it was moving", () => {
  const pages = after.length / PAGE_BYTES;
  for (let done = 0; done <= pages; done++) {
    const moved = after.subarray(0, done * PAGE_BYTES);
    const rest = before.subarray(Math.min(before.length, moved.length));
    expect(openAsFound(Buffer.concat([moved, rest]), log)).toBe(TOKENS);
  }
});

test("a checkpointed file without its log is complete", () => {
  const found = temporaryDirectory();
  copyFileSync(join(dir, "chain.db"), join(found, "chain.db"));
  const reader = ChainReader.open(found);
  expect(expectConsistent(reader)).toBe(TOKENS);
  reader.close();
  removeDirectory(found);
});
