/**
 * The ids of the transactions in the recent blocks of the current branch: a transaction is valid once in its chain
 * (DESIGN.md, section 8). Up to millions of ids, so they are kept off the JavaScript heap, about 40 bytes each: a ring
 * of 32-byte ids in chain order, and an open-addressing index into it with linear probing at a load of at most 1/2.
 *
 * Ids are hashes, but their sender can grind them: ids that share some leading bits cost little. So a slot is computed
 * from 64 bits of the id mixed with a seed that others do not know. No answer depends on the seed.
 */

const ID_BYTES = 32;
const NO_IDS = new Uint8Array(0);
const MIN_CAPACITY = 1024;
/** 2 GiB of ids; above, positions would no longer fit the index next to some bits of the hash. */
const MAX_CAPACITY = 2 ** 26;
/** The ring shrinks to a quarter when less than an eighth is used, so growing and shrinking cannot alternate. */
const SHRINK_BELOW = 1 / 8;

export interface WindowBlock {
  readonly height: number;
  /** Header time, ms. */
  readonly time: number;
  /** n x 32 bytes in the order of the block. */
  readonly ids: Uint8Array;
}

/** Where a transaction is: the height of its block and its place there. */
export interface WindowPosition {
  readonly height: number;
  readonly index: number;
}

interface BlockEntry {
  readonly height: number;
  readonly time: number;
  /** How many ids had ever been pushed before this block's: a prefix sum, and the sequence number of its first id. */
  readonly start: number;
}

/** Thrown by {@link DuplicateWindow.push}; the window is as it was. */
export class DuplicateIdError extends Error {
  override readonly name = "DuplicateIdError";
  readonly code = "DUPLICATE_ID";
  /** Place in the pushed block of the first id that is in the window or earlier in the block. */
  readonly index: number;
  constructor(index: number) {
    super(`transaction ${index} of the block is in the window or earlier in the block`);
    this.index = index;
  }
}

export class DuplicateWindow {
  readonly #seedLow: number;
  readonly #seedHigh: number;
  /** Blocks, oldest first, from `#firstBlock`; the entries before it are expired and removed now and then. */
  #blocks: BlockEntry[] = [];
  #firstBlock = 0;
  /** Sequence numbers: of the oldest id kept, and of the next to come. */
  #first = 0;
  #next = 0;
  /** Place of the oldest id in the ring; the others follow it, going round. */
  #firstPlace = 0;

  #ring = new Uint8Array(MIN_CAPACITY * ID_BYTES);
  /** 0 for an empty slot, else place + 1 in the bits of `#mask` and the id's hash in the bits above. */
  #slots = new Uint32Array(2 * MIN_CAPACITY);
  /** Number of slots - 1; also the bits that hold a place. The ring has (mask + 1) / 2 places. */
  #mask = 2 * MIN_CAPACITY - 1;

  /** @param seed any safe integer, random per process and kept to it */
  constructor(seed: number) {
    this.#seedLow = seed | 0;
    this.#seedHigh = Math.floor(seed / 2 ** 32) | 0;
  }

  /** Number of ids. */
  get size(): number {
    return this.#next - this.#first;
  }

  /** Number of blocks, empty ones included. */
  get blockCount(): number {
    return this.#blocks.length - this.#firstBlock;
  }

  /** Height of the oldest block; undefined when there is none. */
  get firstHeight(): number | undefined {
    return this.#blocks[this.#firstBlock]?.height;
  }

  /** Memory held outside the heap. */
  get bytes(): number {
    return this.#ring.byteLength + this.#slots.byteLength;
  }

  /**
   * Adds a block at the head.
   *
   * @throws DuplicateIdError when an id is there already or comes twice; the window is then as it was.
   * @throws RangeError when height or time do not continue the newest block, or ids are not n x 32 bytes: a bug.
   */
  push(block: WindowBlock): void {
    const duplicate = this.tryPush(block);
    if (duplicate !== undefined) throw new DuplicateIdError(duplicate);
  }

  /** As {@link push}, but returns the index of the first duplicate of the block, having changed nothing. */
  tryPush({ height, time, ids }: WindowBlock): number | undefined {
    this.#assertNext(height, time, ids);
    const count = ids.length / ID_BYTES;
    const start = this.#next;
    this.#reserve(this.size + count);
    this.#copyIn(ids);
    for (let i = 0; i < count; i++) {
      if (!this.#index(this.#placeFor(this.#next))) {
        this.#removeFrom(start);
        return i;
      }
      this.#next++;
    }
    this.#blocks.push({ height, time, start });
    return undefined;
  }

