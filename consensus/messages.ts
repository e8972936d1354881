/**
 * Every message of consensus and sync: its number on the wire, its codec, the lane it travels on. A frame is one byte
 * of kind and one strict protobuf message (`proto/`). Bytes become messages here and nowhere else.
 */
import {
  bytes,
  type DecodeError,
  type Decoded,
  fixedBytes,
  hash,
  type Message,
  message,
  nested,
  optional,
  repeated,
  text,
  uint,
} from "../src/base/codec.ts";
import { Slabs } from "../src/base/memory.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import { type Block, decodeBlock } from "../chain/block.ts";
import type { BlockRef } from "../chain/header.ts";
import { HARD_LIMITS, PRODUCERS_MAX, SIGNATURE_BYTES, VIEW_MAX } from "../chain/constants.ts";
import type { SignatureClaim, SignedKind } from "../chain/signing.ts";
import { signingDigest } from "../chain/signing.ts";
import { type Notice, noticeKind, NOTICES, readNotice } from "./notice.ts";
import { type ByteList, decodeList } from "../chain/byteList.ts";
import { type Ack, ackMessage, type HeartbeatReply, heartbeatReplyMessage, refMessage } from "./leading/messages.ts";
import {
  type Heartbeat,
  heartbeatMessage,
  type RequestVote,
  requestVoteMessage,
  type TimeoutNow,
  timeoutNowMessage,
  type Vote,
  voteMessage,
} from "./raft/messages.ts";
import {
  QC_MAX_BYTES,
  type Summary,
  summaryMessage,
  type ViewChange,
  viewChangeMessage,
  type Votes,
  votesMessage,
} from "./bft/messages.ts";
import { EVIDENCE_MAX_BYTES } from "./bft/evidence.ts";
import {
  type CommitNotice,
  commitNoticeMessage,
  type DoViewChange,
  doViewChangeMessage,
  type Recovery,
  recoveryMessage,
  type RecoveryResponse,
  recoveryResponseMessage,
  type StartViewChange,
  startViewChangeMessage,
} from "./vsr/messages.ts";
import {
  type BlockParts,
  decodeRangeResponse,
  encodeRangeResponse,
  type RangeProof,
  type RangeRequest,
  rangeRequestMessage,
  type RangeResponse,
} from "./sync/range.ts";

/** Entries of a locator at most: exponential distances reach far with few, a narrowed one is dense. */
export const LOCATOR_MAX = 64;
export const CERTIFICATE_MAX_BYTES = 160 * 1024;
/** Of the largest set: each key has two bytes before it. */
export const CONFIGURATION_MAX_BYTES = 34 * PRODUCERS_MAX;

const locatorEntryMessage = message("LocatorEntry", { height: uint(1), id: hash(2) });

/** What a node says of its chain to a peer (docs/protocol.md, section 3). */
export const helloMessage = message("Hello", {
  /** Counts my descriptions of my chain on this connection, from 1. */
  seq: uint(1),
  /** The newest `seq` of the peer that I have seen; 0: none. */
  echo: uint(2),
  head: nested(3, refMessage),
  /** The greatest of my irreversible block and (BFT) the highest prepare-certified one. */
  root: nested(4, refMessage),
  rootCertificate: optional(bytes(5, CERTIFICATE_MAX_BYTES)),
  /** Blocks of my best chain, highest first. */
  locator: repeated(nested(6, locatorEntryMessage), LOCATOR_MAX),
  /** The producer set that decides with the one which the peer knows about the certified block, encoded; else absent. */
  rootProducers: optional(bytes(7, CONFIGURATION_MAX_BYTES)),
  /** Of my irreversible block, which decides what certificates I can judge; the root may be above it (BFT). */
  irreversibleHeight: uint(8),
});
export type Hello = Decoded<typeof helloMessage>;

export const blockRequestMessage = message("BlockRequest", { id: hash(1) });
/** Over a backup link: the newest block of the sender's best chain. */
export const blockAnnouncementMessage = message("BlockAnnouncement", { block: nested(1, refMessage) });

