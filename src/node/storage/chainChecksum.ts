/** Checksums of chain.db's rows: they find bit rot and torn pages, not lies; lies are for hashes and signatures. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

/** A height as the eight bytes that checksums cover (a little-endian double). */
function heightBytes(height: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeDoubleLE(height, 0);
  return bytes;
}

/** Over height and parts, in order: equal to one crc32 over their concatenation. */
export function checksum(height: number, ...parts: readonly Uint8Array[]): number {
  let crc = crc32(heightBytes(height));
  for (const part of parts) crc = crc32(part, crc);
  return crc;
}

/** Of a piece of evidence. */
export function evidenceChecksum(producer: Uint8Array, kind: Uint8Array, bytes: Uint8Array): number {
  return crc32(bytes, crc32(kind, crc32(producer)));
}

/** Kept with the vote record: SHA-256, because nothing else vouches for it. */
export function recordChecksum(record: Uint8Array): Buffer {
  return createHash("sha256").update(record).digest();
}
