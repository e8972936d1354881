/**
 * Proof that a block is irreversible, for somebody who knows the producer set (docs/protocol.md, section 4). Under Raft
 * and VSR: acks of a majority, all of one view, for the block or for descendants of it in that view, with the headers
 * that connect them. It convinces as long as producers crash but do not lie.
 */
import { bytes, type Decoded, fixedBytes, hash, message, nested, repeated, uint } from "../src/base/codec.ts";
import { sha256Hex } from "../src/base/hash.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import { HEADER_MAX_BYTES, PRODUCERS_MAX, SIGNATURE_BYTES } from "../chain/constants.ts";
import { type Header, headerMessage } from "../chain/header.ts";
import { hasMajority, isMember, type ProducerLookup } from "../chain/producerSets.ts";
import { type SignatureClaim, signingDigest } from "../chain/signing.ts";
import { WINDOW_BLOCKS } from "./constants.ts";
import { ackMessage } from "./leading/messages.ts";

const certificateAckMessage = message("CertificateAck", {
  signer: hash(1),
  /** Index in `path` of the block acknowledged. */
  position: uint(2),
  signature: fixedBytes(3, SIGNATURE_BYTES),
});

export const certificateMessage = message("IrreversibilityCertificate", {
  view: uint(1),
  /** Headers from the certified block upwards, each the parent of the next, all of `view`. */
  path: repeated(bytes(2, HEADER_MAX_BYTES), WINDOW_BLOCKS + 1),
  /** While two sets decide, of both. */
  acks: repeated(nested(3, certificateAckMessage), 2 * PRODUCERS_MAX),
});
export type CertificateContent = Decoded<typeof certificateMessage>;

/** A certificate whose shape was checked; its signatures are the `claims`. */
export interface Certificate {
  readonly height: number;
  readonly id: string;
  readonly header: Header;
  readonly view: number;
  readonly bytes: Uint8Array;
  readonly claims: readonly SignatureClaim[];
  /** Its block is irreversible; false: a quorum prepared it (BFT). */
  readonly isFinal: boolean;
}

export interface CertificateError {
  readonly code:
    | "CERTIFICATE_INVALID"
    /** It names producer sets that are not known here: it may be valid. */
    | "PRODUCERS_UNKNOWN";
  readonly detail: string;
}

/** Decodes a certificate and checks everything but the signatures, which are returned as claims. */
export function decodeCertificate(
  encoded: Uint8Array,
  chainId: string,
  { setsNamed }: Pick<ProducerLookup, "setsNamed">,
): Result<Certificate, CertificateError> {
  const decoded = certificateMessage.decode(encoded);
  if (!decoded.ok) return invalid(decoded.error.detail);
  const { view, path, acks } = decoded.value;
  const blocks = decodePath(path, view);
  if (!blocks.ok) return blocks;
  const first = blocks.value[0];
  if (first === undefined) return invalid("no header");
  const sets = setsNamed(first.header.configuration, first.header.height);
  if (sets === undefined) return unknownProducers(first.header);
  const signers = new Set<string>();
  const claims: SignatureClaim[] = [];
  for (const ack of acks) {
    const block = blocks.value[ack.position];
    if (block === undefined) return invalid("an ack for a block outside the path");
    if (!isMember(sets, ack.signer) || signers.has(ack.signer)) return invalid(`signer ${ack.signer}`);
    signers.add(ack.signer);
    const content = ackMessage.encode({ view, height: block.header.height, id: block.id });
    claims.push({ key: ack.signer, digest: signingDigest("ack", chainId, content), signature: ack.signature });
  }
  if (!hasMajority(sets, (key) => signers.has(key))) return invalid(`${signers.size} acks are no majority`);
  const { id, header } = first;
  return ok({ height: header.height, id, header, view, bytes: encoded, claims, isFinal: true });
}

function decodePath(
  path: readonly Uint8Array[],
  view: number,
): Result<{ id: string; header: Header }[], CertificateError> {
  const blocks: { id: string; header: Header }[] = [];
  for (const headerBytes of path) {
    const header = headerMessage.decode(headerBytes);
    if (!header.ok) return invalid(`header: ${header.error.detail}`);
    // Acks count only for blocks of their own view [S3].
    if (header.value.view !== view) return invalid("a header of another view");
    const below = blocks.at(-1);
    if (below !== undefined && header.value.parent !== below.id) return invalid("headers do not connect");
    blocks.push({ id: sha256Hex(headerBytes), header: header.value });
  }
  return ok(blocks);
}

export function unknownProducers({ configuration, height }: Header): Result<never, CertificateError> {
  return err({ code: "PRODUCERS_UNKNOWN", detail: `of block ${height}: ${configuration}` });
}

function invalid(detail: string): Result<never, CertificateError> {
  return err({ code: "CERTIFICATE_INVALID", detail });
}
