/**
 * What a peer is known to have: blocks, each with all its ancestors. Blocks of every branch count, not only of mine:
 * when my head comes back to a branch, what went over the link before does not go again.
 */
import type { BlockRef } from "../../chain/header.ts";
import type { BestChain } from "./bestChain.ts";

export class PeerKnowledge {
  readonly #chain: BestChain;
  /** Height up to which they have my irreversible chain; undefined: not known to have any of it. */
  #settledHeight: number | undefined;
  /** Blocks of the fork database, none an ancestor of another, the one learned last at the end. */
  #tips: readonly BlockRef[] = [];

  constructor(chain: BestChain) {
    this.#chain = chain;
  }

  get settledHeight(): number | undefined {
    return this.#settledHeight;
  }
  get tips(): readonly BlockRef[] {
    return this.#tips;
  }

  /** They have this block. Nothing is learned from one that is not here. */
  learn(block: BlockRef): void {
    if (this.#chain.isReversible(block)) this.#addTip(block);
    else {
      const height = this.#chain.highestAncestorOf(block.id);
      if (height !== undefined) this.#settle(height);
    }
  }

  /** They have the block of my best chain at this height. */
  learnHeight(height: number): void {
    if (height <= this.#chain.irreversibleHeight) return this.#settle(height);
    const block = this.#chain.refAt(height);
    if (block !== undefined) this.#addTip(block);
  }

  /** Height of the highest block of my best chain that they are known to have. */
  height(): number | undefined {
    let known = this.#settledHeight;
    for (let i = this.#tips.length - 1; i >= 0; i--) {
      const tip = this.#tips[i] as BlockRef;
      // What is not above what was found cannot raise it.
      if (known !== undefined && tip.height <= known) continue;
      const height = this.#chain.highestAncestorOf(tip.id);
      if (height !== undefined && (known === undefined || height > known)) known = height;
    }
    return known;
  }

  /** `node` is about to become the bottom of the fork database: other branches go, and with them what they told. */
  beforeRelease(node: BlockRef): void {
    const known = this.height();
    if (known !== undefined) this.#settle(Math.min(known, node.height));
    this.#tips = this.#tips.filter((tip) => tip.height > node.height && this.#chain.precedes(node, tip));
  }

  #settle(height: number): void {
    if (this.#settledHeight === undefined || height > this.#settledHeight) this.#settledHeight = height;
  }

  #addTip(block: BlockRef): void {
    if (this.#tips.some((tip) => this.#chain.precedes(block, tip))) return;
    const { view, height, id } = block;
    this.#tips = [...this.#tips.filter((tip) => !this.#chain.precedes(tip, block)), { view, height, id }];
  }
}
