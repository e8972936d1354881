/** Blocks whose time is ahead of this node's clock: checked, not yet taken in (docs/protocol.md, section 4, "Time"). */
import type { Block } from "../../chain/block.ts";
import { HELD_BLOCKS_MAX } from "../../consensus/constants.ts";
import type { PeerKey } from "../base/key.ts";

interface Held {
  readonly block: Block;
  /** Everybody who sent it, the first first: all of them have it. */
  readonly from: PeerKey[];
}

export class HeldBlocks {
  readonly #held = new Map<string, Held>();
  /** Who sent what was dropped, by id, the oldest first: when it comes again, they are known to have it. */
  readonly #dropped = new Map<string, PeerKey[]>();

  get size(): number {
    return this.#held.size;
  }

  has(id: string): boolean {
    return this.#held.has(id);
  }

  /** At the bound the block is dropped: its child, or the next hello, asks for it again. */
  hold(block: Block, from: PeerKey): void {
    const held = this.#held.get(block.id);
    if (held !== undefined) addTo(held.from, from);
    else if (this.#held.size < HELD_BLOCKS_MAX)
      this.#held.set(block.id, { block, from: addTo([...this.takeDropped(block.id)], from) });
    else this.drop(block.id, from);
  }

  /** Who sent this block when it was not taken in. */
  takeDropped(id: string): readonly PeerKey[] {
    const from = this.#dropped.get(id) ?? [];
    this.#dropped.delete(id);
    return from;
  }

  /** This block is not taken in now: whoever sent it is known to have it when it comes again. */
  drop(id: string, from: PeerKey): void {
    const before = this.#dropped.get(id);
    if (before !== undefined) return void addTo(before, from);
    this.#dropped.set(id, [from]);
    if (this.#dropped.size > HELD_BLOCKS_MAX) this.#dropped.delete(this.#dropped.keys().next().value as string);
  }

  /** Takes out the blocks whose time has come, lowest first: what is sent by whom is known of blocks whose parents are here. */
  takeDue(isAhead: (block: Block) => boolean): Held[] {
    const due = [...this.#held.values()].filter(({ block }) => !isAhead(block));
    due.sort((a, b) => a.block.header.height - b.block.header.height);
    for (const { block } of due) this.#held.delete(block.id);
    return due;
  }

  /** The earliest header time, ms; Infinity: nothing is held. */
  get earliestTime(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { block } of this.#held.values()) earliest = Math.min(earliest, block.header.time);
    return earliest;
  }
}

function addTo(peers: PeerKey[], peer: PeerKey): PeerKey[] {
  if (!peers.includes(peer)) peers.push(peer);
  return peers;
}
