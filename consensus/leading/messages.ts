/** Messages that Raft and VSR share (docs/protocol.md, section 4; `proto/leading.proto`). */
import type { BlockRef } from "../../chain/header.ts";
import { type Decoded, hash, message, uint } from "../../src/base/codec.ts";

/** A block as elections compare it. */
export const refMessage = message("BlockRef", { view: uint(1), height: uint(2), id: hash(3) });

export function refOf({ view, height, id }: BlockRef): BlockRef {
  return { view, height, id };
}

/** The signer holds this block and its ancestors durably, and its view is `view`. VSR's paper calls it PrepareOk. */
export const ackMessage = message("Ack", { view: uint(1), height: uint(2), id: hash(3) });
export type Ack = Decoded<typeof ackMessage>;

/** Answers a leader's heartbeat (Raft) or commit notice (VSR) of this round. */
export const heartbeatReplyMessage = message("HeartbeatReply", { view: uint(1), round: uint(2) });
export type HeartbeatReply = Decoded<typeof heartbeatReplyMessage>;

/** View first, then height [S1]. */
export function isAtLeast(a: Pick<BlockRef, "view" | "height">, b: Pick<BlockRef, "view" | "height">): boolean {
  return a.view !== b.view ? a.view > b.view : a.height >= b.height;
}
