/**
 * The history tree of a chain, for proofs: the RFC 9162 tree over the ids of blocks 0, 1, 2, ... whose root over the
 * ids below height h is the `historyRoot` of block h. A proof for any block against any later header reads at most
 * 2 x {@link CHUNK_LEAVES} ids, however long the chain is, and none that the proofs just before it have read.
 *
 * Kept in memory: the roots of all whole aligned subtrees of `CHUNK_LEAVES` leaves and more, a quarter of a byte a
 * block (25 MB for 100 million), and the leaves of the chunks used last. Blocks below the irreversible one never change,
 * so nothing here is ever taken back.
 */
import { hexBytes } from "../src/base/bytes.ts";
import { HASH_BYTES } from "../src/base/hash.ts";
import { type Frontier, inclusionProof, leafHash, nodeHash, rootOfLeafHashes } from "./merkle.ts";

const CHUNK_LEVEL = 8;
/** Leaves of the smallest subtree whose root is kept. */
export const CHUNK_LEAVES = 2 ** CHUNK_LEVEL;
/** Chunks whose leaves are kept: ranges that follow one another, and one or two anchors, need the same ones again. */
const CHUNKS_KEPT = 8;

/**
 * Ids of irreversible blocks from a height on, hex, in order: at most `count`, ending before the first one that is not held
 * (pruned or damaged).
 */
export type IdsFrom = (height: number, count: number) => readonly string[];

export class HistoryTree {
  readonly #idsFrom: IdsFrom;
  /** `#roots[k]`: roots of the whole subtrees of CHUNK_LEAVES x 2^k leaves, from the left. */
  readonly #roots: HashColumn[] = [];
  /** By first height, the one used last at the end: hashes of the leaves read so far, and how many they are. */
  readonly #chunks = new Map<number, { readonly hashes: Uint8Array; count: number }>();

  constructor(idsFrom: IdsFrom) {
    this.#idsFrom = idsFrom;
  }

