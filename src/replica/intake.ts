/**
 * From a frame to a message that the core may trust: decoded, from somebody who may send it, worth its cost, its
 * signatures checked. What costs much (signatures, above all) is done only for what is not known yet.
 */
import { unreachable } from "../base/result.ts";
import type { PeerKey } from "../base/key.ts";
import { type Block, blockClaim, claimOfEncoded } from "../../chain/block.ts";
import { type ByteList, elementAt } from "../../chain/byteList.ts";
import { isProducer } from "../../chain/configuration.ts";
import type { Genesis } from "../../chain/genesis.ts";
import type { SignatureClaim } from "../../chain/signing.ts";
import { decodeTransaction, looksSigned, transactionClaim, transactionId } from "../../chain/transaction.ts";
import { type Certificate, decodeCertificate } from "../../consensus/certificate.ts";
import {
  type ConsensusMessage,
  decodePayload,
  decodeSyncMessage,
  type Payload,
  type SyncMessage,
  type TransactionResult,
} from "../../consensus/messages.ts";
import type { RangeRequest, RangeResponse } from "../../consensus/sync/range.ts";
import type { CloseReason, Lane } from "../../net/link/types.ts";
import type { Transport } from "../../net/transport/types.ts";
import type { EngineStatus } from "../../consensus/engine.ts";
import { access, type MessageKind, type Sender } from "./access.ts";
import type { Conduct, FaultClass } from "./conduct.ts";
import { GATE_BOUNDS } from "./constants.ts";
import { SignatureGate } from "./signatureGate.ts";

/** A message that passed. */
export type Arrival =
  /** `certificate`: of a hello, when it proves something new. */
  | { readonly kind: "sync"; readonly message: SyncMessage; readonly certificate: Certificate | undefined }
  | { readonly kind: "consensus"; readonly message: ConsensusMessage }
  | { readonly kind: "certificate"; readonly certificate: Certificate }
  | { readonly kind: "transactions"; readonly transactions: ByteList }
  | { readonly kind: "results"; readonly results: readonly TransactionResult[] }
  | { readonly kind: "readIndex"; readonly number: number }
  | { readonly kind: "readIndexReply"; readonly number: number; readonly height: number }
  | { readonly kind: "rangeRequest"; readonly request: RangeRequest }
  | { readonly kind: "rangeResponse"; readonly response: RangeResponse };

export interface IntakeHost {
  readonly self: PeerKey;
  readonly genesis: Genesis;
  readonly transport: Transport;
  /** A block that is here in any way: its signature was checked. */
  isKnown(id: string): boolean;
  /** A transaction that is here or in the chain. */
  isKnownTransaction(id: Uint8Array): boolean;
  /** Was this block asked for? */
  asked(id: string): boolean;
  /** Irreversible on this node's disk. */
  irreversibleHeight(): number;
  /** Would a certificate of this block prove anything new? */
  isNews(height: number, id: string): boolean;
  status(): EngineStatus;
  senderOf(peer: PeerKey): Sender;
  /** Blocks from this height on may be streamed to a peer, now or later. */
  streamedFrom(): number;
  checkSignatures(batch: number, claims: readonly SignatureClaim[]): void;
  deliver(from: PeerKey, arrival: Arrival): void;
  readonly conduct: Pick<Conduct, "fault" | "news" | "duplicate" | "admits">;
  disconnect(peer: PeerKey, reason: CloseReason, detail: string): void;
}

/** An arrival with what has to be checked first. */
interface Judged {
  readonly arrival: Arrival;
  readonly claims: readonly SignatureClaim[];
}
/** Not worth anything, or a reason to complain about its sender. */
type Refused = "drop" | { readonly fault: FaultClass; readonly detail: string };

/** Asked for, so that this node does something: by kind, whether only a slowed peer is held to a rate. */
const REQUESTS: Partial<Record<MessageKind, "always" | "slowed">> = {
  blockRequest: "always",
  rangeRequest: "always",
  readIndex: "always",
  // What comes of them is bounded by the mempool and by the checks that its sender earns.
  transactionForward: "slowed",
};

