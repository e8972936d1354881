/** What a light client goes by: the genesis, and the changes of the producer set that were proven since. */
import { CHANGES_MAX, checkProducersProof, type ProducersProof } from "../../../consensus/producersProof.ts";
import type { TrustedGenesis } from "../../../consensus/proofMembers.ts";
import type { ProvenChange } from "../../../consensus/provenSets.ts";
import { areSigned } from "./signatures.ts";

/** A chain whose set changed more often, 8,000 times (4,000 where all are learnt one by one), is not followed. */
const PROOFS_MAX = 256;

export class Trust {
  #genesis: TrustedGenesis;
  #proofs: readonly ProducersProof[];

  constructor(genesis: TrustedGenesis, proofs: readonly ProducersProof[] = []) {
    this.#genesis = genesis;
    this.#proofs = proofs;
  }

  /** As it is now, whatever is learnt later. */
  copy(): Trust {
    return new Trust(this.#genesis, this.#proofs);
  }

  /** The genesis alone: where another account of the changes begins. */
  untaught(): Trust {
    const { changes: _, ...genesis } = this.#genesis;
    return new Trust(genesis);
  }

  /** With the changes that are known. */
  get genesis(): TrustedGenesis {
    return this.#genesis;
  }

  get changes(): readonly ProvenChange[] {
    return this.#genesis.changes ?? [];
  }

  /** Height up to which changes are known. */
  get above(): number {
    return this.changes.at(-1)?.height ?? 0;
  }

  /** Proofs of all changes that are known, each going on from the one before. */
  get proofs(): readonly ProducersProof[] {
    return this.#proofs;
  }

  /** Takes in the changes that a proof adds to those that are known. @returns what is wrong with it */
  async learn(proof: unknown): Promise<string | undefined> {
    const before = this.#genesis;
    const checked = checkProducersProof(proof, before);
    if (!checked.ok) return `producers: ${checked.error.field} ${checked.error.detail}`;
    if (!(await areSigned(checked.value.claims))) return "producers: a signature is not its signer's";
    // Another node may have shown them meanwhile.
    if (this.#genesis !== before) return undefined;
    const { changes } = checked.value;
    if (changes.length === this.changes.length) return "certificate is by producers that no change has brought";
    const proofs = joined(this.#proofs, proof as ProducersProof);
    if (proofs.length > PROOFS_MAX) return "producers: have changed more often than is followed";
    this.#genesis = { ...before, changes };
    this.#proofs = proofs;
    return undefined;
  }

  /** As {@link learn}, for a list that was kept or handed over. */
  async learnAll(proofs: unknown): Promise<string | undefined> {
    if (!Array.isArray(proofs) || proofs.length > PROOFS_MAX) return "producers: is no list of proofs";
    for (const proof of proofs) {
      const why = await this.learn(proof);
      if (why !== undefined) return why;
    }
    return undefined;
  }
}

/** Who follows a chain learns of its changes one by one: they are kept as few proofs. */
function joined(proofs: readonly ProducersProof[], next: ProducersProof): readonly ProducersProof[] {
  const last = proofs.at(-1);
  if (last === undefined || last.changes.length + next.changes.length > CHANGES_MAX) return [...proofs, next];
  return [...proofs.slice(0, -1), { ...last, changes: [...last.changes, ...next.changes] }];
}
