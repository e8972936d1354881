/** The transport's frame: a short header and the payload behind it, which is not copied (`proto/transport.proto`). */
import { bool, type Decoded, hash, message, repeated, uint } from "../../src/base/codec.ts";

const DESTINATIONS_MAX = 400;
const HEADER_LENGTH_BYTES = 2;

export const envelopeMessage = message("Envelope", {
  source: hash(1),
  /** Empty for a broadcast. */
  destinations: repeated(hash(2), DESTINATIONS_MAX),
  /** Links that it may still cross, this one included. */
  ttl: uint(3),
  broadcast: bool(4),
});
export type Envelope = Decoded<typeof envelopeMessage>;

/** The frame as parts: what {@link envelopePrefix} says, payload. */
export function encodeEnvelope(envelope: Envelope, payload: Uint8Array): Uint8Array[] {
  return [envelopePrefix(envelope), payload];
}

/** What stands before the payload: length of the header, header. */
export function envelopePrefix(envelope: Envelope): Uint8Array {
  const header = envelopeMessage.encode(envelope);
  const prefix = new Uint8Array(HEADER_LENGTH_BYTES + header.length);
  new DataView(prefix.buffer).setUint16(0, header.length);
  prefix.set(header, HEADER_LENGTH_BYTES);
  return prefix;
}

/** Where the payload of a frame begins; undefined for a frame that has none. */
export function envelopeBytes(frame: Uint8Array): number | undefined {
  if (frame.length < HEADER_LENGTH_BYTES) return undefined;
  const end = HEADER_LENGTH_BYTES + new DataView(frame.buffer, frame.byteOffset).getUint16(0);
  return end < frame.length ? end : undefined;
}

export function decodeEnvelope(frame: Uint8Array): { envelope: Envelope; payload: Uint8Array } | undefined {
  const end = envelopeBytes(frame);
  if (end === undefined) return undefined;
  const envelope = envelopeMessage.decode(frame.subarray(HEADER_LENGTH_BYTES, end));
  return envelope.ok ? { envelope: envelope.value, payload: frame.subarray(end) } : undefined;
}
