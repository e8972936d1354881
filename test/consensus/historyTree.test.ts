/** Proofs of a history tree of which only the roots of subtrees are kept: the same as over all leaves (RFC 9162). */
import { describe, expect, it } from "vitest";
import { inclusionProof, leafHash, rootOfLeafHashes, verifyInclusion } from "../../chain/merkle.ts";
import { HistoryTree } from "../../consensus/sync/historyTree.ts";
import { concatBytes, hexBytes, utf8 } from "../../src/base/bytes.ts";
import { seededRandom } from "../../src/base/random.ts";
import { sha256Hex } from "../../src/base/hash.ts";

const IDS = Array.from({ length: 3_000 }, (_, height) => sha256Hex(utf8(`block ${height}`)));
const LEAVES = concatBytes(...IDS.map((id) => leafHash(hexBytes(id))));

function grown(size: number, read: (height: number) => void = () => undefined): HistoryTree {
  const tree = new HistoryTree((height) => {
    read(height);
    return IDS[height];
  });
  expect(tree.grow(size, Number.POSITIVE_INFINITY)).toBe(true);
  return tree;
}

describe("a history tree", () => {
  it.each([1, 2, 3, 255, 256, 257, 511, 512, 513, 768, 1000, 2047, 2048, 2049, 2999])(
    "of %d blocks proves each of them as the whole tree does",
    (size) => {
      const tree = grown(size);
      const leaves = LEAVES.subarray(0, 32 * size);
      const random = seededRandom(size);
      const places = [0, size - 1, Math.floor(size / 2), ...Array.from({ length: 8 }, () => random.below(size))];
      for (const place of places) expect(tree.proof(place, size), `${place}`).toEqual(inclusionProof(leaves, place));
    },
  );

  it("grown for many blocks, it proves in the smaller trees of earlier anchors, too", () => {
    const tree = grown(3_000);
    for (const size of [10, 256, 300, 1_025, 2_816]) {
      const root = rootOfLeafHashes(LEAVES.subarray(0, 32 * size));
      for (const place of [0, size >>> 1, size - 1]) {
        const leaf = LEAVES.subarray(32 * place, 32 * place + 32);
        expect(verifyInclusion(leaf, place, size, tree.proof(place, size), root)).toBe(true);
      }
    }
  });

  it("grows in slices, and reads for a proof two pages at most", () => {
    let reads = 0;
    const tree = new HistoryTree((height) => {
      reads++;
      return IDS[height];
    });
    expect(tree.grow(3_000, 4)).toBe(false);
    expect(reads).toBe(1_024);
    expect(tree.grow(3_000, 4)).toBe(false);
    expect(tree.grow(3_000, 4)).toBe(true);
    reads = 0;
    tree.proof(100, 3_000);
    expect(reads).toBeLessThanOrEqual(512);
  });

  it("says so when it is asked for what was not read", () => {
    expect(() => new HistoryTree((height) => IDS[height]).proof(600, 3_000)).toThrow(RangeError);
    expect(() => grown(300).proof(300, 300)).toThrow(RangeError);
  });
});