/** One rejected transaction. */
const transactionResultMessage = message("TransactionResult", {
  id: hash(1),
  /** Stable code of the refusal. */
  outcome: text(2, 64),
  detail: text(3, 512),
});
export type TransactionResult = Decoded<typeof transactionResultMessage>;
/** What a leader refused of what `submitter` forwarded. Counts while `view` is the view of who reads it. */
export const transactionResultsMessage = message("TransactionResults", {
  submitter: hash(1),
  view: uint(2),
  results: repeated(nested(3, transactionResultMessage), 1_000),
});
export type TransactionResults = Decoded<typeof transactionResultsMessage>;

/** Asks the leader for a read index [R2]; the answer bears the same number. */
export const readIndexMessage = message("ReadIndex", { number: uint(1) });
/** Names whom it is for: numbers are everybody's own [S8]. */
export const readIndexReplyMessage = message("ReadIndexReply", {
  reader: hash(1),
  number: uint(2),
  /** The irreversible state as of this height holds all that was irreversible when the question came. */
  height: uint(3),
});
export type ReadIndexReply = Decoded<typeof readIndexReplyMessage>;

/** Content of the largest {@link transactionResultsMessage}, about. */
const SIGNED_CONTENT_MAX_BYTES = 640 * 1024;

export const signedMessage = message("Signed", {
  signer: hash(1),
  content: bytes(2, SIGNED_CONTENT_MAX_BYTES),
  signature: fixedBytes(3, SIGNATURE_BYTES),
  /** Not signed: the certificate of what a view change reports. */
  attachment: bytes(4, QC_MAX_BYTES),
});

/** What producers sign, by kind. */
export type SignedContent =
  | { readonly kind: "requestVote"; readonly content: RequestVote }
  | { readonly kind: "vote"; readonly content: Vote }
  | { readonly kind: "ack"; readonly content: Ack }
  | { readonly kind: "heartbeat"; readonly content: Heartbeat }
  | { readonly kind: "heartbeatReply"; readonly content: HeartbeatReply }
  | { readonly kind: "timeoutNow"; readonly content: TimeoutNow }
  | { readonly kind: "viewChange"; readonly content: ViewChange }
  | { readonly kind: "summary"; readonly content: Summary }
  | { readonly kind: "startViewChange"; readonly content: StartViewChange }
  | { readonly kind: "doViewChange"; readonly content: DoViewChange }
  | { readonly kind: "commitNotice"; readonly content: CommitNotice }
  | { readonly kind: "recovery"; readonly content: Recovery }
  | { readonly kind: "recoveryResponse"; readonly content: RecoveryResponse };
export type SignedContentKind = SignedContent["kind"];

const SIGNED: Record<SignedContentKind, { readonly number: number; readonly codec: Message<never> }> = {
  requestVote: { number: 16, codec: requestVoteMessage as Message<never> },
  vote: { number: 17, codec: voteMessage as Message<never> },
  ack: { number: 18, codec: ackMessage as Message<never> },
  heartbeat: { number: 19, codec: heartbeatMessage as Message<never> },
  heartbeatReply: { number: 20, codec: heartbeatReplyMessage as Message<never> },
  timeoutNow: { number: 21, codec: timeoutNowMessage as Message<never> },
  viewChange: { number: 22, codec: viewChangeMessage as Message<never> },
  summary: { number: 23, codec: summaryMessage as Message<never> },
  startViewChange: { number: 24, codec: startViewChangeMessage as Message<never> },
  doViewChange: { number: 25, codec: doViewChangeMessage as Message<never> },
  commitNotice: { number: 26, codec: commitNoticeMessage as Message<never> },
  recovery: { number: 27, codec: recoveryMessage as Message<never> },
  recoveryResponse: { number: 28, codec: recoveryResponseMessage as Message<never> },
};
const SIGNED_BY_NUMBER = new Map(
  (Object.keys(SIGNED) as SignedContentKind[]).map((kind) => [SIGNED[kind].number, kind]),
);

/** A signed message of a producer; by the time an engine sees it the signature was checked. */
export type ConsensusMessage = SignedContent & {
  readonly signer: string;
  readonly signature: Uint8Array;
  readonly attachment: Uint8Array;
};

