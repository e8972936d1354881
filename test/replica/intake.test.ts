import { describe, expect, it } from "vitest";
import { type Block, encodeBlockParts } from "../../chain/block.ts";
import { encodeList } from "../../chain/byteList.ts";
import { type SignatureClaim, signingDigest } from "../../chain/signing.ts";
import { encodeTransaction } from "../../chain/transaction.ts";
import { certificateMessage } from "../../consensus/certificate.ts";
import { engineKit } from "../../consensus/engines.ts";
import {
  BLOCK_PREFIX,
  BLOCK_RESPONSE_PREFIX,
  encodeBlockRequest,
  encodeCertificatePayload,
  encodeHello,
  encodeRangeResponsePayload,
  encodeReadIndex,
  encodeReadIndexReply,
  encodeSigned,
  encodeTransactionForward,
  encodeTransactionResults,
  encodeVotes,
  type Hello,
} from "../../consensus/messages.ts";
import type { Lane, PeerKey } from "../../net/link/types.ts";
import { decodeEnvelope, encodeEnvelope } from "../../net/transport/envelope.ts";
import { encodeAddressRecords, makeAddressRecord } from "../../net/transport/addressMessages.ts";
import { encodeRouteRequest, encodeRouteUpdates, encodeSeqno } from "../../net/transport/routeMessages.ts";
import { RoutedTransport } from "../../net/transport/routedTransport.ts";
import { concatBytes, toHex, utf8 } from "../../src/base/bytes.ts";
import type { EngineStatus } from "../../consensus/engine.ts";
import type { FaultClass } from "../../src/replica/conduct.ts";
import { GATE_BOUNDS } from "../../src/replica/constants.ts";
import { Intake } from "../../src/replica/intake.ts";
import type { Arrival } from "../../src/replica/intakeHost.ts";
import {
  fakeSignature,
  idOf,
  KEYS,
  makeTransaction,
  type NaiveBlock,
  naiveChild,
  naiveGenesis,
  START_TIME,
  testGenesis,
} from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const root = naiveGenesis(genesis);
/** The first three are producers. */
const [SELF, A, B, STRANGER] = KEYS as [string, string, string, string];
const LANES: Lane[] = ["urgent", "bulk"];

/** A node's intake; what it asks of the node is what the test says. */
class Node {
  readonly known = new Set<string>();
  readonly knownTransactions = new Set<string>();
  readonly requested = new Set<string>();
  isDiskBehind = false;
  irreversibleHeight = 0;
  certifiedHeight = 0;
  status: EngineStatus = "leader";
  /** Whoever asks does so within its rate. */
  isPaced = true;
  noticedAt = 0;
  addressesAt = 0;
  readonly strangers = new Set<string>();
  /** Known, and judged. */
  readonly inLedger = new Set<string>();
  /** Blocks whose attachments could not be judged when they came. */
  readonly unchecked: string[] = [];
  leader: string | undefined;
  streamedFrom = 0;
  /** Who has been asked for a range. */
  readonly rangesOwed = new Set<string>([STRANGER]);
  readonly batches: { readonly batch: number; readonly claims: readonly SignatureClaim[] }[] = [];
  readonly delivered: { readonly from: PeerKey; readonly arrival: Arrival }[] = [];
  readonly faults: [PeerKey, FaultClass][] = [];
  duplicates = 0;
  readonly disconnected: [PeerKey, string][] = [];
  /** Passed on to others: to whom, for whom. */
  readonly forwarded: { readonly to: PeerKey; readonly source: PeerKey; readonly destinations: readonly PeerKey[] }[] =
    [];
  readonly transport = new RoutedTransport({
    relaysMayLie: false,
    self: SELF,
    now: () => START_TIME,
    isDestination: (key) => genesis.configuration.producers.includes(key),
    signSeqno: () => fakeSignature(SELF),
    lost: () => undefined,
    linkChanged: () => undefined,
    shapesTree: () => true,
    admits: () => true,
    send: (to, _, parts) => {
      const envelope = decodeEnvelope(concatBytes(...parts))?.envelope;
      if (envelope !== undefined) this.forwarded.push({ to, ...envelope });
    },
  });
  readonly intake = new Intake({
    self: SELF,
    genesis,
    transport: this.transport,
    isProducer: (key) => genesis.configuration.producers.includes(key),
    attachmentUnchecked: ({ id }) => void this.unchecked.push(id),
    isDiskBehind: () => this.isDiskBehind,
    isKnown: (id) => this.known.has(id),
    isInLedger: (id) => this.inLedger.has(id),
    isKnownTransaction: (id) => this.knownTransactions.has(toHex(id)),
    asked: (id) => this.requested.has(id),
    irreversibleHeight: () => this.irreversibleHeight,
    kit: engineKit(genesis, "00".repeat(32)),
    isNews: ({ height }) => height > this.certifiedHeight,
    isVoteNews: (_, { vote }) => vote.height > this.irreversibleHeight,
    isEvidenceNews: () => true,
    isNoticeNews: ({ at }) => at > this.noticedAt,
    addressesWorthChecking: (_, records) => records.filter(({ sequence }) => sequence > this.addressesAt),
    status: () => this.status,
    senderOf: (peer) => {
      if ([SELF, A, B].includes(peer)) return peer === this.leader ? "leader" : "producer";
      return this.strangers.has(peer) ? "stranger" : "follower";
    },
    watchesLeader: () => false,
    owesRange: (peer, { from, anchorHeight }) => this.rangesOwed.has(peer) && from === 1 && anchorHeight === 9,
    streamedFrom: () => this.streamedFrom,
    checkSignatures: (batch, claims) => void this.batches.push({ batch, claims }),
    deliver: (from, arrival) => void this.delivered.push({ from, arrival }),
    conduct: {
      fault: (peer, what) => void this.faults.push([peer, what]),
      news: () => undefined,
      duplicate: () => void this.duplicates++,
      admits: () => this.isPaced,
    },
    disconnect: (peer, reason) => void this.disconnected.push([peer, reason]),
  });

