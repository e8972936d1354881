import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  append,
  consistencyProof,
  decodeFrontier,
  EMPTY_FRONTIER,
  EMPTY_ROOT,
  encodeFrontier,
  type Frontier,
  frontierMessage,
  frontierRoot,
  inclusionProof,
  leafHash,
  leafHashesOf,
  rootOfEqualLeaves,
  rootOfLeafHashes,
  verifyConsistency,
  verifyInclusion,
} from "../../chain/merkle.ts";
import { concatBytes, hexBytes, toHex } from "../../src/base/bytes.ts";
import { sha256 } from "../../src/base/hash.ts";

// The test tree of certificate-transparency implementations (transparency-dev/merkle, proof/verify_test.go).
const LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const LEAF_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const LEAF_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const LEAF_6 = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f";
const NODE_23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const NODE_45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
const NODE_67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const NODE_4567 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
const ROOT_1 = ROOTS[1] as string;
const ROOT_2 = ROOTS[2] as string;
const ROOT_4 = ROOTS[4] as string;

const INCLUSION_PROOFS: readonly { index: number; size: number; proof: readonly string[] }[] = [
  { index: 0, size: 1, proof: [] },
  { index: 0, size: 8, proof: [LEAF_1, NODE_23, NODE_4567] },
  { index: 5, size: 8, proof: [LEAF_4, NODE_67, ROOT_4] },
  { index: 2, size: 3, proof: [ROOT_2] },
  { index: 1, size: 5, proof: [ROOT_1, NODE_23, LEAF_4] },
];
const CONSISTENCY_PROOFS: readonly { first: number; second: number; proof: readonly string[] }[] = [
  { first: 1, second: 1, proof: [] },
  { first: 1, second: 8, proof: [LEAF_1, NODE_23, NODE_4567] },
  { first: 6, second: 8, proof: [NODE_45, NODE_67, ROOT_4] },
  { first: 2, second: 5, proof: [NODE_23, LEAF_4] },
  { first: 6, second: 7, proof: [NODE_45, LEAF_6, ROOT_4] },
];

/** Leaf hashes of the first `size` leaves of the test tree. */
function knownTree(size: number): Uint8Array {
  return concatBytes(...LEAVES.slice(0, size).map((leaf) => leafHash(hexBytes(leaf))));
}

// Section 2.1 word by word over a list of leaf hashes: nothing shared with the code under test but SHA-256.
const referenceNode = (left: Uint8Array, right: Uint8Array) => sha256(concatBytes(Uint8Array.of(1), left, right));
function split(n: number): number {
  let k = 1;
  while (2 * k < n) k *= 2;
  return k;
}
function referenceRoot(d: readonly Uint8Array[]): Uint8Array {
  if (d.length === 0) return sha256(new Uint8Array(0));
  if (d.length === 1) return d[0] as Uint8Array;
  const k = split(d.length);
  return referenceNode(referenceRoot(d.slice(0, k)), referenceRoot(d.slice(k)));
}
function referencePath(m: number, d: readonly Uint8Array[]): Uint8Array[] {
  if (d.length <= 1) return [];
  const k = split(d.length);
  return m < k
    ? [...referencePath(m, d.slice(0, k)), referenceRoot(d.slice(k))]
    : [...referencePath(m - k, d.slice(k)), referenceRoot(d.slice(0, k))];
}
function referenceSubproof(m: number, d: readonly Uint8Array[], complete: boolean): Uint8Array[] {
  if (m === d.length) return complete ? [] : [referenceRoot(d)];
  const k = split(d.length);
  return m <= k
    ? [...referenceSubproof(m, d.slice(0, k), complete), referenceRoot(d.slice(k))]
    : [...referenceSubproof(m - k, d.slice(k), false), referenceRoot(d.slice(0, k))];
}

/** Leaf hashes that differ from one another, as a list and as one buffer. */
function someTree(size: number): { readonly list: Uint8Array[]; readonly hashes: Uint8Array } {
  const list = Array.from({ length: size }, (_, i) => leafHash(Uint8Array.of(i & 255, i >> 8)));
  return { list, hashes: concatBytes(...list) };
}
const hexes = (hashes: readonly Uint8Array[]) => hashes.map(toHex);
const bytesOf = (hashes: readonly string[]) => hashes.map(hexBytes);
const sizes = fc.integer({ min: 1, max: 70 });

