/**
 * A block: header, producer's signature, body. Header and body are kept as the bytes that were received; ids, roots
 * and storage all work on those (`proto/chain.proto`).
 */
import { EMPTY_BYTES, hexBytes, toHex } from "../src/base/bytes.ts";
import type { DecodeError } from "../src/base/codec.ts";
import { sha256Hex } from "../src/base/hash.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import { type ByteList, EMPTY_LIST, scanList } from "./byteList.ts";
import { type Configuration, decodeConfiguration, encodeConfiguration } from "./configuration.ts";
import {
  ATTACHMENTS_MAX_BYTES,
  BLOCK_OVERHEAD_BYTES,
  HARD_LIMITS,
  HEADER_MAX_BYTES,
  SIGNATURE_BYTES,
  VIEW_MAX,
} from "./constants.ts";
import { type Header, headerMessage } from "./header.ts";
import { leafHashesOf, rootOfLeafHashes } from "./merkle.ts";
import { lengthDelimitedBytes, scanLengthDelimited, writeLengthPrefix } from "./scan.ts";
import { type SignatureClaim, signingDigest } from "./signing.ts";

export interface Block {
  readonly id: string;
  readonly header: Header;
  readonly headerBytes: Uint8Array;
  readonly signature: Uint8Array;
  /** The body's bytes; `transactions` are views of it. */
  readonly body: Uint8Array;
  readonly transactions: ByteList;
  /** Ids of the transactions, 32 bytes each, in order: the leaves of `transactionRoot`. */
  readonly transactionIds: Uint8Array;
  /** The producer set that the block proposes; the header has its hash. */
  readonly nextConfiguration?: Configuration;
  /** What the engine attached, opaque here; the header has their hashes. */
  readonly entry?: Uint8Array;
  readonly proof?: Uint8Array;
}

/** Parts of a body. */
type BodyParts = Pick<Block, "transactions" | "nextConfiguration" | "entry" | "proof">;

/** What a body holds behind its transactions. */
export type Attachments = Pick<Block, "nextConfiguration" | "entry" | "proof">;

export type BlockError =
  | DecodeError
  | {
      readonly code: "BODY_DOES_NOT_MATCH";
      readonly id: string;
      readonly field: "transactionRoot" | "nextConfiguration" | "entryHash" | "proofHash";
    };

const HEADER_TAG = 0x0a;
const SIGNATURE_TAG = 0x12;
const BODY_TAG = 0x1a;
const CONFIGURATION_TAG = 0x12;
const ENTRY_TAG = 0x1a;
const PROOF_TAG = 0x22;

/** Bytes that an encoded block may have at most, whatever the genesis says. */
export const BLOCK_MAX_BYTES = HARD_LIMITS.blockBytes + BLOCK_OVERHEAD_BYTES;

/** Decodes a block from a peer or the disk and checks that its body matches its header. */
export function decodeBlock(bytes: Uint8Array): Result<Block, BlockError> {
  const parts = splitBlock(bytes);
  if (!parts.ok) return parts;
  const { headerBytes, signature, body } = parts.value;
  return assembleBlock(headerBytes, signature, body);
}

/** The three parts of an encoded block, as views; nothing in them is checked. */
function splitBlock(bytes: Uint8Array): Result<Pick<Block, "headerBytes" | "signature" | "body">, DecodeError> {
  const header = scanLengthDelimited(bytes, 0, HEADER_TAG);
  if (header === undefined) return err(undecodable("header"));
  const signature = scanLengthDelimited(bytes, header.end, SIGNATURE_TAG);
  if (signature === undefined) return err(undecodable("signature"));
  let body = { start: signature.end, end: signature.end };
  if (signature.end !== bytes.length) {
    const scanned = scanLengthDelimited(bytes, signature.end, BODY_TAG);
    if (scanned === undefined || scanned.end !== bytes.length) return err(undecodable("body"));
    if (scanned.start === scanned.end) return err(undecodable("an empty body is left out"));
    body = scanned;
  }
  return ok({
    headerBytes: bytes.subarray(header.start, header.end),
    signature: bytes.subarray(signature.start, signature.end),
    body: bytes.subarray(body.start, body.end),
  });
}

/** The height of an encoded block and the claim that its producer signed it, without a look at its body. */
export function claimOfEncoded(
  chainId: string,
  bytes: Uint8Array,
): { height: number; claim: SignatureClaim } | undefined {
  const parts = splitBlock(bytes);
  if (!parts.ok || parts.value.signature.length !== SIGNATURE_BYTES) return undefined;
  const { headerBytes, signature } = parts.value;
  const header = headerMessage.decode(headerBytes);
  if (!header.ok) return undefined;
  const claim = blockClaim(chainId, { id: sha256Hex(headerBytes), header: header.value, signature });
  return { height: header.value.height, claim };
}

