/** Raft's messages and its durable record (docs/protocol.md, section 5; `proto/raft.proto`). */
import { bool, type Decoded, hash, message, nested, optional, uint } from "../../src/base/codec.ts";
import { isAtLeast, refMessage } from "../leading/messages.ts";
import type { ConsensusMessage } from "../messages.ts";

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

export const heartbeatMessage = message("Heartbeat", { view: uint(1), round: uint(2), irreversibleHeight: uint(3) });
export type Heartbeat = Decoded<typeof heartbeatMessage>;

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
  /** An operator confirmed that the record was lost: what was promised in views up to this one is not known. */
  unknownUpTo: optional(uint(5)),
});
export type RaftRecord = Decoded<typeof raftRecordMessage>;

/** Leaves only when what it promises is on its signer's disk. Pre-votes promise nothing, nor does a refusal. */
export function isPromise(message: ConsensusMessage): boolean {
  if (message.kind === "requestVote") return !message.content.preVote;
  if (message.kind === "vote") return message.content.granted && !message.content.preVote;
  return message.kind === "ack";
}

/** Whether this message, one's own, promises what the record does not know. */
export function isAbove(message: ConsensusMessage, record: RaftRecord): boolean {
  if (message.kind === "ack") return !isAtLeast(record.ackedHead, message.content);
  if (message.kind !== "requestVote" && message.kind !== "vote") return false;
  const { view } = message.content;
  if (!isPromise(message) || view !== record.view) return isPromise(message) && view > record.view;
  return record.votedFor !== (message.kind === "vote" ? message.content.candidate : message.signer);
}
