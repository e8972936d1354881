/**
 * From a frame to a message that the core may trust: decoded, from somebody who may send it, worth its cost, its
 * signatures checked. What costs much (signatures, above all) is done only for what is not known yet.
 */
import { unreachable } from "../base/result.ts";
import type { PeerKey } from "../base/key.ts";
import type { Block } from "../../chain/block.ts";
import { type ByteList, EMPTY_LIST } from "../../chain/byteList.ts";
import { type Configuration, decodeConfiguration } from "../../chain/configuration.ts";
import { type SignatureClaim, signingDigest } from "../../chain/signing.ts";
import type { Votes } from "../../consensus/bft/messages.ts";
import type { Certificate } from "../../consensus/certificate.ts";
import { decodePayload, decodeSyncMessage, type Payload, type SyncMessage } from "../../consensus/messages.ts";
import type { RangeResponse } from "../../consensus/sync/range.ts";
import type { Lane } from "../../net/link/types.ts";
import { decodeAddressRecords, isAddressRecords } from "../../net/transport/addressMessages.ts";
import { decodeRouting, encodeSeqno, isRouting } from "../../net/transport/routeMessages.ts";
import type { Delivery } from "../../net/transport/types.ts";
import { access, isRouted, type MessageKind } from "./access.ts";
import { blockClaims, forwardClaims, rangeClaims } from "./claims.ts";
import type { FaultClass } from "./conduct.ts";
import { GATE_BOUNDS } from "./constants.ts";
import type { Arrival, IntakeHost } from "./intakeHost.ts";
import { SignatureGate } from "./signatureGate.ts";
import { VerifiedSignatures } from "./verifiedSignatures.ts";
import { VoteDigests } from "./voteDigests.ts";

/** What is done with a message when all that has to be checked first is valid. */
interface Judged {
  /** For this node. */
  readonly arrival?: Arrival;
  /** Of what is for others, too. */
  readonly onward?: Delivery;
  /** Undefined: the neighbour. */
  readonly source?: PeerKey;
  /** A block some of whose signatures are to be judged only when it passes. */
  readonly early?: Block;
  readonly claims: readonly SignatureClaim[];
}
/** Not worth anything, or a reason to complain about its sender. */
type Refused = "drop" | { readonly fault: FaultClass; readonly detail: string };

/** Asked for, so that this node does something: by kind, whether only a slowed peer is held to a rate. */
const REQUESTS: Partial<Record<MessageKind, "always" | "slowed">> = {
  blockRequest: "always",
  rangeRequest: "always",
  readIndex: "always",
  // What is not news costs its decoding alone.
  addresses: "always",
  // What comes of them is bounded by the mempool and by the checks that its sender earns.
  transactionForward: "slowed",
};

export class Intake {
  readonly #host: IntakeHost;
  readonly #gate: SignatureGate<{ readonly from: PeerKey; readonly lane: Lane; readonly judged: Judged }>;
  readonly #verified = new VerifiedSignatures();
  readonly #digests: VoteDigests;
  /** Names of queues, put together once. */
  readonly #queues = new Map<PeerKey, Readonly<Record<Lane, string>>>();

  constructor(host: IntakeHost) {
    this.#host = host;
    this.#digests = new VoteDigests(host.genesis.chainId);
    this.#gate = new SignatureGate(GATE_BOUNDS, (batch, claims) => host.checkSignatures(batch, claims));
  }

  /** Messages that wait for their signatures. */
  get waiting(): number {
    return this.#gate.waiting;
  }

