/** BFT's messages and its durable record (docs/protocol.md, section 7; `proto/bft.proto`). */
import type { BlockRef } from "../../chain/header.ts";
import {
  bool,
  bytes,
  type Decoded,
  fixedBytes,
  hash,
  message,
  nested,
  optional,
  repeated,
  uint,
} from "../../src/base/codec.ts";
import { SIGNATURE_BYTES } from "../../chain/constants.ts";
import { signingDigest } from "../../chain/signing.ts";
import { WINDOW_BLOCKS } from "../constants.ts";
import { refMessage } from "../leading/messages.ts";

/** What is signed as `prepare` and as `commit`. */
export const phaseVoteMessage = message("PhaseVote", { view: uint(1), height: uint(2), id: hash(3) });

/** One of them with its signature. */
export const signedVoteMessage = message("SignedVote", {
  commit: bool(1),
  vote: nested(2, phaseVoteMessage),
  signature: fixedBytes(3, SIGNATURE_BYTES),
});
export type SignedVote = Decoded<typeof signedVoteMessage>;

/** Both phases of a whole window, twice: what was lost goes again beside what is new. */
export const VOTES_MAX = 4 * WINDOW_BLOCKS;

/** Votes of one producer, in height order: those of one step go in one frame. */
export const votesMessage = message("Votes", {
  signer: hash(1),
  votes: repeated(nested(2, signedVoteMessage), VOTES_MAX),
});
export type Votes = Decoded<typeof votesMessage>;

/** The signature covers no certificate: it travels beside, and whoever counts the message checks it. */
export const viewChangeMessage = message("ViewChange", {
  view: uint(1),
  /** The greatest prepare-certified block that the signer knows [B7]. */
  highQc: nested(2, refMessage),
});
export type ViewChange = Decoded<typeof viewChangeMessage>;

/** Where its signer stands: on connect and now and then. */
export const summaryMessage = message("Summary", {
  view: uint(1),
  /** Counts up; an older one is ignored. */
  round: uint(2),
  irreversibleHeight: uint(3),
});
export type Summary = Decoded<typeof summaryMessage>;

/** Bytes of a certificate of one block at most: 134 of 200 producers, of two sets. */
export const QC_MAX_BYTES = 32 * 1024;

/** What a BFT producer must not forget. */
export const bftRecordMessage = message("BftRecord", {
  view: uint(1),
  viewChangeSent: uint(2),
  lastPrepared: optional(nested(3, refMessage)),
  highQc: nested(4, refMessage),
  /** The certificate of `highQc`; none for block 0. */
  highQcBytes: bytes(5, QC_MAX_BYTES),
  lastCommitted: optional(nested(6, refMessage)),
  ackedHead: nested(7, refMessage),
  /** It was restored from an old backup: what was promised after it is not known. */
  outdated: optional(bool(8)),
  /** An operator confirmed that the record was lost: what was promised in views up to this one is not known. */
  unknownUpTo: optional(uint(9)),
});
export type BftRecord = Decoded<typeof bftRecordMessage>;

/** The 32 bytes that a producer signs to prepare or commit a block. */
export function voteDigest(chainId: string, commit: boolean, { view, height, id }: BlockRef): Uint8Array {
  return signingDigest(commit ? "commit" : "prepare", chainId, phaseVoteMessage.encode({ view, height, id }));
}

export function viewChangeDigest(chainId: string, { view, highQc }: ViewChange): Uint8Array {
  return signingDigest("viewChange", chainId, viewChangeMessage.encode({ view, highQc }));
}