  /** On the chain lane. */
  sync(from: PeerKey, frame: Uint8Array): void {
    this.intake.received(from, "chain", frame);
  }
  unicast(from: PeerKey, payload: Uint8Array, lane: Lane = "bulk"): void {
    this.intake.received(from, lane, enveloped(from, payload, false));
  }
  broadcast(from: PeerKey, payload: Uint8Array): void {
    this.intake.received(from, "urgent", enveloped(from, payload, true));
  }
  /** All signatures that were given out, or are then, are checked. @returns their keys */
  check(valid = true): string[] {
    const checked: string[] = [];
    for (let next = this.batches.shift(); next !== undefined; next = this.batches.shift()) {
      checked.push(...next.claims.map(({ key }) => key));
      this.intake.checked(next.batch, valid);
    }
    return checked;
  }
  /** Keys whose signatures were given out to be checked, since the last time. */
  get signers(): string[] {
    return this.batches.flatMap(({ claims }) => claims.map(({ key }) => key));
  }
  /** What came through, for short. */
  get kinds(): string[] {
    return this.delivered.map(({ arrival }) => (arrival.kind === "sync" ? arrival.message.kind : arrival.kind));
  }
  expectNothing(): void {
    expect([this.delivered, this.batches, this.faults, this.disconnected, this.intake.waiting]).toEqual([
      [],
      [],
      [],
      [],
      0,
    ]);
  }
}

function enveloped(source: PeerKey, payload: Uint8Array, broadcast: boolean): Uint8Array {
  const destinations = broadcast ? [] : [SELF];
  return concatBytes(...encodeEnvelope({ source, destinations, ttl: 1, broadcast }, payload));
}

function blockFrame(block: Block, prefix = BLOCK_PREFIX): Uint8Array {
  return concatBytes(prefix, ...encodeBlockParts(block));
}
const responseFrame = (block: Block): Uint8Array => blockFrame(block, BLOCK_RESPONSE_PREFIX);

function signedTransaction(n: number, author: string, payload = utf8(`put k ${n}`)): Uint8Array {
  const nonce = fakeSignature(`nonce ${n}`).subarray(0, 16);
  return encodeTransaction({ payload, nonce, expiresAt: START_TIME + 1_000, author, signature: fakeSignature(author) });
}

const child = (parent: NaiveBlock, transactions: readonly Uint8Array[] = []): NaiveBlock =>
  naiveChild(genesis, parent, { view: 1, producer: A, transactions });