  received(from: PeerKey, lane: Lane, frame: Uint8Array): void {
    const judged = lane === "chain" ? this.#judgeSync(from, frame) : this.#judgeEnvelope(from, frame);
    if (judged === "drop") return;
    if ("fault" in judged)
      return this.#host.conduct.fault(from, judged.fault, judged.detail, lane === "chain" ? lane : undefined);
    const entered = this.#gate.submit(this.#queuesOf(from)[lane], { from, lane, judged }, frame.length, judged.claims);
    if (entered === "pass") this.#pass(from, lane, judged);
    else if (entered === "full") {
      this.#host.conduct.fault(from, "overload", "more than can be checked");
      // Consensus messages are sent again; a stream with a hole is of no use.
      if (lane === "chain") this.#host.disconnect(from, "overloaded", "blocks come faster than they can be checked");
    }
  }

  checked(batch: number, valid: boolean): void {
    for (const { item, valid: isValid } of this.#gate.checked(batch, valid)) {
      const { from, lane, judged } = item;
      if (isValid && isCertified(judged.arrival)) for (const claim of judged.claims) this.#verified.add(claim);
      if (!isValid) this.#refuse(from, judged);
      else if (judged.claims.length > 0 || this.#needsNoCheck(judged)) this.#pass(from, lane, judged);
    }
  }

  /** Who passes on a range may not have checked it: it counts as one that its source does not hold. */
  #refuse(from: PeerKey, { arrival, source }: Judged): void {
    if (arrival?.kind !== "rangeResponse")
      return this.#host.conduct.fault(from, "badSignature", "a signature is not valid");
    const response = { blocks: EMPTY_LIST, proof: arrival.response.proof };
    this.#host.deliver(source ?? from, { kind: "rangeResponse", response });
  }

