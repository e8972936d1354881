/**
 * Evidence against a producer, self-contained: who has it and knows the chain and its producers can check it, whoever
 * brings it (docs/protocol.md, section 7). No producer that keeps the rules ever signs what makes one. Pure: everything is
 * checked but the signatures, which are returned as claims.
 */
import { HEADER_MAX_BYTES, SIGNATURE_BYTES, VIEW_MAX } from "../../chain/constants.ts";
import { type Header, headerMessage } from "../../chain/header.ts";
import type { ProducerLookup } from "../../chain/producerSets.ts";
import { type SignatureClaim, signingDigest } from "../../chain/signing.ts";
import { hexBytes } from "../../src/base/bytes.ts";
import { bytes, fixedBytes, hash, message, nested, optional, repeated } from "../../src/base/codec.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import { WINDOW_BLOCKS } from "../constants.ts";
import { type SignedVote, signedVoteMessage, viewChangeDigest, viewChangeMessage, voteDigest } from "./messages.ts";
import { isGreater, type Report } from "./rules.ts";

/** Headers between two votes at most: votes further apart prove nothing together. */
export const EVIDENCE_PATH_MAX = 2 * WINDOW_BLOCKS;
/** Of one piece of evidence. */
export const EVIDENCE_MAX_BYTES = EVIDENCE_PATH_MAX * (HEADER_MAX_BYTES + 8) + 4096;

const signedHeaderMessage = message("SignedHeader", {
  header: bytes(1, HEADER_MAX_BYTES),
  signature: fixedBytes(2, SIGNATURE_BYTES),
});

const twoBlocksMessage = message("TwoBlocks", {
  first: nested(1, signedHeaderMessage),
  second: nested(2, signedHeaderMessage),
});

const twoVotesMessage = message("TwoVotes", {
  signer: hash(1),
  /** Not above the second. */
  first: nested(2, signedVoteMessage),
  second: nested(3, signedVoteMessage),
  /** Headers from the second's block down to the height of the first; none where both have one height. */
  path: repeated(bytes(4, HEADER_MAX_BYTES), EVIDENCE_PATH_MAX),
});

const lessReportedMessage = message("LessReported", {
  signer: hash(1),
  commit: nested(2, signedVoteMessage),
  viewChange: nested(3, viewChangeMessage),
  signature: fixedBytes(4, SIGNATURE_BYTES),
});

/** Exactly one of the three. */
export const evidenceMessage = message("Evidence", {
  twoBlocks: optional(nested(1, twoBlocksMessage)),
  twoVotes: optional(nested(2, twoVotesMessage)),
  lessReported: optional(nested(3, lessReportedMessage)),
});

export const EVIDENCE_KINDS = ["twoBlocks", "twoVotes", "lessReported"] as const;
export type EvidenceKind = (typeof EVIDENCE_KINDS)[number];

/** What the accused has signed, for people. */
export const EVIDENCE_WORDS: Readonly<Record<EvidenceKind, string>> = {
  twoBlocks: "two blocks at one place",
  twoVotes: "two votes at one place, or on two branches",
  lessReported: "a view change that reports less than was committed",
};

export interface Evidence {
  readonly kind: EvidenceKind;
  /** Whom it is against. */
  readonly producer: string;
  /** Of the block, the votes, or the commit. */
  readonly view: number;
  readonly height: number;
  readonly bytes: Uint8Array;
  readonly claims: readonly SignatureClaim[];
}

export interface EvidenceError {
  readonly code:
    | "EVIDENCE_INVALID"
    /** Whom it is against is no producer that is known here: not now, or not yet. */
    | "PRODUCERS_UNKNOWN";
  readonly detail: string;
}

/** A header with its producer's signature. */
export interface SignedHeader {
  readonly headerBytes: Uint8Array;
  readonly signature: Uint8Array;
}

export function evidenceOfBlocks(first: SignedHeader, second: SignedHeader): Uint8Array {
  const of = ({ headerBytes, signature }: SignedHeader) => ({ header: headerBytes, signature });
  return evidenceMessage.encode({ twoBlocks: { first: of(first), second: of(second) } });
}

/** @param path as {@link twoVotesMessage} has it */
export function evidenceOfVotes(
  signer: string,
  first: SignedVote,
  second: SignedVote,
  path: readonly Uint8Array[],
): Uint8Array {
  return evidenceMessage.encode({ twoVotes: { signer, first, second, path } });
}

export function evidenceOfReport(
  signer: string,
  commit: SignedVote,
  { view, highQc, signature }: Report & { readonly signature: Uint8Array },
): Uint8Array {
  return evidenceMessage.encode({ lessReported: { signer, commit, viewChange: { view, highQc }, signature } });
}

