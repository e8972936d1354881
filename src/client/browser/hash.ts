/**
 * SHA-256 (FIPS 180-4) in plain JavaScript, for web pages: crypto.subtle answers only in promises, and only on secure
 * pages. The browser build puts this file in the place of src/base/hash.ts; both have the same face, and a test compares
 * them.
 */
import { toHex } from "../../base/bytes.ts";

export const HASH_BYTES = 32;
const BLOCK_BYTES = 64;

// The first 32 bits of the fractional parts of the square and cube roots of the first primes.
const START = fractions(8, 1 / 2);
const ROUND = fractions(64, 1 / 3);

function fractions(count: number, exponent: number): Int32Array {
  const words = new Int32Array(count);
  for (let candidate = 2, found = 0; found < count; candidate++) {
    if (!isPrime(candidate)) continue;
    words[found++] = (candidate ** exponent % 1) * 2 ** 32;
  }
  return words;
}

function isPrime(candidate: number): boolean {
  for (let i = 2; i * i <= candidate; i++) if (candidate % i === 0) return false;
  return true;
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return sha256Of([bytes]);
}

/** Writes SHA-256 of `bytes` to `out` from offset `at`. `out` may be the memory of `bytes`. */
export function sha256Into(bytes: Uint8Array, out: Uint8Array, at: number): void {
  if (at < 0 || at + HASH_BYTES > out.length) throw new RangeError(`hash at ${at} of ${out.length} bytes`);
  out.set(sha256(bytes), at);
}

export function sha256Hex(bytes: Uint8Array): string {
  return toHex(sha256(bytes));
}

export function sha256Of(parts: Iterable<Uint8Array>): Uint8Array {
  const message = padded(parts);
  const state = START.slice();
  const words = new Int32Array(64);
  const view = new DataView(message.buffer);
  for (let at = 0; at < message.length; at += BLOCK_BYTES) {
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + 4 * i);
    compress(state, words);
  }
  const digest = new Uint8Array(HASH_BYTES);
  const out = new DataView(digest.buffer);
  for (let i = 0; i < 8; i++) out.setInt32(4 * i, state[i] as number);
  return digest;
}

/** The parts, a one bit, zeros, and the length in bits in the last 8 bytes of a block. */
function padded(parts: Iterable<Uint8Array>): Uint8Array<ArrayBuffer> {
  const all = [...parts];
  const length = all.reduce((sum, part) => sum + part.length, 0);
  const message = new Uint8Array(Math.ceil((length + 9) / BLOCK_BYTES) * BLOCK_BYTES);
  let at = 0;
  for (const part of all) {
    message.set(part, at);
    at += part.length;
  }
  message[length] = 0x80;
  new DataView(message.buffer).setBigUint64(message.length - 8, BigInt(length) * 8n);
  return message;
}

function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

function compress(state: Int32Array, words: Int32Array): void {
  for (let i = 16; i < 64; i++) {
    const before = words[i - 15] as number;
    const last = words[i - 2] as number;
    const low = rotated(before, 7) ^ rotated(before, 18) ^ (before >>> 3);
    const high = rotated(last, 17) ^ rotated(last, 19) ^ (last >>> 10);
    words[i] = (words[i - 16] as number) + low + (words[i - 7] as number) + high;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < 64; i++) {
    const high = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
    const first = (h + high + ((e & f) ^ (~e & g)) + (ROUND[i] as number) + (words[i] as number)) | 0;
    const low = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
    const second = (low + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] = (state[i] as number) + word;
}
