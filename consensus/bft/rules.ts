/**
 * What the safety of BFT rests on, as functions of what a producer has promised and of what it is asked: no state, no
 * messages (docs/protocol.md, section 7; rules by their tags). The engine and the model (`test/model/bft`) run these
 * very functions.
 */
import type { Configuration } from "../../chain/configuration.ts";
import { type ProducerSets, reachesAll } from "../../chain/producerSets.ts";
import type { BlockRef } from "../../chain/header.ts";

/** Is `ancestor` an ancestor of `block`, or the block itself? */
export type Precedes = (ancestor: BlockRef, block: BlockRef) => boolean;

/** What a producer must not forget. A block that is absent was never voted for; of block 0 all is known. */
export interface Promises {
  readonly view: number;
  /** The highest view for which a view change was signed. */
  readonly viewChangeSent: number;
  readonly lastPrepared: BlockRef | undefined;
  readonly lastCommitted: BlockRef | undefined;
  /** The greatest block known to be prepare-certified; block 0 counts as certified. */
  readonly highQc: BlockRef;
}

/** n >= 3f + 1: any two quorums share an honest producer. */
export function quorumOf({ producers }: Configuration): number {
  return Math.floor((2 * producers.length) / 3) + 1;
}

/** f: so many may lie. */
export function faultsOf({ producers }: Configuration): number {
  return Math.floor((producers.length - 1) / 3);
}

/** Have quorums of all producer sets spoken [S10]? Who is in none of them counts for nothing [S11]. */
export function hasQuorum(sets: ProducerSets, hasSpoken: (key: string) => boolean): boolean {
  return reachesAll(sets, quorumOf, hasSpoken);
}

/** While the set is changed, producers of the one that is left lead. */
export function leaderOf({ current: { producers } }: Pick<ProducerSets, "current">, view: number): string {
  return producers[view % producers.length] as string;
}

/** Certified blocks compare by view, then height. */
export function isGreater(a: BlockRef, b: BlockRef): boolean {
  return a.view !== b.view ? a.view > b.view : a.height > b.height;
}

// Votes

/** May a valid, durable block be prepared? Within a view all that one producer prepares lies on one chain [B4]. */
export function mayPrepare(promises: Promises, block: BlockRef, precedes: Precedes): boolean {
  const { view, viewChangeSent, lastPrepared } = promises;
  if (block.view !== view || view < viewChangeSent) return false;
  return lastPrepared === undefined || lastPrepared.view !== view || precedes(lastPrepared, block);
}

export function afterPrepare(promises: Promises, block: BlockRef): Promises {
  return { ...promises, lastPrepared: block };
}

/** May a prepare-certified block be committed? Not below a view change, which reported less [B6]. */
export function mayCommit(promises: Promises, block: BlockRef, precedes: Precedes): boolean {
  const { viewChangeSent, lastCommitted } = promises;
  if (block.view < viewChangeSent) return false;
  if (lastCommitted === undefined || block.view > lastCommitted.view) return true;
  return block.view === lastCommitted.view && precedes(lastCommitted, block);
}

/** It enters the block's view, and reports the block from now on. */
export function afterCommit(promises: Promises, block: BlockRef): Promises {
  const known = knowing(promises, block);
  return { ...known, view: Math.max(known.view, block.view), lastCommitted: block };
}

/** A prepare certificate of `block` was seen. */
export function knowing(promises: Promises, block: BlockRef): Promises {
  return isGreater(block, promises.highQc) ? { ...promises, highQc: block } : promises;
}

// View changes

/** A valid block of `view`, or a timeout certificate for it, was seen. */
export function afterEntering(promises: Promises, view: number): Promises {
  return view > promises.view ? { ...promises, view } : promises;
}

export function afterViewChange(promises: Promises, view: number): Promises {
  return { ...promises, view, viewChangeSent: view };
}

/** What a view change says of its signer: the greatest certified block it knows, and no less [B7]. */
export function reportOf(promises: Promises): BlockRef {
  return promises.highQc;
}

export interface Report {
  readonly view: number;
  readonly highQc: BlockRef;
}

/**
 * Does a view change count? With a valid certificate of the very block that it reports, of a view below the one it asks for.
 * @param certified the block of the certificate that came with it; block 0 needs none
 */
