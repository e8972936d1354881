/** What passes the intake, and what the intake asks of the node around it. */
import type { PeerKey } from "../base/key.ts";
import type { Block } from "../../chain/block.ts";
import type { ByteList } from "../../chain/byteList.ts";
import type { Genesis } from "../../chain/genesis.ts";
import type { SignatureClaim } from "../../chain/signing.ts";
import type { SignedVote, Votes } from "../../consensus/bft/messages.ts";
import type { Evidence } from "../../consensus/bft/evidence.ts";
import type { Certificate } from "../../consensus/certificate.ts";
import type { EngineStatus } from "../../consensus/engine.ts";
import type { EngineKit } from "../../consensus/engines.ts";
import type { ConsensusMessage, ReadIndexReply, SyncMessage, TransactionResults } from "../../consensus/messages.ts";
import type { Notice } from "../../consensus/notice.ts";
import type { RangeProof, RangeRequest, RangeResponse } from "../../consensus/sync/range.ts";
import type { CloseReason } from "../../net/link/types.ts";
import type { AddressRecord } from "../../net/transport/addressMessages.ts";
import type { RoutingMessage } from "../../net/transport/routeMessages.ts";
import type { Transport } from "../../net/transport/types.ts";
import type { Sender } from "./access.ts";
import type { Conduct } from "./conduct.ts";

/** A message that passed. */
export type Arrival =
  /** `certificate`: of a hello, when it proves something new. */
  | { readonly kind: "sync"; readonly message: SyncMessage; readonly certificate: Certificate | undefined }
  | { readonly kind: "consensus"; readonly message: ConsensusMessage }
  | { readonly kind: "votes"; readonly votes: Votes }
  | { readonly kind: "certificate"; readonly certificate: Certificate }
  | { readonly kind: "evidence"; readonly evidence: Evidence }
  /** `payload`: as it came, to be passed on. */
  | { readonly kind: "notice"; readonly notice: Notice; readonly payload: Uint8Array }
  | { readonly kind: "transactions"; readonly transactions: ByteList }
  | { readonly kind: "results"; readonly answer: TransactionResults }
  | { readonly kind: "readIndex"; readonly number: number }
  | { readonly kind: "readIndexReply"; readonly answer: ReadIndexReply }
  | { readonly kind: "routing"; readonly message: RoutingMessage }
  | { readonly kind: "addresses"; readonly records: readonly AddressRecord[] }
  | { readonly kind: "rangeRequest"; readonly request: RangeRequest }
  | { readonly kind: "rangeResponse"; readonly response: RangeResponse };

export interface IntakeHost {
  readonly self: PeerKey;
  readonly genesis: Genesis;
  readonly kit: EngineKit;
  readonly transport: Transport;
  /** Is, or was lately, or may soon be a producer, as far as this node knows the chain. */
  isProducer(key: PeerKey): boolean;
  /** The signatures in what is attached to this block could not be judged yet. */
  attachmentUnchecked(block: Block): void;
  /** The disk is full, or far too slow: what it does not take must not pile up here. */
  isDiskBehind(): boolean;
  /** A block that is here in any way: its signature was checked. */
  isKnown(id: string): boolean;
  /** A transaction that is here or in the chain. */
  isKnownTransaction(id: Uint8Array): boolean;
  /** Taken in: who may produce on top of it is known. */
  isInLedger(id: string): boolean;
  /** Was this block asked for? */
  asked(id: string): boolean;
  /** Irreversible on this node's disk. */
  irreversibleHeight(): number;
  /** Would this certificate prove anything new? */
  isNews(certificate: Certificate): boolean;
  /** Is this vote worth checking? */
  isVoteNews(signer: PeerKey, vote: SignedVote): boolean;
  isEvidenceNews(evidence: Evidence): boolean;
  /** Would this notice tell anything new? */
  isNoticeNews(notice: Notice): boolean;
  /** Of addresses that a neighbour tells: those worth the check of their signatures. */
  addressesWorthChecking(from: PeerKey, records: readonly AddressRecord[]): readonly AddressRecord[];
  status(): EngineStatus;
  senderOf(peer: PeerKey): Sender;
  /** Has this node a use for transactions that others forward, though it does not lead? */
  watchesLeader(): boolean;
  /** Was this range asked of this peer, so that its answer is due, be it late? */
  owesRange(peer: PeerKey, range: Pick<RangeProof, "from" | "anchorHeight">): boolean;
  /** When an anchor is reached, blocks from this height on are streamed, not pulled. */
  streamedFrom(anchorHeight: number): number;
  checkSignatures(batch: number, claims: readonly SignatureClaim[]): void;
  /** @param source the neighbour; of an envelope, who sent it first by its own account, proven where it matters */
  deliver(source: PeerKey, arrival: Arrival): void;
  readonly conduct: Pick<Conduct, "fault" | "news" | "duplicate" | "admits">;
  disconnect(peer: PeerKey, reason: CloseReason, detail: string): void;
}
