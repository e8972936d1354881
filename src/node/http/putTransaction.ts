/**
 * The usual transaction, one put of text, encoded straight into its bytes: a few times faster than by way of operation
 * objects and the general encoder, to which it is equal byte for byte (a test compares them).
 */
import { NONCE_BYTES } from "../../../chain/constants.ts";
import { lengthDelimitedBytes, varintBytes, writeLengthPrefix, writeVarint } from "../../../chain/scan.ts";
import { KV_LIMITS } from "../applications/kvPayload.ts";

const TAG = {
  payload: 0x0a,
  operation: 0x0a,
  put: 0x0a,
  key: 0x0a,
  value: 0x12,
  nonce: 0x12,
  expiresAt: 0x18,
} as const;

/** Undefined when key or value is not well-formed or out of its bounds: the general way says what is wrong. */
export function encodePutTransaction(
  key: string,
  value: string,
  nonce: Uint8Array,
  expiresAt: number,
): Uint8Array | undefined {
  if (!key.isWellFormed() || !value.isWellFormed()) return undefined;
  const keyBytes = Buffer.byteLength(key);
  const valueBytes = Buffer.byteLength(value);
  if (keyBytes === 0 || keyBytes > KV_LIMITS.keyBytes || valueBytes > KV_LIMITS.valueBytes) return undefined;
  const put = lengthDelimitedBytes(keyBytes) + (valueBytes === 0 ? 0 : lengthDelimitedBytes(valueBytes));
  const operation = lengthDelimitedBytes(put);
  const payload = lengthDelimitedBytes(operation);
  const bytes = new Uint8Array(lengthDelimitedBytes(payload) + 2 + NONCE_BYTES + 1 + varintBytes(expiresAt));
  let at = writeLengthPrefix(bytes, 0, TAG.payload, payload);
  at = writeLengthPrefix(bytes, at, TAG.operation, operation);
  at = writeLengthPrefix(bytes, at, TAG.put, put);
  at = writeText(bytes, writeLengthPrefix(bytes, at, TAG.key, keyBytes), key, keyBytes);
  if (valueBytes > 0) at = writeText(bytes, writeLengthPrefix(bytes, at, TAG.value, valueBytes), value, valueBytes);
  at = writeLengthPrefix(bytes, at, TAG.nonce, NONCE_BYTES);
  for (let i = 0; i < NONCE_BYTES; i++) bytes[at + i] = nonce[i] as number;
  bytes[at + NONCE_BYTES] = TAG.expiresAt;
  writeVarint(bytes, at + NONCE_BYTES + 1, expiresAt);
  return bytes;
}

const encoder = new TextEncoder();
/** Up to here a loop is faster than the call into the encoder. */
const SHORT = 64;

function writeText(target: Uint8Array, at: number, text: string, bytes: number): number {
  if (bytes === text.length && bytes <= SHORT) {
    // As many bytes as code units: all ASCII.
    for (let i = 0; i < bytes; i++) target[at + i] = text.charCodeAt(i);
  } else encoder.encodeInto(text, target.subarray(at, at + bytes));
  return at + bytes;
}
