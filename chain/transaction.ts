/**
 * A transaction: opaque payload, nonce, expiry, optionally an author who signed it (`proto/chain.proto`). Its id is the
 * RFC 9162 leaf hash of its whole bytes, so one hash serves as id and in the tree.
 */
import { hexBytes, toHex } from "../src/base/bytes.ts";
import { sha256 } from "../src/base/hash.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import { KEY_BYTES, NONCE_BYTES, SIGNATURE_BYTES } from "./constants.ts";
import { leafHash } from "./merkle.ts";
import {
  lengthDelimitedBytes,
  scanLengthDelimited,
  scanVarint,
  varintBytes,
  writeLengthPrefix,
  writeVarint,
} from "./scan.ts";
import { type SignatureClaim, signingDigest } from "./signing.ts";

const TAG = { payload: 0x0a, nonce: 0x12, expiresAt: 0x18, author: 0x22, signature: 0x2a } as const;
/** Tag, length and content of the signature field, always last. */
const SIGNATURE_FIELD_BYTES = 2 + SIGNATURE_BYTES;

export interface Transaction {
  /** What the application executes; at least one byte. */
  readonly payload: Uint8Array;
  readonly nonce: Uint8Array;
  /** Milliseconds since the epoch, in header time; valid in a block whose time is not later. */
  readonly expiresAt: number;
  /** Ed25519 public key, hex. Present exactly when `signature` is. */
  readonly author?: string;
  readonly signature?: Uint8Array;
}

export type TransactionError =
  | { readonly code: "TRANSACTION_UNDECODABLE" }
  | { readonly code: "TRANSACTION_TOO_LARGE"; readonly bytes: number; readonly limit: number };

/** Encodes a transaction. Throws a RangeError on an empty payload, a nonce, key or signature of the wrong length, or no time. */
export function encodeTransaction(transaction: Transaction): Uint8Array {
  const { payload, nonce, expiresAt, author, signature } = transaction;
  if (payload.length === 0 || nonce.length !== NONCE_BYTES) throw new RangeError("payload or nonce length");
  if (!Number.isSafeInteger(expiresAt) || expiresAt <= 0) throw new RangeError("expiresAt");
  if (signature !== undefined && signature.length !== SIGNATURE_BYTES) throw new RangeError("signature length");
  const authorBytes = author === undefined ? undefined : hexBytes(author);
  if (authorBytes !== undefined && authorBytes.length !== KEY_BYTES) throw new RangeError("author length");
  const bytes = new Uint8Array(
    lengthDelimitedBytes(payload.length) +
      lengthDelimitedBytes(NONCE_BYTES) +
      1 +
      varintBytes(expiresAt) +
      (authorBytes ? lengthDelimitedBytes(KEY_BYTES) : 0) +
      (signature ? SIGNATURE_FIELD_BYTES : 0),
  );
  let at = writeField(bytes, 0, TAG.payload, payload);
  at = writeField(bytes, at, TAG.nonce, nonce);
  bytes[at] = TAG.expiresAt;
  at = writeVarint(bytes, at + 1, expiresAt);
  if (authorBytes) at = writeField(bytes, at, TAG.author, authorBytes);
  if (signature) writeField(bytes, at, TAG.signature, signature);
  return bytes;
}

/** Decodes strictly; payload, nonce and signature are views of `bytes`. */
export function decodeTransaction(bytes: Uint8Array): Result<Transaction, TransactionError> {
  const payload = scanLengthDelimited(bytes, 0, TAG.payload);
  if (payload === undefined || payload.end === payload.start) return UNDECODABLE;
  const nonce = scanLengthDelimited(bytes, payload.end, TAG.nonce);
  if (nonce === undefined || nonce.end - nonce.start !== NONCE_BYTES) return UNDECODABLE;
  if (bytes[nonce.end] !== TAG.expiresAt) return UNDECODABLE;
  const expiresAt = scanVarint(bytes, nonce.end + 1);
  if (expiresAt === undefined || expiresAt.value === 0) return UNDECODABLE;
  const unsigned = {
    payload: bytes.subarray(payload.start, payload.end),
    nonce: bytes.subarray(nonce.start, nonce.end),
    expiresAt: expiresAt.value,
  };
  if (expiresAt.end === bytes.length) return ok(unsigned);
  const author = scanLengthDelimited(bytes, expiresAt.end, TAG.author);
  if (author === undefined || author.end - author.start !== KEY_BYTES) return UNDECODABLE;
  const signature = scanLengthDelimited(bytes, author.end, TAG.signature);
  if (signature === undefined || signature.end - signature.start !== SIGNATURE_BYTES) return UNDECODABLE;
  if (signature.end !== bytes.length) return UNDECODABLE;
  return ok({
    ...unsigned,
    author: toHex(bytes.subarray(author.start, author.end)),
    signature: bytes.subarray(signature.start, signature.end),
  });
}

/** Id of an encoded transaction, 32 bytes. */
export function transactionId(bytes: Uint8Array): Uint8Array {
  return leafHash(bytes);
}

/** What the author of a signed transaction signs: everything but the signature field. */
export function transactionClaim(
  chainId: string,
  bytes: Uint8Array,
  transaction: Transaction,
): SignatureClaim | undefined {
  if (transaction.author === undefined || transaction.signature === undefined) return undefined;
  const content = bytes.subarray(0, bytes.length - SIGNATURE_FIELD_BYTES);
  return {
    key: transaction.author,
    digest: signingDigest("transaction", chainId, content),
    signature: transaction.signature,
  };
}

/** True when an encoded transaction ends in a signature field: tells cheaply which transactions need a check. */
export function looksSigned(bytes: Uint8Array, start: number, end: number): boolean {
  const at = end - SIGNATURE_FIELD_BYTES;
  return at > start && bytes[at] === TAG.signature && bytes[at + 1] === SIGNATURE_BYTES;
}

/** Where the payload of the encoded transaction at `start` begins; undefined when it has none. */
export function payloadStart(buffer: Uint8Array, start: number): number | undefined {
  return scanLengthDelimited(buffer, start, TAG.payload)?.start;
}

/** A nonce derived from a seed and a counter, for callers that have no randomness (the simulator, tests). */
export function derivedNonce(seed: Uint8Array): Uint8Array {
  return sha256(seed).subarray(0, NONCE_BYTES);
}

const UNDECODABLE = err({ code: "TRANSACTION_UNDECODABLE" } as const);

function writeField(target: Uint8Array, at: number, tag: number, content: Uint8Array): number {
  const start = writeLengthPrefix(target, at, tag, content.length);
  target.set(content, start);
  return start + content.length;
}
