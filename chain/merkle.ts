/**
 * Merkle trees of RFC 9162, section 2.1: roots, inclusion and consistency proofs, and the frontier of an append-only
 * tree. Used for transactions and receipts of a block and for the history of block ids.
 *
 * A tree is given by its leaf hashes, n x 32 bytes in one buffer: 10,000 separate hashes would cost the heap ten times
 * as much. The RFC splits n leaves at the largest power of two below n; that is the same tree as pairing neighbours
 * level by level and promoting an odd last node unhashed, which is how it is computed here.
 */
import { equalBytes } from "../src/base/bytes.ts";
import { type DecodeError, type Decoded, fixedBytes, message, repeated, uint } from "../src/base/codec.ts";
import { HASH_BYTES, sha256, sha256Into } from "../src/base/hash.ts";
import { Scratch } from "../src/base/memory.ts";
import { err, ok, type Result } from "../src/base/result.ts";

const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;
const PAIR_BYTES = 2 * HASH_BYTES;

/** Root of the tree without leaves: SHA-256 of the empty string. */
export const EMPTY_ROOT: Uint8Array = sha256(new Uint8Array(0));

// Inputs of SHA-256 are put together here, prefix first. Nothing is kept in them between calls.
const nodeInput = new Uint8Array(1 + PAIR_BYTES);
nodeInput[0] = NODE_PREFIX;
/** Longest leaf that does not get a buffer of its own; the largest transaction by default (DESIGN.md, section 9). */
const LEAF_INPUT_BYTES = 64 * 1024;
const leafInput = new Uint8Array(1 + LEAF_INPUT_BYTES);
leafInput[0] = LEAF_PREFIX;
const levels = new Scratch();

/** Hash of a leaf: SHA-256(0x00 || bytes). Also the id of a transaction. */
export function leafHash(bytes: Uint8Array): Uint8Array {
  const input = leafInputOf(bytes.length);
  input.set(bytes, 1);
  return sha256(input);
}

/** Hash of an inner node: SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  return sha256(nodeInput);
}

/**
 * Leaf hashes of n byte ranges of `buffer`, n x 32 bytes.
 *
 * @param ranges start and end (exclusive) of each leaf, alternating: 2n numbers.
 * @throws RangeError when a range does not lie in the buffer.
 */
export function leafHashesOf(buffer: Uint8Array, ranges: Uint32Array): Uint8Array {
  const count = ranges.length >>> 1;
  const hashes = new Uint8Array(count * HASH_BYTES);
  let input = leafInputOf(0);
  for (let i = 0; i < count; i++) {
    const start = ranges[2 * i] as number;
    const end = ranges[2 * i + 1] as number;
    if (start > end || end > buffer.length) throw new RangeError(`leaf ${i}: ${start} to ${end} of ${buffer.length}`);
    // Transactions of one block are often of one length: the view is kept until the length changes.
    if (input.length !== 1 + end - start) input = leafInputOf(end - start);
    input.set(buffer.subarray(start, end), 1);
    sha256Into(input, hashes, i * HASH_BYTES);
  }
  return hashes;
}

function leafInputOf(leafBytes: number): Uint8Array {
  if (leafBytes <= LEAF_INPUT_BYTES) return leafInput.subarray(0, 1 + leafBytes);
  const input = new Uint8Array(1 + leafBytes);
  input[0] = LEAF_PREFIX;
  return input;
}

/** MTH(D[n]): the root over n leaf hashes (n x 32 bytes, left as they are). Section 2.1.1. */
export function rootOfLeafHashes(hashes: Uint8Array): Uint8Array {
  const count = leafCount(hashes);
  return count === 0 ? Uint8Array.from(EMPTY_ROOT) : rootOfRange(hashes, 0, count);
}

/** MTH over the leaves `start` to `end` (exclusive), at least one. */
function rootOfRange(hashes: Uint8Array, start: number, end: number): Uint8Array {
  const level = levels.take((end - start) * HASH_BYTES);
  level.set(hashes.subarray(start * HASH_BYTES, end * HASH_BYTES));
  for (let nodes = end - start; nodes > 1; nodes = foldLevel(level, nodes));
  return copyOf(level, 0, 1);
}

/** The root over `count` equal leaves, at least one: as {@link rootOfLeafHashes}, with two hashes a level at most. */
export function rootOfEqualLeaves(leafHash: Uint8Array, count: number): Uint8Array {
  if (!isCount(count) || count === 0) throw new RangeError(`${count} leaves`);
  /** All nodes of a level but the last are alike. */
  let each = leafHash;
  let last = leafHash;
  for (let nodes = count; nodes > 1; nodes = Math.ceil(nodes / 2)) {
    const pair = nodes > 2 ? nodeHash(each, each) : each;
    // An odd last node is promoted as it is.
    if (nodes % 2 === 0) last = last === each && nodes > 2 ? pair : nodeHash(each, last);
    each = pair;
  }
  return last;
}

