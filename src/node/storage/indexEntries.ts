/**
 * Entries of the transaction index: four 32-bit words in a Uint32Array, so that a hundred thousand of them
 * are one allocation and sorting makes no objects.
 *
 *     word 0, 1   the first eight bytes of the transaction id, as a big-endian number: high, low
 *     word 2, 3   position = height * 2^24 + index in the block: high, low
 *
 * Eight bytes of the id do: two ids among 10^9 share them with a chance of some percent, somebody may grind
 * such a pair on purpose, and the reader compares the whole id in the block anyway. On disk the words are
 * little-endian, as on every platform that Node supports in its first tiers.
 */
import type { TransactionPosition } from "./types.ts";

export const WORDS = 4;
export const ENTRY_BYTES = 16;
const INDEX_BITS = 24;
const ID_BYTES = 32;

if (new Uint8Array(new Uint32Array([1]).buffer)[0] !== 1) {
  throw new Error("the transaction index needs a little-endian processor");
}

/** The part of an id that the index keeps. */
export interface IdPrefix {
  readonly high: number;
  readonly low: number;
}

/** `id` in hex, at least 16 digits. */
export function prefixOf(id: string): IdPrefix {
  return { high: Number.parseInt(id.slice(0, 8), 16), low: Number.parseInt(id.slice(8, 16), 16) };
}

export function positionAt(words: Uint32Array, entry: number): TransactionPosition {
  const high = words[entry * WORDS + 2]!;
  const low = words[entry * WORDS + 3]!;
  return { height: high * 256 + (low >>> INDEX_BITS), index: low & 0xff_ffff };
}

/** Entries that wait to be written as a segment, in the order they came. */
export class PendingEntries {
  #words = new Uint32Array(1_024 * WORDS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Adds a block's transactions; `ids` are 32 bytes each, concatenated. */
  addBlock(height: number, ids: Uint8Array): void {
    const added = Math.floor(ids.length / ID_BYTES);
    this.#reserve(this.#count + added);
    const view = new DataView(ids.buffer, ids.byteOffset, ids.byteLength);
    const positionHigh = Math.floor(height / 256);
    const positionLow = (height % 256) << INDEX_BITS;
    const words = this.#words;
    let at = this.#count * WORDS;
    for (let index = 0; index < added; index++) {
      words[at++] = view.getUint32(index * ID_BYTES);
      words[at++] = view.getUint32(index * ID_BYTES + 4);
      words[at++] = positionHigh;
      words[at++] = (positionLow | index) >>> 0;
    }
    this.#count += added;
  }

  #reserve(count: number): void {
    if (count * WORDS <= this.#words.length) return;
    const larger = new Uint32Array(Math.max(count * WORDS, 2 * this.#words.length));
    larger.set(this.#words.subarray(0, this.#count * WORDS));
    this.#words = larger;
  }

  find(prefix: IdPrefix, found: TransactionPosition[]): void {
    const words = this.#words;
    for (let entry = 0, at = 0; entry < this.#count; entry++, at += WORDS) {
      if (words[at] === prefix.high && words[at + 1] === prefix.low) found.push(positionAt(words, entry));
    }
  }

  sorted(): Uint32Array {
    return sortEntries(this.#words.subarray(0, this.#count * WORDS));
  }

  clear(): void {
    this.#count = 0;
  }
}

/** A copy sorted by id prefix, entries of one prefix in the order given: a radix sort, eight passes over bytes. */
export function sortEntries(words: Uint32Array): Uint32Array {
  const count = words.length / WORDS;
  let from = new Uint32Array(count);
  for (let entry = 0; entry < count; entry++) from[entry] = entry;
  let to = new Uint32Array(count);
  const starts = new Uint32Array(257);
  for (let pass = 0; pass < 8; pass++) {
    const word = pass < 4 ? 1 : 0;
    const shift = (pass % 4) * 8;
    starts.fill(0);
    for (let i = 0; i < count; i++) starts[((words[i * WORDS + word]! >>> shift) & 0xff) + 1]!++;
    for (let digit = 0; digit < 256; digit++) starts[digit + 1]! += starts[digit]!;
    for (let i = 0; i < count; i++) {
      const entry = from[i]!;
      to[starts[(words[entry * WORDS + word]! >>> shift) & 0xff]!++] = entry;
    }
    [from, to] = [to, from];
  }
  const sorted = new Uint32Array(words.length);
  for (let i = 0; i < count; i++) copyEntry(words, from[i]!, sorted, i);
  return sorted;
}

export function copyEntry(source: Uint32Array, from: number, target: Uint32Array, to: number): void {
  const a = from * WORDS;
  const b = to * WORDS;
  target[b] = source[a]!;
  target[b + 1] = source[a + 1]!;
  target[b + 2] = source[a + 2]!;
  target[b + 3] = source[a + 3]!;
}

/** Index of the first entry whose prefix is not less than `prefix`; the count when there is none. */
export function lowerBound(words: Uint32Array, prefix: IdPrefix): number {
  let low = 0;
  let high = words.length / WORDS;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = middle * WORDS;
    const isLess = words[at]! < prefix.high || (words[at]! === prefix.high && words[at + 1]! < prefix.low);
    if (isLess) low = middle + 1;
    else high = middle;
  }
  return low;
}
