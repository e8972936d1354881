/**
 * BFT's proofs: that a quorum prepared or committed a block, and that a quorum asked for a view. Each is decoded and
 * checked whole but for its signatures, which are returned as claims. There is one valid encoding: signers ascend by
 * their place in the producer set.
 */
import { HEADER_MAX_BYTES, PRODUCERS_MAX, SIGNATURE_BYTES, VIEW_MAX } from "../../chain/constants.ts";
import { type BlockRef, type Header, headerMessage } from "../../chain/header.ts";
import type { ProducerLookup, ProducerSets } from "../../chain/producerSets.ts";
import type { SignatureClaim } from "../../chain/signing.ts";
import { bool, bytes, fixedBytes, message, nested, optional, repeated, uint } from "../../src/base/codec.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import { type CertificateError, unknownProducers } from "../certificate.ts";
import { refMessage } from "../leading/messages.ts";
import { QC_MAX_BYTES, viewChangeDigest, voteDigest } from "./messages.ts";
import { hasQuorum, isReport, type Opening, showsGreatest } from "./rules.ts";

const voteSignatureMessage = message("VoteSignature", {
  /** Index in the members of the producer sets. */
  signer: uint(1),
  signature: fixedBytes(2, SIGNATURE_BYTES),
});

/** The header is whole: it names view, height and set, and anchors ranges by its history. */
export const quorumCertificateMessage = message("QuorumCertificate", {
  commit: bool(1),
  header: bytes(2, HEADER_MAX_BYTES),
  signatures: repeated(nested(3, voteSignatureMessage), 2 * PRODUCERS_MAX),
});

const reportMessage = message("TimeoutReport", {
  signer: uint(1),
  highQc: nested(2, refMessage),
  signature: fixedBytes(3, SIGNATURE_BYTES),
});

export const timeoutCertificateMessage = message("TimeoutCertificate", {
  view: uint(1),
  reports: repeated(nested(2, reportMessage), 2 * PRODUCERS_MAX),
  /** Certificate of the greatest block reported [B8]; none when that is block 0. */
  highest: bytes(3, QC_MAX_BYTES),
});

const handoffMessage = message("Handoff", {
  /** Prepare certificate of the parent; none for block 0. */
  certificate: bytes(1, QC_MAX_BYTES),
});

/** In the body of a block that opens a view: exactly one of the two. */
export const entryMessage = message("Entry", {
  timeout: optional(nested(1, timeoutCertificateMessage)),
  handoff: optional(nested(2, handoffMessage)),
});

/** A certificate of one block whose shape was checked. */
export interface QuorumCertificate {
  readonly commit: boolean;
  readonly ref: BlockRef;
  readonly header: Header;
  readonly bytes: Uint8Array;
  readonly claims: readonly SignatureClaim[];
}

export interface TimeoutCertificate {
  readonly view: number;
  readonly highest: BlockRef;
  /** Of `highest`; absent for block 0. */
  readonly certificate: QuorumCertificate | undefined;
  readonly claims: readonly SignatureClaim[];
}

/** What certificates are judged by. */
export interface Judgement {
  readonly chainId: string;
  readonly setsNamed: ProducerLookup["setsNamed"];
  /** Certified by definition. */
  readonly genesis: BlockRef;
}

export interface SignerSignature {
  /** Index in the members of the producer sets. */
  readonly signer: number;
  readonly signature: Uint8Array;
}

export function encodeQuorumCertificate(
  commit: boolean,
  header: Uint8Array,
  signatures: readonly SignerSignature[],
): Uint8Array {
  return quorumCertificateMessage.encode({ commit, header, signatures: inOrder(signatures) });
}

export function decodeQuorumCertificate(
  encoded: Uint8Array,
  { chainId, setsNamed }: Pick<Judgement, "chainId" | "setsNamed">,
): Result<QuorumCertificate, CertificateError> {
  const decoded = quorumCertificateMessage.decode(encoded);
  if (!decoded.ok) return invalid(decoded.error.detail);
  const { commit, header: headerBytes, signatures } = decoded.value;
  const header = headerMessage.decode(headerBytes);
  if (!header.ok) return invalid(`header: ${header.error.detail}`);
  const { view, height } = header.value;
  if (view > VIEW_MAX) return invalid("view out of range");
  const sets = setsNamed(header.value.configuration, height);
  if (sets === undefined) return unknownProducers(header.value);
  const ref = { view, height, id: sha256Hex(headerBytes) };
  const fault = signersFault(signatures, sets);
  if (fault !== undefined) return invalid(fault);
  const digest = voteDigest(chainId, commit, ref);
  const claims = signatures.map(({ signer, signature }) => ({ key: keyOf(sets, signer), digest, signature }));
  return ok({ commit, ref, header: header.value, bytes: encoded, claims });
}