/** Every copy of `hashes` that differs from it in one bit. */
function* flippedBits(hashes: readonly Uint8Array[]): Generator<Uint8Array[]> {
  for (let i = 0; i < hashes.length; i++) {
    for (let bit = 0; bit < 256; bit++) {
      const changed = hashes.map((hash) => Uint8Array.from(hash));
      (changed[i] as Uint8Array)[bit >> 3]! ^= 1 << (bit & 7);
      yield changed;
    }
  }
}
/** Proofs that are wrong in their shape: one element missing, doubled, added, exchanged, of another length. */
function* misshapen(proof: readonly Uint8Array[], stray: Uint8Array): Generator<Uint8Array[]> {
  yield [...proof, stray];
  yield [stray, ...proof];
  yield [...proof, new Uint8Array(0)];
  yield [new Uint8Array(0), ...proof];
  for (let i = 0; i < proof.length; i++) {
    yield proof.filter((_, at) => at !== i);
    yield [...proof.slice(0, i), proof[i] as Uint8Array, ...proof.slice(i)];
    yield proof.map((hash, at) => (at === i ? hash.slice(0, 31) : hash));
  }
}

describe("RFC 9162 section 2.1.1: the Merkle tree hash", () => {
  it.each(ROOTS.map((root, size) => ({ root, size })))("of $size known leaves is $root", ({ root, size }) => {
    expect(toHex(rootOfLeafHashes(knownTree(size)))).toBe(root);
  });

  it("of no leaves is the hash of the empty string", () => {
    expect(toHex(EMPTY_ROOT)).toBe(ROOTS[0]);
  });

  it("is the recursive definition for every size to 130, and leaves its input as it is", () => {
    for (let size = 0; size <= 130; size++) {
      const { list, hashes } = someTree(size);
      const before = toHex(hashes);
      expect(toHex(rootOfLeafHashes(hashes))).toBe(toHex(referenceRoot(list)));
      expect(toHex(hashes)).toBe(before);
    }
  });

  it("a Buffer, whose slice is a view, is left as it is, too", () => {
    const hashes = Buffer.from(knownTree(7));
    expect(toHex(rootOfLeafHashes(hashes))).toBe(ROOTS[7]);
    inclusionProof(hashes, 2);
    consistencyProof(hashes, 3);
    expect(toHex(hashes)).toBe(toHex(knownTree(7)));
  });

  it("does not depend on what was hashed before, and results are not overwritten by later calls", () => {
    const first = rootOfLeafHashes(knownTree(8));
    const empty = rootOfLeafHashes(new Uint8Array(0));
    rootOfLeafHashes(knownTree(5));
    empty.fill(0);
    expect(toHex(first)).toBe(ROOTS[8]);
    expect(toHex(rootOfLeafHashes(new Uint8Array(0)))).toBe(ROOTS[0]);
  });

  it("refuses a buffer that is not a list of hashes", () => {
    expect(() => rootOfLeafHashes(new Uint8Array(33))).toThrow(RangeError);
  });

  it("leaf hashes of ranges of one buffer are SHA-256(0x00 || leaf), whatever their lengths and order", () => {
    const lengths = [0, 1, 1, 256, 256, 7, 65_535, 65_536, 65_537, 3, 3, 200_000, 0];
    const leaves = lengths.map((length, at) => new Uint8Array(length).map((_, i) => i * 31 + at));
    const buffer = concatBytes(Uint8Array.of(9, 9, 9), ...leaves);
    const ranges: number[] = [];
    let at = 3;
    for (const leaf of leaves) ranges.push(at, (at += leaf.length));
    const backwards = ranges.map((_, i) => ranges[ranges.length - 2 - i + 2 * (i % 2)] as number);
    const expected = leaves.map((leaf) => toHex(sha256(concatBytes(Uint8Array.of(0), leaf))));
    expect(toHex(leafHashesOf(buffer, Uint32Array.from(ranges)))).toBe(expected.join(""));
    expect(toHex(leafHashesOf(buffer, Uint32Array.from(backwards)))).toBe(expected.toReversed().join(""));
    expect(leaves.map((leaf) => toHex(leafHash(leaf)))).toEqual(expected);
  });

  it.each([
    [5, 4],
    [0, 11],
    [11, 11],
  ])("the range %i to %i of 10 bytes is refused", (start, end) => {
    expect(() => leafHashesOf(new Uint8Array(10), Uint32Array.of(start, end))).toThrow(RangeError);
  });
});

