/** The newest view change of each producer, and what a quorum of them makes. */
import type { Configuration } from "../../chain/configuration.ts";
import type { BlockRef } from "../../chain/header.ts";
import { type SignedReport, timeoutEntry } from "./certificates.ts";
import { greatestReport, quorumOf } from "./rules.ts";

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
}

export class ViewChanges {
  readonly #configuration: Configuration;
  readonly #held = new Map<string, HeldViewChange>();

  constructor(configuration: Configuration) {
    this.#configuration = configuration;
  }

  /** Keeps the one for the highest view. @returns whether it was new */
  record(signer: string, viewChange: HeldViewChange): boolean {
    const before = this.#held.get(signer);
    if (before !== undefined && before.view >= viewChange.view) return false;
    this.#held.set(signer, viewChange);
    return true;
  }

  /** Views asked for by others than `self`. */
  viewsOfOthers(self: string): number[] {
    return [...this.#held].filter(([signer]) => signer !== self).map(([, { view }]) => view);
  }

  /** A timeout certificate for `view`; undefined: too few have asked for it. */
  permit(view: number): OpeningPermit | undefined {
    const { producers } = this.#configuration;
    const reports: (SignedReport & { readonly certificate: Uint8Array })[] = [];
    for (const [index, key] of producers.entries()) {
      const held = this.#held.get(key);
      if (held?.view !== view) continue;
      const { highQc, signature, certificate } = held;
      reports.push({ signer: index, highQc, signature, certificate });
    }
    if (reports.length < quorumOf(this.#configuration)) return undefined;
    const highest = greatestReport(reports.map(({ highQc }) => highQc)) as BlockRef;
    const { certificate } = reports.find(({ highQc }) => highQc.id === highest.id) as (typeof reports)[number];
    return { view, highest, entry: timeoutEntry(view, reports, certificate) };
  }
}