  /** Starts a block at the head, to be filled by {@link add}. Throws as {@link push} does. */
  beginBlock(height: number, time: number): void {
    this.#assertNext(height, time, NO_IDS);
    this.#blocks.push({ height, time, start: this.#next });
  }

  /** Adds the id `ids[offset, offset + 32)` to the newest block; false when the window has it. */
  add(ids: Uint8Array, offset: number): boolean {
    if (this.blockCount === 0) throw new RangeError("the duplicate window has no block");
    if (offset < 0 || offset + ID_BYTES > ids.length) throw new RangeError(`no id at ${offset} of ${ids.length} bytes`);
    this.#reserve(this.size + 1);
    const place = this.#placeFor(this.#next);
    const at = place * ID_BYTES;
    for (let i = 0; i < ID_BYTES; i++) this.#ring[at + i] = ids[offset + i] as number;
    if (!this.#index(place)) return false;
    this.#next++;
    return true;
  }

  /** Takes back the id that was added last: it is the newest block's. */
  removeLast(): void {
    const { start } = this.#blocks.at(-1) ?? { start: this.#next };
    if (this.blockCount === 0 || this.#next === start) throw new RangeError("the newest block has no id");
    this.#removeFrom(this.#next - 1);
  }

  /** Removes the newest block and returns its ids in their order. Throws when there is none. */
  pop(): { readonly height: number; readonly ids: Uint8Array } {
    if (this.blockCount === 0) throw new RangeError("the duplicate window is empty");
    const { height, start } = this.#blocks.pop() as BlockEntry;
    const ids = new Uint8Array((this.#next - start) * ID_BYTES);
    this.#copyOut(start, ids);
    this.#removeFrom(start);
    return { height, ids };
  }

  /** Where the id `ids[offset, offset + 32)` is in the window. */
  find(ids: Uint8Array, offset: number): WindowPosition | undefined {
    const place = this.#placeOf(ids, offset, this.#hash(ids, offset));
    if (place < 0) return undefined;
    const sequence = this.#first + ((place - this.#firstPlace) & (this.#capacity - 1));
    const { height, start } = this.#blockOf(sequence);
    return { height, index: sequence - start };
  }

  has(ids: Uint8Array, offset: number): boolean {
    return this.#placeOf(ids, offset, this.#hash(ids, offset)) >= 0;
  }

  /** Number of transactions in blocks whose header time is `time` or later. */
  countSince(time: number): number {
    let low = this.#firstBlock;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#blocks[middle] as BlockEntry).time >= time) high = middle;
      else low = middle + 1;
    }
    return this.#next - (this.#blocks[low]?.start ?? this.#next);
  }

  /** Drops the oldest blocks with header time below `time` and height up to `maxHeight` (what can no longer be undone). */
  expireBelow(time: number, maxHeight: number): void {
    let first = this.#firstBlock;
    while (first < this.#blocks.length) {
      const block = this.#blocks[first] as BlockEntry;
      if (block.time >= time || block.height > maxHeight) break;
      first++;
    }
    if (first === this.#firstBlock) return;
    this.#firstBlock = first;
    this.#removeBelow(this.#blocks[first]?.start ?? this.#next);
    if (this.#firstBlock > 1024 && 2 * this.#firstBlock > this.#blocks.length) {
      this.#blocks = this.#blocks.slice(this.#firstBlock);
      this.#firstBlock = 0;
    }
    if (this.#capacity > MIN_CAPACITY && this.size < this.#capacity * SHRINK_BELOW) {
      this.#resize(Math.max(MIN_CAPACITY, this.#capacity / 4));
    }
  }

  get #capacity(): number {
    return (this.#mask + 1) / 2;
  }

  #assertNext(height: number, time: number, ids: Uint8Array): void {
    if (ids.length % ID_BYTES !== 0) throw new RangeError(`${ids.length} bytes are not a list of ids`);
    if (this.blockCount === 0) return;
    const newest = this.#blocks.at(-1) as BlockEntry;
    if (height !== newest.height + 1 || !(time > newest.time)) {
      throw new RangeError(`block ${height} at ${time} does not follow block ${newest.height} at ${newest.time}`);
    }
  }

  /** The last block that starts at or before an id: an empty block starts where the next one does. */
  #blockOf(sequence: number): BlockEntry {
    let low = this.#firstBlock;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#blocks[middle] as BlockEntry).start <= sequence) low = middle;
      else high = middle - 1;
    }
    return this.#blocks[low] as BlockEntry;
  }

  #placeFor(sequence: number): number {
    return (this.#firstPlace + (sequence - this.#first)) & (this.#capacity - 1);
  }

  /** 32 bits that depend on the first 8 bytes of the id and on the seed. */
  #hash(bytes: Uint8Array, at: number): number {
    const low =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    const high =
      (bytes[at + 4] as number) |
      ((bytes[at + 5] as number) << 8) |
      ((bytes[at + 6] as number) << 16) |
      ((bytes[at + 7] as number) << 24);
    // Two rounds and the finalizer of MurmurHash3, the seed before each: a plain XOR would leave collisions as they are.
    let hash = Math.imul(low ^ this.#seedLow, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ high ^ this.#seedHigh, 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 13) ^ this.#seedLow, 0x27d4eb2f);
    return hash ^ (hash >>> 16);
  }

  /** The ring place of an id, or -1. */
  #placeOf(ids: Uint8Array, offset: number, hash: number): number {
    const slots = this.#slots;
    const mask = this.#mask;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot] as number;
      if (entry === 0) return -1;
      // The hash bits above the place say no for most other ids, without a look at the ring (a cache miss).
      if (((entry ^ hash) & ~mask) === 0 && this.#isAt((entry & mask) - 1, ids, offset)) return (entry & mask) - 1;
    }
  }

