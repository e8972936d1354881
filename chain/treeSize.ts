/**
 * How many leaves an RFC 9162 tree has, proven from its root. A header holds roots and no counts, and an inclusion
 * proof says nothing of where a leaf is unless the size is known.
 *
 * A tree of n leaves is one whole subtree (a peak) for each 1 in the binary form of n, largest first. For each peak the
 * proof shows its first leaf, as bytes, and the siblings from there to the peak. A leaf is hashed otherwise than an inner
 * node, so nobody can pass one off for the other: the number of siblings is the peak's height.
 */
import { equalBytes } from "../src/base/bytes.ts";
import { HASH_BYTES } from "../src/base/hash.ts";
import { type ByteList, elementAt } from "./byteList.ts";
import { frontierRoot, inclusionProof, leafHash, leafHashesOf, nodeHash } from "./merkle.ts";

/** A peak by its first leaf. */
export interface ProvenPeak {
  readonly leaf: Uint8Array;
  /** Siblings from the leaf up to the peak, all of them on the right. */
  readonly path: readonly Uint8Array[];
}

/** Peaks of a list that a block may have at most. */
export const PEAKS_MAX = 15;
/** Siblings on the way to the root of a list that a block may have at most. */
export const PATH_MAX = 15;

/** Proof of the number of elements of a list of at least one. */
export function treeSizeProof(list: ByteList): ProvenPeak[] {
  const hashes = leafHashesOf(list.buffer, list.offsets);
  const peaks: ProvenPeak[] = [];
  let start = 0;
  for (let leaves = 2 ** Math.floor(Math.log2(list.count)); leaves >= 1; leaves /= 2) {
    if (list.count - start < leaves) continue;
    const within = hashes.subarray(HASH_BYTES * start, HASH_BYTES * (start + leaves));
    peaks.push({ leaf: elementAt(list, start), path: inclusionProof(within, 0) });
    start += leaves;
  }
  return peaks;
}

/** The number of leaves of the tree with `root`; undefined when the proof does not show it. */
export function provenTreeSize(peaks: readonly ProvenPeak[], root: Uint8Array): number | undefined {
  if (peaks.length === 0 || peaks.length > PEAKS_MAX) return undefined;
  let size = 0;
  let lower = PATH_MAX + 1;
  const hashes: Uint8Array[] = [];
  for (const { leaf, path } of peaks) {
    if (path.length >= lower || path.some((sibling) => sibling.length !== HASH_BYTES)) return undefined;
    lower = path.length;
    size += 2 ** path.length;
    hashes.push(path.reduce((hash, sibling) => nodeHash(hash, sibling), leafHash(leaf)));
  }
  return equalBytes(frontierRoot({ size, peaks: hashes }), root) ? size : undefined;
}
