/**
 * Oracle 4: one leader and one chain a view, and the first block of a view extends everything decided before. While BFT
 * changes its producers a view may be opened by either set's leader, by one with a timeout certificate and by the other
 * with a handoff; what is certified of either needs a quorum of the set to come, so at most one is (decision 070).
 */
import { RuleBroken } from "../violation.ts";
import type { WireHeader } from "../wire.ts";

/** A block as this oracle sees it. */
export interface SeenBlock extends WireHeader {
  readonly id: string;
}

export interface Decided {
  readonly height: number;
  readonly id: string;
  readonly view: number;
}

export class ViewOracle {
  readonly #blocks = new Map<string, SeenBlock>();
  /** Producer by view and set. */
  readonly #producers = new Map<string, string>();
  /** Id by view, set and height. */
  readonly #places = new Map<string, string>();
  /** First block by view and set. */
  readonly #openers = new Map<string, string>();
  #highestView = 0;

  constructor(genesis: SeenBlock) {
    this.#blocks.set(genesis.id, genesis);
  }

  get highestView(): number {
    return this.#highestView;
  }
  get(id: string): SeenBlock | undefined {
    return this.#blocks.get(id);
  }

  /** A block of a scripted peer: taken as it is, so that others may stand on it. */
  admit(block: SeenBlock): void {
    this.#blocks.set(block.id, block);
  }

  /**
   * A block was seen at a node.
   * @param decided the highest block that any node had called irreversible by then
   * @param set whose leader made it, where each set may have one a view
   * @returns "opener" when it is the first of its view
   */
  seen(node: number, block: SeenBlock, decided: Decided, set = ""): "opener" | undefined {
    if (this.#blocks.has(block.id)) return undefined;
    const parent = this.#blocks.get(block.parent);
    if (parent === undefined) {
      throw new RuleBroken("views", "a block is known to somebody before its child", `${block.id} at ${block.height}`, [
        node,
      ]);
    }
    this.#blocks.set(block.id, block);
    const lead = `${block.view}${set}`;
    const producer = this.#producers.get(lead);
    if (producer !== undefined && producer !== block.producer) {
      const detail = `view ${block.view}: ${producer.slice(0, 8)} and ${block.producer.slice(0, 8)}`;
      throw new RuleBroken("views", "a view has one leader", detail, [node]);
    }
    this.#producers.set(lead, block.producer);
    const place = `${lead}/${block.height}`;
    const other = this.#places.get(place);
    if (other !== undefined)
      throw new RuleBroken("views", "a view has one chain", `${place}: ${other} and ${block.id}`, [node]);
    this.#places.set(place, block.id);
    this.#highestView = Math.max(this.#highestView, block.view);
    if (parent.view === block.view) return undefined;
    const opener = this.#openers.get(lead);
    if (opener !== undefined) {
      throw new RuleBroken("views", "a view has one chain", `view ${block.view} opened by ${opener} and ${block.id}`, [
        node,
      ]);
    }
    this.#openers.set(lead, block.id);
    if (decided.view < block.view) this.#assertExtends(node, block, decided);
    return "opener";
  }

  #assertExtends(node: number, first: SeenBlock, decided: Decided): void {
    let at: SeenBlock | undefined = first;
    while (at !== undefined && at.height > decided.height) at = this.#blocks.get(at.parent);
    if (at?.id === decided.id) return;
    const detail = `block ${first.height} ${first.id} opens view ${first.view}, not above decided ${decided.height} ${decided.id} of view ${decided.view}`;
    throw new RuleBroken("views", "the first block of a view extends everything decided before", detail, [node]);
  }
}
