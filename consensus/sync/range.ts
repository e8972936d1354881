/**
 * Ranges of irreversible blocks on the wire (docs/protocol.md, section 3, "Far behind"). A range is trusted by hash:
 * its blocks are linked by parent, its last id is proven to be in the history of a block whose certificate was checked.
 */
import { type DecodeError, type Decoded, fixedBytes, hash, message, repeated, uint } from "../../src/base/codec.ts";
import { hexBytes } from "../../src/base/bytes.ts";
import { HASH_BYTES } from "../../src/base/hash.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import { type Block, BLOCK_MAX_BYTES, decodeBlock, encodeBlockParts } from "../../chain/block.ts";
import { type ByteList, elementAt, scanList } from "../../chain/byteList.ts";
import { leafHash, verifyInclusion } from "../../chain/merkle.ts";
import { lengthDelimitedBytes, scanLengthDelimited, writeLengthPrefix } from "../../chain/scan.ts";

/** Blocks in one response at most. */
export const RANGE_BLOCKS_MAX = 1024;
/** A path in a tree of 2^53 leaves. */
const PATH_MAX = 53;

/** Asks for irreversible blocks `from` to `to`, proven by the history of the anchor. */
export const rangeRequestMessage = message("RangeRequest", {
  from: uint(1),
  /** Included; the answer may end before. */
  to: uint(2),
  anchorHeight: uint(3),
  anchorId: hash(4),
});
export type RangeRequest = Decoded<typeof rangeRequestMessage>;

/** What connects the last block of a range with its anchor. */
export const rangeProofMessage = message("RangeProof", {
  from: uint(1),
  anchorHeight: uint(2),
  /** Inclusion of the last block's id in the anchor's `historyRoot`, lowest sibling first; none for the anchor itself. */
  path: repeated(fixedBytes(3, HASH_BYTES), PATH_MAX),
});
export type RangeProof = Decoded<typeof rangeProofMessage>;

/** A range as it came: its blocks are not looked at yet. */
export interface RangeResponse {
  /** Encoded blocks in ascending order; none: the peer does not hold them. */
  readonly blocks: ByteList;
  readonly proof: RangeProof;
}

/** An irreversible block whose certificate was checked: what ranges are proven by. */
export interface Anchor {
  readonly height: number;
  readonly id: string;
  /** Of its header: over the ids of all blocks below it. */
  readonly historyRoot: string;
}

/** Why a range is not what was asked for. Its sender made it so. */
export interface RangeFault {
  readonly code: "RANGE_BOUNDS" | "RANGE_BLOCK" | "RANGE_LINK" | "RANGE_PROOF";
  readonly detail: string;
}

const BLOCKS_TAG = 0x0a;
const PROOF_TAG = 0x12;

/** The parts of a block that go over a link, verbatim. */
export type BlockParts = Pick<Block, "headerBytes" | "signature" | "body">;

export function encodeRangeResponse(blocks: readonly BlockParts[], proof: RangeProof, prefix: number): Uint8Array {
  const parts = blocks.map(encodeBlockParts);
  const sizes = parts.map((each) => each.reduce((sum, part) => sum + part.length, 0));
  const tail = rangeProofMessage.encode(proof);
  const length = sizes.reduce((sum, size) => sum + lengthDelimitedBytes(size), 1 + lengthDelimitedBytes(tail.length));
  const frame = new Uint8Array(length);
  frame[0] = prefix;
  let at = 1;
  for (let i = 0; i < parts.length; i++) {
    at = writeLengthPrefix(frame, at, BLOCKS_TAG, sizes[i] as number);
    for (const part of parts[i] as Uint8Array[]) {
      frame.set(part, at);
      at += part.length;
    }
  }
  frame.set(tail, writeLengthPrefix(frame, at, PROOF_TAG, tail.length));
  return frame;
}

export function decodeRangeResponse(content: Uint8Array): Result<RangeResponse, DecodeError> {
  const blocks = scanList(content, 0, { maxCount: RANGE_BLOCKS_MAX, maxElementBytes: BLOCK_MAX_BYTES });
  if (!blocks.ok) return blocks;
  const range = scanLengthDelimited(content, blocks.value.end, PROOF_TAG);
  if (range === undefined || range.end !== content.length) {
    return err({ code: "UNDECODABLE", message: "RangeResponse", detail: "proof" });
  }
  const proof = rangeProofMessage.decode(content.subarray(range.start, range.end));
  return proof.ok ? ok({ blocks: blocks.value.list, proof: proof.value }) : proof;
}

/**
 * The blocks of a range, proven: from `from` upwards, at most up to `to`, each the parent of the next, the last one in the
 * anchor's history. No signature is checked: who trusts the anchor trusts what it descends from.
 */
export function openRange(
  { blocks: list, proof }: RangeResponse,
  from: number,
  to: number,
  anchor: Anchor,
): Result<Block[], RangeFault> {
  if (list.count === 0 || list.count > to - from + 1) return fault("RANGE_BOUNDS", `${list.count} blocks from ${from}`);
  const blocks: Block[] = [];
  for (let i = 0; i < list.count; i++) {
    const decoded = decodeBlock(elementAt(list, i));
    if (!decoded.ok) return fault("RANGE_BLOCK", `block ${from + i}: ${decoded.error.code}`);
    const block = decoded.value;
    if (block.header.height !== from + i) return fault("RANGE_LINK", `block ${block.header.height} at ${from + i}`);
    const below = blocks.at(-1);
    if (below !== undefined && block.header.parent !== below.id) return fault("RANGE_LINK", `parent of ${from + i}`);
    blocks.push(block);
  }
  const last = blocks.at(-1) as Block;
  if (!isProven(last, proof.path, anchor)) return fault("RANGE_PROOF", `block ${last.header.height} ${last.id}`);
  return ok(blocks);
}

function isProven({ id, header }: Block, path: readonly Uint8Array[], anchor: Anchor): boolean {
  if (header.height === anchor.height) return id === anchor.id && path.length === 0;
  return verifyInclusion(leafHash(hexBytes(id)), header.height, anchor.height, path, hexBytes(anchor.historyRoot));
}

function fault(code: RangeFault["code"], detail: string): Result<never, RangeFault> {
  return err({ code, detail });
}
