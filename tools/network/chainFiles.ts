/** What a stopped node's files hold, for comparing nodes with one another and with what was acknowledged. */
import { assembleBlock } from "../../chain/block.ts";
import { toHex } from "../../src/base/bytes.ts";
import { ChainReader } from "../../src/node/storage/chainReader.ts";
import { StateReader } from "../../src/node/storage/stateReader.ts";
import { createHash } from "node:crypto";

export interface ChainContents {
  readonly height: number;
  /** Ids of the irreversible blocks, from height 1. */
  readonly blockIds: readonly string[];
  /** How often each transaction id stands in the irreversible chain. */
  readonly transactionCounts: ReadonlyMap<string, number>;
  /** `HEIGHT/INDEX` of each transaction id, the first place where it stands. */
  readonly places: ReadonlyMap<string, string>;
}

/** Reads the irreversible chain of a directory. Throws StorageError where it is damaged. */
export function readChain(dir: string): ChainContents {
  const reader = ChainReader.open(dir);
  try {
    const height = reader.meta().irreversible?.height ?? 0;
    const blockIds: string[] = [];
    const transactionCounts = new Map<string, number>();
    const places = new Map<string, string>();
    for (let at = 1; at <= height; at++) {
      const stored = reader.byHeight(at);
      if (stored === undefined) throw new Error(`${dir}: block ${at} is missing`);
      const block = assembleBlock(stored.header, stored.signature, stored.body);
      if (!block.ok) throw new Error(`${dir}: block ${at}: ${block.error.code}`);
      blockIds.push(block.value.id);
      const ids = block.value.transactionIds;
      for (let i = 0; i < ids.length; i += 32) {
        const id = toHex(ids.subarray(i, i + 32));
        if (!places.has(id)) places.set(id, `${at}/${i / 32}`);
        transactionCounts.set(id, (transactionCounts.get(id) ?? 0) + 1);
      }
    }
    return { height, blockIds, transactionCounts, places };
  } finally {
    reader.close();
  }
}

/** A digest over all of a directory's flushed state, with its height. */
export function stateDigest(dir: string): { readonly height: number; readonly digest: string } {
  const reader = StateReader.open(dir);
  try {
    const hash = createHash("sha256");
    let start: Uint8Array = new Uint8Array(0);
    for (;;) {
      const rows = reader.range(start, undefined, 10_000, false);
      for (const { key, value } of rows) hash.update(`${key.length} ${value.length} `).update(key).update(value);
      const last = rows.at(-1);
      if (rows.length < 10_000 || last === undefined) break;
      start = Buffer.concat([last.key, Buffer.of(0)]);
    }
    return { height: reader.applied()?.height ?? -1, digest: hash.digest("hex") };
  } finally {
    reader.close();
  }
}
