/**
 * Under Raft and VSR a block that ends a change of the producer set proves that the one which began it is irreversible, by
 * a certificate in its body: who comes later, and knew the old set only, learns from the chain itself who decides now.
 * Nothing else is proven in blocks under these engines: a producer's signature is enough.
 */
import type { Block } from "../../chain/block.ts";
import type { BlockNode, InvalidReason } from "../../chain/forkDatabase.ts";
import type { RuleChain } from "../../chain/headerRules.ts";
import { endsChange, type ProducerLookup } from "../../chain/producerSets.ts";
import type { SignatureClaim } from "../../chain/signing.ts";
import { ok, type Result } from "../../src/base/result.ts";
import { type CertificateError, decodeCertificate } from "../certificate.ts";

export function changeProofFault(
  { header, proof }: Block,
  parent: Pick<BlockNode, "setsAfter">,
  { idAt, setsNamed }: RuleChain,
  chainId: string,
): InvalidReason | undefined {
  const { irreversibleHeight } = header;
  if (!endsChange(parent.setsAfter, irreversibleHeight)) {
    return proof === undefined ? undefined : { code: "UNSUPPORTED", detail: "a proof without need" };
  }
  if (proof === undefined) return { code: "PROOF_MISSING", detail: `irreversible height ${irreversibleHeight}` };
  const decoded = decodeCertificate(proof, chainId, { setsNamed });
  if (!decoded.ok) return { code: "PROOF_INVALID", detail: decoded.error.detail };
  const { height, id } = decoded.value;
  const ancestor = idAt(height);
  const isOfAncestor = height === irreversibleHeight && (ancestor === undefined || ancestor === id);
  return isOfAncestor ? undefined : { code: "PROOF_OF_ANOTHER_BLOCK", detail: `of block ${height} ${id}` };
}

/** The signatures in a block's proof. */
export function changeProofClaims(
  { proof }: Pick<Block, "proof">,
  chainId: string,
  lookup: ProducerLookup,
): Result<readonly SignatureClaim[], CertificateError> {
  if (proof === undefined) return ok([]);
  const decoded = decodeCertificate(proof, chainId, lookup);
  return decoded.ok ? ok(decoded.value.claims) : decoded;
}
