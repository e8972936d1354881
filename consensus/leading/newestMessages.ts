/**
 * The newest promises heard from each producer, to be given back to it when a link with it comes up (docs/protocol.md,
 * section 4): one above its record tells that its record is old, restored from a backup, and that it must not promise
 * anything again. In memory only, one message a producer and kind.
 */
import { PRODUCERS_MAX } from "../../chain/constants.ts";
import type { PeerKey } from "../../src/base/key.ts";
import type { ConsensusMessage } from "../messages.ts";

type Kind = ConsensusMessage["kind"];
/** What promises something names a view. */
type Promised = Extract<ConsensusMessage, { content: { readonly view: number } }>;

/** Producers of two sets; who was heard first and left leaves first. */
const SIGNERS_MAX = 2 * PRODUCERS_MAX;

export class NewestMessages {
  readonly #isPromise: (message: ConsensusMessage) => boolean;
  readonly #bySigner = new Map<PeerKey, Map<Kind, Promised>>();

  /** @param isPromise does it leave only when what it promises is on its signer's disk? Of producers' messages, naming a view */
  constructor(isPromise: (message: ConsensusMessage) => boolean) {
    this.#isPromise = isPromise;
  }

  /** From a producer, its signature checked. */
  heard(message: ConsensusMessage): void {
    if (!this.#isPromise(message) || !("view" in message.content)) return;
    const promised = message as Promised;
    const newest = this.#bySigner.get(message.signer) ?? new Map<Kind, Promised>();
    if (this.#bySigner.size >= SIGNERS_MAX && !this.#bySigner.has(message.signer))
      this.#bySigner.delete(this.#bySigner.keys().next().value as PeerKey);
    this.#bySigner.set(message.signer, newest);
    const before = newest.get(message.kind);
    if (before === undefined || !isNewer(before, promised)) newest.set(message.kind, promised);
  }

  of(signer: PeerKey): readonly ConsensusMessage[] {
    return [...(this.#bySigner.get(signer)?.values() ?? [])];
  }
}

function isNewer(a: Promised, b: Promised): boolean {
  if (a.content.view !== b.content.view) return a.content.view > b.content.view;
  return a.kind === "ack" && b.kind === "ack" && a.content.height > b.content.height;
}