/** A block from its three parts, checked as {@link decodeBlock} does. */
export function assembleBlock(
  headerBytes: Uint8Array,
  signature: Uint8Array,
  body: Uint8Array,
): Result<Block, BlockError> {
  if (headerBytes.length > HEADER_MAX_BYTES) return err(undecodable("header too long"));
  if (signature.length !== SIGNATURE_BYTES) return err(undecodable("signature length"));
  const header = headerMessage.decode(headerBytes);
  if (!header.ok) return header;
  if (header.value.view > VIEW_MAX) return err(undecodable("view out of range"));
  const parts = decodeBody(body);
  if (!parts.ok) return parts;
  const { transactions, nextConfiguration, entry, proof } = parts.value;
  const transactionIds = leafHashesOf(body, transactions.offsets);
  const id = sha256Hex(headerBytes);
  if (toHex(rootOfLeafHashes(transactionIds)) !== header.value.transactionRoot) {
    return err({ code: "BODY_DOES_NOT_MATCH", id, field: "transactionRoot" });
  }
  if (nextConfiguration?.hash !== header.value.nextConfiguration)
    return err({ code: "BODY_DOES_NOT_MATCH", id, field: "nextConfiguration" });
  if (hashOf(entry) !== header.value.entryHash) return err({ code: "BODY_DOES_NOT_MATCH", id, field: "entryHash" });
  if (hashOf(proof) !== header.value.proofHash) return err({ code: "BODY_DOES_NOT_MATCH", id, field: "proofHash" });
  return ok({
    id,
    header: header.value,
    headerBytes,
    signature,
    body,
    transactions,
    transactionIds,
    ...(nextConfiguration && { nextConfiguration }),
    ...(entry && { entry }),
    ...(proof && { proof }),
  });
}

/** The encoded block as parts to be sent one after the other: the body is not copied. */
export function encodeBlockParts(block: Pick<Block, "headerBytes" | "signature" | "body">): Uint8Array[] {
  const { headerBytes, signature, body } = block;
  const prefix = new Uint8Array(
    lengthDelimitedBytes(headerBytes.length) +
      lengthDelimitedBytes(signature.length) +
      (body.length === 0 ? 0 : lengthDelimitedBytes(body.length) - body.length),
  );
  let at = writeLengthPrefix(prefix, 0, HEADER_TAG, headerBytes.length);
  prefix.set(headerBytes, at);
  at = writeLengthPrefix(prefix, at + headerBytes.length, SIGNATURE_TAG, signature.length);
  prefix.set(signature, at);
  if (body.length === 0) return [prefix];
  writeLengthPrefix(prefix, at + signature.length, BODY_TAG, body.length);
  return [prefix, body];
}

/** Bytes of a block on the wire and on disk, near enough for budgets. */
export function blockBytes(block: Pick<Block, "headerBytes" | "signature" | "body">): number {
  return block.headerBytes.length + block.signature.length + block.body.length + 16;
}

/** The claim that `block.header.producer` signed this block. */
export function blockClaim(chainId: string, block: Pick<Block, "id" | "header" | "signature">): SignatureClaim {
  return {
    key: block.header.producer,
    digest: signingDigest("block", chainId, hexBytes(block.id)),
    signature: block.signature,
  };
}

/** Bytes of a body without its attachments: what the genesis limits. */
export function transactionBytes({ body, ...attachments }: Pick<Block, "body"> & Attachments): number {
  return encodedAttachments(attachments).reduce(
    (left, [, bytes]) => left - lengthDelimitedBytes(bytes.length),
    body.length,
  );
}

/** A body: the encoded transactions, and behind them the proposed set and what the engine attaches. */
export function encodeBody(transactions: Uint8Array, attachments: Attachments = {}): Uint8Array {
  const encoded = encodedAttachments(attachments);
  if (encoded.length === 0) return transactions;
  const attached = encoded.reduce((sum, [, bytes]) => sum + lengthDelimitedBytes(bytes.length), 0);
  const body = new Uint8Array(transactions.length + attached);
  body.set(transactions);
  let at = transactions.length;
  for (const [tag, attachment] of encoded) {
    at = writeLengthPrefix(body, at, tag, attachment.length);
    body.set(attachment, at);
    at += attachment.length;
  }
  return body;
}

export function hashOf(attachment: Uint8Array | undefined): string | undefined {
  return attachment && sha256Hex(attachment);
}

function encodedAttachments({ nextConfiguration, entry, proof }: Attachments): (readonly [number, Uint8Array])[] {
  const encoded: (readonly [number, Uint8Array])[] = [];
  if (nextConfiguration !== undefined) encoded.push([CONFIGURATION_TAG, encodeConfiguration(nextConfiguration)]);
  if (entry !== undefined) encoded.push([ENTRY_TAG, entry]);
  if (proof !== undefined) encoded.push([PROOF_TAG, proof]);
  return encoded;
}

function decodeBody(body: Uint8Array): Result<BodyParts, DecodeError> {
  if (body.length === 0) return ok({ transactions: EMPTY_LIST });
  const scanned = scanList(body, 0, {
    maxCount: HARD_LIMITS.blockTransactions,
    maxElementBytes: HARD_LIMITS.transactionBytes,
  });
  if (!scanned.ok) return scanned;
  const { list, end } = scanned.value;
  const set = scanLengthDelimited(body, end, CONFIGURATION_TAG);
  const entry = scanLengthDelimited(body, set?.end ?? end, ENTRY_TAG);
  const proof = scanLengthDelimited(body, entry?.end ?? set?.end ?? end, PROOF_TAG);
  if ((proof?.end ?? entry?.end ?? set?.end ?? end) !== body.length)
    return err(undecodable("unknown field in the body"));
  if (body.length - end > ATTACHMENTS_MAX_BYTES) return err(undecodable("attachments too long"));
  const nextConfiguration = set && decodeConfiguration(body.subarray(set.start, set.end));
  if (set !== undefined && nextConfiguration === undefined) return err(undecodable("no producer set"));
  return ok({
    transactions: list,
    ...(nextConfiguration && { nextConfiguration }),
    ...(entry && { entry: body.subarray(entry.start, entry.end) }),
    ...(proof && { proof: body.subarray(proof.start, proof.end) }),
  });
}

function undecodable(detail: string): DecodeError {
  return { code: "UNDECODABLE", message: "Block", detail };
}

export const EMPTY_BODY = EMPTY_BYTES;
