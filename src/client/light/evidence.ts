/**
 * Portable evidence (docs/proofs.md): that one chain has two histories, two proofs of different blocks at one height; that a
 * producer lied, two things that it signed.
 */
import {
  BLOCK_PROOF_FORMAT,
  type BlockProof,
  checkBlockProof,
  type ProvenBlock,
} from "../../../consensus/blockProof.ts";
import type { Evidence } from "../../../consensus/bft/evidence.ts";
import type { HeadProof } from "../../../consensus/headProof.ts";
import { checkProducerEvidence as checkUpToSignatures } from "../../../consensus/producerEvidence.ts";
import type { ProducersProof } from "../../../consensus/producersProof.ts";
import type { TrustedGenesis } from "../../../consensus/proofMembers.ts";
import { isObject } from "../shape.ts";
import { areSigned } from "./signatures.ts";
import { Trust } from "./trust.ts";

export const EVIDENCE_FORMAT = "cairn-fork-evidence-1";

export interface ForkEvidence {
  readonly format: typeof EVIDENCE_FORMAT;
  readonly chainId: string;
  /** How the producers came to be that signed it, where the set has changed since the genesis. */
  readonly producers?: readonly ProducersProof[];
  /** How those came to be that signed `second`, where the two histories changed the set in two ways. */
  readonly secondProducers?: readonly ProducersProof[];
  readonly first: BlockProof;
  readonly second: BlockProof;
}

export type EvidenceVerdict =
  | { readonly ok: true; readonly height: number; readonly first: ProvenBlock; readonly second: ProvenBlock }
  | { readonly ok: false; readonly why: string };

export type ProducerVerdict =
  { readonly ok: true; readonly evidence: Evidence } | { readonly ok: false; readonly why: string };

/**
 * Checks evidence against a producer, `cairn-producer-evidence-1`, as JSON gives it: it needs no node.
 * @param isProducer who is known to be, or have been, one; default: whom the genesis names
 */
export async function checkProducerEvidence(
  value: unknown,
  genesis: TrustedGenesis,
  isProducer?: (key: string) => boolean,
): Promise<ProducerVerdict> {
  const checked = checkUpToSignatures(value, genesis, isProducer);
  if (!checked.ok) return { ok: false, why: `${checked.error.field} ${checked.error.detail}` };
  if (await areSigned(checked.value.claims)) return { ok: true, evidence: checked.value };
  return { ok: false, why: "a signature is not the producer's" };
}

/** A head proof says of the block that it begins from what a block proof says. */
export function blockProofOf({ chainId, from, fromHeader, historyPath, certificate }: HeadProof): BlockProof {
  return { format: BLOCK_PROOF_FORMAT, chainId, height: from, header: fromHeader, historyPath, certificate };
}

/** A proof, and the changes of the producer set by which it holds. */
export interface Claimed {
  readonly proof: BlockProof;
  readonly trust: Trust;
}

/** @param first and `second`: two blocks of one height, each proven */
export function forkEvidence(first: Claimed, second: Claimed): ForkEvidence {
  const [ours, theirs] = [first.trust.proofs, second.trust.proofs];
  const isOneWay = JSON.stringify(ours) === JSON.stringify(theirs);
  return {
    format: EVIDENCE_FORMAT,
    chainId: first.proof.chainId,
    ...(ours.length > 0 && { producers: ours }),
    ...(!isOneWay && { secondProducers: theirs }),
    first: first.proof,
    second: second.proof,
  };
}

/** Checks evidence, as JSON gives it, against what the genesis says: it needs no node. */
export async function checkEvidence(value: unknown, genesis: TrustedGenesis): Promise<EvidenceVerdict> {
  if (!isObject(value) || value["format"] !== EVIDENCE_FORMAT) return no(`it is no ${EVIDENCE_FORMAT}`);
  const { chainId, first, second, format: _, producers = [], secondProducers = producers, ...rest } = value;
  if (Object.keys(rest).length > 0 || chainId !== genesis.chainId) return no("it is of another chain");
  const proven: ProvenBlock[] = [];
  for (const [name, proof, changes] of [
    ["first", first, producers],
    ["second", second, secondProducers],
  ] as const) {
    // It stands for itself, whatever changes are known here.
    const trust = new Trust(genesis).untaught();
    const unproven = await trust.learnAll(changes);
    if (unproven !== undefined) return no(`${name}: ${unproven}`);
    const checked = checkBlockProof(proof, trust.genesis);
    if (!checked.ok) return no(`${name}.${checked.error.field} ${checked.error.detail}`);
    if (!(await areSigned(checked.value.claims)))
      return no(`${name}.certificate has a signature that is not its signer's`);
    proven.push(checked.value);
  }
  const [one, other] = proven as [ProvenBlock, ProvenBlock];
  if (one.height !== other.height) return no("the blocks are of different heights");
  if (one.id === other.id) return no("both are the same block");
  return { ok: true, height: one.height, first: one, second: other };
}

function no(why: string): EvidenceVerdict {
  return { ok: false, why };
}