const first = child(root);
const second = child(first);
const third = child(second);

/** Of a block by acks of these, for its shape. */
function certificateOf({ block }: NaiveBlock, signers = [A, B]): Uint8Array {
  const acks = signers.map((signer) => ({ signer, position: 0, signature: fakeSignature(signer) }));
  return certificateMessage.encode({ view: block.header.view, path: [block.headerBytes], acks });
}

function helloOf({ view, height, id }: NaiveBlock, rootCertificate?: Uint8Array): Uint8Array {
  const hello: Hello = {
    seq: 1,
    echo: 0,
    head: { view, height, id },
    root: { view, height, id },
    ...(rootCertificate && { rootCertificate }),
    locator: [{ height, id }],
    irreversibleHeight: height,
  };
  return encodeHello(hello);
}

function signedBy(signer: string): Uint8Array {
  const content = { view: 1, round: 1, irreversibleHeight: 0 };
  return encodeSigned(genesis.chainId, signer, { kind: "heartbeat", content }, () => fakeSignature(signer));
}
function resultsOf(signer: string, submitter = SELF): Uint8Array {
  const answer = { submitter, view: 1, results: [{ id: first.id, outcome: "ODD", detail: "why" }] };
  return encodeTransactionResults(genesis.chainId, signer, answer, () => fakeSignature(signer));
}
const RESULTS = resultsOf(A);
function readIndexReplyOf(signer: string, reader = SELF): Uint8Array {
  return encodeReadIndexReply(genesis.chainId, signer, { reader, number: 3, height: 8 }, () => fakeSignature(signer));
}
const forwardOf = (...transactions: readonly Uint8Array[]): Uint8Array =>
  encodeTransactionForward(encodeList(transactions));

describe("a block (docs/protocol.md, section 1, access)", () => {
  it("is taken from anybody once its producer's signature, and its transactions' authors', were checked", () => {
    const block = child(root, [signedTransaction(1, STRANGER), makeTransaction("put k v", 2)]);
    const node = new Node();
    node.sync(STRANGER, blockFrame(block.block));
    expect([node.kinds, node.intake.waiting]).toEqual([[], 1]);
    expect(node.check()).toEqual([A, STRANGER]);
    expect([node.kinds, node.delivered[0]?.from]).toEqual([["block"], STRANGER]);
  });

  it("with a signature that is not valid is its sender's misbehaviour, and goes no further", () => {
    const node = new Node();
    node.sync(B, blockFrame(first.block));
    node.check(false);
    expect([node.kinds, node.faults]).toEqual([[], [[B, "badSignature"]]]);
  });

  it.each(["block", "blockResponse"])(
    "of somebody who is no producer is misbehaviour, and costs no check: %s",
    (kind) => {
      const { block } = naiveChild(genesis, root, { producer: STRANGER });
      const node = new Node();
      // Without its parent, what was asked for is taken: who may produce is not known yet.
      if (kind === "blockResponse")
        for (const [known, id] of [
          [node.requested, block.id],
          [node.inLedger, root.id],
        ] as const)
          known.add(id);
      node.sync(A, kind === "block" ? blockFrame(block) : responseFrame(block));
      expect(node.faults.splice(0)).toEqual([[A, "invalidBlock"]]);
      node.expectNothing();
    },
  );

  it("by a producer who is none yet waits behind the blocks that may bring it; what is attached to it is checked later", () => {
    const { block } = naiveChild(genesis, first, { producer: STRANGER });
    for (const isBrought of [true, false]) {
      const node = new Node();
      node.sync(A, blockFrame(first.block));
      node.sync(A, blockFrame(block));
      expect([node.intake.waiting, node.faults]).toEqual([2, []]);
      // The first of them is on its way to the ledger, where it waits for its time; or came to nothing.
      if (isBrought) node.known.add(first.id);
      node.check();
      expect(node.unchecked).toEqual(isBrought ? [block.id] : []);
      expect(node.faults).toEqual(isBrought ? [] : [[A, "invalidBlock"]]);
      expect(node.kinds).toEqual(isBrought ? ["block", "block"] : ["block"]);
    }
  });

  it("as a response that nobody asked for is dropped unchecked", () => {
    const node = new Node();
    node.sync(A, responseFrame(first.block));
    expect(node.faults.splice(0)).toEqual([[A, "unrequested"]]);
    node.expectNothing();
    node.requested.add(first.id);
    node.sync(A, responseFrame(first.block));
    expect(node.signers).toEqual([A]);
    node.check();
    expect(node.kinds).toEqual(["blockResponse"]);
  });

  it("that is known, or at or below the irreversible height, costs no check, and is passed on: its sender has it", () => {
    const node = new Node();
    node.irreversibleHeight = 2;
    node.known.add(third.id);
    for (const { block } of [first, second, third]) node.sync(A, blockFrame(block));
    expect([node.kinds, node.batches]).toEqual([["block", "block", "block"], []]);
    node.sync(A, blockFrame(child(third).block));
    expect([node.kinds.length, node.signers]).toEqual([3, [A]]);
  });
});