/** Replaces the first `nodes` hashes of `level` by their parents and returns how many those are. */
function foldLevel(level: Uint8Array, nodes: number): number {
  const pairs = nodes >>> 1;
  for (let i = 0; i < pairs; i++) {
    nodeInput.set(level.subarray(i * PAIR_BYTES, (i + 1) * PAIR_BYTES), 1);
    sha256Into(nodeInput, level, i * HASH_BYTES);
  }
  if (nodes === 2 * pairs) return pairs;
  level.copyWithin(pairs * HASH_BYTES, (nodes - 1) * HASH_BYTES, nodes * HASH_BYTES);
  return pairs + 1;
}

/**
 * PATH(index, D[n]): the siblings on the way from a leaf to the root, lowest first. Section 2.1.3.1. Costs n hashes.
 *
 * @throws RangeError when there is no such leaf.
 */
export function inclusionProof(hashes: Uint8Array, index: number): Uint8Array[] {
  let nodes = leafCount(hashes);
  if (!isCount(index) || index >= nodes) throw new RangeError(`leaf ${index} of ${nodes}`);
  const level = copyOf(hashes, 0, nodes);
  const proof: Uint8Array[] = [];
  for (let at = index; nodes > 1; at >>>= 1) {
    const sibling = at ^ 1;
    if (sibling < nodes) proof.push(copyOf(level, sibling, sibling + 1));
    nodes = foldLevel(level, nodes);
  }
  return proof;
}

/** Whether `proof` shows that `leafHash` is leaf `index` of the tree of `treeSize` leaves with `root`. Section 2.1.3.2. */
export function verifyInclusion(
  leafHash: Uint8Array,
  index: number,
  treeSize: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!isCount(index) || !isCount(treeSize) || index >= treeSize) return false;
  if (!isHash(leafHash) || !proof.every(isHash)) return false;
  const path = new Path(index, treeSize - 1);
  let hash = leafHash;
  for (const sibling of proof) {
    if (path.last === 0) return false;
    hash = path.siblingIsLeft() ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
    path.ascend();
  }
  return path.last === 0 && equalBytes(hash, root);
}

/**
 * PROOF(firstSize, D[n]): that the tree of the first `firstSize` leaves is a prefix of this one. Section 2.1.4.1.
 * Empty when the sizes are equal or `firstSize` is 0: then there is nothing to prove. Costs n hashes.
 *
 * @throws RangeError when `firstSize` is greater than the tree.
 */
export function consistencyProof(hashes: Uint8Array, firstSize: number): Uint8Array[] {
  const count = leafCount(hashes);
  if (!isCount(firstSize) || firstSize > count) throw new RangeError(`first ${firstSize} leaves of ${count}`);
  if (firstSize === 0 || firstSize === count) return [];
  const proof: Uint8Array[] = [];
  let start = 0;
  let end = count;
  let first = firstSize; // leaves of the first tree in start..end
  let known = true; // the first tree is start..end itself and its root is known to the verifier
  while (first < end - start) {
    const split = start + largestPowerBelow(end - start);
    if (first <= split - start) {
      proof.push(rootOfRange(hashes, split, end));
      end = split;
    } else {
      proof.push(rootOfRange(hashes, start, split));
      first -= split - start;
      start = split;
      known = false;
    }
  }
  if (!known) proof.push(rootOfRange(hashes, start, end));
  return proof.reverse();
}

/**
 * Whether `proof` shows that the tree with `firstRoot` is the first `firstSize` leaves of the tree with `secondRoot`.
 * Section 2.1.4.2. An empty tree is a prefix of every tree.
 */
export function verifyConsistency(
  firstSize: number,
  secondSize: number,
  firstRoot: Uint8Array,
  secondRoot: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!isCount(firstSize) || !isCount(secondSize) || firstSize > secondSize) return false;
  if (!isHash(firstRoot) || !isHash(secondRoot) || !proof.every(isHash)) return false;
  if (firstSize === 0 && !equalBytes(firstRoot, EMPTY_ROOT)) return false;
  if (firstSize === secondSize) return proof.length === 0 && equalBytes(firstRoot, secondRoot);
  if (firstSize === 0) return proof.length === 0;

  const path = new Path(firstSize - 1, secondSize - 1);
  path.ascendWhileRight();
  // A first tree that is one whole subtree: its root is the start of the path and is left out of the proof.
  const nodes = path.at === 0 ? [firstRoot, ...proof] : proof;
  const [start, ...rest] = nodes;
  if (proof.length === 0 || start === undefined) return false;
  let first = start;
  let second = start;
  for (const node of rest) {
    if (path.last === 0) return false;
    if (path.siblingIsLeft()) {
      first = nodeHash(node, first);
      second = nodeHash(node, second);
    } else {
      second = nodeHash(second, node);
    }
    path.ascend();
  }
  return path.last === 0 && equalBytes(first, firstRoot) && equalBytes(second, secondRoot);
}