describe("RFC 9162 section 2.1.3: inclusion proofs", () => {
  it.each(INCLUSION_PROOFS)("leaf $index of $size known leaves has the published proof", ({ index, size, proof }) => {
    const hashes = knownTree(size);
    expect(hexes(inclusionProof(hashes, index))).toEqual(proof);
    const leaf = leafHash(hexBytes(LEAVES[index] as string));
    expect(verifyInclusion(leaf, index, size, bytesOf(proof), hexBytes(ROOTS[size] as string))).toBe(true);
  });

  it("every leaf of every size to 40: as the recursive definition, and verifies at its place alone", () => {
    for (let size = 1; size <= 40; size++) {
      const { list, hashes } = someTree(size);
      const root = rootOfLeafHashes(hashes);
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(hashes, index);
        expect(hexes(proof)).toEqual(hexes(referencePath(index, list)));
        for (let at = -1; at <= size; at++) {
          expect(verifyInclusion(list[index] as Uint8Array, at, size, proof, root)).toBe(at === index);
        }
      }
    }
  });

  it("fails with any bit of the proof, the leaf or the root changed", () => {
    for (const [size, index] of [
      [1, 0],
      [2, 1],
      [5, 4],
      [7, 2],
      [8, 5],
      [13, 12],
    ] as const) {
      const { list, hashes } = someTree(size);
      const leaf = list[index] as Uint8Array;
      const root = rootOfLeafHashes(hashes);
      const proof = inclusionProof(hashes, index);
      expect(verifyInclusion(leaf, index, size, proof, root)).toBe(true);
      for (const changed of flippedBits([leaf, root, ...proof])) {
        const [changedLeaf, changedRoot, ...changedProof] = changed as [Uint8Array, Uint8Array, ...Uint8Array[]];
        expect(verifyInclusion(changedLeaf, index, size, changedProof, changedRoot)).toBe(false);
      }
    }
  });

  it("fails when the proof has another shape, or the leaf or root is no hash", () => {
    fc.assert(
      fc.property(sizes, fc.nat(), (size, pick) => {
        const index = pick % size;
        const { list, hashes } = someTree(size);
        const leaf = list[index] as Uint8Array;
        const root = rootOfLeafHashes(hashes);
        const proof = inclusionProof(hashes, index);
        for (const wrong of misshapen(proof, root)) {
          expect(verifyInclusion(leaf, index, size, wrong, root)).toBe(false);
        }
        expect(verifyInclusion(leaf.slice(1), index, size, proof, root)).toBe(false);
        expect(verifyInclusion(leaf, index, size, proof, root.slice(1))).toBe(false);
        expect(verifyInclusion(leaf, index, 2 * size, proof, root)).toBe(false);
      }),
    );
  });

  it.each([
    [0, 0],
    [1, 1],
    [-1, 1],
    [0.5, 1],
    [0, Number.NaN],
    [0, 2 ** 53],
  ])("leaf %d of %d does not exist", (index, size) => {
    const { hashes } = someTree(1);
    expect(verifyInclusion(hashes, index, size, [], hashes)).toBe(false);
    expect(verifyInclusion(hashes, index, size, [], EMPTY_ROOT)).toBe(false);
  });

  it("asking for the proof of a leaf that does not exist throws", () => {
    const { hashes } = someTree(3);
    expect(() => inclusionProof(hashes, 3)).toThrow(RangeError);
    expect(() => inclusionProof(hashes, -1)).toThrow(RangeError);
    expect(() => inclusionProof(new Uint8Array(0), 0)).toThrow(RangeError);
  });

  it("a tree of more than 2^32 leaves is verified with its whole index", () => {
    // One leaf in front of 2^33 equal ones: what counts is that the index is not cut to 32 bits.
    const leaf = leafHash(Uint8Array.of(1));
    const level = [leafHash(Uint8Array.of(0))];
    for (let i = 0; i < 33; i++) level.push(referenceNode(level[i] as Uint8Array, level[i] as Uint8Array));
    let root = leaf;
    const proof: Uint8Array[] = [];
    for (let i = 0; i < 33; i++) {
      proof.push(level[i] as Uint8Array);
      root = referenceNode(level[i] as Uint8Array, root);
    }
    const last = 2 ** 33 - 1;
    expect(verifyInclusion(leaf, last, 2 ** 33, proof, root)).toBe(true);
    expect(verifyInclusion(leaf, 2 ** 32 - 1, 2 ** 33, proof, root)).toBe(false);
    expect(verifyInclusion(leaf, last, 2 ** 34, proof, root)).toBe(false);
  });
});