describe("an arrival let in unchecked because it was known", () => {
  it("waits behind others of its lane that are being checked", () => {
    const node = new Node();
    node.known.add(first.id);
    node.sync(A, blockFrame(second.block));
    node.sync(A, blockFrame(first.block));
    node.sync(A, encodeBlockRequest(third.id));
    node.sync(B, blockFrame(first.block));
    expect(node.delivered.map(({ from }) => from)).toEqual([B]);
    node.check();
    expect(node.kinds).toEqual(["block", "block", "block", "blockRequest"]);
  });

  it("is not delivered when its block was forgotten meanwhile: another copy of that id was the one checked", () => {
    const node = new Node();
    node.known.add(first.id);
    node.sync(A, blockFrame(second.block));
    node.sync(A, blockFrame({ ...first.block, signature: fakeSignature("forged") }));
    node.known.clear();
    node.check();
    expect(node.delivered.map(({ arrival }) => arrival)).toMatchObject([{ message: { block: { id: second.id } } }]);
    expect([node.faults, node.intake.waiting]).toEqual([[], 0]);
  });

  it("is, when it has become irreversible", () => {
    const node = new Node();
    node.known.add(first.id);
    node.sync(A, blockFrame(second.block));
    node.sync(A, blockFrame(first.block));
    node.known.clear();
    node.irreversibleHeight = 1;
    node.check();
    expect(node.kinds).toEqual(["block", "block"]);
  });

  it("is not, when it is a forward whose transactions are not known any more", () => {
    const node = new Node();
    const transaction = signedTransaction(1, STRANGER);
    node.knownTransactions.add(idOf(transaction));
    node.unicast(A, forwardOf(signedTransaction(2, STRANGER)));
    node.unicast(A, forwardOf(transaction));
    node.unicast(A, RESULTS);
    node.knownTransactions.clear();
    node.check();
    expect(node.kinds).toEqual(["transactions", "results"]);
  });
});

describe("a hello", () => {
  it("costs no check without a certificate, nor with one that is no news; with one that is, its signatures", () => {
    const node = new Node();
    node.certifiedHeight = 1;
    node.sync(A, helloOf(first));
    node.sync(A, helloOf(first, certificateOf(first)));
    expect(node.delivered.map(({ arrival }) => arrival)).toMatchObject([
      { certificate: undefined },
      { certificate: undefined },
    ]);
    node.sync(A, helloOf(second, certificateOf(second)));
    expect(node.check()).toEqual([A, B]);
    expect(node.delivered[2]?.arrival).toMatchObject({ message: { kind: "hello" }, certificate: { id: second.id } });
  });

  it("whose certificate does not hold, by its shape or its signatures, is misbehaviour", () => {
    const node = new Node();
    node.sync(A, helloOf(first, certificateOf(first, [A])));
    expect([node.faults, node.batches]).toEqual([[[A, "invalidCertificate"]], []]);
    node.sync(A, helloOf(first, certificateOf(first)));
    node.check(false);
    expect([node.faults[1], node.kinds]).toEqual([[A, "badSignature"], []]);
  });
});

