/**
 * Oracle 4, the strong form (Raft's leader completeness): a block of view v that a majority of producers have acked on
 * their disks is decided, whether or not anybody knows yet, and every higher view begins with a block above it.
 */
import { RuleBroken } from "../violation.ts";
import type { SeenBlock } from "./views.ts";

export interface AckedBlock {
  readonly view: number;
  readonly height: number;
  readonly id: string;
}

export class DecisionOracle {
  readonly #isQuorum: (id: string, hasAcked: (node: number) => boolean) => boolean;
  readonly #blockOf: (id: string) => SeenBlock | undefined;
  /** Highest block of the view that each producer has acked, by view. */
  readonly #acked = new Map<number, Map<number, AckedBlock>>();
  /** Highest decided block of each view in which anything is. */
  readonly #decided = new Map<number, SeenBlock>();
  /** First blocks of views, by id: who lies may open a view twice. */
  readonly #openers = new Map<string, SeenBlock>();

  /** @param isQuorum do these decide about this block, by its own producer sets [S10]? */
  constructor(
    isQuorum: (id: string, hasAcked: (node: number) => boolean) => boolean,
    blockOf: (id: string) => SeenBlock | undefined,
  ) {
    this.#isQuorum = isQuorum;
    this.#blockOf = blockOf;
  }

  /** A producer's disk says that it has acked this block. */
  acked(node: number, block: AckedBlock): void {
    if (block.view === 0) return;
    const ofView = this.#acked.get(block.view) ?? new Map<number, AckedBlock>();
    this.#acked.set(block.view, ofView);
    const before = ofView.get(node);
    if (before !== undefined && before.height >= block.height) return;
    ofView.set(node, block);
    const decided = this.#newlyDecided(block.view, ofView);
    if (decided === undefined) return;
    this.#decided.set(block.view, decided);
    for (const opener of this.#openers.values()) {
      if (opener.view > block.view) this.#assertAbove(node, opener, decided);
    }
  }

  /** A node calls this block irreversible: quorums have acked it, or a descendant in one view, on their disks [S10]. */
  assertDecided(node: number, { id, height }: Pick<SeenBlock, "id" | "height">): void {
    for (const decided of this.#decided.values()) {
      let at: SeenBlock | undefined = decided;
      while (at !== undefined && at.height > height) at = this.#blockOf(at.parent);
      if (at?.id === id) return;
    }
    const detail = `block ${height} ${id} is irreversible, and no quorum of its producer sets has acked it`;
    throw new RuleBroken("finality", "quorums of all producer sets decide [S10] [S11]", detail, [node]);
  }

  /** The highest block of a view that a quorum has acked, where that is above what was decided before. */
  #newlyDecided(view: number, acked: ReadonlyMap<number, AckedBlock>): SeenBlock | undefined {
    const [top] = [...acked.values()].sort((a, b) => b.height - a.height);
    const before = this.#decided.get(view)?.height ?? 0;
    let at = top && this.#blockOf(top.id);
    while (at !== undefined && at.view === view && at.height > before) {
      const { height } = at;
      if (this.#isQuorum(at.id, (node) => (acked.get(node)?.height ?? -1) >= height)) return at;
      at = this.#blockOf(at.parent);
    }
    return undefined;
  }

  /** The first block of a view was produced. */
  opened(node: number, opener: SeenBlock): void {
    this.#openers.set(opener.id, opener);
    for (const decided of this.#decided.values())
      if (decided.view < opener.view) this.#assertAbove(node, opener, decided);
  }

  #assertAbove(node: number, opener: SeenBlock, decided: SeenBlock): void {
    let at: SeenBlock | undefined = opener;
    while (at !== undefined && at.height > decided.height) at = this.#blockOf(at.parent);
    if (at?.id === decided.id) return;
    const detail =
      `block ${opener.height} ${opener.id} opens view ${opener.view}; ` +
      `a majority has acked block ${decided.height} ${decided.id} of view ${decided.view}`;
    throw new RuleBroken("views", "the first block of a view extends everything decided before", detail, [node]);
  }
}