describe("RFC 9162 section 2.1.4: consistency proofs", () => {
  it.each(CONSISTENCY_PROOFS)("$first to $second known leaves has the published proof", ({ first, second, proof }) => {
    expect(hexes(consistencyProof(knownTree(second), first))).toEqual(proof);
    const roots = [hexBytes(ROOTS[first] as string), hexBytes(ROOTS[second] as string)] as const;
    expect(verifyConsistency(first, second, ...roots, bytesOf(proof))).toBe(true);
  });

  it("every pair of sizes to 33: as the recursive definition, and verifies for its sizes alone", () => {
    for (let second = 1; second <= 33; second++) {
      const { list, hashes } = someTree(second);
      const secondRoot = rootOfLeafHashes(hashes);
      for (let first = 1; first <= second; first++) {
        const firstRoot = rootOfLeafHashes(hashes.slice(0, 32 * first));
        const proof = consistencyProof(hashes, first);
        expect(hexes(proof)).toEqual(hexes(referenceSubproof(first, list, true)));
        for (let size = 0; size <= second; size++) {
          expect(verifyConsistency(size, second, firstRoot, secondRoot, proof)).toBe(size === first);
        }
      }
    }
  });

  it("fails with any bit of the proof or of a root changed", () => {
    for (const [first, second] of [
      [1, 2],
      [2, 5],
      [4, 8],
      [6, 7],
      [6, 8],
      [7, 13],
      [1, 1],
    ] as const) {
      const { hashes } = someTree(second);
      const roots = [rootOfLeafHashes(hashes.slice(0, 32 * first)), rootOfLeafHashes(hashes)] as const;
      const proof = consistencyProof(hashes, first);
      expect(verifyConsistency(first, second, ...roots, proof)).toBe(true);
      for (const changed of flippedBits([...roots, ...proof])) {
        const [firstRoot, secondRoot, ...changedProof] = changed as [Uint8Array, Uint8Array, ...Uint8Array[]];
        expect(verifyConsistency(first, second, firstRoot, secondRoot, changedProof)).toBe(false);
      }
    }
  });

  it("fails when the proof has another shape, the roots are exchanged, or a root is no hash", () => {
    fc.assert(
      fc.property(sizes, fc.nat(), (size, pick) => {
        const second = size + 1;
        const first = 1 + (pick % size);
        const { hashes } = someTree(second);
        const firstRoot = rootOfLeafHashes(hashes.slice(0, 32 * first));
        const secondRoot = rootOfLeafHashes(hashes);
        const proof = consistencyProof(hashes, first);
        for (const wrong of [...misshapen(proof, firstRoot), ...misshapen(proof, secondRoot), []]) {
          expect(verifyConsistency(first, second, firstRoot, secondRoot, wrong)).toBe(false);
        }
        expect(verifyConsistency(first, second, secondRoot, firstRoot, proof)).toBe(false);
        expect(verifyConsistency(second, first, secondRoot, firstRoot, proof)).toBe(false);
        expect(verifyConsistency(first, second, firstRoot.slice(1), secondRoot, proof)).toBe(false);
        expect(verifyConsistency(first, second, firstRoot, secondRoot.slice(1), proof)).toBe(false);
      }),
    );
  });

  it("the empty tree is a prefix of every tree, with no proof and its own root only", () => {
    const root = rootOfLeafHashes(knownTree(3));
    expect(consistencyProof(knownTree(3), 0)).toEqual([]);
    expect(verifyConsistency(0, 3, EMPTY_ROOT, root, [])).toBe(true);
    expect(verifyConsistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])).toBe(true);
    expect(verifyConsistency(0, 3, root, root, [])).toBe(false);
    expect(verifyConsistency(0, 3, EMPTY_ROOT, root, [root])).toBe(false);
    expect(verifyConsistency(0, 0, EMPTY_ROOT, root, [])).toBe(false);
    expect(verifyConsistency(3, 0, root, EMPTY_ROOT, [])).toBe(false);
  });

  it("asking for the proof of a tree larger than this one throws", () => {
    expect(() => consistencyProof(knownTree(3), 4)).toThrow(RangeError);
    expect(() => consistencyProof(knownTree(3), -1)).toThrow(RangeError);
  });
});