export class Intake {
  readonly #host: IntakeHost;
  readonly #gate: SignatureGate<{
    readonly from: PeerKey;
    readonly arrival: Arrival;
    readonly unchecked: boolean;
  }>;

  constructor(host: IntakeHost) {
    this.#host = host;
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
    const { arrival, claims } = judged;
    const entered = this.#gate.submit(
      queueName(from, lane),
      { from, arrival, unchecked: claims.length === 0 },
      frame.length,
      claims,
    );
    if (entered === "pass") this.#host.deliver(from, arrival);
    else if (entered === "full") {
      this.#host.conduct.fault(from, "overload", "more than can be checked");
      // Consensus messages are sent again; a stream with a hole is of no use.
      if (lane === "chain") this.#host.disconnect(from, "overloaded", "blocks come faster than they can be checked");
    }
  }

  checked(batch: number, valid: boolean): void {
    for (const { item, valid: isValid } of this.#gate.checked(batch, valid)) {
      const { from, arrival, unchecked } = item;
      if (!isValid) this.#host.conduct.fault(from, "badSignature", "a signature is not valid");
      else if (!unchecked || this.#needsNoCheck(arrival)) this.#host.deliver(from, arrival);
    }
  }

  peerDown(peer: PeerKey): void {
    for (const lane of ["urgent", "chain", "bulk"] as const) this.#gate.drop(queueName(peer, lane));
  }

  #judgeSync(from: PeerKey, frame: Uint8Array): Judged | Refused {
    const decoded = decodeSyncMessage(frame);
    if (!decoded.ok) return undecodable(decoded.error);
    const message = decoded.value;
    const refused = this.#mayNot(from, message.kind, false);
    if (refused !== undefined) return refused;
    switch (message.kind) {
      case "block":
      case "blockResponse":
        return this.#judgeBlock(from, message);
      case "hello":
        return this.#judgeHello(message);
      case "blockRequest":
        return { arrival: { kind: "sync", message, certificate: undefined }, claims: [] };
      default:
        return unreachable(message);
    }
  }

  #judgeBlock(from: PeerKey, message: Extract<SyncMessage, { kind: "block" | "blockResponse" }>): Judged | Refused {
    const { block } = message;
    const { configuration } = this.#host.genesis;
    if (!isProducer(configuration, block.header.producer))
      return { fault: "invalidBlock", detail: `a block of ${block.header.producer}, no producer` };
    if (message.kind === "blockResponse" && !this.#host.asked(block.id))
      return { fault: "unrequested", detail: `block ${block.id}` };
    const arrival: Arrival = { kind: "sync", message, certificate: undefined };
    // Below the irreversible block nothing is taken in, so there is nothing to check; that they have it is told all the same.
    const settled = block.header.height <= this.#host.irreversibleHeight();
    const isKnown = this.#host.isKnown(block.id);
    if (settled || isKnown) this.#host.conduct.duplicate(from);
    else this.#host.conduct.news();
    return { arrival, claims: settled || isKnown ? [] : this.#blockClaims(block) };
  }

  #judgeHello(message: Extract<SyncMessage, { kind: "hello" }>): Judged | Refused {
    const { rootCertificate } = message.hello;
    if (rootCertificate === undefined)
      return { arrival: { kind: "sync", message, certificate: undefined }, claims: [] };
    const opened = this.#openCertificate(rootCertificate);
    if (opened === undefined) return { fault: "invalidCertificate", detail: "a hello's certificate is not valid" };
    const isNews = this.#host.isNews(opened.height, opened.id);
    const certificate = isNews ? opened : undefined;
    return { arrival: { kind: "sync", message, certificate }, claims: isNews ? opened.claims : [] };
  }

  #judgeEnvelope(from: PeerKey, frame: Uint8Array): Judged | Refused {
    const { transport, genesis } = this.#host;
    const delivery = transport.receive(from, frame);
    if (delivery === "duplicate") this.#host.conduct.duplicate(from);
    if (delivery === "duplicate" || delivery === "notForMe" || delivery === "taken") return "drop";
    if (delivery === "undecodable") return undecodable({ code: "UNDECODABLE", detail: "envelope" });
    const decoded = decodePayload(genesis.chainId, delivery.payload);
    if (!decoded.ok) return undecodable(decoded.error);
    if (delivery.broadcast) this.#host.conduct.news();
    return this.#judgePayload(from, decoded.value, delivery.broadcast);
  }

  #judgePayload(from: PeerKey, payload: Payload, broadcast: boolean): Judged | Refused {
    if (payload.kind === "signed") return this.#judgeSigned(from, payload, broadcast);
    const refused = this.#mayNot(from, payload.kind, broadcast);
    if (refused !== undefined) return refused;
    switch (payload.kind) {
      case "certificate": {
        const certificate = this.#openCertificate(payload.bytes);
        if (certificate === undefined) return { fault: "invalidCertificate", detail: "a certificate is not valid" };
        if (!this.#host.isNews(certificate.height, certificate.id)) return "drop";
        return { arrival: { kind: "certificate", certificate }, claims: certificate.claims };
      }
      case "transactionForward":
        return {
          arrival: { kind: "transactions", transactions: payload.transactions },
          claims: this.#forwardClaims(payload.transactions),
        };
      case "transactionResults":
        return { arrival: { kind: "results", results: payload.results }, claims: [] };
      case "readIndex":
      case "readIndexReply":
      case "rangeRequest":
        return { arrival: payload, claims: [] };
      case "rangeResponse":
        return { arrival: payload, claims: this.#rangeClaims(payload.response.blocks) };
      default:
        return unreachable(payload);
    }
  }

  /** From its signer's own link, while unicasts are not relayed. */
  #judgeSigned(
    from: PeerKey,
    { message, claim }: Extract<Payload, { kind: "signed" }>,
    broadcast: boolean,
  ): Judged | Refused {
    const judged: Judged = { arrival: { kind: "consensus", message }, claims: [claim] };
    // One's own, given back: it may tell what a record restored from a backup does not.
    if (message.signer === this.#host.self && !broadcast) return judged;
    if (message.signer !== from) return { fault: "refusedMessage", detail: `${message.kind} in another's name` };
    const refused = this.#mayNot(from, message.kind, broadcast);
    return refused ?? judged;
  }

  /** The access table, and the pace of requests. */
  #mayNot(from: PeerKey, kind: MessageKind, broadcast: boolean): Refused | undefined {
    const sender = this.#host.senderOf(from);
    const verdict = access(kind, sender, this.#host.status(), broadcast);
    if (verdict === "refuse")
      return { fault: "refusedMessage", detail: `${kind}${broadcast ? " by broadcast" : ""} of a ${sender}` };
    if (verdict === "ignore") return "drop";
    const pace = REQUESTS[kind];
    return pace !== undefined && !this.#host.conduct.admits(from, pace === "slowed") ? "drop" : undefined;
  }

  #blockClaims(block: Block): SignatureClaim[] {
    const { chainId } = this.#host.genesis;
    const claims = [blockClaim(chainId, block)];
    const { buffer, offsets, count } = block.transactions;
    for (let i = 0; i < count; i++) {
      if (!looksSigned(buffer, offsets[2 * i] as number, offsets[2 * i + 1] as number)) continue;
      const claim = this.#transactionClaim(elementAt(block.transactions, i));
      if (claim !== undefined) claims.push(claim);
    }
    return claims;
  }

  /**
   * A range is proven by hash, which does not cover the producers' signatures. Those of blocks that this node may later
   * stream to a peer, who will check them, are checked here: a liar must not make an honest node pass on a bad one.
   */
  #rangeClaims(blocks: ByteList): SignatureClaim[] {
    const claims: SignatureClaim[] = [];
    for (let i = blocks.count - 1; i >= 0; i--) {
      const each = claimOfEncoded(this.#host.genesis.chainId, elementAt(blocks, i));
      // What does not decode is judged when the range is opened.
      if (each === undefined || each.height < this.#host.streamedFrom()) break;
      claims.push(each.claim);
    }
    return claims;
  }

  /** Forwards come again and again until they are in a block: signatures of what is here are not checked again. */
  #forwardClaims(transactions: ByteList): SignatureClaim[] {
    const claims: SignatureClaim[] = [];
    const { buffer, offsets, count } = transactions;
    for (let i = 0; i < count; i++) {
      if (!looksSigned(buffer, offsets[2 * i] as number, offsets[2 * i + 1] as number)) continue;
      const bytes = elementAt(transactions, i);
      const claim = this.#host.isKnownTransaction(transactionId(bytes)) ? undefined : this.#transactionClaim(bytes);
      if (claim !== undefined) claims.push(claim);
    }
    return claims;
  }

  #transactionClaim(bytes: Uint8Array): SignatureClaim | undefined {
    const decoded = decodeTransaction(bytes);
    return decoded.ok ? transactionClaim(this.#host.genesis.chainId, bytes, decoded.value) : undefined;
  }

  /** What was let in unchecked because it was known may have been forgotten while it waited behind others. */
  #needsNoCheck(arrival: Arrival): boolean {
    if (arrival.kind === "transactions") return this.#forwardClaims(arrival.transactions).length === 0;
    if (arrival.kind !== "sync" || !("block" in arrival.message)) return true;
    const { block } = arrival.message;
    return this.#host.isKnown(block.id) || block.header.height <= this.#host.irreversibleHeight();
  }

  #openCertificate(bytes: Uint8Array): Certificate | undefined {
    const { chainId, configuration } = this.#host.genesis;
    const decoded = decodeCertificate(bytes, chainId, configuration);
    return decoded.ok ? decoded.value : undefined;
  }
}

function undecodable(error: { readonly code: string; readonly detail?: string }): Refused {
  return { fault: "undecodable", detail: `${error.code} ${error.detail ?? ""}` };
}

function queueName(peer: PeerKey, lane: Lane): string {
  return `${peer} ${lane}`;
}
