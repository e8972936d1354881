/** On a real full disk: a small tmpfs, filled up. Needs root; skipped with a word where mounting is not allowed. */
import { execFileSync } from "node:child_process";
import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createChainDatabase } from "../../../src/node/storage/chainSchema.ts";
import { ChainReader } from "../../../src/node/storage/chainReader.ts";
import {
  block,
  CHAIN_ID,
  FIRST_RECORD,
  irreversible,
  openChain,
  openDerived,
  removeDirectory,
  temporaryDirectory,
} from "./fixtures.ts";
import { derivedWrite, expectConsistent, expectStateConsistent, sequenceWrite } from "./sequence.ts";

let dir: string;
let isMounted: boolean;

beforeEach(() => {
  dir = temporaryDirectory();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "cairn-test", dir], { stdio: "pipe" });
    isMounted = true;
  } catch {
    isMounted = false;
  }
});
afterEach(() => {
  if (isMounted) execFileSync("umount", ["--lazy", dir]); // also when a failed test left a store open
  removeDirectory(dir);
});

/** Leaves no byte free. */
function fillDisk(): void {
  try {
    for (;;) appendFileSync(join(dir, "ballast"), Buffer.alloc(64 * 1024));
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  }
}

function makeRoom(): void {
  rmSync(join(dir, "ballast"));
}

function makeChainHere(): void {
  createChainDatabase(dir, {
    chainId: CHAIN_ID,
    record: FIRST_RECORD,
    blocks: [block(0)],
    irreversible: irreversible(0),
  });
}

test("chain.db on a full disk: told, nothing acknowledged, order kept, all written when there is room", async (context) => {
  if (!isMounted) context.skip("mounting a tmpfs is not permitted here");
  makeChainHere();
  const { store, told } = await openChain(dir);
  for (let token = 1; token <= 20; token++) store.persist(sequenceWrite(token));
  await told.until(20);
  fillDisk();
  const failure = told.nextFailure();
  for (let token = 21; token <= 60; token++) store.persist(sequenceWrite(token));
  expect(await failure).toMatchObject({ retrying: true, error: { code: "DISK_FULL" } });
  await told.nextFailure();
  expect(store.queuedBytes).toBeGreaterThan(0);
  const acknowledged = told.reached;
  expect(acknowledged).toBeLessThan(60);
  expect(expectConsistent(store)).toBe(acknowledged);
  makeRoom();
  await told.until(60);
  expect(expectConsistent(store)).toBe(60);
  expect(told.tokens).toEqual(told.tokens.toSorted((a, b) => a - b));
  await store.close();
});

test("a node that stops while the disk is full is told what was not written, and keeps what was acknowledged", async (context) => {
  if (!isMounted) context.skip("mounting a tmpfs is not permitted here");
  makeChainHere();
  const { store, told } = await openChain(dir);
  fillDisk();
  const failure = told.nextFailure();
  for (let token = 1; token <= 60; token++) store.persist(sequenceWrite(token));
  await failure;
  await expect(store.close()).rejects.toMatchObject({ code: "DISK_FULL" });
  makeRoom();
  const reader = ChainReader.open(dir);
  expect(expectConsistent(reader)).toBeGreaterThanOrEqual(told.reached);
  reader.close();
});

test("state.db on a full disk waits the same way, and its state never mixes two heights", async (context) => {
  if (!isMounted) context.skip("mounting a tmpfs is not permitted here");
  const { store, told } = await openDerived(dir);
  store.apply(derivedWrite(1));
  await told.until(1);
  fillDisk();
  const failure = told.nextFailure();
  for (let height = 2; height <= 400; height++) store.apply(derivedWrite(height));
  expect(await failure).toMatchObject({ retrying: true, error: { code: "DISK_FULL" } });
  expect(expectStateConsistent(store)).toBeLessThan(400);
  makeRoom();
  await told.until(400);
  expect(expectStateConsistent(store)).toBe(400);
  await store.close();
});