describe("the frontier of an append-only tree", () => {
  const grow = (list: readonly Uint8Array[], from: Frontier = EMPTY_FRONTIER) => list.reduce(append, from);

  it("has the root of the whole tree after each leaf, and no frontier changes another", () => {
    const { list, hashes } = someTree(130);
    const frontiers = [EMPTY_FRONTIER];
    for (const leaf of list) frontiers.push(append(frontiers.at(-1) as Frontier, leaf));
    for (const [size, frontier] of frontiers.entries()) {
      expect(frontier.size).toBe(size);
      expect(toHex(frontierRoot(frontier))).toBe(toHex(rootOfLeafHashes(hashes.slice(0, 32 * size))));
    }
    const fork = append(frontiers[5] as Frontier, list[100] as Uint8Array);
    expect(toHex(frontierRoot(fork))).toBe(toHex(referenceRoot([...list.slice(0, 5), list[100] as Uint8Array])));
    expect(toHex(frontierRoot(frontiers[6] as Frontier))).toBe(toHex(referenceRoot(list.slice(0, 6))));
  });

  it("shares the peaks it keeps with the one before", () => {
    const before = grow(someTree(12).list);
    const after = append(before, leafHash(Uint8Array.of(7)));
    expect(after.peaks[0]).toBe(before.peaks[0]);
    expect(after.peaks[1]).toBe(before.peaks[1]);
  });

  it("survives encoding at any size and goes on growing the same", () => {
    fc.assert(
      fc.property(fc.nat(70), (size) => {
        const { list } = someTree(size + 1);
        const frontier = grow(list.slice(0, size));
        const decoded = decodeFrontier(encodeFrontier(frontier));
        if (!decoded.ok) throw new Error(decoded.error.detail);
        expect(decoded.value.size).toBe(size);
        expect(hexes(decoded.value.peaks)).toEqual(hexes(frontier.peaks));
        const root = frontierRoot(append(decoded.value, list[size] as Uint8Array));
        expect(toHex(root)).toBe(toHex(referenceRoot(list)));
      }),
    );
  });

  it("decoding does not keep the message's buffer", () => {
    const frontier = grow(someTree(5).list);
    const encoded = encodeFrontier(frontier);
    const decoded = decodeFrontier(encoded);
    if (!decoded.ok) throw new Error(decoded.error.detail);
    encoded.fill(0);
    expect(hexes(decoded.value.peaks)).toEqual(hexes(frontier.peaks));
  });

  it("is refused with a wrong number of peaks, a peak of another length, or trailing bytes", () => {
    const { size, peaks } = grow(someTree(11).list);
    const encoded = encodeFrontier({ size, peaks });
    expect(decodeFrontier(encoded).ok).toBe(true);
    for (const wrong of [size - 1, size + 1, 0, 2 ** 53 - 1]) {
      expect(decodeFrontier(frontierMessage.encode({ size: wrong, peaks })).ok).toBe(false);
    }
    expect(decodeFrontier(frontierMessage.encode({ size, peaks: peaks.slice(1) })).ok).toBe(false);
    const shortPeak = encoded.slice(0, -1);
    shortPeak[encoded.length - 33] = 31;
    expect(decodeFrontier(shortPeak).ok).toBe(false);
    expect(decodeFrontier(concatBytes(encoded, Uint8Array.of(0))).ok).toBe(false);
    for (let length = 1; length < encoded.length; length++) {
      expect(decodeFrontier(encoded.slice(0, length)).ok).toBe(false);
    }
  });
});

describe("the root over equal leaves", () => {
  it("is that of a list of them, for every count", () => {
    const leaf = leafHash(Uint8Array.of(7));
    for (let count = 1; count <= 300; count++) {
      const all = concatBytes(...Array.from({ length: count }, () => leaf));
      expect(toHex(rootOfEqualLeaves(leaf, count))).toBe(toHex(rootOfLeafHashes(all)));
    }
    expect(() => rootOfEqualLeaves(leaf, 0)).toThrow(RangeError);
  });
});
