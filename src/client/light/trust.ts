/** What a light client goes by: the genesis, and the changes of the producer set that were proven since. */
import { checkProducersProof, type ProducersProof } from "../../../consensus/producersProof.ts";
import type { TrustedGenesis } from "../../../consensus/proofMembers.ts";
import type { ProvenChange } from "../../../consensus/provenSets.ts";
import { areSigned } from "./signatures.ts";

/** A chain whose set changed more often is not followed from what a stranger hands over at once. */
const PROOFS_MAX = 1_000;

export class Trust {
  #genesis: TrustedGenesis;
  #proofs: readonly ProducersProof[] = [];

  constructor(genesis: TrustedGenesis) {
    this.#genesis = genesis;
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
    this.#genesis = { ...before, changes };
    this.#proofs = [...this.#proofs, proof as ProducersProof];
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
