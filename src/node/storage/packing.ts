/**
 * Writes travel to a worker thread as one transferred buffer. A structured clone of many small views would
 * copy the whole buffer behind each of them and costs microseconds an object; packing copies each byte once
 * and leaves the caller's buffers alone. Little-endian; lengths are 32 bits, heights and tokens are doubles.
 */

const NONE_LENGTH = 0xffff_ffff;

export class Packer {
  readonly #bytes: Buffer;
  #offset = 0;

  /** `capacityBytes` must be the exact size of all that will be put in. */
  constructor(capacityBytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacityBytes);
  }

  putNumber(value: number): void {
    this.#offset = this.#bytes.writeDoubleLE(value, this.#offset);
  }

  putLength(value: number): void {
    this.#offset = this.#bytes.writeUInt32LE(value, this.#offset);
  }

  putNone(): void {
    this.putLength(NONE_LENGTH);
  }

  /** Hex digits as bytes. Throws when `hex` is not exactly `byteCount` bytes of hex. */
  putHex(hex: string, byteCount: number): void {
    const written = this.#bytes.write(hex, this.#offset, byteCount, "hex");
    if (written !== byteCount || hex.length !== 2 * byteCount)
      throw new RangeError(`not ${byteCount} bytes of hex: ${hex}`);
    this.#offset += byteCount;
  }

  putBytes(source: Uint8Array): void {
    this.#bytes.set(source, this.#offset);
    this.#offset += source.length;
  }

  /** The packed buffer, to be transferred. Throws when the stated capacity was not the exact size. */
  finish(): ArrayBuffer {
    if (this.#offset !== this.#bytes.length)
      throw new RangeError(`packed ${this.#offset} of ${this.#bytes.length} bytes`);
    return this.#bytes.buffer as ArrayBuffer;
  }
}

export class Unpacker {
  readonly #bytes: Buffer;
  #offset: number;

  constructor(packed: ArrayBuffer, offset = 0) {
    this.#bytes = Buffer.from(packed);
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  number(): number {
    const value = this.#bytes.readDoubleLE(this.#offset);
    this.#offset += 8;
    return value;
  }

  length(): number {
    const value = this.#bytes.readUInt32LE(this.#offset);
    this.#offset += 4;
    return value;
  }

  /** A length, or undefined where `putNone` was called. */
  optionalLength(): number | undefined {
    const value = this.length();
    return value === NONE_LENGTH ? undefined : value;
  }

  /** A view, not a copy. */
  bytes(length: number): Buffer {
    const end = this.#offset + length;
    if (end > this.#bytes.length) throw new RangeError("packed message is too short");
    const view = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return view;
  }
}
