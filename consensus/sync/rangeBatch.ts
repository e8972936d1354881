/** One range of a pull, from the plan to the ledger. Each method is an edge, and throws from a state that does not have it. */
import type { Block } from "../../chain/block.ts";
import type { PeerKey } from "../../src/base/key.ts";
import type { Anchor } from "./range.ts";

export type BatchState =
  /** Nobody is asked. */
  | { readonly kind: "waiting" }
  | { readonly kind: "asked"; readonly peer: PeerKey; readonly deadline: number }
  /** Checked, and waits for its turn. */
  | { readonly kind: "arrived"; readonly blocks: readonly Block[] };

export class RangeBatch {
  readonly from: number;
  /** Included. */
  readonly to: number;
  readonly anchor: Anchor;
  #state: BatchState = { kind: "waiting" };

  constructor(from: number, to: number, anchor: Anchor) {
    this.from = from;
    this.to = to;
    this.anchor = anchor;
  }

  get state(): BatchState {
    return this.#state;
  }

  isAskedOf(peer: PeerKey): boolean {
    return this.#state.kind === "asked" && this.#state.peer === peer;
  }

  ask(peer: PeerKey, deadline: number): void {
    if (this.#state.kind !== "waiting") throw this.#wrong("ask");
    this.#state = { kind: "asked", peer, deadline };
  }

  /** The peer is gone, late or of no use. */
  giveBack(): void {
    if (this.#state.kind !== "asked") throw this.#wrong("giveBack");
    this.#state = { kind: "waiting" };
  }

  /**
   * Blocks came, from whoever was asked first or again.
   * @returns the rest, when fewer came than were asked for
   */
  arrive(blocks: readonly Block[]): RangeBatch | undefined {
    if (this.#state.kind === "arrived") throw this.#wrong("arrive");
    this.#state = { kind: "arrived", blocks };
    const next = this.from + blocks.length;
    return next > this.to ? undefined : new RangeBatch(next, this.to, this.anchor);
  }

  /** To the ledger. */
  take(): readonly Block[] {
    if (this.#state.kind !== "arrived") throw this.#wrong("take");
    return this.#state.blocks;
  }

  #wrong(edge: string): Error {
    return new Error(`${edge}: range ${this.from} to ${this.to} is ${this.#state.kind}`);
  }
}
