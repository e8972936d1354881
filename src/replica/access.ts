/**
 * Which message is accepted from whom in which status (docs/protocol.md, section 1, "Access"): the one table of it. What
 * it does not name is refused; a new kind of message does not compile without an entry.
 */
import type { NoticeKind } from "../../consensus/notice.ts";
import type { EngineStatus } from "../../consensus/engine.ts";
import type { Payload, SignedContentKind, SyncMessage } from "../../consensus/messages.ts";

export type MessageKind =
  SyncMessage["kind"] | Exclude<Payload["kind"], "signed" | "notice"> | SignedContentKind | NoticeKind | "addresses";

/**
 * Who says it. A stranger has not told of its chain on this link and holds no producer's key; a follower has told; the
 * leader is the producer that this node takes for it.
 */
export const SENDERS = ["stranger", "follower", "producer", "leader"] as const;
export type Sender = (typeof SENDERS)[number];

export const STATUSES = ["leader", "follower", "candidate", "recovering", "observer", "halted"] as const;
// Fails to compile when an engine gets a status that is not in the list.
const _allStatuses: Exclude<EngineStatus, (typeof STATUSES)[number]> extends never ? true : never = true;
void _allStatuses;

/** "ignore": an honest peer may have sent it, for another time. "refuse": none does, and it counts against the sender. */
export type Verdict = "accept" | "ignore" | "refuse";

interface Rule {
  readonly from: readonly Sender[];
  readonly while: readonly EngineStatus[];
  /** How it may travel: between neighbours, along routes by way of others, to everyone. */
  readonly by: "link" | "routes" | "broadcast" | "both";
}

const ANYBODY = SENDERS;
const INTRODUCED = ["follower", "producer", "leader"] as const;
const PRODUCERS = ["producer", "leader"] as const;
const RUNNING = ["leader", "follower", "candidate", "recovering", "observer"] as const;
const LEADING = ["leader"] as const;

export const ACCESS: Readonly<Record<MessageKind, Rule>> = {
  hello: { from: ANYBODY, while: RUNNING, by: "link" },
  // A stream begins with a matched pair of hellos.
  block: { from: INTRODUCED, while: RUNNING, by: "link" },
  blockAnnouncement: { from: INTRODUCED, while: RUNNING, by: "link" },
  blockRequest: { from: ANYBODY, while: RUNNING, by: "link" },
  blockResponse: { from: ANYBODY, while: RUNNING, by: "link" },
  // What is served is public; what comes is checked against an anchor.
  rangeRequest: { from: ANYBODY, while: RUNNING, by: "link" },
  rangeResponse: { from: INTRODUCED, while: RUNNING, by: "link" },
  certificate: { from: ANYBODY, while: RUNNING, by: "both" },
  // Each is signed by the node that it is about; who passes some on is a neighbour.
  addresses: { from: ANYBODY, while: RUNNING, by: "link" },
  // It proves itself, whoever brings it.
  evidence: { from: ANYBODY, while: RUNNING, by: "both" },
  // Only a leader has a use for them; whoever forwards keeps them and asks the next one.
  transactionForward: { from: ANYBODY, while: LEADING, by: "routes" },
  transactionResults: { from: PRODUCERS, while: RUNNING, by: "routes" },
  readIndex: { from: ANYBODY, while: LEADING, by: "routes" },
  // What counts is that it comes from the leader that was asked, which may lead no more.
  readIndexReply: { from: PRODUCERS, while: RUNNING, by: "routes" },
  // Of its signer, whoever passes it on.
  nodeStarting: { from: PRODUCERS, while: RUNNING, by: "broadcast" },
  nodePresence: { from: PRODUCERS, while: RUNNING, by: "broadcast" },
  nodeStopping: { from: PRODUCERS, while: RUNNING, by: "broadcast" },
  // Whoever is asked votes; who counts judges who is a member [S11].
  requestVote: { from: PRODUCERS, while: RUNNING, by: "routes" },
  vote: { from: PRODUCERS, while: RUNNING, by: "routes" },
  ack: { from: PRODUCERS, while: LEADING, by: "routes" },
  heartbeat: { from: PRODUCERS, while: RUNNING, by: "routes" },
  // One of a higher view moves whoever hears it.
  heartbeatReply: { from: PRODUCERS, while: RUNNING, by: "routes" },
  votes: { from: PRODUCERS, while: RUNNING, by: "routes" },
  viewChange: { from: PRODUCERS, while: RUNNING, by: "routes" },
  summary: { from: PRODUCERS, while: RUNNING, by: "routes" },
  startViewChange: { from: PRODUCERS, while: RUNNING, by: "routes" },
  doViewChange: { from: PRODUCERS, while: RUNNING, by: "routes" },
  commitNotice: { from: PRODUCERS, while: RUNNING, by: "routes" },
  recovery: { from: PRODUCERS, while: RUNNING, by: "routes" },
  recoveryResponse: { from: PRODUCERS, while: RUNNING, by: "routes" },
  timeoutNow: { from: ["leader"], while: ["follower"], by: "routes" },
};

export const MESSAGE_KINDS = Object.keys(ACCESS) as MessageKind[];

/** May others pass it on? */
export function isRouted(kind: MessageKind): boolean {
  return ACCESS[kind].by === "routes";
}

/** @param broadcast how it came */
export function access(kind: MessageKind, sender: Sender, status: EngineStatus, broadcast: boolean): Verdict {
  const rule = ACCESS[kind];
  if (rule.by !== "both" && (rule.by === "broadcast") !== broadcast) return "refuse";
  if (!rule.from.includes(sender)) {
    // Who leads is known here and there at different times; and so is who produces, while the set is changed.
    return rule.from.includes("leader") && !rule.from.includes("follower") ? "ignore" : "refuse";
  }
  return rule.while.includes(status) ? "accept" : "ignore";
}