  /** Leaves whose subtrees are kept: a multiple of {@link CHUNK_LEAVES}. */
  get size(): number {
    return (this.#roots[0]?.count ?? 0) * CHUNK_LEAVES;
  }

  /**
   * Takes in whole chunks up to `size` leaves, at most `maxChunks` of them: a long chain is taken in step by step.
   * @returns false when there is more to take in; true also when a block is not held, as more calls do not help
   */
  extend(size: number, maxChunks: number): boolean {
    for (let taken = 0; this.size + CHUNK_LEAVES <= size; taken++) {
      if (taken === maxChunks) return false;
      const leaves = this.#leaves(this.size, CHUNK_LEAVES);
      if (leaves === undefined) return true;
      this.#append(rootOfLeafHashes(leaves));
    }
    return true;
  }

  /**
   * The inclusion proof of block `height` in the tree over the ids of the blocks below `size` (all of them
   * irreversible). Takes in what is not kept yet: {@link extend} first where that may be much.
   * @returns undefined when `height` is not below `size` or a block needed is not held
   */
  proof(height: number, size: number): Uint8Array[] | undefined {
    if (!(height >= 0 && height < size)) return undefined;
    this.extend(size, Infinity);
    if (this.size + CHUNK_LEAVES <= size) return undefined;
    const chunk = Math.floor(height / CHUNK_LEAVES);
    const start = chunk * CHUNK_LEAVES;
    const leaves = this.#leaves(start, Math.min(CHUNK_LEAVES, size - start));
    if (leaves === undefined) return undefined;
    const within = inclusionProof(leaves, height - start);
    const above = this.#pathOfChunk(chunk, size);
    return above && [...within, ...above];
  }

  /**
   * That the tree over the ids of the blocks below `first` is the beginning of the one below `size`: PROOF(first, D[size])
   * of RFC 9162, section 2.1.4.1.
   * @returns undefined when `first` is above `size` or a block needed is not held
   */
  consistency(first: number, size: number): Uint8Array[] | undefined {
    if (!(first >= 0 && first <= size)) return undefined;
    if (first === 0 || first === size) return [];
    this.extend(size, Infinity);
    const ranges: { readonly start: number; readonly leaves: number }[] = [];
    let [start, end, left, isKnown] = [0, size, first, true];
    while (left < end - start) {
      const split = start + largestPowerBelow(end - start);
      if (left <= split - start) {
        ranges.push({ start: split, leaves: end - split });
        end = split;
      } else {
        ranges.push({ start, leaves: split - start });
        left -= split - start;
        start = split;
        isKnown = false;
      }
    }
    if (!isKnown) ranges.push({ start, leaves: end - start });
    const path: Uint8Array[] = [];
    for (const { start: from, leaves } of ranges.reverse()) {
      const root = this.#rootOfLeaves(from, leaves);
      if (root === undefined) return undefined;
      path.push(root);
    }
    return path;
  }

  /** Of leaves that begin where a whole subtree of at least so many does. */
  #rootOfLeaves(start: number, leaves: number): Uint8Array | undefined {
    let root: Uint8Array | undefined;
    for (const peak of [...this.#peaks(leaves)].reverse()) {
      const peakRoot = this.#rootOf({ start: start + peak.start, leaves: peak.leaves });
      if (peakRoot === undefined) return undefined;
      root = root === undefined ? peakRoot : nodeHash(peakRoot, root);
    }
    return root;
  }

  /** The frontier of the tree over the ids of the blocks below `size`; undefined when a block needed is not held. */
  frontier(size: number): Frontier | undefined {
    this.extend(size, Infinity);
    const peaks: Uint8Array[] = [];
    for (const peak of this.#peaks(size)) {
      const root = this.#rootOf(peak);
      if (root === undefined) return undefined;
      peaks.push(root);
    }
    return { size, peaks };
  }

  /** Siblings on the way from a chunk to the root of the tree of `size` leaves: the chunk may be its ragged end. */
  #pathOfChunk(chunk: number, size: number): Uint8Array[] | undefined {
    const chunks = Math.floor(size / CHUNK_LEAVES);
    const ragged = size % CHUNK_LEAVES;
    const path: Uint8Array[] = [];
    let last = chunks + (ragged > 0 ? 1 : 0) - 1;
    // The rightmost node of each level: a whole subtree, or the promoted or hashed ragged end.
    let edge = ragged > 0 ? this.#rootOf({ start: chunks * CHUNK_LEAVES, leaves: ragged }) : undefined;
    if (ragged > 0 && edge === undefined) return undefined;
    for (let level = 0, at = chunk; last > 0; level++) {
      const sibling = at % 2 === 0 ? at + 1 : at - 1;
      if (sibling < last) path.push(this.#kept(level, sibling));
      else if (sibling === last) path.push(edge ?? this.#kept(level, sibling));
      // The parent of the last node: itself when it has no left sibling, else hashed if it is not whole.
      if (last % 2 === 1) {
        if (edge !== undefined) edge = nodeHash(this.#kept(level, last - 1), edge);
      } else edge ??= this.#kept(level, last);
      at = Math.floor(at / 2);
      last = Math.floor(last / 2);
    }
    return path;
  }

  /** The whole subtrees that a tree of `size` leaves consists of, largest first. */
  *#peaks(size: number): Generator<{ readonly start: number; readonly leaves: number }> {
    let start = 0;
    for (let leaves = 2 ** 52; leaves >= 1; leaves /= 2) {
      if (size - start < leaves) continue;
      yield { start, leaves };
      start += leaves;
    }
  }

  #rootOf({ start, leaves }: { readonly start: number; readonly leaves: number }): Uint8Array | undefined {
    const level = Math.log2(leaves) - CHUNK_LEVEL;
    if (level >= 0 && start + leaves <= this.size) return this.#kept(level, start / leaves);
    if (leaves > CHUNK_LEAVES) return undefined;
    const hashes = this.#leaves(start, leaves);
    return hashes && rootOfLeafHashes(hashes);
  }

  #kept(level: number, at: number): Uint8Array {
    return (this.#roots[level] as HashColumn).at(at);
  }

  #append(root: Uint8Array): void {
    let hash = root;
    for (let level = 0; ; level++) {
      const column = (this.#roots[level] ??= new HashColumn());
      column.push(hash);
      if (column.count % 2 === 1) return;
      hash = nodeHash(column.at(column.count - 2), hash);
    }
  }

  /** Hashes of leaves of one chunk from its first one on: a view, not to be written to. */
  #leaves(start: number, count: number): Uint8Array | undefined {
    const chunkStart = start - (start % CHUNK_LEAVES);
    const chunk = this.#chunk(chunkStart);
    const needed = start + count - chunkStart;
    if (chunk.count < needed) {
      for (const id of this.#idsFrom(chunkStart + chunk.count, needed - chunk.count)) {
        chunk.hashes.set(leafHash(hexBytes(id)), chunk.count * HASH_BYTES);
        chunk.count++;
      }
    }
    if (chunk.count < needed) return undefined;
    return chunk.hashes.subarray((start - chunkStart) * HASH_BYTES, needed * HASH_BYTES);
  }

  #chunk(start: number): { readonly hashes: Uint8Array; count: number } {
    const chunk = this.#chunks.get(start) ?? { hashes: new Uint8Array(CHUNK_LEAVES * HASH_BYTES), count: 0 };
    this.#chunks.delete(start);
    this.#chunks.set(start, chunk);
    for (const oldest of this.#chunks.keys()) {
      if (this.#chunks.size <= CHUNKS_KEPT) break;
      this.#chunks.delete(oldest);
    }
    return chunk;
  }
}

/** Largest power of two strictly below `count`, which is at least 2. */
function largestPowerBelow(count: number): number {
  let power = 1;
  while (2 * power < count) power *= 2;
  return power;
}

/** A list of hashes that grows at its end: one buffer, doubled when it is full. */
class HashColumn {
  count = 0;
  #bytes = new Uint8Array(HASH_BYTES);

  push(hash: Uint8Array): void {
    const at = this.count * HASH_BYTES;
    if (at === this.#bytes.length) {
      const grown = new Uint8Array(2 * at);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(hash, at);
    this.count++;
  }

  /** Memory of its own: the buffer moves. */
  at(index: number): Uint8Array {
    if (!(index >= 0 && index < this.count)) throw new RangeError(`hash ${index} of ${this.count}`);
    return this.#bytes.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  }
}
