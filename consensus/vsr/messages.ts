/** VSR's messages and its durable record (docs/protocol.md, section 6; `proto/vsr.proto`). */
import { PRODUCERS_MAX } from "../../chain/constants.ts";
import { bool, type Decoded, hash, message, nested, optional, repeated, uint } from "../../src/base/codec.ts";
import { isAtLeast, refMessage } from "../leading/messages.ts";
import type { ConsensusMessage } from "../messages.ts";

/** Of the producers of two sets. */
export const INCARNATIONS_MAX = 2 * PRODUCERS_MAX;

/** The signer asks all to leave their views for this one. It promises nothing. */
export const startViewChangeMessage = message("StartViewChange", { view: uint(1) });
export type StartViewChange = Decoded<typeof startViewChangeMessage>;

/** How often a replica came back without its record, as a number that only grows. */
const incarnationMessage = message("Incarnation", { replica: hash(1), number: uint(2) });
export type Incarnation = Decoded<typeof incarnationMessage>;

/** To the primary of `view`: the signer has left all lower views, and this is its head [V1]. It is for nobody else [S8]. */
export const doViewChangeMessage = message("DoViewChange", {
  view: uint(1),
  head: nested(2, refMessage),
  /** The signer's own, and those it has answered: what their earlier ones have said counts no more [V2]. */
  incarnations: repeated(nested(3, incarnationMessage), INCARNATIONS_MAX),
  /** For whom the view was left: the one, where replicas know of different producer sets. */
  primary: hash(4),
  /** Hash of the producer sets that decide about what follows the head: it counts for a view that these open. */
  config: hash(5),
});
export type DoViewChange = Decoded<typeof doViewChangeMessage>;

/** The primary is there, and this is irreversible. */
export const commitNoticeMessage = message("CommitNotice", {
  view: uint(1),
  /** Counts up within the view, from 1; older ones are ignored. */
  round: uint(2),
  height: uint(3),
  id: hash(4),
});
export type CommitNotice = Decoded<typeof commitNoticeMessage>;

/** A replica without its record asks what it may have promised. Its nonce is its incarnation from now on. */
export const recoveryMessage = message("Recovery", {
  nonce: uint(1),
  /** Others have lost theirs, too, as the operator has confirmed: who is between two views answers as well. */
  lostWithOthers: optional(bool(2)),
});
export type Recovery = Decoded<typeof recoveryMessage>;

/** Names whom it is for: nonces are everybody's own [S8]. */
export const recoveryResponseMessage = message("RecoveryResponse", {
  replica: hash(1),
  /** The one asked with; a greater one says that the replica must ask with one greater than that. */
  nonce: uint(2),
  view: uint(3),
  /** Of the primary of `view`: the replica may have acknowledged all of it. */
  head: optional(nested(4, refMessage)),
  /** As in a departure: who recovers has forgotten them, and counts departures again. */
  incarnations: repeated(nested(5, incarnationMessage), INCARNATIONS_MAX),
});
export type RecoveryResponse = Decoded<typeof recoveryResponseMessage>;

/** What a VSR producer must not forget. The last view that was normal here is that of the head [S2]. */
export const vsrRecordMessage = message("VsrRecord", {
  view: uint(1),
  ackedHead: nested(2, refMessage),
  /** It was restored from an old backup: what was promised after it is not known, until a recovery ends. */
  outdated: optional(bool(3)),
  /** The greatest nonce with which each replica came back, this one's own included. */
  incarnations: repeated(nested(4, incarnationMessage), INCARNATIONS_MAX),
  /** The primary for whom `view` was left: where replicas know of different producer sets, two may want to open it. */
  departedTo: optional(hash(5)),
  /** It is lost, and the operator has confirmed that so are those of others: what the rest tells is all that there is. */
  lostWithOthers: optional(bool(6)),
});
export type VsrRecord = Decoded<typeof vsrRecordMessage>;

/** Leaves only when what it promises is on its signer's disk. */
export function isPromise({ kind }: ConsensusMessage): boolean {
  return kind === "ack" || kind === "doViewChange";
}

/** Whether this message, one's own, promises what the record does not know. */
export function isAbove(message: ConsensusMessage, record: Pick<VsrRecord, "view" | "ackedHead">): boolean {
  if (message.kind === "ack") return !isAtLeast(record.ackedHead, message.content);
  return message.kind === "doViewChange" && message.content.view > record.view;
}
