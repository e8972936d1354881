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

  get size(): number {
    return this.#held.size;
  }

  has(id: string): boolean {
    return this.#held.has(id);
  }

  /** At the bound the block is dropped: its child, or the next hello, asks for it again. */
  hold(block: Block, from: PeerKey): void {
    const held = this.#held.get(block.id);
    if (held !== undefined) {
      if (!held.from.includes(from)) held.from.push(from);
    } else if (this.#held.size < HELD_BLOCKS_MAX) this.#held.set(block.id, { block, from: [from] });
  }

  /** Takes out the blocks whose time has come. */
  takeDue(isAhead: (block: Block) => boolean): Held[] {
    const due = [...this.#held.values()].filter(({ block }) => !isAhead(block));
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
