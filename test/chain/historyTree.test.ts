import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CHUNK_LEAVES, HistoryTree } from "../../chain/historyTree.ts";
import {
  append,
  EMPTY_FRONTIER,
  type Frontier,
  frontierRoot,
  inclusionProof,
  leafHash,
  verifyInclusion,
} from "../../chain/merkle.ts";
import { hexBytes, utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/base/hash.ts";

const COUNT = 9 * CHUNK_LEAVES + 77;
const ids = Array.from({ length: COUNT }, (_, height) => sha256Hex(utf8(`block ${height}`)));
const leaves = new Uint8Array(32 * COUNT);
ids.forEach((id, height) => leaves.set(leafHash(hexBytes(id)), 32 * height));
const frontiers: Frontier[] = [EMPTY_FRONTIER];
for (const id of ids) frontiers.push(append(frontiers.at(-1) as Frontier, leafHash(hexBytes(id))));
const idsFrom = (height: number, count: number): string[] => ids.slice(height, height + count);

const sizes = fc.oneof(
  fc.integer({ min: 1, max: COUNT }),
  fc.integer({ min: 1, max: 9 }).map((chunks) => chunks * CHUNK_LEAVES),
  fc.integer({ min: 1, max: 9 }).map((chunks) => chunks * CHUNK_LEAVES + 1),
);

describe("proofs of the history tree", () => {
  it("are those of the whole tree, for any block and any later size", () => {
    const place = sizes.chain((size) => fc.tuple(fc.integer({ min: 0, max: size - 1 }), fc.constant(size)));
    const shared = new HistoryTree(idsFrom); // has taken in more than the size asked for
    shared.extend(COUNT, Infinity);
    fc.assert(
      fc.property(place, ([height, size]) => {
        const expected = inclusionProof(leaves.subarray(0, 32 * size), height);
        expect(shared.proof(height, size)).toEqual(expected);
        expect(new HistoryTree(idsFrom).proof(height, size)).toEqual(expected);
        const root = frontierRoot(frontiers[size] as Frontier);
        const leaf = leaves.subarray(32 * height, 32 * height + 32);
        expect(verifyInclusion(leaf, height, size, expected, root)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it("read at most two chunks of ids once the tree is taken in", () => {
    let reads = 0;
    const tree = new HistoryTree((height, count) => {
      reads += count;
      return idsFrom(height, count);
    });
    tree.extend(COUNT, Infinity);
    for (const [height, size] of [
      [3, COUNT],
      [1000, COUNT - 5],
      [COUNT - 1, COUNT],
      [0, 1],
    ] as const) {
      reads = 0;
      expect(tree.proof(height, size)).toBeDefined();
      expect(reads).toBeLessThanOrEqual(2 * CHUNK_LEAVES);
    }
  });

  it("of blocks that follow one another, for one or two anchors, read each id once", () => {
    const read: number[] = [];
    const tree = new HistoryTree((height, count) => {
      const found = idsFrom(height, count);
      read.push(...found.keys().map((index) => height + index));
      return found;
    });
    tree.extend(COUNT, Infinity);
    read.length = 0;
    for (let height = 0; height < COUNT - 1; height += 10) {
      for (const size of [COUNT - 1, COUNT]) {
        expect(tree.proof(height, size)).toEqual(new HistoryTree(idsFrom).proof(height, size));
      }
    }
    expect(new Set(read).size).toBe(read.length);
  });

  it("are not given for a block that is not below the size, or that is not held", () => {
    const tree = new HistoryTree((height, count) =>
      idsFrom(height, height > 300 ? count : Math.min(count, 300 - height)),
    );
    expect(tree.proof(5, 5)).toBeUndefined();
    expect(tree.proof(-1, 5)).toBeUndefined();
    expect(tree.proof(3, 256)).toBeDefined();
    expect(tree.proof(3, 400)).toBeUndefined();
    expect(tree.proof(3, 600)).toBeUndefined();
    expect(tree.proof(300, 700)).toBeUndefined();
  });
});

describe("the history tree", () => {
  it("is taken in step by step", () => {
    const tree = new HistoryTree(idsFrom);
    expect(tree.extend(COUNT, 4)).toBe(false);
    expect(tree.size).toBe(4 * CHUNK_LEAVES);
    expect(tree.extend(COUNT, 5)).toBe(true);
    expect(tree.size).toBe(9 * CHUNK_LEAVES);
  });

  it("has the frontier of an append-only tree of the same ids", () => {
    for (const size of [0, 1, 2, 255, 256, 257, 511, 512, 768, 1000, COUNT]) {
      expect(new HistoryTree(idsFrom).frontier(size)).toEqual(frontiers[size]);
    }
  });
});
