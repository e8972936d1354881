/**
 * Protobuf's two wire types, read strictly and written compactly. The reader takes minimal varints only, so a decoder on
 * top of it need not encode again to know that bytes are the one valid encoding; the writer fills one buffer that is
 * kept, so encoding allocates nothing but its result.
 */

/** Bytes that are no wire format. */
export class Malformed extends Error {}

const HEX_DIGITS = "0123456789abcdef";
/** By char code; 255: no lower-case hex digit. */
const DIGIT_VALUES = Uint8Array.from({ length: 128 }, (_, code) => HEX_DIGITS.indexOf(String.fromCharCode(code)));

export class WireReader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    // One wrapper for all the hex that is read of it.
    this.#bytes = typeof Buffer === "undefined" ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** A minimal varint of at most 2^53 - 1. */
  varint(): number {
    const bytes = this.#bytes;
    const first = bytes[this.at];
    if (first !== undefined && first < 0x80) {
      this.at++;
      return first;
    }
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = bytes[this.at++];
      if (byte === undefined) throw new Malformed("a varint is cut short");
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0) throw new Malformed("a varint is not minimal");
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    throw new Malformed("integer above 2^53 - 1");
  }

  /** A view of the next bytes, whose length is written before them. */
  bytes(minBytes: number, maxBytes: number): Uint8Array {
    const start = this.#content(minBytes, maxBytes);
    // Not of the wrapper: what is kept is a plain array.
    const { buffer, byteOffset } = this.#bytes;
    return new Uint8Array(buffer, byteOffset + start, this.at - start);
  }

  /** The same as lower-case hex. */
  hex(length: number): string {
    const start = this.#content(length, length);
    const bytes = this.#bytes;
    if (typeof Buffer !== "undefined") return (bytes as Buffer).toString("hex", start, this.at);
    let text = "";
    for (let i = start; i < this.at; i++) {
      const byte = bytes[i] as number;
      text += HEX_DIGITS.charAt(byte >> 4) + HEX_DIGITS.charAt(byte & 15);
    }
    return text;
  }

  /** @returns where the content starts; `at` is behind it */
  #content(minBytes: number, maxBytes: number): number {
    const length = this.varint();
    if (length < minBytes || length > maxBytes) throw new Malformed(`${length} bytes`);
    const start = this.at;
    this.at += length;
    if (this.at > this.#bytes.length) throw new Malformed("past the end");
    return start;
  }
}

export class WireWriter {
  #buffer = new Uint8Array(1024);
  #at = 0;

  /** Bytes written since the last {@link finish}. */
  get length(): number {
    return this.#at;
  }

  /** What was written since the last call, in an array of its own. */
  finish(): Uint8Array {
    const bytes = this.#buffer.slice(0, this.#at);
    this.#at = 0;
    return bytes;
  }

  /** The same in memory of the caller's, {@link length} bytes. */
  finishInto(target: Uint8Array): Uint8Array {
    target.set(this.#buffer.subarray(0, this.#at));
    this.#at = 0;
    return target;
  }

  /** Forgets what was written: an encoding that failed left it. */
  reset(): void {
    this.#at = 0;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#at++] = value;
  }

  varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= 128) {
      this.#buffer[this.#at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#at++] = rest;
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }

  /** Bytes given as lower-case hex. Throws for anything else: a bug, never input. */
  hex(text: string, length: number): void {
    if (text.length !== 2 * length) throw new RangeError(`${text.length} hex digits`);
    this.varint(length);
    this.#reserve(length);
    const buffer = this.#buffer;
    for (let i = 0; i < text.length; i += 2) {
      const high = DIGIT_VALUES[text.charCodeAt(i)] ?? 255;
      const low = DIGIT_VALUES[text.charCodeAt(i + 1)] ?? 255;
      if ((high | low) > 15) throw new Error(`not hex: ${text.slice(0, 80)}`);
      buffer[this.#at++] = high * 16 + low;
    }
  }

  /** Writes what `content` writes, with its length before it. */
  nested(content: () => void): void {
    this.#reserve(1);
    const start = ++this.#at;
    content();
    const length = this.#at - start;
    if (length < 128) this.#buffer[start - 1] = length;
    else {
      this.#at = start - 1;
      const more = length < 16_384 ? 1 : length < 2_097_152 ? 2 : 3;
      this.#reserve(1 + more + length);
      this.#buffer.copyWithin(start + more, start, start + length);
      this.varint(length);
      this.#at = start + more + length;
    }
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
    grown.set(this.#buffer);
    this.#buffer = grown;
  }
}
