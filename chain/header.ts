/** Block headers (DESIGN section 8). The id is the SHA-256 of the header's bytes as received, kept verbatim. */
import { bool, type Decoded, hash, message, optional, uint } from "../src/base/codec.ts";

export const headerMessage = message("Header", {
  height: uint(1),
  /** Id of the parent; the chain id for block 0. */
  parent: hash(2),
  /** Raft's term, VSR's and BFT's view: never decreases along a chain, global across configurations and engines. */
  view: uint(3),
  /** Key of the producer; zeros for block 0. */
  producer: hash(4),
  /** Milliseconds since the epoch, greater than the parent's. */
  time: uint(5),
  /** RFC 9162 roots over whole encoded transactions and receipts. */
  transactionRoot: hash(6),
  receiptRoot: hash(7),
  /** H(parent's stateHash, digest of this block's sorted state changes). */
  stateHash: hash(8),
  /** RFC 9162 root over the ids of all earlier blocks. */
  historyRoot: hash(9),
  /** The producer knew blocks up to here irreversible. */
  irreversibleHeight: uint(10),
  /** Hash of the active producer set. */
  configuration: hash(11),
  /** Hash of the set that this block proposes; the set is in the body. */
  nextConfiguration: optional(hash(12)),
  /** Nothing follows this block in its view. */
  closing: bool(13),
  /** Hashes of the body's entry (timeout certificate or handoff) and proof (of irreversibleHeight): BFT. */
  entryHash: optional(hash(14)),
  proofHash: optional(hash(15)),
});
export type Header = Decoded<typeof headerMessage>;

/** What orders blocks: fork choice compares (view, height, id), view first [S1]. */
export interface BlockRef {
  readonly view: number;
  readonly height: number;
  readonly id: string;
}

/** Negative when `a` ranks below `b`. */
export function compareRefs(a: BlockRef, b: BlockRef): number {
  if (a.view !== b.view) return a.view - b.view;
  if (a.height !== b.height) return a.height - b.height;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
