/**
 * Reading protobuf's two wire types in place, strictly (minimal varints only), for what is too hot for a general
 * decoder: a block holds thousands of transactions, and most are only hashed and copied.
 */

export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** The content of a length-delimited field whose one-byte tag must stand at `at`; undefined when it does not. */
export function scanLengthDelimited(buffer: Uint8Array, at: number, tag: number): ByteRange | undefined {
  if (buffer[at] !== tag) return undefined;
  let length = buffer[at + 1];
  if (length === undefined) return undefined;
  let start = at + 2;
  if (length >= 0x80) {
    const scanned = scanVarint(buffer, at + 1);
    if (scanned === undefined) return undefined;
    length = scanned.value;
    start = scanned.end;
  }
  const end = start + length;
  return end <= buffer.length ? { start, end } : undefined;
}

/** A minimal varint of at most 2^53 - 1 at `at`. */
export function scanVarint(buffer: Uint8Array, at: number): { value: number; end: number } | undefined {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 8; i++) {
    const byte = buffer[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      if (byte === 0 && i > 0) return undefined;
      return value <= Number.MAX_SAFE_INTEGER ? { value, end: at + i + 1 } : undefined;
    }
    scale *= 128;
  }
  return undefined;
}

export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Bytes of a length-delimited field with a one-byte tag. */
export function lengthDelimitedBytes(length: number): number {
  return 1 + varintBytes(length) + length;
}

/** Writes a varint and returns the offset behind it. */
export function writeVarint(buffer: Uint8Array, at: number, value: number): number {
  let rest = value;
  let offset = at;
  while (rest >= 128) {
    buffer[offset++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  buffer[offset++] = rest;
  return offset;
}

/** Writes a one-byte tag and a length and returns the offset at which the content belongs. */
export function writeLengthPrefix(buffer: Uint8Array, at: number, tag: number, length: number): number {
  buffer[at] = tag;
  return writeVarint(buffer, at + 1, length);
}
