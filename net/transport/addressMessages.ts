/**
 * Where a node can be reached, in its own words and under its own signature: bytes to records and back
 * (`proto/transport.proto`). Signatures are checked by who can; here they are bytes.
 */
import { bytes, fixedBytes, hash, message, nested, repeated, text, uint } from "../../src/base/codec.ts";
import type { PeerKey } from "../link/types.ts";

/** Addresses of one node at most, and bytes of one. */
export const ADDRESSES_MAX = 8;
export const ADDRESS_MAX_BYTES = 128;
/** Records in one message at most. */
export const RECORDS_MAX = 64;
/** Content of the largest record, about. */
const CONTENT_MAX_BYTES = 1_100;
const SIGNATURE_BYTES = 64;

/** First byte of a payload; routes, trees and the layers above use others. */
const KIND = 60;

/** What the node signs. */
export const nodeAddressesMessage = message("NodeAddresses", {
  /** The node's clock when it signed, ms; greater than in all that it signed before. */
  sequence: uint(1),
  addresses: repeated(text(2, ADDRESS_MAX_BYTES), ADDRESSES_MAX),
});
export const addressRecordMessage = message("AddressRecord", {
  node: hash(1),
  content: bytes(2, CONTENT_MAX_BYTES),
  signature: fixedBytes(3, SIGNATURE_BYTES),
});
export const addressRecordsMessage = message("AddressRecords", {
  records: repeated(nested(1, addressRecordMessage), RECORDS_MAX),
});

export interface AddressRecord {
  readonly node: PeerKey;
  readonly sequence: number;
  /** Multiaddrs without the node's identity. */
  readonly addresses: readonly string[];
  /** The bytes that are signed, and the signature. */
  readonly content: Uint8Array;
  readonly signature: Uint8Array;
}

/** Printable ASCII without spaces: they end up in logs and on terminals. */
const PRINTABLE = /^[\x21-\x7e]+$/;

/** @param sign signs the content with the node's key */
export function makeAddressRecord(
  node: PeerKey,
  sequence: number,
  addresses: readonly string[],
  sign: (content: Uint8Array) => Uint8Array,
): AddressRecord {
  const content = nodeAddressesMessage.encode({ sequence, addresses });
  return { node, sequence, addresses, content, signature: sign(content) };
}

/** Of the content that a signature covers; undefined for what no correct node signs. */
export function openAddressRecord(
  node: PeerKey,
  content: Uint8Array,
  signature: Uint8Array,
): AddressRecord | undefined {
  const decoded = nodeAddressesMessage.decode(content);
  if (!decoded.ok) return undefined;
  const { sequence, addresses } = decoded.value;
  if (addresses.length === 0 || !addresses.every((address) => PRINTABLE.test(address))) return undefined;
  return { node, sequence, addresses, content, signature };
}

/** At most {@link RECORDS_MAX}. */
export function encodeAddressRecords(records: readonly AddressRecord[]): Uint8Array {
  const encoded = addressRecordsMessage.encode({
    records: records.map(({ node, content, signature }) => ({ node, content, signature })),
  });
  const payload = new Uint8Array(1 + encoded.length);
  payload[0] = KIND;
  payload.set(encoded, 1);
  return payload;
}

export function isAddressRecords(payload: Uint8Array): boolean {
  return payload[0] === KIND;
}

/** @returns undefined for what no correct node sends */
export function decodeAddressRecords(payload: Uint8Array): AddressRecord[] | undefined {
  const decoded = payload[0] === KIND ? addressRecordsMessage.decode(payload.subarray(1)) : undefined;
  if (decoded?.ok !== true) return undefined;
  const records: AddressRecord[] = [];
  for (const { node, content, signature } of decoded.value.records) {
    // Copies: what is kept of a frame would keep all of it.
    const record = openAddressRecord(node, content.slice(), signature.slice());
    if (record === undefined) return undefined;
    records.push(record);
  }
  return records;
}