/** What travels through the transport, to producers or to everyone. */
export type Payload =
  | { readonly kind: "signed"; readonly message: ConsensusMessage; readonly claim: SignatureClaim }
  | { readonly kind: "votes"; readonly votes: Votes }
  | { readonly kind: "notice"; readonly notice: Notice; readonly claim: SignatureClaim }
  | { readonly kind: "certificate"; readonly bytes: Uint8Array }
  | { readonly kind: "evidence"; readonly bytes: Uint8Array }
  | { readonly kind: "transactionForward"; readonly transactions: ByteList }
  | { readonly kind: "transactionResults"; readonly answer: TransactionResults; readonly claim: SignatureClaim }
  | { readonly kind: "readIndex"; readonly number: number }
  | { readonly kind: "readIndexReply"; readonly answer: ReadIndexReply; readonly claim: SignatureClaim }
  | { readonly kind: "rangeRequest"; readonly request: RangeRequest }
  | { readonly kind: "rangeResponse"; readonly response: RangeResponse };

/** What travels on the chain lane between two neighbours. */
export type SyncMessage =
  | { readonly kind: "hello"; readonly hello: Hello }
  | { readonly kind: "block"; readonly block: Block }
  | { readonly kind: "blockRequest"; readonly id: string }
  | { readonly kind: "blockResponse"; readonly block: Block }
  | { readonly kind: "blockAnnouncement"; readonly announced: BlockRef };

const KIND = { hello: 1, block: 2, blockRequest: 3, blockResponse: 4, blockAnnouncement: 5 } as const;
const PAYLOAD = {
  certificate: 32,
  transactionForward: 33,
  transactionResults: 34,
  rangeRequest: 35,
  rangeResponse: 36,
  readIndex: 37,
  readIndexReply: 38,
  votes: 39,
  evidence: 40,
} as const;

export type FrameError = DecodeError | { readonly code: "BODY_DOES_NOT_MATCH"; readonly id: string };

/** Kind byte of a block frame; the block's parts follow. */
export const BLOCK_PREFIX = Uint8Array.of(KIND.block);
export const BLOCK_RESPONSE_PREFIX = Uint8Array.of(KIND.blockResponse);

/** Of a payload of which a newer one of its kind and sender says all that this one did: its kind byte. */
export function supersededKind(payload: Uint8Array): number | undefined {
  const [kind] = payload;
  return kind !== undefined && (SIGNED_BY_NUMBER.has(kind) || kind === PAYLOAD.certificate) ? kind : undefined;
}

export function isHello(frame: Uint8Array): boolean {
  return frame[0] === KIND.hello;
}

export function encodeHello(hello: Hello): Uint8Array {
  return helloMessage.encodeAs(KIND.hello, hello);
}

export function encodeBlockRequest(id: string): Uint8Array {
  return blockRequestMessage.encodeAs(KIND.blockRequest, { id });
}

export function encodeBlockAnnouncement({ view, height, id }: BlockRef): Uint8Array {
  return blockAnnouncementMessage.encodeAs(KIND.blockAnnouncement, { block: { view, height, id } });
}

/** Decodes a frame of the chain lane. */
export function decodeSyncMessage(frame: Uint8Array): Result<SyncMessage, FrameError> {
  const content = frame.subarray(1);
  switch (frame[0]) {
    case KIND.hello: {
      const hello = helloMessage.decode(content);
      return hello.ok ? ok({ kind: "hello", hello: hello.value }) : hello;
    }
    case KIND.block:
    case KIND.blockResponse: {
      const block = decodeBlock(content);
      if (!block.ok) return block;
      return ok({ kind: frame[0] === KIND.block ? "block" : "blockResponse", block: block.value });
    }
    case KIND.blockRequest: {
      const request = blockRequestMessage.decode(content);
      return request.ok ? ok({ kind: "blockRequest", id: request.value.id }) : request;
    }
    case KIND.blockAnnouncement: {
      const announcement = blockAnnouncementMessage.decode(content);
      return announcement.ok ? ok({ kind: "blockAnnouncement", announced: announcement.value.block }) : announcement;
    }
    default:
      return undecodable(`kind ${frame[0]} on the chain lane`);
  }
}

