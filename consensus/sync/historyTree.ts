/**
 * Proofs in the history tree of a long chain (RFC 9162, section 2.1.3). Roots of whole subtrees of 256 blocks and of
 * everything above them are kept, 0.25 bytes a block: a proof then reads the ids of two pages at most, for 10 million
 * blocks as for a thousand.
 */
import { HASH_BYTES } from "../../src/base/hash.ts";
import { hexBytes } from "../../src/base/bytes.ts";
import { leafHash, nodeHash, rootOfLeafHashes } from "../../chain/merkle.ts";

const PAGE_LEAVES = 256;

/** Ids of irreversible blocks, by height. */
export type IdAt = (height: number) => string | undefined;

export class HistoryTree {
  readonly #idAt: IdAt;
  /** Level 0: roots of pages; level k: roots of 2^k pages. */
  readonly #levels: HashColumn[] = [];
  /** Leaf hashes of the pages used last: a puller asks for ranges in order. */
  readonly #pages = new Map<number, Uint8Array>();

  constructor(idAt: IdAt) {
    this.#idAt = idAt;
  }

  /**
   * Reads what is missing for proofs in the tree over blocks 0 to `size` - 1, all of them irreversible.
   * @returns whether all is here; false: go on later
   */
  grow(size: number, maxPages: number): boolean {
    const wanted = Math.floor(size / PAGE_LEAVES);
    let have = this.#levels[0]?.count ?? 0;
    for (let left = maxPages; have < wanted && left > 0; left--, have++) {
      this.#append(0, rootOfLeafHashes(this.#leaves(have, PAGE_LEAVES)));
    }
    return have >= wanted;
  }

  /**
   * That block `index` is in the tree over blocks 0 to `size` - 1: siblings, lowest first.
   * @throws RangeError when a block is not there or {@link grow} was not called
   */
  proof(index: number, size: number): Uint8Array[] {
    if (index < 0 || index >= size) throw new RangeError(`block ${index} of ${size}`);
    const siblings: Uint8Array[] = [];
    let start = 0;
    let end = size;
    while (end - start > 1) {
      const split = start + largestPowerBelow(end - start);
      if (index < split) {
        siblings.push(this.#root(split, end));
        end = split;
      } else {
        siblings.push(this.#root(start, split));
        start = split;
      }
    }
    return siblings.reverse();
  }

  /** Root over the blocks `start` to `end` (exclusive); `start` is a multiple of the power of two at or above their number. */
  #root(start: number, end: number): Uint8Array {
    const count = end - start;
    if (count <= PAGE_LEAVES && Math.floor(start / PAGE_LEAVES) === Math.floor((end - 1) / PAGE_LEAVES)) {
      const first = (start % PAGE_LEAVES) * HASH_BYTES;
      if (count < PAGE_LEAVES) {
        const leaves = this.#leaves(Math.floor(start / PAGE_LEAVES), (start % PAGE_LEAVES) + count);
        return rootOfLeafHashes(leaves.subarray(first, first + count * HASH_BYTES));
      }
    }
    const level = Math.log2(count / PAGE_LEAVES);
    if (Number.isInteger(level) && level >= 0) return this.#whole(level, start / count);
    const split = start + largestPowerBelow(count);
    return nodeHash(this.#root(start, split), this.#root(split, end));
  }

  #whole(level: number, place: number): Uint8Array {
    const column = this.#levels[level];
    if (column === undefined || place >= column.count) throw new RangeError(`subtree ${place} of level ${level}`);
    return column.at(place);
  }

  #append(level: number, root: Uint8Array): void {
    const column = (this.#levels[level] ??= new HashColumn());
    column.push(root);
    if (column.count % 2 === 0) this.#append(level + 1, nodeHash(column.at(column.count - 2), root));
  }

  /** Leaf hashes of at least the first `count` blocks of a page. */
  #leaves(page: number, count: number): Uint8Array {
    const known = this.#pages.get(page);
    if (known !== undefined && known.length >= count * HASH_BYTES) return known;
    const leaves = new Uint8Array(count * HASH_BYTES);
    leaves.set(known ?? NOTHING);
    for (let at = (known?.length ?? 0) / HASH_BYTES; at < count; at++) {
      const height = page * PAGE_LEAVES + at;
      const id = this.#idAt(height);
      if (id === undefined) throw new RangeError(`block ${height} is not here`);
      leaves.set(leafHash(hexBytes(id)), at * HASH_BYTES);
    }
    this.#pages.delete(page);
    this.#pages.set(page, leaves);
    if (this.#pages.size > PAGES_KEPT) this.#pages.delete(this.#pages.keys().next().value as number);
    return leaves;
  }
}

const NOTHING = new Uint8Array(0);
const PAGES_KEPT = 16;

/** Hashes in one growing buffer. */
class HashColumn {
  count = 0;
  #bytes = new Uint8Array(64 * HASH_BYTES);

  push(hash: Uint8Array): void {
    const at = this.count * HASH_BYTES;
    if (at === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(hash, at);
    this.count++;
  }

  at(place: number): Uint8Array {
    return this.#bytes.slice(place * HASH_BYTES, (place + 1) * HASH_BYTES);
  }
}

/** Largest power of two below `count`, which is at least 2. */
function largestPowerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}