describe("a signed consensus message", () => {
  it("counts from its signer, once its signature was checked", () => {
    const node = new Node();
    node.unicast(A, signedBy(A));
    expect([node.signers, node.kinds]).toEqual([[A], []]);
    node.check();
    expect(node.delivered).toMatchObject([{ from: A, arrival: { kind: "consensus", message: { signer: A } } }]);
  });

  it("in another's envelope is dropped unchecked, as whatever a stranger says, who may have become a producer", () => {
    const node = new Node();
    node.unicast(B, signedBy(A));
    node.unicast(STRANGER, signedBy(A));
    node.unicast(STRANGER, signedBy(STRANGER));
    expect(node.faults.splice(0)).toEqual([[B, "refusedMessage"]]);
    node.expectNothing();
  });

  it("never counts by broadcast", () => {
    const node = new Node();
    node.broadcast(A, signedBy(A));
    expect(node.faults.splice(0)).toEqual([[A, "refusedMessage"]]);
    node.expectNothing();
  });
});

describe("a certificate", () => {
  it("is taken from anybody, by broadcast or not, once its signatures were checked", () => {
    const node = new Node();
    node.broadcast(STRANGER, encodeCertificatePayload(certificateOf(first)));
    node.unicast(STRANGER, encodeCertificatePayload(certificateOf(second)), "urgent");
    expect(node.check().sort()).toEqual([A, A, B, B].sort());
    expect(node.delivered.map(({ arrival }) => arrival)).toMatchObject([
      { kind: "certificate", certificate: { id: first.id } },
      { kind: "certificate", certificate: { id: second.id } },
    ]);
  });

  it("that is no news is dropped unchecked", () => {
    const node = new Node();
    node.certifiedHeight = 2;
    node.broadcast(A, encodeCertificatePayload(certificateOf(first)));
    node.unicast(A, encodeCertificatePayload(certificateOf(second)));
    node.expectNothing();
  });

  it.each([
    ["of no majority", [A]],
    ["of a stranger's ack", [A, STRANGER]],
    ["with one ack twice", [A, A]],
  ])("%s is misbehaviour, and costs no check", (_, signers) => {
    const node = new Node();
    node.unicast(B, encodeCertificatePayload(certificateOf(first, signers)));
    expect([node.faults, node.batches, node.kinds]).toEqual([[[B, "invalidCertificate"]], [], []]);
  });
});

describe("a range of blocks", () => {
  const range = (): Uint8Array =>
    encodeRangeResponsePayload([first.block, second.block], { from: 1, anchorHeight: 9, path: [] });

  it("has the signatures checked of blocks that this node may stream on, and of no others", () => {
    const node = new Node();
    node.streamedFrom = 2;
    node.unicast(STRANGER, range());
    expect([node.signers, node.kinds]).toEqual([[second.block.header.producer], []]);
    node.check();
    expect(node.kinds).toEqual(["rangeResponse"]);
  });

  it("with a bad one among them counts as not held: who sent it may have been lied to", () => {
    const node = new Node();
    node.unicast(STRANGER, range());
    node.check(false);
    expect([node.faults, node.kinds]).toEqual([[], ["rangeResponse"]]);
    expect(node.delivered).toMatchObject([{ arrival: { response: { blocks: { count: 0 }, proof: { from: 1 } } } }]);
  });

  it("that this peer was not asked for costs no check, and its sender a fault", () => {
    const node = new Node();
    node.unicast(B, range());
    node.unicast(STRANGER, encodeRangeResponsePayload([second.block], { from: 2, anchorHeight: 9, path: [] }));
    expect([node.batches, node.kinds]).toEqual([[], []]);
    expect(node.faults).toEqual([
      [B, "unrequested"],
      [STRANGER, "unrequested"],
    ]);
  });

  it("far below needs no check", () => {
    const node = new Node();
    node.streamedFrom = 3;
    node.unicast(STRANGER, range());
    expect([node.batches, node.kinds]).toEqual([[], ["rangeResponse"]]);
  });
});

