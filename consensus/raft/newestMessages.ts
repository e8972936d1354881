/**
 * The newest promises heard from each producer, to be given back to it when a link with it comes up (docs/protocol.md,
 * section 4): one above its record tells that its record is old, restored from a backup, and that it must not promise
 * anything again. In memory only, three messages a producer.
 */
import type { PeerKey } from "../../src/base/key.ts";
import type { ConsensusMessage } from "../messages.ts";
import type { RaftRecord } from "./messages.ts";

/** Kinds that leave only when what they promise is on their signer's disk. */
const PROMISES = ["requestVote", "vote", "ack"] as const;
type Promised = Extract<ConsensusMessage, { kind: (typeof PROMISES)[number] }>;

export class NewestMessages {
  readonly #bySigner = new Map<PeerKey, Partial<Record<Promised["kind"], Promised>>>();

  /** From a producer, its signature checked. */
  heard(message: ConsensusMessage): void {
    if (!isPromise(message)) return;
    const newest = this.#bySigner.get(message.signer) ?? {};
    this.#bySigner.set(message.signer, newest);
    const before = newest[message.kind];
    if (before === undefined || !isNewer(before, message)) newest[message.kind] = message;
  }

  of(signer: PeerKey): readonly ConsensusMessage[] {
    const newest = this.#bySigner.get(signer);
    return newest === undefined ? [] : PROMISES.flatMap((kind) => newest[kind] ?? []);
  }
}

/** Whether this message, one's own, promises what the record does not know. */
export function isAbove(message: ConsensusMessage, record: RaftRecord): boolean {
  if (!isPromise(message)) return false;
  const { view } = message.content;
  if (message.kind === "ack") {
    const { ackedHead } = record;
    return view !== ackedHead.view ? view > ackedHead.view : message.content.height > ackedHead.height;
  }
  if (view !== record.view) return view > record.view;
  return record.votedFor !== (message.kind === "vote" ? message.content.candidate : message.signer);
}

/** Pre-votes promise nothing, nor does a refusal. */
function isPromise(message: ConsensusMessage): message is Promised {
  if (message.kind === "requestVote") return !message.content.preVote;
  if (message.kind === "vote") return message.content.granted && !message.content.preVote;
  return message.kind === "ack";
}

function isNewer(a: Promised, b: Promised): boolean {
  if (a.content.view !== b.content.view) return a.content.view > b.content.view;
  return a.kind === "ack" && b.kind === "ack" && a.content.height > b.content.height;
}
