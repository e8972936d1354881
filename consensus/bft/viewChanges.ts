/** The newest view change of each producer, and what a quorum of them makes. */
import type { Configuration } from "../../chain/configuration.ts";
import { PRODUCERS_MAX } from "../../chain/constants.ts";
import type { BlockRef } from "../../chain/header.ts";
import type { ProducerSets } from "../../chain/producerSets.ts";
import { type SignedReport, timeoutEntry } from "./certificates.ts";
import { greatestReport, hasQuorum } from "./rules.ts";

/** Producers of two sets; whose newest word is the oldest leaves first. */
const SIGNERS_MAX = 2 * PRODUCERS_MAX;

/** A view change that counts: its certificate was checked. */
export interface HeldViewChange {
  readonly view: number;
  readonly highQc: BlockRef;
  readonly signature: Uint8Array;
  /** Certificate of `highQc`; empty for block 0. */
  readonly certificate: Uint8Array;
}

/** Why a view may be opened, and where. */
export interface OpeningPermit {
  readonly view: number;
  readonly entry: Uint8Array;
  /** What the opening block has to descend from. */
  readonly highest: BlockRef;
  /** Hash of the producer sets by which it counts. */
  readonly judgedBy: string;
}

export class ViewChanges {
  readonly #held = new Map<string, HeldViewChange>();

  /** Keeps the one for the highest view. @returns whether it was new */
  record(signer: string, viewChange: HeldViewChange): boolean {
    const before = this.#held.get(signer);
    if (before !== undefined && before.view >= viewChange.view) return false;
    this.#held.delete(signer);
    this.#held.set(signer, viewChange);
    if (this.#held.size > SIGNERS_MAX) this.#held.delete(this.#held.keys().next().value as string);
    return true;
  }

  /** Views asked for by producers of this set other than `self`. */
  viewsOfOthers({ producers }: Configuration, self: string): number[] {
    return producers.flatMap((key) => (key === self ? [] : (this.#held.get(key)?.view ?? [])));
  }

  /**
   * A timeout certificate for `view`; undefined: too few have asked for it.
   * @param sets those that judge the block that opens it [S10]
   */
  permit(view: number, sets: ProducerSets): OpeningPermit | undefined {
    const reports: (SignedReport & { readonly certificate: Uint8Array })[] = [];
    for (const [index, key] of sets.members.entries()) {
      const held = this.#held.get(key);
      if (held?.view !== view) continue;
      const { highQc, signature, certificate } = held;
      reports.push({ signer: index, highQc, signature, certificate });
    }
    if (!hasQuorum(sets, (key) => this.#held.get(key)?.view === view)) return undefined;
    const highest = greatestReport(reports.map(({ highQc }) => highQc)) as BlockRef;
    const { certificate } = reports.find(({ highQc }) => highQc.id === highest.id) as (typeof reports)[number];
    return { view, highest, entry: timeoutEntry(view, reports, certificate), judgedBy: sets.hash };
  }
}
