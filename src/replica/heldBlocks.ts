/** Blocks whose time is ahead of this node's clock: checked, not yet taken in (docs/protocol.md, section 4, "Time"). */
import type { Block } from "../../chain/block.ts";
import { HELD_BLOCKS_MAX } from "../../consensus/constants.ts";
import type { PeerKey } from "../base/key.ts";

interface Held {
  readonly block: Block;
  /** Who sent it first. */
  readonly from: PeerKey;
}

export class HeldBlocks {
  readonly #held = new Map<string, Held>();

  get size(): number {
    return this.#held.size;
  }

  has(id: string): boolean {
    return this.#held.has(id);
  }

  /**
   * The first copy stays. At the bound the block whose time is farthest ahead is dropped, this one or another: its child, or
   * the next hello, asks for it again. So nobody takes the places for good with blocks whose time never comes.
   */
  hold(block: Block, from: PeerKey): void {
    if (this.#held.has(block.id)) return;
    this.#held.set(block.id, { block, from });
    if (this.#held.size > HELD_BLOCKS_MAX) this.#held.delete(this.#latest().id);
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

  /** Of those whose time is farthest ahead, the one that came last. */
  #latest(): Block {
    let latest: Block | undefined;
    for (const { block } of this.#held.values())
      if (latest === undefined || block.header.time >= latest.header.time) latest = block;
    return latest as Block;
  }
}