  #isAt(place: number, ids: Uint8Array, offset: number): boolean {
    const ring = this.#ring;
    const at = place * ID_BYTES;
    for (let i = 0; i < ID_BYTES; i++) if (ring[at + i] !== ids[offset + i]) return false;
    return true;
  }

  /** Enters the id at a place of the ring into the index, or returns false when an equal one is there. */
  #index(place: number): boolean {
    const slots = this.#slots;
    const mask = this.#mask;
    const ring = this.#ring;
    const hash = this.#hash(ring, place * ID_BYTES);
    let slot = hash & mask;
    for (let entry; (entry = slots[slot] as number) !== 0; slot = (slot + 1) & mask) {
      if (((entry ^ hash) & ~mask) === 0 && this.#isAt((entry & mask) - 1, ring, place * ID_BYTES)) return false;
    }
    slots[slot] = (hash & ~mask) | (place + 1);
    return true;
  }

  #removeFrom(start: number): void {
    while (this.#next > start) {
      this.#unindex(this.#placeFor(this.#next - 1));
      this.#next--;
    }
  }

  #removeBelow(end: number): void {
    while (this.#first < end) {
      this.#unindex(this.#firstPlace);
      this.#first++;
      this.#firstPlace = (this.#firstPlace + 1) & (this.#capacity - 1);
    }
  }

  /** Takes the id at a place of the ring out of the index, closing the gap: no tombstones. */
  #unindex(place: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let gap = this.#hash(this.#ring, place * ID_BYTES) & mask;
    while (((slots[gap] as number) & mask) !== place + 1) gap = (gap + 1) & mask;
    for (let slot = (gap + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const entry = slots[slot] as number;
      const home = this.#hash(this.#ring, ((entry & mask) - 1) * ID_BYTES) & mask;
      // It may move to the gap only if the gap is not before its home, going round.
      if (((slot - home) & mask) >= ((slot - gap) & mask)) {
        slots[gap] = entry;
        gap = slot;
      }
    }
    slots[gap] = 0;
  }

  /** Writes ids to the ring behind the newest. There is room. */
  #copyIn(ids: Uint8Array): void {
    const at = this.#placeFor(this.#next) * ID_BYTES;
    const untilWrap = Math.min(ids.length, this.#ring.length - at);
    this.#ring.set(ids.subarray(0, untilWrap), at);
    this.#ring.set(ids.subarray(untilWrap), 0);
  }

  /** The ids from number `start` to the newest, written to the front of `out`. */
  #copyOut(start: number, out: Uint8Array): void {
    const at = this.#placeFor(start) * ID_BYTES;
    const length = (this.#next - start) * ID_BYTES;
    const untilWrap = Math.min(length, this.#ring.length - at);
    out.set(this.#ring.subarray(at, at + untilWrap), 0);
    out.set(this.#ring.subarray(0, length - untilWrap), untilWrap);
  }

  #reserve(count: number): void {
    let capacity = this.#capacity;
    while (capacity < count) capacity *= 2;
    if (capacity > MAX_CAPACITY) throw new RangeError(`${count} ids are more than a duplicate window holds`);
    if (capacity > this.#capacity) this.#resize(capacity);
  }

  /** Moves everything to a ring and an index of another size. About 30 ns an id. */
  #resize(capacity: number): void {
    const ring = new Uint8Array(capacity * ID_BYTES);
    this.#copyOut(this.#first, ring);
    this.#ring = ring;
    this.#firstPlace = 0;
    this.#mask = 2 * capacity - 1;
    this.#slots = new Uint32Array(2 * capacity);
    for (let place = 0; place < this.size; place++) this.#index(place);
  }
}
