/**
 * Who sent blocks that were not taken into the ledger when they came: they waited for their time or their parent, or were one
 * too many of their place. When one comes in after all, its senders are known to have it, and are not sent it [H3]. What came
 * over a link counts while that is up: so each block has at most as many senders as there are links.
 */
import type { PeerKey } from "../base/key.ts";
import { SENDERS_OF_BLOCKS_MAX } from "./constants.ts";

export class BlockSenders {
  /** By id, the oldest first. */
  readonly #senders = new Map<string, PeerKey[]>();

  /** At the bound the oldest block's senders are forgotten: they may be sent it in vain. */
  note(id: string, from: PeerKey): void {
    const known = this.#senders.get(id);
    if (known !== undefined) {
      if (!known.includes(from)) known.push(from);
      return;
    }
    this.#senders.set(id, [from]);
    if (this.#senders.size > SENDERS_OF_BLOCKS_MAX) this.#senders.delete(this.#senders.keys().next().value as string);
  }

  /** Over its next link it may no longer have what it sent over this one: it was killed before its disk had it, say. */
  peerDown(peer: PeerKey): void {
    for (const [id, from] of this.#senders) {
      const index = from.indexOf(peer);
      if (index !== -1) from.splice(index, 1);
      if (from.length === 0) this.#senders.delete(id);
    }
  }

  /** Each once, the first first; from now on they are forgotten here. */
  take(id: string): readonly PeerKey[] {
    const from = this.#senders.get(id) ?? [];
    this.#senders.delete(id);
    return from;
  }
}
