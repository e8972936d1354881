/** Whether the node is behind, said truthfully (docs/style.md, "Truthful status"). */
import type { Connection } from "../../consensus/sync/connection.ts";
import type { PeerKey } from "../base/key.ts";
import { LIVE_LAG_BLOCKS } from "./constants.ts";
import type { ReplicaStatus } from "./types.ts";

export interface SyncView {
  /** Those of the set, and of the next while it is changed. */
  readonly producers: readonly PeerKey[];
  readonly self: PeerKey;
  readonly headHeight: number;
  /** Of the newest certificate known; 0: none. */
  readonly certifiedHeight: number;
  readonly connections: ReadonlyMap<PeerKey, Pick<Connection, "phase" | "peerHead">>;
  readonly isPulling?: boolean;
  readonly stalledBecause?: string | undefined;
}

/**
 * What others have is taken from certificates, and from the words of producers: a stranger may say any height, and must
 * not make a node look behind.
 */
export function syncStatus(view: SyncView): ReplicaStatus["sync"] {
  const { producers, self, headHeight, certifiedHeight, connections } = view;
  let target = Math.max(headHeight, certifiedHeight);
  let isMatched = false;
  let isWaiting = false;
  for (const [peer, { phase, peerHead }] of connections) {
    isMatched ||= phase !== "start";
    if (!producers.includes(peer)) continue;
    target = Math.max(target, peerHead?.height ?? 0);
    isWaiting ||= phase === "initLow";
  }
  const stalled = view.stalledBecause === undefined ? {} : { stalledBecause: view.stalledBecause };
  // Certificates overtake blocks on their way: a live node is some blocks behind at any time.
  if (target > headHeight + LIVE_LAG_BLOCKS || isWaiting || view.isPulling === true)
    return { state: "syncing", target, ...stalled };
  const isAlone = producers.every((key) => key === self);
  return { state: isMatched || isAlone ? "synced" : "searching", target };
}