describe("transactions that another node forwards", () => {
  it("are taken while leading only, and not by broadcast: whoever forwards keeps them", () => {
    const node = new Node();
    const forward = forwardOf(makeTransaction("put k v", 1));
    node.status = "follower";
    node.unicast(STRANGER, forward);
    node.expectNothing();
    node.status = "leader";
    node.broadcast(STRANGER, forward);
    expect(node.faults.splice(0)).toEqual([[STRANGER, "refusedMessage"]]);
    node.expectNothing();
    node.unicast(STRANGER, forward);
    expect(node.delivered).toMatchObject([{ from: STRANGER, arrival: { kind: "transactions" } }]);
  });

  it("cost a check for each signature of those that are not known, and none for the others", () => {
    const node = new Node();
    const [known, unknown] = [signedTransaction(1, A), signedTransaction(2, B)];
    node.knownTransactions.add(idOf(known));
    node.unicast(STRANGER, forwardOf(known, makeTransaction("put k v", 3)));
    expect([node.kinds, node.batches]).toEqual([["transactions"], []]);
    node.unicast(STRANGER, forwardOf(known, unknown));
    expect([node.kinds.length, node.signers]).toEqual([1, [B]]);
    node.check();
    expect(node.kinds).toEqual(["transactions", "transactions"]);
  });
});

describe("a leader's answer", () => {
  it.each([
    ["results", resultsOf],
    ["readIndexReply", readIndexReplyOf],
  ])("%s: counts by unicast, for whom it names, once its signature was checked", (kind, of) => {
    const node = new Node();
    node.broadcast(A, of(A));
    node.unicast(B, of(A));
    node.unicast(STRANGER, of(STRANGER));
    expect(node.faults.splice(0)).toEqual([A, B].map((peer) => [peer, "refusedMessage"]));
    node.unicast(A, of(A, B));
    node.expectNothing();
    node.unicast(A, of(A));
    expect([node.signers, node.kinds]).toEqual([[A], []]);
    node.check();
    expect(node.delivered).toMatchObject([{ from: A, arrival: { kind } }]);
  });
});

describe("what is for others", () => {
  const onward = (from: PeerKey, source: PeerKey, destinations: readonly PeerKey[], payload: Uint8Array, ttl = 5) =>
    [from, "urgent", concatBytes(...encodeEnvelope({ source, destinations, ttl, broadcast: false }, payload))] as const;
  const relay = (): Node => {
    const node = new Node();
    for (const peer of [A, B, STRANGER]) node.transport.peerUp(peer);
    node.status = "follower";
    return node;
  };

  it("is passed on when it is valid, and delivered when it is for this node, too", () => {
    const node = relay();
    node.intake.received(...onward(STRANGER, A, [B, SELF], signedBy(A)));
    expect([node.forwarded, node.kinds]).toEqual([[], []]);
    node.check();
    expect(node.forwarded).toMatchObject([{ to: B, source: A, destinations: [B], ttl: 4 }]);
    expect(node.delivered).toMatchObject([{ from: A, arrival: { kind: "consensus" } }]);
  });

  it.each([
    ["a forward", forwardOf(makeTransaction("put k v", 1)), STRANGER, []],
    ["a signed author's forward", forwardOf(signedTransaction(1, STRANGER)), STRANGER, [STRANGER]],
    ["a question of a reader", encodeReadIndex(3), STRANGER, []],
    ["an answer to a reader", readIndexReplyOf(A, B), A, [A]],
    ["results", resultsOf(A, B), A, [A]],
    ["a consensus message", signedBy(A), A, [A]],
  ])("%s goes on, by who does not lead, its signatures checked first", (_, payload, source, signers) => {
    const node = relay();
    node.intake.received(...onward(STRANGER, source, [B], payload));
    expect([node.forwarded.length, node.check()]).toEqual([signers.length === 0 ? 1 : 0, signers]);
    expect([node.forwarded, node.kinds]).toMatchObject([[{ to: B, source }], []]);
  });

  it("with votes of which this node learns nothing is checked only where it is passed on, and then whole", () => {
    const votes = [1, 2].map((height) => ({
      commit: height === 1,
      vote: { view: 1, height, id: first.id },
      signature: fakeSignature(`${height}`),
    }));
    const payload = encodeVotes({ signer: A, votes });
    const node = relay();
    node.irreversibleHeight = 1;
    node.unicast(A, payload);
    expect([node.check(), node.delivered[0]?.arrival]).toEqual([
      [A],
      { kind: "votes", votes: { signer: A, votes: votes.slice(1) } },
    ]);
    node.intake.received(...onward(STRANGER, A, [B, SELF], encodeVotes({ signer: A, votes: votes.slice(0, 1) })));
    expect([node.check(), node.forwarded.length]).toEqual([[A], 1]);
    node.irreversibleHeight = 2;
    node.unicast(A, payload);
    expect([node.check(), node.delivered.length, node.faults]).toEqual([[], 2, []]);
  });

  it("is not passed on when a signature is not valid, and costs who sent it, whoever is said to be its source", () => {
    const node = relay();
    node.intake.received(...onward(STRANGER, A, [B], signedBy(A)));
    node.check(false);
    expect([node.forwarded, node.faults]).toEqual([[], [[STRANGER, "badSignature"]]]);
  });

  it.each([
    ["by its last link", onward(A, A, [B], signedBy(A), 1)],
    ["of a signer under another source", onward(B, STRANGER, [B], signedBy(A))],
    [
      "on ranges, which neighbours tell each other",
      onward(A, A, [B], encodeRangeResponsePayload([], { from: 1, anchorHeight: 9, path: [] })),
    ],
    ["on routes, which neighbours tell each other", onward(A, A, [B], encodeRouteUpdates([]))],
  ])("is not passed on %s", (_, received) => {
    const node = relay();
    node.intake.received(...received);
    node.check();
    expect([node.forwarded, node.kinds]).toEqual([[], []]);
  });
});

