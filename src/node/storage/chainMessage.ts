/**
 * A ChainWrite as one buffer, and back as views of it. The parts of a block that its checksum covers (height,
 * id, parent, header, signature, body) lie next to each other, so that the worker computes it in one call.
 */
import { Packer, Unpacker } from "./packing.ts";
import type { ChainWrite, StoredBlock, StoredEvidence } from "./types.ts";

export const ID_BYTES = 32;
/** height, id, parent. */
export const BLOCK_PREFIX_BYTES = 8 + 2 * ID_BYTES;

export interface PackedBlock {
  readonly height: number;
  readonly id: Buffer;
  readonly parent: Buffer;
  readonly header: Buffer;
  readonly signature: Buffer;
  readonly body: Buffer;
  /** Everything above, contiguous. */
  readonly covered: Buffer;
}

export interface PackedIrreversible {
  readonly height: number;
  readonly id: Buffer;
  readonly certificate: Buffer;
  readonly frontier: Buffer;
  readonly producerSets: readonly PackedSets[];
}

export interface PackedSets {
  readonly from: number;
  readonly provenHeight: number;
  readonly sets: Buffer;
}

export interface PackedEvidence {
  readonly producer: Buffer;
  readonly kind: Buffer;
  readonly bytes: Buffer;
}

/** A ChainWrite with ids as bytes; all buffers are views of the message. */
export interface PackedChainWrite {
  readonly token: number;
  readonly blocks: readonly PackedBlock[];
  readonly record: Buffer | undefined;
  readonly irreversible: PackedIrreversible | undefined;
  readonly evidence: readonly PackedEvidence[];
  readonly firstHeight: number | undefined;
}

/** Throws RangeError when an id is not 64 hex digits. */
export function packChainWrite(write: ChainWrite): ArrayBuffer {
  const packer = new Packer(packedBytes(write));
  packer.putNumber(write.token);
  packer.putNumber(write.firstHeight ?? -1);
  packer.putLength(write.blocks.length);
  for (const block of write.blocks) putBlock(packer, block);
  if (write.record === undefined) packer.putNone();
  else {
    packer.putLength(write.record.length);
    packer.putBytes(write.record);
  }
  if (write.irreversible === undefined) packer.putNone();
  else putIrreversible(packer, write.irreversible);
  packer.putLength(write.evidence?.length ?? 0);
  for (const each of write.evidence ?? []) putEvidence(packer, each);
  return packer.finish();
}

function packedBytes(write: ChainWrite): number {
  let bytes = 8 + 8 + 4 + 4 + (write.record?.length ?? 0) + 4 + 4;
  for (const block of write.blocks) {
    bytes += 12 + BLOCK_PREFIX_BYTES + block.header.length + block.signature.length + block.body.length;
  }
  if (write.irreversible !== undefined) {
    bytes += 8 + 8 + ID_BYTES + write.irreversible.certificate.length + write.irreversible.frontier.length;
    for (const { sets } of write.irreversible.producerSets ?? []) bytes += 20 + sets.length;
  }
  for (const each of write.evidence ?? []) bytes += 8 + ID_BYTES + each.kind.length + each.bytes.length;
  return bytes;
}

function putBlock(packer: Packer, block: StoredBlock): void {
  packer.putLength(block.header.length);
  packer.putLength(block.signature.length);
  packer.putLength(block.body.length);
  packer.putNumber(block.height);
  packer.putHex(block.id, ID_BYTES);
  packer.putHex(block.parent, ID_BYTES);
  packer.putBytes(block.header);
  packer.putBytes(block.signature);
  packer.putBytes(block.body);
}

function putIrreversible(packer: Packer, irreversible: NonNullable<ChainWrite["irreversible"]>): void {
  packer.putLength(irreversible.certificate.length);
  packer.putLength(irreversible.frontier.length);
  packer.putNumber(irreversible.height);
  packer.putHex(irreversible.id, ID_BYTES);
  packer.putBytes(irreversible.certificate);
  packer.putBytes(irreversible.frontier);
  const changes = irreversible.producerSets ?? [];
  packer.putLength(changes.length);
  for (const { from, provenHeight, sets } of changes) {
    packer.putNumber(from);
    packer.putNumber(provenHeight);
    packer.putLength(sets.length);
    packer.putBytes(sets);
  }
}

/** Kinds are names of ASCII letters. */
function putEvidence(packer: Packer, { producer, kind, bytes }: StoredEvidence): void {
  packer.putLength(kind.length);
  packer.putLength(bytes.length);
  packer.putHex(producer, ID_BYTES);
  packer.putBytes(Buffer.from(kind, "latin1"));
  packer.putBytes(bytes);
}

export function unpackChainWrite(message: ArrayBuffer): PackedChainWrite {
  const unpacker = new Unpacker(message);
  const token = unpacker.number();
  const firstHeight = unpacker.number();
  const blocks: PackedBlock[] = [];
  for (let left = unpacker.length(); left > 0; left--) blocks.push(takeBlock(unpacker));
  const recordLength = unpacker.optionalLength();
  const record = recordLength === undefined ? undefined : unpacker.bytes(recordLength);
  const irreversible = takeIrreversible(unpacker);
  const evidence: PackedEvidence[] = [];
  for (let left = unpacker.length(); left > 0; left--) evidence.push(takeEvidence(unpacker));
  return { token, blocks, record, irreversible, evidence, firstHeight: firstHeight < 0 ? undefined : firstHeight };
}

function takeBlock(unpacker: Unpacker): PackedBlock {
  const headerLength = unpacker.length();
  const signatureLength = unpacker.length();
  const bodyLength = unpacker.length();
  const covered = unpacker.bytes(BLOCK_PREFIX_BYTES + headerLength + signatureLength + bodyLength);
  const headerEnd = BLOCK_PREFIX_BYTES + headerLength;
  const signatureEnd = headerEnd + signatureLength;
  return {
    height: covered.readDoubleLE(0),
    id: covered.subarray(8, 8 + ID_BYTES),
    parent: covered.subarray(8 + ID_BYTES, BLOCK_PREFIX_BYTES),
    header: covered.subarray(BLOCK_PREFIX_BYTES, headerEnd),
    signature: covered.subarray(headerEnd, signatureEnd),
    body: covered.subarray(signatureEnd),
    covered,
  };
}

function takeIrreversible(unpacker: Unpacker): PackedIrreversible | undefined {
  const certificateLength = unpacker.optionalLength();
  if (certificateLength === undefined) return undefined;
  const frontierLength = unpacker.length();
  const height = unpacker.number();
  const id = unpacker.bytes(ID_BYTES);
  const certificate = unpacker.bytes(certificateLength);
  const frontier = unpacker.bytes(frontierLength);
  const producerSets: PackedSets[] = [];
  for (let left = unpacker.length(); left > 0; left--) producerSets.push(takeSets(unpacker));
  return { height, id, certificate, frontier, producerSets };
}

function takeSets(unpacker: Unpacker): PackedSets {
  const from = unpacker.number();
  const provenHeight = unpacker.number();
  return { from, provenHeight, sets: unpacker.bytes(unpacker.length()) };
}

function takeEvidence(unpacker: Unpacker): PackedEvidence {
  const kindLength = unpacker.length();
  const bytesLength = unpacker.length();
  const producer = unpacker.bytes(ID_BYTES);
  const kind = unpacker.bytes(kindLength);
  return { producer, kind, bytes: unpacker.bytes(bytesLength) };
}
