/**
 * Proof that one irreversible block goes on from another: that nothing that was final before has changed. What a light
 * client asks for each time, and an auditor compares nodes by (docs/proofs.md; RFC 9162, section 2.1.4).
 */
import { toBase64Url } from "../src/base/base64url.ts";
import { hexBytes, toHex } from "../src/base/bytes.ts";
import { sha256Hex } from "../src/base/hash.ts";
import type { Result } from "../src/base/result.ts";
import { type Header, headerMessage } from "../chain/header.ts";
import { verifyConsistency } from "../chain/merkle.ts";
import type { SignatureClaim } from "../chain/signing.ts";
import {
  certificateOf,
  demandHistory,
  headerOf,
  HISTORY_PATH_MAX,
  membersOf,
  outcomeOf,
  type ProofError,
  type ProofFrame,
  type TrustedGenesis,
  Wrong,
} from "./proofMembers.ts";

export const HEAD_PROOF_FORMAT = "cairn-head-proof-1";

/** Its historyPath is of the block that is known, its certificate of the newer one. */
export interface HeadProof extends ProofFrame {
  readonly format: typeof HEAD_PROOF_FORMAT;
  /** Height of the block that is known. */
  readonly from: number;
  /** Its encoded header. */
  readonly fromHeader: string;
  /** That the history below it is the beginning of the history below the certified block. */
  readonly consistencyPath: readonly string[];
}

/** What a proof shows once the signatures of all `claims` are found valid. */
export interface ProvenHead {
  readonly height: number;
  readonly id: string;
  readonly header: Header;
  readonly headerBytes: Uint8Array;
  /** Id of the block that it goes on from. */
  readonly fromId: string;
  readonly claims: readonly SignatureClaim[];
}

export interface HeadProofMaterial {
  readonly chainId: string;
  readonly from: number;
  readonly fromHeaderBytes: Uint8Array;
  readonly historyPath: readonly Uint8Array[];
  readonly consistencyPath: readonly Uint8Array[];
  readonly certificate: Uint8Array;
}

export function makeHeadProof(material: HeadProofMaterial): HeadProof {
  const { chainId, from, fromHeaderBytes, historyPath, consistencyPath, certificate } = material;
  return {
    format: HEAD_PROOF_FORMAT,
    chainId,
    from,
    fromHeader: toBase64Url(fromHeaderBytes),
    historyPath: historyPath.map(toHex),
    consistencyPath: consistencyPath.map(toHex),
    certificate: toBase64Url(certificate),
  };
}

/** Checks a proof, as JSON gives it, against what its genesis says. Every byte of it counts. */
export function checkHeadProof(value: unknown, genesis: TrustedGenesis): Result<ProvenHead, ProofError> {
  return outcomeOf(() => {
    const proof = membersOf(value, HEAD_PROOF_FORMAT, ["from", "fromHeader", "consistencyPath"], genesis);
    const { bytes: fromBytes, header: from } = headerOf(proof, "fromHeader");
    if (proof.count("from") !== from.height) throw new Wrong("from", `is not the header's, ${from.height}`);
    const { height, id, header, claims } = certificateOf(proof, genesis);
    if (height < from.height) throw new Wrong("certificate", "is of an older block");
    const fromId = sha256Hex(fromBytes);
    demandHistory(proof, { height: from.height, id: fromId }, { header, id });
    const path = proof.hashes("consistencyPath", 2 * HISTORY_PATH_MAX);
    const [first, second] = [hexBytes(from.historyRoot), hexBytes(header.historyRoot)];
    if (!verifyConsistency(from.height, height, first, second, path))
      throw new Wrong("consistencyPath", "does not show that one history goes on with the other");
    return { height, id, header, headerBytes: headerMessage.encode(header), fromId, claims };
  });
}
