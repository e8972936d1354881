/**
 * Raft, VSR: who opens a view was chosen for it by quorums of all producer sets that decide about its first block [S10],
 * on their disks: voters under Raft, those who have left for this primary under VSR. Who is in none of the sets counts for
 * nothing [S11].
 */
import { RuleBroken } from "../violation.ts";

export class ElectionOracle {
  /** By view: whom each node has chosen, lost disks included. */
  readonly #chosen = new Map<number, Map<number, Set<string>>>();
  /** Views that each node's disk has held, by node. */
  readonly #held = new Map<number, Set<number>>();

  /** A node's disk says that it is in this view, and whom it has chosen for it. */
  durable(node: number, view: number, candidate: string | undefined): void {
    const held = this.#held.get(node) ?? new Set<number>();
    this.#held.set(node, held.add(view));
    if (candidate === undefined) return;
    const ofView = this.#chosen.get(view) ?? new Map<number, Set<string>>();
    this.#chosen.set(view, ofView);
    ofView.set(node, (ofView.get(node) ?? new Set()).add(candidate));
  }

  /** @param isQuorum do these decide about the block that opens the view? */
  opened(
    node: number,
    { view, height, producer }: { readonly view: number; readonly height: number; readonly producer: string },
    isQuorum: (hasChosen: (node: number) => boolean) => boolean,
  ): void {
    const ofView = this.#chosen.get(view);
    if (isQuorum((each) => ofView?.get(each)?.has(producer) === true || this.#isPast(each, view))) return;
    const by = [...(ofView ?? [])].filter(([, candidates]) => candidates.has(producer)).map(([each]) => each);
    const detail = `${producer.slice(0, 8)} opens view ${view} with block ${height}, chosen by nodes ${by.join(" ") || "none"}`;
    throw new RuleBroken(
      "views",
      "who opens a view was chosen by quorums of all its producer sets [S10] [S11]",
      detail,
      [node],
    );
  }

  /** One step may choose for a view and go on to the next: then the disk has only that, and chooses nobody else below. */
  #isPast(node: number, view: number): boolean {
    const held = this.#held.get(node);
    return held !== undefined && !held.has(view) && [...held].some((each) => each > view);
  }
}