/** A commit in a view, and a view change to a later one that reports less than it [B6, B7]. */
export function reportsLess({ view, highQc }: Report, { commit, vote }: SignedVote): boolean {
  return commit && vote.view < view && isGreater(vote, highQc);
}

export function decodeEvidence(
  encoded: Uint8Array,
  chainId: string,
  { isProducer }: Pick<ProducerLookup, "isProducer">,
): Result<Evidence, EvidenceError> {
  const decoded = evidenceMessage.decode(encoded);
  if (!decoded.ok) return invalid(decoded.error.detail);
  const { twoBlocks, twoVotes, lessReported } = decoded.value;
  if ([twoBlocks, twoVotes, lessReported].filter((each) => each !== undefined).length !== 1)
    return invalid("not exactly one kind");
  const judged = twoBlocks
    ? judgeBlocks(twoBlocks, chainId)
    : twoVotes
      ? judgeVotes(twoVotes, chainId)
      : judgeReport(lessReported as NonNullable<typeof lessReported>, chainId);
  if (!judged.ok) return judged;
  if (judged.value.view > VIEW_MAX) return invalid("view out of range");
  const { producer } = judged.value;
  if (!isProducer(producer))
    return err({ code: "PRODUCERS_UNKNOWN", detail: `against ${producer}, no producer that is known` });
  return ok({ ...judged.value, bytes: encoded });
}

type Judged = Result<Omit<Evidence, "bytes">, EvidenceError>;
type Fields = ReturnType<typeof evidenceMessage.readFrom>;

function judgeBlocks({ first, second }: NonNullable<Fields["twoBlocks"]>, chainId: string): Judged {
  const [a, b] = [headerMessage.decode(first.header), headerMessage.decode(second.header)];
  if (!a.ok || !b.ok) return invalid("a header that is none");
  const { producer, view, height } = a.value;
  if (b.value.producer !== producer || b.value.view !== view || b.value.height !== height)
    return invalid("headers of two places");
  const ids = [first, second].map(({ header }) => sha256Hex(header));
  if (ids[0] === ids[1]) return invalid("one header twice");
  const claims = [first, second].map(({ signature }, i) => ({
    key: producer,
    digest: signingDigest("block", chainId, hexBytes(ids[i] as string)),
    signature,
  }));
  return ok({ kind: "twoBlocks", producer, view, height, claims });
}

function judgeVotes({ signer, first, second, path }: NonNullable<Fields["twoVotes"]>, chainId: string): Judged {
  const { view, height } = first.vote;
  if (first.commit !== second.commit || second.vote.view !== view) return invalid("votes of two kinds or views");
  const other =
    second.vote.height === height && path.length === 0 ? second.vote.id : idBelow(second.vote.id, height, path);
  if (other === undefined) return invalid("the path does not lead from the one to the height of the other");
  if (other === first.vote.id) return invalid("votes on one branch");
  const claims = [first, second].map((signed) => voteClaim(chainId, signer, signed));
  return ok({ kind: "twoVotes", producer: signer, view, height, claims });
}

function judgeReport(
  { signer, commit, viewChange, signature }: NonNullable<Fields["lessReported"]>,
  chainId: string,
): Judged {
  if (!reportsLess(viewChange, commit)) return invalid("the view change reports as much as the commit");
  const asked = { key: signer, digest: viewChangeDigest(chainId, viewChange), signature };
  const { view, height } = commit.vote;
  return ok({
    kind: "lessReported",
    producer: signer,
    view,
    height,
    claims: [voteClaim(chainId, signer, commit), asked],
  });
}

/** Id of the block at a height, by the headers from `id` down to it. */
function idBelow(id: string, height: number, path: readonly Uint8Array[]): string | undefined {
  let expected = id;
  let above: Header | undefined;
  for (const bytesOf of path) {
    if (above !== undefined) expected = above.parent;
    const header = headerMessage.decode(bytesOf);
    if (!header.ok || sha256Hex(bytesOf) !== expected) return undefined;
    if (above !== undefined && header.value.height !== above.height - 1) return undefined;
    above = header.value;
  }
  return above?.height === height ? expected : undefined;
}

function voteClaim(chainId: string, signer: string, { commit, vote, signature }: SignedVote): SignatureClaim {
  return { key: signer, digest: voteDigest(chainId, commit, vote), signature };
}

function invalid(detail: string): Result<never, EvidenceError> {
  return err({ code: "EVIDENCE_INVALID", detail });
}
