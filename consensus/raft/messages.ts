/** Raft's messages and its durable record (docs/protocol.md, section 5; `proto/raft.proto`). */
import type { BlockRef } from "../../chain/header.ts";
import { bool, type Decoded, hash, message, nested, optional, uint } from "../../src/base/codec.ts";

/** A block as elections compare it. */
export const refMessage = message("BlockRef", { view: uint(1), height: uint(2), id: hash(3) });

export function refOf({ view, height, id }: BlockRef): BlockRef {
  return { view, height, id };
}

/** Asks for a vote in `view`. A pre-vote asks whether a vote would be given and changes nothing. */
export const requestVoteMessage = message("RequestVote", {
  view: uint(1),
  head: nested(2, refMessage),
  preVote: bool(3),
  transfer: bool(4),
});
export type RequestVote = Decoded<typeof requestVoteMessage>;

/** Names its candidate: a relay cannot turn it to another's use [S8]. */
export const voteMessage = message("Vote", { view: uint(1), candidate: hash(2), granted: bool(3), preVote: bool(4) });
export type Vote = Decoded<typeof voteMessage>;

/** The signer holds this block and its ancestors durably, and its view is `view`. */
export const ackMessage = message("Ack", { view: uint(1), height: uint(2), id: hash(3) });
export type Ack = Decoded<typeof ackMessage>;

export const heartbeatMessage = message("Heartbeat", { view: uint(1), round: uint(2), irreversibleHeight: uint(3) });
export type Heartbeat = Decoded<typeof heartbeatMessage>;

export const heartbeatReplyMessage = message("HeartbeatReply", { view: uint(1), round: uint(2) });
export type HeartbeatReply = Decoded<typeof heartbeatReplyMessage>;

/** Asks `target` to stand for election at once: leadership transfer. */
export const timeoutNowMessage = message("TimeoutNow", { view: uint(1), target: hash(2) });
export type TimeoutNow = Decoded<typeof timeoutNowMessage>;

/** What a Raft producer must not forget. */
export const raftRecordMessage = message("RaftRecord", {
  view: uint(1),
  votedFor: optional(hash(2)),
  ackedHead: nested(3, refMessage),
  /** It was restored from an old backup: what was promised after it is not known. */
  outdated: optional(bool(4)),
});
export type RaftRecord = Decoded<typeof raftRecordMessage>;