/** The digest a producer signs for this content. */
export function contentDigest(chainId: string, { kind, content }: SignedContent): Uint8Array {
  return signingDigest(kind, chainId, SIGNED[kind].codec.encode(content as never));
}

/** @param signDigest signs 32 bytes with the key of `signer` */
export function encodeSigned(
  chainId: string,
  signer: string,
  { kind, content }: SignedContent,
  signDigest: (digest: Uint8Array) => Uint8Array,
  attachment: Uint8Array = NOTHING,
): Uint8Array {
  const { number, codec } = SIGNED[kind];
  const bytes = codec.encode(content as never);
  const signature = signDigest(signingDigest(kind, chainId, bytes));
  return signedMessage.encodeAs(number, { signer, content: bytes, signature, attachment });
}

export function encodeVotes(votes: Votes): Uint8Array {
  return votesMessage.encodeAs(PAYLOAD.votes, votes);
}

/** As {@link encodeSigned}, of a notice of this node itself. */
export function encodeNotice(
  chainId: string,
  { kind, signer, at }: Notice,
  signDigest: (digest: Uint8Array) => Uint8Array,
): Uint8Array {
  const { number, codec } = NOTICES[kind];
  const content = codec.encode({ at });
  const signature = signDigest(signingDigest(kind, chainId, content));
  return signedMessage.encodeAs(number, { signer, content, signature, attachment: new Uint8Array(0) });
}

export function encodeCertificatePayload(certificate: Uint8Array): Uint8Array {
  return withKind(PAYLOAD.certificate, certificate);
}

export function encodeEvidencePayload(evidence: Uint8Array): Uint8Array {
  return withKind(PAYLOAD.evidence, evidence);
}

/** `list` holds the transactions, encoded as a list. */
export function encodeTransactionForward(list: ByteList): Uint8Array {
  return withKind(PAYLOAD.transactionForward, list.buffer);
}

/** @param signDigest signs 32 bytes with the key of `signer` */
export function encodeTransactionResults(
  chainId: string,
  signer: string,
  answer: TransactionResults,
  signDigest: (digest: Uint8Array) => Uint8Array,
): Uint8Array {
  const content = transactionResultsMessage.encode(answer);
  const signature = signDigest(signingDigest("transactionResults", chainId, content));
  return signedMessage.encodeAs(PAYLOAD.transactionResults, { signer, content, signature, attachment: NOTHING });
}

export function encodeReadIndex(number: number): Uint8Array {
  return readIndexMessage.encodeAs(PAYLOAD.readIndex, { number });
}

/** @param signDigest signs 32 bytes with the key of `signer` */
export function encodeReadIndexReply(
  chainId: string,
  signer: string,
  answer: ReadIndexReply,
  signDigest: (digest: Uint8Array) => Uint8Array,
): Uint8Array {
  const content = readIndexReplyMessage.encode(answer);
  const signature = signDigest(signingDigest("readIndexReply", chainId, content));
  return signedMessage.encodeAs(PAYLOAD.readIndexReply, { signer, content, signature, attachment: NOTHING });
}

export function encodeRangeRequestPayload(request: RangeRequest): Uint8Array {
  return rangeRequestMessage.encodeAs(PAYLOAD.rangeRequest, request);
}

export function encodeRangeResponsePayload(blocks: readonly BlockParts[], proof: RangeProof): Uint8Array {
  return encodeRangeResponse(blocks, proof, PAYLOAD.rangeResponse);
}

