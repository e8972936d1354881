/**
 * Memory for many small byte strings. A `Uint8Array` of more than 64 bytes of its own costs microseconds: its memory is outside the
 * heap, asked for and given back one by one. A view of memory that is there costs a tenth of a microsecond.
 */

/** Above this, a string gets memory of its own. */
const SLAB_PIECE_BYTES = 4 * 1024;
const SLAB_BYTES = 64 * 1024;
/** Above this, a scratch is not kept. */
const SCRATCH_BYTES = 1024 * 1024;

/** Gives out pieces that are kept by whoever takes them; a slab goes when all of its pieces are gone. */
export class Slabs {
  #slab = new Uint8Array(0);
  #used = 0;

  /** Zeroed bytes that nobody else has. */
  take(bytes: number): Uint8Array {
    if (bytes > SLAB_PIECE_BYTES) return new Uint8Array(bytes);
    if (this.#used + bytes > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#used = 0;
    }
    const piece = this.#slab.subarray(this.#used, this.#used + bytes);
    this.#used += bytes;
    return piece;
  }
}

/** One piece of memory for what is needed for a moment only, again and again. */
export class Scratch {
  #bytes = new Uint8Array(0);

  /** Bytes with anything in them, at the start of their buffer; the same ones as the last time. */
  take(bytes: number): Uint8Array {
    if (bytes > SCRATCH_BYTES) return new Uint8Array(bytes);
    if (bytes > this.#bytes.length) this.#bytes = new Uint8Array(Math.min(SCRATCH_BYTES, 2 * bytes));
    return this.#bytes.subarray(0, bytes);
  }
}
