/**
 * Proof that a block is irreversible, for somebody who knows the genesis and nothing else (docs/proofs.md). Checked here up
 * to the signatures, which are returned as claims.
 */
import { toBase64Url } from "../src/base/base64url.ts";
import { toHex } from "../src/base/bytes.ts";
import { sha256Hex } from "../src/base/hash.ts";
import type { Result } from "../src/base/result.ts";
import type { Header } from "../chain/header.ts";
import type { SignatureClaim } from "../chain/signing.ts";
import {
  certificateOf,
  demandHistory,
  headerOf,
  membersOf,
  outcomeOf,
  type ProofError,
  type ProofFrame,
  type TrustedGenesis,
  Wrong,
} from "./proofMembers.ts";

export const BLOCK_PROOF_FORMAT = "cairn-block-proof-1";

export interface BlockProof extends ProofFrame {
  readonly format: typeof BLOCK_PROOF_FORMAT;
  readonly height: number;
  /** Encoded. */
  readonly header: string;
}

/** What a proof shows once the signatures of all `claims` are found valid. */
export interface ProvenBlock {
  readonly height: number;
  readonly id: string;
  readonly header: Header;
  readonly headerBytes: Uint8Array;
  /** The block whose certificate it is. */
  readonly certifiedHeight: number;
  readonly claims: readonly SignatureClaim[];
}

export interface BlockProofMaterial {
  readonly chainId: string;
  readonly height: number;
  readonly headerBytes: Uint8Array;
  readonly historyPath: readonly Uint8Array[];
  readonly certificate: Uint8Array;
}

export function makeBlockProof(material: BlockProofMaterial): BlockProof {
  const { chainId, height, headerBytes, historyPath, certificate } = material;
  return {
    format: BLOCK_PROOF_FORMAT,
    chainId,
    height,
    header: toBase64Url(headerBytes),
    historyPath: historyPath.map(toHex),
    certificate: toBase64Url(certificate),
  };
}

/** Checks a proof, as JSON gives it, against what its genesis says. Every byte of it counts. */
export function checkBlockProof(value: unknown, genesis: TrustedGenesis): Result<ProvenBlock, ProofError> {
  return outcomeOf(() => {
    const proof = membersOf(value, BLOCK_PROOF_FORMAT, ["height", "header"], genesis);
    const height = proof.count("height");
    const { bytes: headerBytes, header } = headerOf(proof, "header");
    if (header.height !== height) throw new Wrong("height", `is not the header's, ${header.height}`);
    const certificate = certificateOf(proof, genesis);
    const id = sha256Hex(headerBytes);
    demandHistory(proof, { height, id }, certificate);
    return { height, id, header, headerBytes, certifiedHeight: certificate.height, claims: certificate.claims };
  });
}