/**
 * A node's place on its level and the last place there: `fn` and `sn` of the RFC's verification algorithms. Numbers up
 * to 2^53 - 1, so halves and parities are computed without 32-bit operators.
 */
class Path {
  at: number;
  last: number;

  constructor(at: number, last: number) {
    this.at = at;
    this.last = last;
  }

  /** The next sibling is on the left: this is a right child, or an odd last node on its way up to one. */
  siblingIsLeft(): boolean {
    return this.at % 2 === 1 || this.at === this.last;
  }

  /** To the parent; an odd last node was promoted as it is, so first to the level where it became a right child. */
  ascend(): void {
    if (this.siblingIsLeft()) while (this.at % 2 === 0 && this.at !== 0) this.halve();
    this.halve();
  }

  ascendWhileRight(): void {
    while (this.at % 2 === 1) this.halve();
  }

  private halve(): void {
    this.at = Math.floor(this.at / 2);
    this.last = Math.floor(this.last / 2);
  }
}

/** An append-only tree without its leaves: the roots of its whole subtrees, largest (leftmost) first. Immutable. */
export interface Frontier {
  /** Number of leaves. */
  readonly size: number;
  /** One root for each 1 in the binary form of `size`. */
  readonly peaks: readonly Uint8Array[];
}

export const EMPTY_FRONTIER: Frontier = { size: 0, peaks: [] };

/** The frontier with one more leaf. Peaks are shared with the one before; one node is hashed on average. */
export function append(frontier: Frontier, leaf: Uint8Array): Frontier {
  let kept = frontier.peaks.length;
  let peak = leaf;
  for (let rest = frontier.size; rest % 2 === 1; rest = (rest - 1) / 2) {
    peak = nodeHash(frontier.peaks[--kept] as Uint8Array, peak);
  }
  const peaks = frontier.peaks.slice(0, kept);
  peaks.push(peak);
  return { size: frontier.size + 1, peaks };
}

/** The root of the tree: the same as {@link rootOfLeafHashes} over all its leaves. */
export function frontierRoot(frontier: Frontier): Uint8Array {
  const { peaks } = frontier;
  let root = peaks.at(-1);
  if (root === undefined) return Uint8Array.from(EMPTY_ROOT);
  for (let i = peaks.length - 2; i >= 0; i--) root = nodeHash(peaks[i] as Uint8Array, root);
  return root;
}

const MAX_PEAKS = 53; // as many as a safe integer has bits

/** A frontier on the wire and on disk. */
export const frontierMessage = message("Frontier", {
  size: uint(1),
  peaks: repeated(fixedBytes(2, HASH_BYTES), MAX_PEAKS),
});

export function encodeFrontier(frontier: Frontier): Uint8Array {
  return frontierMessage.encode(frontier);
}

/** The frontier of `bytes`; refuses what {@link encodeFrontier} would not write and a wrong number of peaks. */
export function decodeFrontier(bytes: Uint8Array): Result<Frontier, DecodeError> {
  const decoded = frontierMessage.decode(bytes);
  return decoded.ok ? frontierOf(decoded.value) : decoded;
}

/** For a frontier that came nested in another message. Copies the peaks, so the message's buffer can go. */
export function frontierOf(decoded: Decoded<typeof frontierMessage>): Result<Frontier, DecodeError> {
  const { size, peaks } = decoded;
  if (peaks.length !== countOnes(size)) {
    return err({ code: "UNDECODABLE", message: "Frontier", detail: `${peaks.length} peaks for size ${size}` });
  }
  return ok({ size, peaks: peaks.map((peak) => Uint8Array.from(peak)) });
}

function leafCount(hashes: Uint8Array): number {
  if (hashes.length % HASH_BYTES !== 0) throw new RangeError(`${hashes.length} bytes are not a list of hashes`);
  return hashes.length / HASH_BYTES;
}

/** The hashes `start` to `end` in memory of their own. Not `slice`: a Buffer's slice is a view. */
function copyOf(hashes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array((end - start) * HASH_BYTES);
  copy.set(hashes.subarray(start * HASH_BYTES, end * HASH_BYTES));
  return copy;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isHash(bytes: Uint8Array): boolean {
  return bytes.length === HASH_BYTES;
}

/** Largest power of two strictly below `count`, which is at least 2 and at most 2^31. */
function largestPowerBelow(count: number): number {
  return 2 ** (31 - Math.clz32(count - 1));
}

function countOnes(value: number): number {
  let ones = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
  return ones;
}
