/**
 * A sequence of writes in which everything is a function of the token, so that after a crash one look at the
 * vote record tells what else must be there. Shared by the crash tests and the program that they kill.
 */
import { deepStrictEqual } from "node:assert";
import type { ChainReader } from "../../../src/node/storage/chainReader.ts";
import type { StateReader } from "../../../src/node/storage/stateReader.ts";
import type { ChainWrite, DerivedWrite, StoredBlock } from "../../../src/node/storage/types.ts";
import { block, blockId, hash, irreversible } from "./fixtures.ts";

/** Each token writes one block of the main branch, every third one of a branch beside it, every fourth advances. */
export function sequenceWrite(token: number): ChainWrite {
  const height = irreversibleAfter(token);
  return {
    token,
    blocks: blocksOf(token),
    record: Buffer.from(`record:${token}`),
    ...(height > irreversibleAfter(token - 1) ? { irreversible: irreversible(height) } : {}),
  };
}

function blocksOf(token: number): StoredBlock[] {
  const main = block(token, "main", bodyBytes(token));
  return token % 3 === 0 ? [main, block(token, "fork", bodyBytes(token), token - 1)] : [main];
}

function bodyBytes(token: number): number {
  return (token * 977) % 20_000;
}

/** The irreversible height when this token is written. */
export function irreversibleAfter(token: number): number {
  return Math.max(0, token - (token % 4) - 2);
}

export function recordToken(record: Uint8Array): number {
  return Number(Buffer.from(record).toString().replace("record:", ""));
}

/** Checks everything against what the vote record's token says, blocks from `from` on; returns the token. */
export function expectConsistent(chain: Pick<ChainReader, "meta" | "byHeight" | "blocksAbove">, from = 1): number {
  const meta = chain.meta();
  if (meta.record.verdict !== "ok") throw new Error(`vote record ${meta.record.verdict}`);
  const token = recordToken(meta.record.bytes);
  const final = irreversibleAfter(token);
  deepStrictEqual(meta.irreversible, irreversible(final));
  for (let height = Math.max(1, from); height <= final; height++) {
    deepStrictEqual(chain.byHeight(height), block(height, "main", bodyBytes(height)));
  }
  deepStrictEqual(chain.byHeight(final + 1), undefined);
  const above: StoredBlock[] = [];
  for (let height = final + 1; height <= token; height++) above.push(...blocksOf(height));
  deepStrictEqual([...chain.blocksAbove(final)], above);
  return token;
}

/** The irreversible block at a height as a run of one: a counter, one of fifty slots, a key that comes and goes. */
export function derivedWrite(height: number): DerivedWrite {
  const changes = [
    { key: Buffer.from("counter"), value: Buffer.from(String(height)) },
    { key: Buffer.from("odd"), value: height % 2 === 1 ? Buffer.from(String(height)) : null },
    { key: Buffer.from(`slot ${height % 50}`), value: Buffer.alloc(300, `${height};`) },
  ];
  const blocks = [{ height, receipts: Buffer.from(`receipts ${height}`), transactionIds: transactionIds(height) }];
  return { height, id: blockId(height), changes, blocks };
}

export function transactionIds(height: number): Buffer {
  return Buffer.concat([0, 1, 2].map((index) => Buffer.from(transactionId(height, index), "hex")));
}

export function transactionId(height: number, index: number): string {
  return hash(`transaction ${height} ${index}`);
}

/** The state must be that of exactly the height that it says; returns it. */
export function expectStateConsistent(state: Pick<StateReader, "applied" | "get" | "receipts">): number {
  const applied = state.applied();
  if (applied === undefined) return 0;
  const { height, id } = applied;
  deepStrictEqual(id, blockId(height));
  deepStrictEqual(state.get(Buffer.from("counter"))?.toString(), String(height));
  deepStrictEqual(state.get(Buffer.from("odd"))?.toString(), height % 2 === 1 ? String(height) : undefined);
  for (let at = Math.max(1, height - 49); at <= height; at++) {
    deepStrictEqual(state.get(Buffer.from(`slot ${at % 50}`)), Buffer.alloc(300, `${at};`));
    deepStrictEqual(state.receipts(at), Buffer.from(`receipts ${at}`));
  }
  deepStrictEqual(state.receipts(height + 1), undefined);
  return height;
}