describe("a message on routes", () => {
  const route = { producer: B, seqno: 7n, metric: 5, signature: fakeSignature(B) };
  const update = encodeRouteUpdates([{ producer: B, route }]);

  it("counts from a neighbour, once the producer's signature over its seqno was checked; that one once", () => {
    const node = new Node();
    for (const peer of [A, STRANGER]) node.transport.peerUp(peer);
    node.unicast(STRANGER, update, "urgent");
    expect(node.kinds).toEqual([]);
    const [claim] = node.batches.flatMap(({ claims }) => claims);
    expect(claim).toEqual({
      key: B,
      digest: signingDigest("seqno", genesis.chainId, encodeSeqno(7n)),
      signature: route.signature,
    });
    node.check();
    expect(node.kinds).toEqual(["routing"]);
    const arrival = node.delivered[0]?.arrival;
    if (arrival?.kind !== "routing") throw new Error("another message");
    node.transport.receiveRouting(STRANGER, arrival.message);
    node.unicast(A, update, "urgent");
    expect([node.batches, node.kinds]).toEqual([[], ["routing", "routing"]]);
  });

  it("that asks for all of them is looked at within its sender's rate only: the answer is much larger", () => {
    const node = new Node();
    node.unicast(A, encodeRouteRequest(undefined), "urgent");
    node.isPaced = false;
    for (const asked of [undefined, B]) node.unicast(A, encodeRouteRequest(asked), "urgent");
    expect(node.delivered.map(({ arrival }) => arrival)).toEqual(
      [undefined, B].map((asked) => ({ kind: "routing", message: { kind: "routeRequest", producer: asked } })),
    );
  });

  it("with a seqno that its producer did not sign is misbehaviour", () => {
    const node = new Node();
    node.transport.peerUp(STRANGER);
    node.unicast(STRANGER, update, "urgent");
    node.check(false);
    expect([node.kinds, node.faults]).toEqual([[], [[STRANGER, "badSignature"]]]);
  });
});

describe("a frame", () => {
  const frame = blockFrame(child(root, [makeTransaction("put k v", 1)]).block);
  const wrongBody = frame.slice();
  wrongBody[frame.length - 1] = (frame[frame.length - 1] as number) ^ 1;
  it.each<[string, Lane, Uint8Array]>([
    ["an empty one", "chain", new Uint8Array(0)],
    ["an unknown kind on the chain lane", "chain", Uint8Array.of(99, 1)],
    ["a block cut short", "chain", frame.subarray(0, frame.length - 1)],
    ["a body that does not match its header", "chain", wrongBody],
    ["no envelope", "urgent", Uint8Array.of(1)],
    ["an unknown kind in an envelope", "bulk", enveloped(A, Uint8Array.of(99, 1), false)],
    ["a forward that is no list", "bulk", enveloped(A, Uint8Array.of(33, 1), false)],
  ])("that does not decode is a fault of its sender: %s", (_, lane, bytes) => {
    const node = new Node();
    node.intake.received(A, lane, bytes);
    expect([node.faults, node.kinds, node.batches]).toEqual([[[A, "undecodable"]], [], []]);
  });

  it("for nobody, or a broadcast that came before, is dropped", () => {
    const node = new Node();
    const elsewhere = encodeEnvelope({ source: A, destinations: [], ttl: 1, broadcast: false }, RESULTS);
    node.intake.received(A, "urgent", concatBytes(...elsewhere));
    node.expectNothing();
    for (const from of [A, B]) node.broadcast(from, encodeCertificatePayload(certificateOf(first)));
    expect([node.batches.length, node.duplicates]).toEqual([1, 1]);
  });
});

