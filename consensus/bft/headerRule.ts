/** What BFT asks of a header beyond the rules of the chain: leader, entry and proof (docs/protocol.md, section 7). */
import type { Block } from "../../chain/block.ts";
import type { BlockRef } from "../../chain/header.ts";
import type { HeaderRule } from "../../chain/headerRules.ts";
import type { SignatureClaim } from "../../chain/signing.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import { type CertificateError, unknownProducers } from "../certificate.ts";
import { decodeEntry, decodeQuorumCertificate, type Judgement, type QuorumCertificate } from "./certificates.ts";
import { leaderOf, openingFault, proofFault } from "./rules.ts";

export function bftHeaderRule(judgement: Judgement): HeaderRule {
  return (block, parent, { idAt: ancestorIdAt, setsNamed }) => {
    const { id, header } = block;
    const fault = (code: string, detail: string) => ({ code, detail: `block ${header.height} ${id}: ${detail}` });
    if (header.producer !== leaderOf(parent.setsAfter, header.view))
      return fault("NOT_THE_LEADER", `${header.producer} in view ${header.view}`);
    const judged = { ...judgement, setsNamed };
    const entry = block.entry && decodeEntry(block.entry, judged, parent.setsAfter);
    if (entry?.ok === false) return fault("ENTRY_INVALID", entry.error.detail);
    const above = parent.block.header;
    const parentRef = { view: above.view, height: above.height, id: parent.block.id, closing: above.closing };
    const precedes = (ancestor: BlockRef): boolean => {
      if (ancestor.height >= above.height) return ancestor.height === above.height && ancestor.id === parent.block.id;
      // Below what is kept all is irreversible: what a quorum reports there is of this chain.
      return [undefined, ancestor.id].includes(ancestorIdAt(ancestor.height));
    };
    const opening = openingFault(header.view, parentRef, entry?.value.opening, precedes);
    if (opening !== undefined) return fault(opening, `view ${header.view} after ${above.view}`);
    const proof = block.proof && decodeProof(block.proof, judged);
    if (proof?.ok === false) return fault("PROOF_INVALID", proof.error.detail);
    const unproven = proofFault(header.irreversibleHeight, above.irreversibleHeight, proof?.value.ref, ancestorIdAt);
    return unproven === undefined ? undefined : fault(unproven, `irreversible height ${header.irreversibleHeight}`);
  };
}

/** The certificate by which a block proves an ancestor irreversible. */
export function decodeProof(encoded: Uint8Array, judgement: Judgement): Result<QuorumCertificate, CertificateError> {
  const decoded = decodeQuorumCertificate(encoded, judgement);
  if (!decoded.ok || decoded.value.commit) return decoded;
  return err({ code: "CERTIFICATE_INVALID", detail: "prepares where commits are asked for" });
}

/** The signatures in a block's entry and proof. */
export function attachmentClaims(
  { header, entry, proof }: Pick<Block, "header" | "entry" | "proof">,
  judgement: Judgement,
): Result<readonly SignatureClaim[], CertificateError> {
  const sets = judgement.setsNamed(header.configuration, header.height);
  if (sets === undefined && entry !== undefined) return unknownProducers(header);
  const opened = sets && entry && decodeEntry(entry, judgement, sets);
  if (opened?.ok === false) return opened;
  const proven = proof && decodeProof(proof, judgement);
  if (proven?.ok === false) return proven;
  return ok([...(opened?.value.claims ?? []), ...(proven?.value.claims ?? [])]);
}
