/** What a diagram says of a message and of what a step did. Another engine's messages get their words here. */
import type { Effect } from "../../../src/replica/types.ts";
import { readHeader, type WireMessage, type WireVote } from "../wire.ts";

/** Blocks are named `view/height`. */
export function labelOf(message: WireMessage): string {
  switch (message.kind) {
    case "hello":
      return message.echo === 0 ? `Hello ${message.seq}` : `Hello ${message.seq}, answers ${message.echo}`;
    case "block": {
      const { view, height } = message.header;
      return `${message.requested ? "BlockResponse" : "Block"} ${view}/${height}`;
    }
    case "requestVote":
      return `${message.preVote ? "RequestPreVote" : "RequestVote"} view ${message.view}`;
    case "vote":
      return `${message.preVote ? "PreVote" : "Vote"} ${message.granted ? "yes" : "no"}, view ${message.view}`;
    case "ack":
      return `Ack ${message.view}/${message.height}`;
    case "certificate": {
      const certified = message.path[0] && readHeader(message.path[0]);
      return `Certificate ${certified?.view}/${certified?.height}, ${message.acks.length} acks`;
    }
    case "heartbeat":
      return `Heartbeat view ${message.view}`;
    case "heartbeatReply":
      return `HeartbeatReply view ${message.view}`;
    case "votes":
      return votesLabel(message.votes);
    case "viewChange":
      return `ViewChange to ${message.view}, reports ${message.reported.view}/${message.reported.height}`;
    case "quorum": {
      const { view, height, commit } = message.certificate;
      return `${commit ? "Certificate" : "PrepareCertificate"} ${view}/${height}`;
    }
    case "summary":
      return `Summary view ${message.view}`;
    case "startViewChange":
      return `StartViewChange ${message.view}`;
    case "doViewChange":
      return `DoViewChange ${message.view}, head ${message.head.view}/${message.head.height}`;
    case "commitNotice":
      return `CommitNotice view ${message.view}`;
    case "recovery":
      return "Recovery";
    case "recoveryResponse":
      return `RecoveryResponse view ${message.view}`;
    case "evidence":
      return "Evidence";
    case "transactions":
      return "Transactions";
    default:
      return message.kind;
  }
}

/** Each kind with the places it is for. */
function votesLabel(votes: readonly WireVote[]): string {
  const places = (commit: boolean): string =>
    votes
      .filter((vote) => vote.commit === commit)
      .map(({ view, height }) => `${view}/${height}`)
      .join(" ");
  return [
    ["Prepare", places(false)],
    ["Commit", places(true)],
  ]
    .filter(([, named]) => named !== "")
    .map((each) => each.join(" "))
    .join(", ");
}

/** Messages that come again and again and say the same. */
export function isPulse(message: WireMessage): boolean {
  return (
    message.kind === "notice" ||
    message.kind === "summary" ||
    message.kind === "heartbeat" ||
    message.kind === "commitNotice" ||
    message.kind === "heartbeatReply"
  );
}

/** Words for what a person wants to see; undefined for the rest. */
export function noteOf(effect: Effect): string | undefined {
  switch (effect.kind) {
    case "irreversible":
      return `irreversible ${effect.block.view}/${effect.block.height}`;
    case "halt":
      return "halts";
    case "log":
      return effect.layer === "consensus" ? withView(effect.message, effect.fields?.["view"]) : undefined;
    default:
      return undefined;
  }
}

function withView(message: string, view: unknown): string {
  return typeof view === "number" ? `${message}, view ${view}` : message;
}