/** Decodes what came through the transport. */
export function decodePayload(chainId: string, payload: Uint8Array): Result<Payload, FrameError> {
  const number = payload[0];
  const content = payload.subarray(1);
  const signedKind = number === undefined ? undefined : SIGNED_BY_NUMBER.get(number);
  if (signedKind !== undefined) return decodeSigned(chainId, signedKind, content);
  const announced = number === undefined ? undefined : noticeKind(number);
  if (announced !== undefined) {
    const outer = signedMessage.decode(content);
    if (outer.ok && outer.value.attachment.length > 0) return undecodable("a notice with an attachment");
    const read = outer.ok ? readNotice(chainId, announced, outer.value) : outer;
    return read.ok ? ok({ kind: "notice", ...read.value }) : read;
  }
  switch (number) {
    case PAYLOAD.certificate:
      return content.length <= CERTIFICATE_MAX_BYTES
        ? ok({ kind: "certificate", bytes: content })
        : undecodable("size");
    case PAYLOAD.evidence:
      return content.length <= EVIDENCE_MAX_BYTES ? ok({ kind: "evidence", bytes: content }) : undecodable("size");
    case PAYLOAD.votes: {
      const votes = votesMessage.decode(content);
      if (!votes.ok) return votes;
      if (votes.value.votes.some(({ vote }) => vote.view > VIEW_MAX)) return undecodable("view out of range");
      return ok({ kind: "votes", votes: votes.value });
    }
    case PAYLOAD.transactionForward: {
      const { blockTransactions, transactionBytes } = HARD_LIMITS;
      const list = decodeList(content, { maxCount: blockTransactions, maxElementBytes: transactionBytes });
      return list.ok ? ok({ kind: "transactionForward", transactions: list.value }) : list;
    }
    case PAYLOAD.transactionResults: {
      const opened = openSigned(chainId, "transactionResults", transactionResultsMessage, content);
      return opened.ok ? ok({ kind: "transactionResults", ...opened.value }) : opened;
    }
    case PAYLOAD.rangeRequest: {
      const request = rangeRequestMessage.decode(content);
      return request.ok ? ok({ kind: "rangeRequest", request: request.value }) : request;
    }
    case PAYLOAD.rangeResponse: {
      const response = decodeRangeResponse(content);
      return response.ok ? ok({ kind: "rangeResponse", response: response.value }) : response;
    }
    case PAYLOAD.readIndex: {
      const question = readIndexMessage.decode(content);
      return question.ok ? ok({ kind: "readIndex", ...question.value }) : question;
    }
    case PAYLOAD.readIndexReply: {
      const opened = openSigned(chainId, "readIndexReply", readIndexReplyMessage, content);
      return opened.ok ? ok({ kind: "readIndexReply", ...opened.value }) : opened;
    }
    default:
      return undecodable(`kind ${number} in an envelope`);
  }
}

function decodeSigned(chainId: string, kind: SignedContentKind, bytes: Uint8Array): Result<Payload, FrameError> {
  const outer = signedMessage.decode(bytes);
  if (!outer.ok) return outer;
  const { signer, signature, attachment } = outer.value;
  const inner = (SIGNED[kind].codec as Message<unknown>).decode(outer.value.content);
  if (!inner.ok) return inner;
  const message = { kind, content: inner.value, signer, signature, attachment } as ConsensusMessage;
  if ("view" in message.content && message.content.view > VIEW_MAX) return undecodable("view out of range");
  const claim = { key: signer, digest: signingDigest(kind, chainId, outer.value.content), signature };
  return ok({ kind: "signed", message, claim });
}

/** A leader's answer, and the claim that it is its. */
function openSigned<T>(
  chainId: string,
  kind: SignedKind,
  codec: Message<T>,
  bytes: Uint8Array,
): Result<{ readonly answer: T; readonly claim: SignatureClaim }, FrameError> {
  const outer = signedMessage.decode(bytes);
  if (!outer.ok) return outer;
  const { signer, content, signature } = outer.value;
  const inner = codec.decode(content);
  if (!inner.ok) return inner;
  return ok({ answer: inner.value, claim: { key: signer, digest: signingDigest(kind, chainId, content), signature } });
}

const NOTHING = new Uint8Array(0);

/** Memory of what is sent. */
const SENT = new Slabs();

function withKind(kind: number, content: Uint8Array): Uint8Array {
  const frame = SENT.take(1 + content.length);
  frame[0] = kind;
  frame.set(content, 1);
  return frame;
}

function undecodable(detail: string): Result<never, DecodeError> {
  return err({ code: "UNDECODABLE", message: "frame", detail });
}