export function isReport({ view, highQc }: Report, certified: BlockRef | undefined): boolean {
  if (highQc.view >= view) return false;
  return certified !== undefined && isSame(certified, highQc);
}

/** The greatest of a quorum's reports: what a timeout certificate must show the certificate of [B8]. */
export function greatestReport(reports: readonly BlockRef[]): BlockRef | undefined {
  return reports.reduce<BlockRef | undefined>(
    (greatest, each) => (greatest === undefined || isGreater(each, greatest) ? each : greatest),
    undefined,
  );
}

/**
 * Is `certified`, whose certificate a timeout certificate carries, the greatest of its reports [B8]? A report is its signer's
 * word alone: one that names the id of a lesser block with a greater view or height is a lie.
 */
export function showsGreatest(certified: BlockRef, reports: readonly BlockRef[]): boolean {
  const greatest = greatestReport(reports);
  return greatest !== undefined && isSame(greatest, certified);
}

function isSame(a: BlockRef, b: BlockRef): boolean {
  return a.id === b.id && a.view === b.view && a.height === b.height;
}

/**
 * f + 1 producers ask for views above mine: one of them is honest, so I follow to the highest view that f + 1 reach.
 * @param views asked for by others, one a producer
 */
export function viewToJoin(views: readonly number[], view: number, faults: number): number | undefined {
  const joined = [...views].sort((a, b) => b - a)[faults];
  return joined !== undefined && joined > view ? joined : undefined;
}

// Headers

/** What a block that opens a view shows for it. */
export type Opening =
  /** A timeout certificate for `view`, and its greatest report. */
  | { readonly kind: "timeout"; readonly view: number; readonly highest: BlockRef }
  /** A prepare certificate of `certified`, or block 0, which needs none. */
  | { readonly kind: "handoff"; readonly certified: BlockRef };

export type OpeningFault =
  | "FOLLOWS_CLOSING"
  | "ENTRY_WITHIN_VIEW"
  | "ENTRY_MISSING"
  | "ENTRY_OF_ANOTHER_VIEW"
  | "NOT_FROM_HIGHEST"
  | "PARENT_NOT_CLOSING"
  | "PARENT_NOT_CERTIFIED";

/** May a block of `view` follow `parent`? */
export function openingFault(
  view: number,
  parent: BlockRef & { readonly closing: boolean },
  opening: Opening | undefined,
  precedes: Precedes,
): OpeningFault | undefined {
  if (view === parent.view) {
    if (parent.closing) return "FOLLOWS_CLOSING"; // [B1]
    return opening === undefined ? undefined : "ENTRY_WITHIN_VIEW";
  }
  if (opening === undefined) return "ENTRY_MISSING";
  if (opening.kind === "timeout") {
    if (opening.view !== view) return "ENTRY_OF_ANOTHER_VIEW";
    return precedes(opening.highest, parent) ? undefined : "NOT_FROM_HIGHEST"; // [B2]
  }
  if (view !== parent.view + 1) return "ENTRY_OF_ANOTHER_VIEW";
  if (!parent.closing) return "PARENT_NOT_CLOSING"; // [B3]
  return opening.certified.id === parent.id ? undefined : "PARENT_NOT_CERTIFIED";
}

export type ProofFault = "PROOF_MISSING" | "PROOF_WITHOUT_NEED" | "PROOF_OF_ANOTHER_BLOCK";

/**
 * Is what a header says to be irreversible proven [S9]?
 * @param proof the block of a commit certificate that the block carries
 * @param ancestorAt id of the block's ancestor at a height; undefined below what is kept, where only one can be proven
 */
export function proofFault(
  irreversibleHeight: number,
  parentIrreversibleHeight: number,
  proof: BlockRef | undefined,
  ancestorAt: (height: number) => string | undefined,
): ProofFault | undefined {
  if (irreversibleHeight === parentIrreversibleHeight) return proof === undefined ? undefined : "PROOF_WITHOUT_NEED";
  if (proof === undefined) return "PROOF_MISSING";
  if (proof.height !== irreversibleHeight) return "PROOF_OF_ANOTHER_BLOCK";
  const ancestor = ancestorAt(irreversibleHeight);
  return ancestor === undefined || ancestor === proof.id ? undefined : "PROOF_OF_ANOTHER_BLOCK";
}
