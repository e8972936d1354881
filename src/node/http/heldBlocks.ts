/**
 * Blocks that streams are at work on, each in memory once however many streams tell it. Together they have a bound: above
 * it the block held longest goes, and with it the streams that are not done with it, which are the slowest.
 */
import { blockBytes } from "../../../chain/block.ts";
import type { BlockView } from "../api.ts";

/** A stream, for those who may have to end it. */
export interface Holder {
  cutOff(): void;
}

interface Held {
  readonly view: BlockView;
  readonly bytes: number;
  readonly holders: Set<Holder>;
}

export class HeldBlocks {
  readonly #maxBytes: number;
  readonly #read: (height: number) => BlockView;
  /** By height; the one held longest first. */
  readonly #held = new Map<number, Held>();
  #bytes = 0;

  /** @param read gives an irreversible block, or throws */
  constructor(maxBytes: number, read: (height: number) => BlockView) {
    this.#maxBytes = maxBytes;
    this.#read = read;
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(height: number, holder: Holder): BlockView {
    const held = this.#held.get(height) ?? this.#add(height);
    held.holders.add(holder);
    return held.view;
  }

  giveBack(height: number, holder: Holder): void {
    const held = this.#held.get(height);
    if (held?.holders.delete(holder) && held.holders.size === 0) this.#remove(height, held);
  }

  #add(height: number): Held {
    const view = this.#read(height);
    const held = { view, bytes: blockBytes(view.block), holders: new Set<Holder>() };
    for (const [oldest, { holders }] of this.#held) {
      if (this.#bytes + held.bytes <= this.#maxBytes) break;
      for (const holder of holders) {
        holder.cutOff();
        this.giveBack(oldest, holder);
      }
    }
    this.#held.set(height, held);
    this.#bytes += held.bytes;
    return held;
  }

  #remove(height: number, { bytes }: Held): void {
    this.#held.delete(height);
    this.#bytes -= bytes;
  }
}