describe("addresses that a neighbour tells", () => {
  const record = (node: PeerKey, sequence: number) =>
    makeAddressRecord(node, sequence, ["/ip4/192.0.2.1/tcp/1"], () => fakeSignature(node));
  const payload = encodeAddressRecords([record(B, 5), record(STRANGER, 2)]);

  it("are taken when the signature of each node is valid, whoever tells them", () => {
    const node = new Node();
    node.strangers.add(STRANGER);
    node.unicast(STRANGER, payload);
    expect(node.check()).toEqual([B, STRANGER]);
    expect(node.delivered).toMatchObject([
      { from: STRANGER, arrival: { kind: "addresses", records: [{ node: B, sequence: 5 }, { node: STRANGER }] } },
    ]);
  });

  it("are not when one is false, and that is a fault; what is no news is not checked", () => {
    const node = new Node();
    node.unicast(A, payload);
    node.check(false);
    expect([node.delivered, node.faults]).toEqual([[], [[A, "badSignature"]]]);
    node.addressesAt = 4;
    node.unicast(A, payload);
    expect(node.check()).toEqual([B]);
    node.addressesAt = 5;
    node.unicast(A, payload);
    expect(node.check()).toEqual([]);
    expect(node.delivered).toHaveLength(1);
  });

  it("are refused when they come by broadcast, in another's name, or do not decode", () => {
    const node = new Node();
    node.broadcast(A, payload);
    node.intake.received(A, "bulk", enveloped(B, payload, false));
    node.unicast(A, payload.subarray(0, -1));
    expect(node.faults).toEqual([
      [A, "refusedMessage"],
      [A, "refusedMessage"],
      [A, "undecodable"],
    ]);
    expect(node.check()).toEqual([]);
  });
});

describe("more than the disk takes", () => {
  it("ends the link as overloaded, unless it is here: a stream with a hole is of no use", () => {
    const { block } = first;
    const node = new Node();
    node.isDiskBehind = true;
    node.sync(A, blockFrame(block));
    expect([node.intake.waiting, node.disconnected]).toEqual([0, [[A, "overloaded"]]]);
    node.known.add(block.id);
    node.sync(B, blockFrame(block));
    expect([node.kinds, node.disconnected]).toEqual([["block"], [[A, "overloaded"]]]);
  });
});

describe("more than can be checked", () => {
  const large = Array.from({ length: 4 }, (_, n) => signedTransaction(n, STRANGER, new Uint8Array(1_040_000)));
  const fill = Math.floor(GATE_BOUNDS.maxBytes / 4_160_000);

  it("on the chain lane ends the link as overloaded: a stream with a hole is of no use", () => {
    const bytes = blockFrame(child(root, large).block);
    const node = new Node();
    for (let i = 0; i < fill; i++) node.sync(A, bytes);
    expect([node.intake.waiting, node.disconnected]).toEqual([fill, []]);
    node.sync(A, bytes);
    expect([node.intake.waiting, node.disconnected]).toEqual([fill, [[A, "overloaded"]]]);
    // It is a bound of each peer, and ends with it.
    node.sync(B, blockFrame(first.block));
    expect(node.disconnected).toHaveLength(1);
    node.intake.peerDown(A);
    expect(node.intake.waiting).toBe(1);
    node.check();
    expect(node.delivered.map(({ from }) => from)).toEqual([B]);
  });

  it.each(LANES)("on the %s lane is dropped: it is sent again", (lane) => {
    const bytes = forwardOf(...large);
    const node = new Node();
    for (let i = 0; i <= fill; i++) node.unicast(A, bytes, lane);
    expect(node.intake.waiting).toBe(fill);
    expect([node.disconnected, node.faults]).toEqual([[], [[A, "overload"]]]);
    node.check();
    expect(node.kinds).toHaveLength(fill);
  });
});
