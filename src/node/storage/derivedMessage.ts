/** A DerivedWrite, or blocks for the index alone, as one buffer; and back as views of it. */
import { ID_BYTES } from "./chainMessage.ts";
import { Packer, Unpacker } from "./packing.ts";
import type { DerivedWrite } from "./types.ts";

/** A block's transactions for the index. */
export interface IndexedBlock {
  readonly height: number;
  /** 32 bytes each, concatenated, in block order. */
  readonly transactionIds: Uint8Array;
}

export interface PackedChange {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

export interface PackedDerivedWrite {
  /** Height and id (hex) of the newest block covered; no id when only the index is written. */
  readonly height: number;
  readonly id: string | undefined;
  readonly firstHeight: number | undefined;
  readonly receipts: readonly { readonly height: number; readonly receipts: Buffer }[];
  readonly indexed: readonly IndexedBlock[];
  readonly changeCount: number;
  /** The changes in order, read out of the message as they are asked for; can be called again. */
  changes(): Generator<PackedChange, void, undefined>;
}

type State = Pick<DerivedWrite, "id" | "changes" | "blocks" | "firstHeight">;

/** Throws RangeError when an id is not 64 hex digits. */
export function packDerivedWrite(write: DerivedWrite, indexed: readonly IndexedBlock[]): ArrayBuffer {
  return pack(write.height, write, indexed);
}

/** The same message without state: for an index that is behind. */
export function packIndexedBlocks(height: number, indexed: readonly IndexedBlock[]): ArrayBuffer {
  return pack(height, undefined, indexed);
}

function pack(height: number, state: State | undefined, indexed: readonly IndexedBlock[]): ArrayBuffer {
  const packer = new Packer(packedBytes(state, indexed));
  packer.putNumber(height);
  packer.putLength(indexed.length);
  for (const block of indexed) {
    packer.putNumber(block.height);
    packer.putLength(block.transactionIds.length);
    packer.putBytes(block.transactionIds);
  }
  if (state === undefined) packer.putNone();
  else putState(packer, state);
  return packer.finish();
}

function putState(packer: Packer, state: State): void {
  packer.putLength(state.blocks.length);
  packer.putHex(state.id, ID_BYTES);
  packer.putNumber(state.firstHeight ?? -1);
  for (const block of state.blocks) {
    packer.putNumber(block.height);
    packer.putLength(block.receipts.length);
    packer.putBytes(block.receipts);
  }
  packer.putLength(state.changes.length);
  for (const { key, value } of state.changes) {
    packer.putLength(key.length);
    if (value === null) packer.putNone();
    else packer.putLength(value.length);
    packer.putBytes(key);
    if (value !== null) packer.putBytes(value);
  }
}

function packedBytes(state: State | undefined, indexed: readonly IndexedBlock[]): number {
  let bytes = 8 + 4 + 4;
  for (const block of indexed) bytes += 12 + block.transactionIds.length;
  if (state === undefined) return bytes;
  bytes += ID_BYTES + 8 + 4;
  for (const block of state.blocks) bytes += 12 + block.receipts.length;
  for (const { key, value } of state.changes) bytes += 8 + key.length + (value === null ? 0 : value.length);
  return bytes;
}

export function unpackDerivedWrite(message: ArrayBuffer): PackedDerivedWrite {
  const unpacker = new Unpacker(message);
  const height = unpacker.number();
  const indexed: IndexedBlock[] = [];
  for (let left = unpacker.length(); left > 0; left--) {
    indexed.push({ height: unpacker.number(), transactionIds: unpacker.bytes(unpacker.length()) });
  }
  const blockCount = unpacker.optionalLength();
  if (blockCount === undefined) {
    return { height, id: undefined, firstHeight: undefined, receipts: [], indexed, changeCount: 0, changes: noChanges };
  }
  const id = unpacker.bytes(ID_BYTES).toString("hex");
  const firstHeight = unpacker.number();
  const receipts: { height: number; receipts: Buffer }[] = [];
  for (let left = blockCount; left > 0; left--) {
    receipts.push({ height: unpacker.number(), receipts: unpacker.bytes(unpacker.length()) });
  }
  const changeCount = unpacker.length();
  const start = unpacker.offset;
  return {
    height,
    id,
    firstHeight: firstHeight < 0 ? undefined : firstHeight,
    receipts,
    indexed,
    changeCount,
    // From the message each time: a transaction that is rolled back is carried out again.
    changes: () => takeChanges(new Unpacker(message, start), changeCount),
  };
}

function* noChanges(): Generator<PackedChange, void, undefined> {}

function* takeChanges(unpacker: Unpacker, count: number): Generator<PackedChange, void, undefined> {
  for (let left = count; left > 0; left--) {
    const keyLength = unpacker.length();
    const valueLength = unpacker.optionalLength();
    const key = unpacker.bytes(keyLength);
    yield { key, value: valueLength === undefined ? null : unpacker.bytes(valueLength) };
  }
}