/** A view change that may be part of a timeout certificate. */
export interface SignedReport extends SignerSignature {
  readonly highQc: BlockRef;
}

/** @param highest certificate of the greatest report; empty for block 0 */
export function timeoutEntry(view: number, reports: readonly SignedReport[], highest: Uint8Array): Uint8Array {
  return entryMessage.encode({ timeout: { view, reports: inOrder(reports), highest } });
}

/** @param certificate prepare certificate of the parent; empty for block 0 */
export function handoffEntry(certificate: Uint8Array): Uint8Array {
  return entryMessage.encode({ handoff: { certificate } });
}

/** What a block shows for opening its view, with the signatures that prove it. */
export interface Entry {
  readonly opening: Opening;
  readonly claims: readonly SignatureClaim[];
}

/** @param sets those that judge the block that opens the view: by them a timeout certificate is judged */
export function decodeEntry(
  encoded: Uint8Array,
  judgement: Judgement,
  sets: ProducerSets,
): Result<Entry, CertificateError> {
  const decoded = entryMessage.decode(encoded);
  if (!decoded.ok) return invalid(decoded.error.detail);
  const { timeout, handoff } = decoded.value;
  if ((timeout === undefined) === (handoff === undefined)) return invalid("neither timeout nor handoff, or both");
  if (timeout !== undefined) {
    const judged = judgeTimeout(timeout, judgement, sets);
    if (!judged.ok) return judged;
    const { view, highest, claims } = judged.value;
    return ok({ opening: { kind: "timeout", view, highest }, claims });
  }
  const certified = preparedBy(handoff?.certificate ?? NOTHING, judgement);
  if (!certified.ok) return certified;
  const { ref, claims } = certified.value ?? { ref: judgement.genesis, claims: [] };
  return ok({ opening: { kind: "handoff", certified: ref }, claims });
}

function judgeTimeout(
  timeout: NonNullable<ReturnType<typeof entryMessage.readFrom>["timeout"]>,
  judgement: Judgement,
  sets: ProducerSets,
): Result<TimeoutCertificate, CertificateError> {
  const { chainId, genesis } = judgement;
  const { view, reports } = timeout;
  if (view > VIEW_MAX) return invalid("view out of range");
  const fault = signersFault(reports, sets);
  if (fault !== undefined) return invalid(fault);
  const certificate = preparedBy(timeout.highest, judgement);
  if (!certificate.ok) return certificate;
  const highest = certificate.value?.ref ?? genesis;
  const refs = reports.map(({ highQc }) => highQc);
  // The signature makes others' reports theirs; the greatest is shown, so none can be more than what is certified [B8].
  if (!showsGreatest(highest, refs)) return invalid("not the certificate of the greatest report");
  if (!isReport({ view, highQc: highest }, highest)) return invalid("reports a block of a later view");
  const claims = reports.map(({ signer, highQc, signature }) => ({
    key: keyOf(sets, signer),
    digest: viewChangeDigest(chainId, { view, highQc }),
    signature,
  }));
  return ok({
    view,
    highest,
    certificate: certificate.value,
    claims: [...claims, ...(certificate.value?.claims ?? [])],
  });
}

/** A prepare certificate, or nothing, which stands for block 0. */
export function preparedBy(
  encoded: Uint8Array,
  judgement: Judgement,
): Result<QuorumCertificate | undefined, CertificateError> {
  if (encoded.length === 0) return ok(undefined);
  const decoded = decodeQuorumCertificate(encoded, judgement);
  if (!decoded.ok) return decoded;
  return decoded.value.commit ? invalid("commits where prepares are asked for") : decoded;
}

/** A quorum of each producer set, each signer once, in their order [S10]. */
function signersFault(signatures: readonly { readonly signer: number }[], sets: ProducerSets): string | undefined {
  const signers = new Set<string>();
  let last = -1;
  for (const { signer } of signatures) {
    if (signer <= last || signer >= sets.members.length) return `signer ${signer}`;
    last = signer;
    signers.add(keyOf(sets, signer));
  }
  const isQuorum = hasQuorum(sets, (key) => signers.has(key));
  return isQuorum ? undefined : `${signatures.length} signatures are no quorum`;
}

function inOrder<T extends { readonly signer: number }>(signatures: readonly T[]): T[] {
  return [...signatures].sort((a, b) => a.signer - b.signer);
}

function keyOf({ members }: ProducerSets, signer: number): string {
  return members[signer] as string;
}

const NOTHING = new Uint8Array(0);

function invalid(detail: string): Result<never, CertificateError> {
  return err({ code: "CERTIFICATE_INVALID", detail });
}