  /** It is valid: what is for others goes on, what is for this node is delivered. */
  #pass(from: PeerKey, lane: Lane, { arrival, onward, source, early }: Judged): void {
    const refused = early && this.#refusesEarly(early);
    if (refused !== undefined) return this.#host.conduct.fault(from, refused.fault, refused.detail, "chain");
    if (onward !== undefined) this.#host.transport.forward(onward, lane);
    if (arrival !== undefined) this.#host.deliver(source ?? from, arrival);
  }

  peerDown(peer: PeerKey): void {
    for (const name of Object.values(this.#queuesOf(peer))) this.#gate.drop(name);
    this.#queues.delete(peer);
  }

  #queuesOf(peer: PeerKey): Readonly<Record<Lane, string>> {
    const known = this.#queues.get(peer);
    if (known !== undefined) return known;
    const names = queueNames(peer);
    this.#queues.set(peer, names);
    return names;
  }

  #judgeSync(from: PeerKey, frame: Uint8Array): Judged | Refused {
    const decoded = decodeSyncMessage(frame);
    if (!decoded.ok) return undecodable(decoded.error);
    const message = decoded.value;
    const refused = this.#mayNot(from, from, message.kind, false);
    if (refused !== undefined) return refused;
    switch (message.kind) {
      case "block":
      case "blockResponse":
        return this.#judgeBlock(from, message);
      case "hello":
        return this.#judgeHello(message);
      case "blockRequest":
      case "blockAnnouncement":
        return { arrival: { kind: "sync", message, certificate: undefined }, claims: [] };
      default:
        return unreachable(message);
    }
  }

  #judgeBlock(from: PeerKey, message: Extract<SyncMessage, { kind: "block" | "blockResponse" }>): Judged | Refused {
    const { block } = message;
    if (message.kind === "blockResponse" && !this.#host.asked(block.id))
      return { fault: "unrequested", detail: `block ${block.id}` };
    const arrival: Arrival = { kind: "sync", message, certificate: undefined };
    // Below the irreversible block nothing is taken in, so there is nothing to check; that they have it is told all the same.
    const settled = block.header.height <= this.#host.irreversibleHeight();
    const isKnown = this.#host.isKnown(block.id);
    if (settled || isKnown) this.#host.conduct.duplicate(from);
    else this.#host.conduct.news();
    if (settled || isKnown) return { arrival, claims: [] };
    if (this.#host.isDiskBehind()) {
      // A stream with a hole is of no use: the peer begins anew, until there is room.
      this.#host.disconnect(from, "overloaded", "the disk does not take what it is given");
      return "drop";
    }
    const attached = this.#attachmentClaims(block);
    if (attached !== UNKNOWN && "fault" in attached) return attached;
    // Blocks before it that bring its producer, or who signed what it shows, may be waiting for their own signatures.
    const isEarly = attached === UNKNOWN || !this.#host.isProducer(block.header.producer);
    const refused = isEarly && this.waiting === 0 ? this.#refusesEarly(block) : undefined;
    if (refused !== undefined) return refused;
    const claims = attached === UNKNOWN ? [] : this.#unverified(attached.claims);
    return {
      arrival,
      claims: [...blockClaims(this.#host.genesis.chainId, block), ...claims],
      ...(isEarly && { early: block }),
    };
  }

  /** Signatures in what the engine attached; unknown: by producers that are not known here, or not yet. */
  #attachmentClaims(
    block: Block,
  ): { readonly claims: readonly SignatureClaim[] } | typeof UNKNOWN | Exclude<Refused, "drop"> {
    const attached = this.#host.kit.attachmentClaims(block);
    if (attached.ok) return { claims: attached.value };
    if (attached.error.code === "PRODUCERS_UNKNOWN") return UNKNOWN;
    return { fault: "invalidCertificate", detail: `a block's attachment: ${attached.error.detail}` };
  }

  /**
   * A block that came before its producers, or those of what it shows, were known, now that all before it on this
   * connection have been taken in. It may wait on: for its time, for its parent. What it shows is checked when it leaves
   * that place.
   */
  #refusesEarly(block: Block): Exclude<Refused, "drop"> | undefined {
    const { producer, parent } = block.header;
    const isJudged = this.#host.isInLedger(parent);
    const mayBeProducer = !isJudged && (this.#host.isKnown(parent) || this.#host.asked(block.id));
    if (!this.#host.isProducer(producer) && !mayBeProducer)
      return { fault: "invalidBlock", detail: `a block of ${producer}, no producer` };
    this.#host.attachmentUnchecked(block);
    return undefined;
  }

  #judgeHello(message: Extract<SyncMessage, { kind: "hello" }>): Judged | Refused {
    const { rootCertificate, rootProducers } = message.hello;
    if (rootCertificate === undefined)
      return { arrival: { kind: "sync", message, certificate: undefined }, claims: [] };
    const opened = this.#openCertificate(rootCertificate, rootProducers && decodeConfiguration(rootProducers));
    // By producers that are not known here, or not yet: what it proves is learned from the blocks.
    if (opened === UNKNOWN) return { arrival: { kind: "sync", message, certificate: undefined }, claims: [] };
    if (opened === undefined) return { fault: "invalidCertificate", detail: "a hello's certificate is not valid" };
    const isNews = this.#host.isNews(opened);
    const certificate = isNews ? opened : undefined;
    const claims = isNews ? this.#unverified(opened.claims) : [];
    return { arrival: { kind: "sync", message, certificate }, claims };
  }

  #judgeEnvelope(from: PeerKey, frame: Uint8Array): Judged | Refused {
    const { transport, genesis } = this.#host;
    const delivery = transport.receive(from, frame);
    if (delivery === "duplicate") this.#host.conduct.duplicate(from);
    if (delivery === "duplicate" || delivery === "taken") return "drop";
    if (delivery === "undecodable") return undecodable({ code: "UNDECODABLE", detail: "envelope" });
    if (isRouting(delivery.payload)) return this.#judgeRouting(from, delivery);
    if (isAddressRecords(delivery.payload)) return this.#judgeAddresses(from, delivery);
    const decoded = decodePayload(genesis.chainId, delivery.payload);
    if (!decoded.ok) return undecodable(decoded.error);
    if (delivery.broadcast) this.#host.conduct.news();
    if (decoded.value.kind === "notice") return this.#judgeNotice(decoded.value, delivery);
    return this.#judgeDelivery(from, delivery, decoded.value);
  }

  #judgeNotice({ notice, claim }: Extract<Payload, { kind: "notice" }>, delivery: Delivery): Judged | Refused {
    const { kind, signer } = notice;
    const { payload, broadcast } = delivery;
    const verdict = access(kind, this.#host.senderOf(signer), this.#host.status(), broadcast);
    if (verdict === "refuse") return { fault: "refusedMessage", detail: `${kind} of ${signer}` };
    if (verdict === "ignore" || !this.#host.isNoticeNews(notice)) return "drop";
    return { arrival: { kind: "notice", notice, payload }, claims: [claim] };
  }

  /** For this node, for others, or both; what is for others has to be as valid as if it were for this one. */
  #judgeDelivery(from: PeerKey, delivery: Delivery, payload: Exclude<Payload, { kind: "notice" }>): Judged | Refused {
    const { source, broadcast, isMine, onward } = delivery;
    const kind = payload.kind === "signed" ? payload.message.kind : payload.kind;
    if (!broadcast && (source !== from || onward.length > 0) && !isRouted(kind))
      return { fault: "refusedMessage", detail: `${kind} passed on` };
    // One's own, given back by a neighbour, may tell what a record restored from a backup does not.
    const isReturned = signerOf(payload) === this.#host.self && source === from;
    if (!isMine && !this.#isPaced(from, kind)) return "drop";
    // Why it is not taken in here; that does not keep it from being passed on, unless nobody may send it.
    const mayNot = isMine && !isReturned ? this.#mayNot(from, source, kind, broadcast) : undefined;
    const refused = isMine ? mayNot : "drop";
    if (refused !== undefined && (refused !== "drop" || onward.length === 0)) return refused;
    const judged = this.#judgePayload(payload, isReturned ? this.#host.self : source, onward.length > 0);
    // To decode it costs more than to send it: once for each link is what an honest neighbour does.
    if (judged === "drop" && kind === "evidence") this.#host.conduct.duplicate(from);
    if (judged === "drop" || "fault" in judged) return judged;
    const { claims } = judged;
    const arrival = refused === undefined ? judged.arrival : undefined;
    if (arrival === undefined && onward.length === 0) return "drop";
    return { claims, source, ...(arrival && { arrival }), ...(onward.length > 0 && { onward: delivery }) };
  }

  /** Between neighbours; seqnos whose signature was checked before are believed. */
  #judgeRouting(from: PeerKey, { source, isMine, broadcast, payload }: Delivery): Judged | Refused {
    if (source !== from || broadcast || !isMine) return { fault: "refusedMessage", detail: "routes passed on" };
    const message = decodeRouting(payload);
    if (message === undefined) return undecodable({ code: "UNDECODABLE", detail: "routes" });
    // The answer is all that this node has.
    const isForAll = message.kind === "routeRequest" && message.producer === undefined;
    if (isForAll && !this.#host.conduct.admits(from, false)) return "drop";
    const { chainId } = this.#host.genesis;
    const claims = this.#host.transport.unproven(message).map(({ producer, seqno, signature }) => ({
      key: producer,
      digest: signingDigest("seqno", chainId, encodeSeqno(seqno)),
      signature,
    }));
    return { arrival: { kind: "routing", message }, claims };
  }

  /** Between neighbours. Only what is news is checked, and no more than a neighbour's allowance. */
  #judgeAddresses(from: PeerKey, { source, isMine, broadcast, payload }: Delivery): Judged | Refused {
    if (source !== from || !isMine) return { fault: "refusedMessage", detail: "addresses passed on" };
    const refused = this.#mayNot(from, from, "addresses", broadcast);
    if (refused !== undefined) return refused;
    const told = decodeAddressRecords(payload);
    if (told === undefined) return undecodable({ code: "UNDECODABLE", detail: "addresses" });
    const records = this.#host.addressesWorthChecking(from, told);
    if (records.length === 0) return "drop";
    const { chainId } = this.#host.genesis;
    const claims = records.map(({ node, content, signature }) => ({
      key: node,
      digest: signingDigest("addresses", chainId, content),
      signature,
    }));
    return { arrival: { kind: "addresses", records }, claims };
  }

  /** Without an arrival it says nothing to this node. `isForOthers`: it is passed on whole. */
  #judgePayload(
    payload: Exclude<Payload, { kind: "notice" }>,
    source: PeerKey,
    isForOthers: boolean,
  ): Judged | Refused {
    switch (payload.kind) {
      case "signed": {
        const { message, claim } = payload;
        const refused = this.#notOf(source, message.signer, message.kind);
        if (refused !== undefined) return refused;
        const beside = this.#host.kit.messageClaims(message);
        if (!beside.ok && beside.error.code === "PRODUCERS_UNKNOWN") return "drop";
        if (!beside.ok) return { fault: "invalidCertificate", detail: `${message.kind}: ${beside.error.detail}` };
        return { arrival: { kind: "consensus", message }, claims: [claim, ...this.#unverified(beside.value)] };
      }
      case "votes":
        return this.#notOf(source, payload.votes.signer, "votes") ?? this.#judgeVotes(payload.votes, isForOthers);
      case "certificate": {
        const certificate = this.#openCertificate(payload.bytes);
        if (certificate === UNKNOWN) return "drop";
        if (certificate === undefined) return { fault: "invalidCertificate", detail: "a certificate is not valid" };
        if (!this.#host.isNews(certificate)) return "drop";
        return { arrival: { kind: "certificate", certificate }, claims: this.#unverified(certificate.claims) };
      }
      case "evidence": {
        const evidence = this.#host.kit.decodeEvidence(payload.bytes);
        if (!evidence.ok && evidence.error.code === "PRODUCERS_UNKNOWN") return "drop";
        if (!evidence.ok) return { fault: "invalidCertificate", detail: `evidence: ${evidence.error.detail}` };
        if (!this.#host.isEvidenceNews(evidence.value)) return "drop";
        return { arrival: { kind: "evidence", evidence: evidence.value }, claims: evidence.value.claims };
      }
      case "transactionForward":
        return {
          arrival: { kind: "transactions", transactions: payload.transactions },
          claims: this.#forwardClaims(payload.transactions),
        };
      // A leader's answers, by whatever way they came: signed, and for whom they name.
      case "transactionResults": {
        const { answer, claim } = payload;
        const isForMe = answer.submitter === this.#host.self;
        const refused = this.#notOf(source, claim.key, payload.kind);
        return refused ?? { claims: [claim], ...(isForMe && { arrival: { kind: "results", answer } }) };
      }
      case "readIndexReply": {
        const { answer, claim } = payload;
        const isForMe = answer.reader === this.#host.self;
        const refused = this.#notOf(source, claim.key, payload.kind);
        return refused ?? { claims: [claim], ...(isForMe && { arrival: { kind: "readIndexReply", answer } }) };
      }
      case "readIndex":
      case "rangeRequest":
        return { arrival: payload, claims: [] };
      case "rangeResponse":
        return this.#judgeRange(source, payload.response);
      default:
        return unreachable(payload);
    }
  }

  /** A producer's message stands in its own envelope, by whosever link it comes. */
  #notOf(source: PeerKey, signer: PeerKey, kind: MessageKind): Refused | undefined {
    if (signer === source) return this.#host.isProducer(signer) ? undefined : "drop";
    return { fault: "refusedMessage", detail: `${kind} in another's name` };
  }

  /** The access table, and the pace of requests. */
  #mayNot(from: PeerKey, source: PeerKey, kind: MessageKind, broadcast: boolean): Refused | undefined {
    const sender = this.#host.senderOf(source);
    const asLeader = kind === "transactionForward" && this.#host.watchesLeader();
    const verdict = access(kind, sender, asLeader ? "leader" : this.#host.status(), broadcast);
    if (verdict === "refuse")
      return { fault: "refusedMessage", detail: `${kind}${broadcast ? " by broadcast" : ""} of a ${sender}` };
    return verdict === "ignore" || !this.#isPaced(from, kind) ? "drop" : undefined;
  }

  /** Requests are held to a rate, by the neighbour they come from. */
  #isPaced(from: PeerKey, kind: MessageKind): boolean {
    const pace = REQUESTS[kind];
    return pace === undefined || this.#host.conduct.admits(from, pace === "slowed");
  }

  /** Whoever was not asked could have signatures checked by the hundred. */
  #judgeRange(from: PeerKey, response: RangeResponse): Judged | Refused {
    const { proof } = response;
    if (!this.#host.owesRange(from, proof)) return { fault: "unrequested", detail: `a range from ${proof.from}` };
    const claims = rangeClaims(this.#host.genesis.chainId, response, this.#host.streamedFrom(proof.anchorHeight));
    return { arrival: { kind: "rangeResponse", response }, claims };
  }

  #forwardClaims(transactions: ByteList): SignatureClaim[] {
    return forwardClaims(this.#host.genesis.chainId, transactions, (id) => this.#host.isKnownTransaction(id));
  }

  /** What was let in unchecked because it was known may have been forgotten while it waited behind others. */
  #needsNoCheck({ arrival }: Judged): boolean {
    if (arrival === undefined) return true;
    if (arrival.kind === "transactions") return this.#forwardClaims(arrival.transactions).length === 0;
    if (arrival.kind !== "sync" || !("block" in arrival.message)) return true;
    const { block } = arrival.message;
    return this.#host.isKnown(block.id) || block.header.height <= this.#host.irreversibleHeight();
  }

  #openCertificate(bytes: Uint8Array, proposed?: Configuration): Certificate | typeof UNKNOWN | undefined {
    const decoded = this.#host.kit.decodeCertificate(bytes, proposed);
    if (decoded.ok) return decoded.value;
    return decoded.error.code === "PRODUCERS_UNKNOWN" ? UNKNOWN : undefined;
  }

  #judgeVotes({ signer, votes }: Votes, isForOthers: boolean): Judged | Refused {
    const news = isForOthers ? votes : votes.filter((vote) => this.#host.isVoteNews(signer, vote));
    if (news.length === 0) return "drop";
    const claims = news.map((vote) => ({ key: signer, digest: this.#digests.of(vote), signature: vote.signature }));
    return { arrival: { kind: "votes", votes: { signer, votes: news } }, claims: this.#unverified(claims) };
  }

  /** What certificates are made of was mostly seen before, vote by vote. */
  #unverified(claims: readonly SignatureClaim[]): SignatureClaim[] {
    return claims.filter((claim) => !this.#verified.has(claim));
  }
}

/** Of what producers promise. */
function signerOf(payload: Payload): PeerKey | undefined {
  if (payload.kind === "signed") return payload.message.signer;
  return payload.kind === "votes" ? payload.votes.signer : undefined;
}
const UNKNOWN = "unknown producers";

function undecodable(error: { readonly code: string; readonly detail?: string }): Refused {
  return { fault: "undecodable", detail: `${error.code} ${error.detail ?? ""}` };
}

/** Whose signatures come again, in certificates. */
function isCertified(arrival: Arrival | undefined): boolean {
  switch (arrival?.kind) {
    case "votes":
    case "certificate":
      return true;
    case "consensus":
      return arrival.message.kind === "ack" || arrival.message.kind === "viewChange";
    default:
      return false;
  }
}

function queueNames(peer: PeerKey): Readonly<Record<Lane, string>> {
  return { urgent: `${peer} urgent`, chain: `${peer} chain`, bulk: `${peer} bulk` };
}
