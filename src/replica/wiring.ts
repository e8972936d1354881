/** The parts of a replica, put together: each is given what it needs of the others, and nothing else. */
import { hexBytes, toHex, utf8 } from "../base/bytes.ts";
import { sha256 } from "../base/hash.ts";
import type { PeerKey } from "../base/key.ts";
import { seededRandom } from "../base/random.ts";
import { blockClaim, encodeBlockParts } from "../../chain/block.ts";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { headerMessage } from "../../chain/header.ts";
import { Ledger } from "../../chain/ledger.ts";
import { ancestorAt } from "../../chain/forkDatabase.ts";
import { membersAround } from "../../chain/producerSets.ts";
import { type SignatureClaim, signingDigest } from "../../chain/signing.ts";
import type { Engine } from "../../consensus/engine.ts";
import { type EngineKit, engineKit } from "../../consensus/engines.ts";
import { Finality } from "../../consensus/finality.ts";
import { Mempool } from "../../consensus/mempool/mempool.ts";
import {
  BLOCK_PREFIX,
  BLOCK_RESPONSE_PREFIX,
  encodeBlockAnnouncement,
  encodeBlockRequest,
  encodeCertificatePayload,
  encodeEvidencePayload,
  encodeHello,
  encodeNotice,
  encodeReadIndex,
  encodeReadIndexReply,
  encodeTransactionResults,
} from "../../consensus/messages.ts";
import { noticeKind } from "../../consensus/notice.ts";
import { BestChain, type RawBlock } from "../../consensus/sync/bestChain.ts";
import { SYNC_LIMITS } from "../../consensus/sync/constants.ts";
import { Sync } from "../../consensus/sync/sync.ts";
import type { CloseReason } from "../../net/link/types.ts";
import { RoutedTransport } from "../../net/transport/routedTransport.ts";
import { encodeAddressRecords } from "../../net/transport/addressMessages.ts";
import type { Transport } from "../../net/transport/types.ts";
import type { Sender } from "./access.ts";
import { Admission } from "./admission.ts";
import { BlockProducer } from "./blockProducer.ts";
import { CatchUp } from "./catchUp.ts";
import { Conduct } from "./conduct.ts";
import { Discovery } from "./discovery.ts";
import { engineHost } from "./engineHost.ts";
import { EvidenceStore } from "./evidenceStore.ts";
import { LEAVING_TIMEOUTS, OUTBOUND_PEERS } from "./constants.ts";
import { Intake } from "./intake.ts";
import type { Arrival } from "./intakeHost.ts";
import { Leaving } from "./leaving.ts";
import { LateAttachments } from "./lateAttachments.ts";
import { LinearizableReads } from "./linearizableReads.ts";
import { Outbox } from "./outbox.ts";
import type { ReplicaStart } from "./start.ts";
import { ProducerWatch } from "./producerWatch.ts";
import { StateFlusher } from "./stateFlusher.ts";
import { Submissions } from "./submissions.ts";
import type { LogLevel, ReadRefusal } from "./types.ts";

/** Counts of questions begin below this: enough that two lives hardly share one. */
const FIRST_NUMBERS = 2 ** 48;
/** Of a question: far from the end of integers. */
const NUMBER_BYTES = 6;

/** What the parts ask of the whole. */
export interface Core {
  readonly now: () => number;
  /** A message that was let in: decoded, from somebody who may send it, signatures valid, order kept. */
  readonly deliver: (from: PeerKey, arrival: Arrival) => void;
  readonly disconnect: (peer: PeerKey, reason: CloseReason, detail: string) => void;
  readonly log: (level: LogLevel, layer: string, message: string, fields?: Record<string, unknown>) => void;
  readonly halt: (why: string, certificates?: readonly Uint8Array[]) => void;
}

export interface Parts {
  readonly kit: EngineKit;
  readonly late: LateAttachments;
  readonly ledger: Ledger;
  readonly outbox: Outbox;
  readonly finality: Finality;
  readonly admission: Admission;
  readonly chain: BestChain;
  readonly mempool: Mempool;
  readonly transport: Transport;
  readonly engine: Engine;
  readonly sync: Sync;
  readonly catchUp: CatchUp;
  readonly submissions: Submissions;
  readonly reads: LinearizableReads;
  readonly leaving: Leaving;
  readonly producer: BlockProducer;
  readonly conduct: Conduct;
  readonly watch: ProducerWatch;
  readonly discovery: Discovery;
  readonly evidence: EvidenceStore;
  readonly intake: Intake;
  readonly flusher: StateFlusher;
}

/** Puts the parts together and takes in the blocks that the disk held. The engine is not started yet. */
export function wire(start: ReplicaStart, core: Core): Parts {
  const kit = engineKit(start.genesis, makeGenesisBlock(start.genesis, start.application).block.id, {
    setsNamed: (hash, height) => ledger.setsNamed(hash, height),
    isProducer: (key) => ledger.isProducer(key),
    inForce: () => ledger.setsInForce,
  });
  const late = new LateAttachments(kit, start.verify);
  const ledger = new Ledger(start.execution, start.bottom, late.headerRule, start.rejected);
  const outbox = new Outbox();
  const finality = new Finality(ledger, bottomCertificate(start));
  const { mempoolBytes, mempoolTransactions } = start.settings;
  // Filled part by part: a part asks for another only when the replica runs.
  const first: Partial<Parts> = {
    kit,
    late,
    ledger,
    outbox,
    finality,
    flusher: new StateFlusher(ledger),
    chain: new BestChain(ledger, start.log, () => finality.newest?.height ?? 0, start.syncLimits, {
      certifiedRoot: () => parts.engine.certifiedRoot?.ref,
      areRootsFinal: kit.rootsAreFinal,
    }),
    mempool: new Mempool({ maxBytes: mempoolBytes, maxCount: mempoolTransactions }),
  };
  const parts = first as { -readonly [Part in keyof Parts]: Parts[Part] };
  parts.transport = transport(start, core, parts);
  parts.admission = admission(start, core, parts);
  parts.admission.restore(start.blocks);
  parts.engine = kit.makeEngine(engineHost(start, core, parts), start.record);
  parts.conduct = conduct(parts, core);
  parts.sync = sync(start, core, parts);
  parts.catchUp = catchUp(start, core, parts);
  parts.submissions = submissions(start, core, parts);
  parts.reads = reads(start, core, parts);
  parts.watch = watch(start, core, parts);
  parts.discovery = discovery(start, core, parts);
  parts.evidence = evidence(start, core, parts);
  parts.leaving = leaving(start, core, parts);
  parts.producer = producer(start, core, parts);
  parts.intake = intake(start, core, parts);
  return parts;
}

function bottomCertificate({ bottom, certificate }: ReplicaStart): ConstructorParameters<typeof Finality>[1] {
  const { id, header } = bottom.block;
  if (certificate.length === 0) return undefined;
  return { height: header.height, id, historyRoot: header.historyRoot, bytes: certificate };
}

function transport(start: ReplicaStart, core: Core, parts: Parts): RoutedTransport {
  const { self, genesis, sign, floods = false } = start;
  return new RoutedTransport(
    {
      self,
      now: core.now,
      send: (to, lane, frame, { durable }) => parts.outbox.send(to, lane, frame, durable),
      relaysMayLie: parts.kit.relaysMayLie,
      isDestination: (key) => parts.ledger.isProducer(key),
      signSeqno: (seqno) => sign(signingDigest("seqno", genesis.chainId, seqno)),
      linkChanged: (peer) => parts.sync.linkChanged(peer),
      // Certificates are the leader's, but under BFT, where two leaders make one and the same while one hands over to the other.
      // Every producer says that it is there: its ways are not those of blocks.
      shapesTree: ([kind]) => genesis.engine !== "bft" && (kind === undefined || noticeKind(kind) === undefined),
      admits: (from) => parts.conduct.admits(from, false),
      // As when its link breaks: a hint that it may have died.
      lost: (lostProducer) => parts.engine.linkBroke(lostProducer),
    },
    !floods,
  );
}

function admission(start: ReplicaStart, core: Core, parts: Parts): Admission {
  const { ledger, finality, outbox } = parts;
  return new Admission({
    uncheckedUpTo: Math.max(start.bottom.block.header.height, ...start.blocks.map(({ header }) => header.height)),
    ledger,
    finality,
    outbox,
    clockToleranceMs: start.genesis.limits.clockToleranceMs,
    now: core.now,
    engine: () => parts.engine,
    irreversibleIdAt: (height) =>
      height < ledger.bottom.height ? start.log.idAt(height) : ancestorAt(ledger.root, height)?.id,
    proofOf: (block) => parts.kit.proofOf(block),
    released: (from, block, outcome) => parts.sync.released(from, block, outcome),
    sentBefore: (peers, block) => parts.sync.sentBefore(peers, block),
    log: core.log,
    halt: core.halt,
  });
}

function conduct({ ledger }: Parts, core: Core): Conduct {
  return new Conduct({
    now: core.now,
    isProducer: (peer) => ledger.isProducer(peer),
    disconnect: core.disconnect,
    log: (level, message, fields) => core.log(level, "net", message, fields),
  });
}

/** Who was lately a producer, or may soon be one, still has things to say as one. */
function senderOf(peer: PeerKey, { engine, ledger, sync: live }: Parts): Sender {
  if (ledger.isProducer(peer)) return engine.state.leader === peer ? "leader" : "producer";
  return live.connections().get(peer)?.peerRoot === undefined ? "stranger" : "follower";
}

function intake(start: ReplicaStart, core: Core, parts: Parts): Intake {
  const { kit, ledger, transport, mempool, sync, finality, engine, chain, admission, outbox } = parts;
  return new Intake({
    self: start.self,
    genesis: start.genesis,
    transport,
    isProducer: (key) => ledger.isProducer(key),
    attachmentUnchecked: (block) => parts.late.unchecked(block),
    isDiskBehind: () => outbox.owesTooMuch,
    isKnown: (id) => admission.isKnown(id),
    isInLedger: (id) => ledger.get(id) !== undefined,
    isKnownTransaction: (id) => mempool.get(toHex(id)) !== undefined || ledger.findTransaction(id) !== undefined,
    asked: (id) => sync.asked(id),
    irreversibleHeight: () => ledger.bottom.height,
    kit,
    isNews: (certificate) => {
      const { height, id, view, isFinal } = certificate;
      if (!isFinal) return engine.isCertificateNews?.({ height, id, view }) === true;
      // Under Raft and VSR nobody lies: a certificate that contradicts is not worth its checks.
      return finality.isNews(height, id) || (!kit.rootsAreFinal && admission.contradicts(certificate));
    },
    isEvidenceNews: (each) => parts.evidence.isNews(each),
    addressesWorthChecking: (from, records) => parts.discovery.worthChecking(from, records),
    isVoteNews: (signer, vote) => engine.isVoteNews?.(signer, vote) === true,
    isNoticeNews: (notice) => parts.watch.isNews(notice),
    status: () => engine.state.status,
    senderOf: (peer) => senderOf(peer, parts),
    watchesLeader: () => kit.forwardsToAll && membersAround(ledger.head).includes(start.self),
    owesRange: (peer, { from, anchorHeight }) => parts.catchUp.owes(peer, from, anchorHeight),
    streamedFrom: (anchorHeight) => chain.streamedFrom(anchorHeight),
    checkSignatures: (batch, claims) => outbox.effect({ kind: "checkSignatures", batch, claims }),
    deliver: core.deliver,
    conduct: parts.conduct,
    disconnect: core.disconnect,
  });
}

function sync(start: ReplicaStart, core: Core, parts: Parts): Sync {
  const { chain, outbox, ledger, admission, finality, transport } = parts;
  const sendBlock = blockSender(start, parts);
  return new Sync({
    chain,
    links: transport.links,
    now: core.now,
    sendHello: (to, hello) => outbox.send(to, "chain", [encodeHello(hello)], false),
    sendBlock: (to, block, requested) => {
      const sentBytes = sendBlock(to, block, requested);
      if (sentBytes !== undefined) parts.engine.blockSent?.(to, block.id);
      return sentBytes;
    },
    sendBlockRequest: (to, id) => outbox.send(to, "chain", [encodeBlockRequest(id)], false),
    sendBlockAnnouncement: (to, block) => outbox.send(to, "chain", [encodeBlockAnnouncement(block)], false),
    adopt: (certificate, from) => {
      if (!admission.adopt(certificate) || !certificate.isFinal) return;
      // It came with a hello, from one neighbour: nobody else tells it to who is behind this node.
      const payload = encodeCertificatePayload(certificate.bytes);
      for (const [peer] of parts.sync.connections()) if (peer !== from) transport.toNeighbour(peer, "urgent", payload);
    },
    acceptBlock: (from, block, requested) => admission.accept(from, block, requested),
    isKnown: (id) => admission.isKnown(id),
    lowestMissing: (orphan) => ledger.lowestMissing(orphan),
    rootCertificate: (isFinal) => (isFinal ? undefined : parts.engine.certifiedRoot?.bytes) ?? finality.shown,
    fault: (peer, what, detail) => parts.conduct.fault(peer, what, detail),
    finalityConflict: (peer, detail) => core.disconnect(peer, "finalityConflict", detail),
  });
}

function blockSender(
  { genesis, verify }: ReplicaStart,
  { outbox, admission }: Parts,
): (to: PeerKey, block: RawBlock, requested: boolean) => number | undefined {
  // A new block goes to all peers, one after the other: the one that was sent last is kept encoded.
  let encoded: { readonly id: string; readonly parts: readonly Uint8Array[]; readonly isSound: boolean } | undefined;
  return (to, block, requested) => {
    const prefix = requested ? BLOCK_RESPONSE_PREFIX : BLOCK_PREFIX;
    if (encoded?.id !== block.id) {
      const isSound = block.height > admission.uncheckedUpTo || isSigned(block, genesis.chainId, verify);
      encoded = { id: block.id, parts: encodeBlockParts(block), isSound };
    }
    if (!encoded.isSound) return undefined;
    const frame = [prefix, ...encoded.parts];
    outbox.send(to, "chain", frame, false);
    // Exactly what the link will report as drained: an estimate would leak budget.
    return frame.reduce((sum, part) => sum + part.length, 0);
  };
}

/** As a peer will check it. */
function isSigned(
  { id, headerBytes, signature }: RawBlock,
  chainId: string,
  verify: (claim: SignatureClaim) => boolean,
): boolean {
  const header = headerMessage.decode(headerBytes);
  return header.ok && verify(blockClaim(chainId, { id, header: header.value, signature }));
}

function catchUp(start: ReplicaStart, core: Core, parts: Parts): CatchUp {
  const { ledger, chain, sync: live, transport, finality, outbox, admission } = parts;
  return new CatchUp({
    limits: start.syncLimits ?? SYNC_LIMITS,
    ledger,
    chain,
    log: start.log,
    sync: live,
    transport,
    now: core.now,
    anchor: () => finality.newest,
    outstanding: () => outbox.outstanding,
    acceptProven: (blocks) => admission.acceptProven(blocks),
    fault: (peer, what, detail) => parts.conduct.fault(peer, what, detail),
    tell: (message, fields) => core.log("info", "sync", message, fields),
  });
}

function submissions(start: ReplicaStart, core: Core, parts: Parts): Submissions {
  const { kit, ledger, mempool, engine, transport, outbox } = parts;
  const { self, genesis, sign } = start;
  return new Submissions({
    self,
    ledger,
    mempool,
    application: start.application,
    engine: genesis.engine,
    limits: genesis.limits,
    now: core.now,
    view: () => engine.state.view,
    leader: () => engine.state.leader,
    others: () => (kit.forwardsToAll ? membersAround(ledger.head).filter((key) => key !== start.self) : []),
    reaches: (to) => transport.reaches(to),
    unicast: (to, payload) => transport.unicast(to, "bulk", payload, { durable: false }),
    answer: (submitter, view, results) => {
      const answer = { submitter, view, results };
      const payload = encodeTransactionResults(genesis.chainId, self, answer, sign);
      transport.unicast(submitter, "bulk", payload, { durable: false });
    },
    tell: (outcomes) => outbox.effect({ kind: "outcomes", outcomes }),
  });
}

function reads(start: ReplicaStart, core: Core, parts: Parts): LinearizableReads {
  const { engine, ledger, transport, outbox } = parts;
  const { self, genesis, sign } = start;
  const send = (to: PeerKey, payload: Uint8Array): void =>
    void transport.unicast(to, "urgent", payload, { durable: false });
  const host = {
    self,
    now: core.now,
    view: () => engine.state.view,
    leader: () => engine.state.leader,
    irreversibleHeight: () => ledger.bottom.height,
    drawNumber: questionNumbers(start),
    askEngine: (question: number) => engine.lead.read(question),
    ask: (leader: PeerKey, number: number) => send(leader, encodeReadIndex(number)),
    answer: (reader: PeerKey, number: number, height: number) =>
      send(reader, encodeReadIndexReply(genesis.chainId, self, { reader, number, height }, sign)),
    readable: (requests: readonly number[], height: number) => outbox.effect({ kind: "readable", requests, height }),
    refused: (requests: readonly number[], why: ReadRefusal) => outbox.effect({ kind: "readRefused", requests, why }),
  };
  return new LinearizableReads(host);
}

/** The start of a signature that is sent to nobody, over a count that begins elsewhere at every start. */
export function questionNumbers({ seed, sign }: Pick<ReplicaStart, "seed" | "sign">): () => number {
  let count = Math.floor(seededRandom(~seed).next() * FIRST_NUMBERS);
  return () => {
    const signature = sign(sha256(utf8(`cairn read question ${count++}`)));
    return signature.subarray(0, NUMBER_BYTES).reduce((number, byte) => number * 256 + byte, 0);
  };
}

function watch({ self, sign, genesis }: ReplicaStart, core: Core, parts: Parts): ProducerWatch {
  const { chainId } = genesis;
  const { ledger, transport, sync: live, outbox } = parts;
  return new ProducerWatch({
    self,
    producers: () => ledger.head.setsAfter.members,
    now: core.now,
    hasLinks: () => live.connections().size > 0,
    announce: (kind, at) => transport.broadcast("urgent", encodeNotice(chainId, { kind, signer: self, at }, sign)),
    redial: (peer) => outbox.effect({ kind: "redial", peer }),
    log: (level, message, fields) => core.log(level, "consensus", message, fields),
  });
}

function evidence({ verify }: ReplicaStart, core: Core, parts: Parts): EvidenceStore {
  const { kit, transport, outbox } = parts;
  return new EvidenceStore({
    decode: (bytes, kept) => kit.decodeEvidence(bytes, kept ? () => true : undefined),
    spread: (bytes, from) => transport.broadcast("urgent", encodeEvidencePayload(bytes), from),
    now: core.now,
    repeat: (bytes) => {
      for (const peer of parts.sync.connections().keys())
        transport.toNeighbour(peer, "urgent", encodeEvidencePayload(bytes));
    },
    isSigned: (claim) => verify(claim),
    keep: (each) => {
      outbox.persistEvidence({ producer: each.producer, kind: each.kind, bytes: each.bytes });
      outbox.effect({ kind: "evidence", evidence: each });
    },
    accuse: (producer, what) => parts.watch.accuse(producer, what),
    log: (level, message, fields) => core.log(level, "consensus", message, fields),
  });
}

function discovery(start: ReplicaStart, core: Core, { ledger, transport, outbox }: Parts): Discovery {
  const { self, genesis, sign, addresses = [], outboundPeers = OUTBOUND_PEERS } = start;
  return new Discovery(
    {
      self,
      // Beside the engine's numbers, which are drawn from the same seed.
      random: seededRandom(start.seed ^ 0x0add4e55),
      outboundPeers,
      now: core.now,
      isProducer: (node) => ledger.isProducer(node),
      sign: (content) => sign(signingDigest("addresses", genesis.chainId, content)),
      tell: (peer, records) => transport.toNeighbour(peer, "bulk", encodeAddressRecords(records)),
      dial: (peer, those) => outbox.effect({ kind: "dial", peer, addresses: those }),
      letGo: (peer, those) => outbox.effect({ kind: "letGo", peer, addresses: those }),
      keep: (kept) => outbox.effect({ kind: "keepAddresses", addresses: kept }),
    },
    addresses,
  );
}

function leaving(start: ReplicaStart, core: Core, { engine, mempool, outbox, watch: announcer }: Parts): Leaving {
  return new Leaving({
    engine,
    mempool,
    boundMs: LEAVING_TIMEOUTS * start.settings.electionTimeoutMs,
    now: core.now,
    handedOver: (undecided) => {
      announcer.leave();
      outbox.effect({ kind: "handedOver", undecided });
    },
  });
}

function producer(start: ReplicaStart, core: Core, parts: Parts): BlockProducer {
  const { self, sign, settings, genesis } = start;
  const { ledger, mempool, engine, transport, outbox, admission: blocks, submissions: submitted } = parts;
  return new BlockProducer({
    self,
    ledger,
    mempool,
    engine,
    settings,
    now: core.now,
    isDiskBehind: () => outbox.owesTooMuch,
    signBlock: (id) => sign(signingDigest("block", genesis.chainId, hexBytes(id))),
    produced: (node) => {
      transport.links.own(node.id);
      // Who opens a view is where blocks come from now: the direct way is the shortest, unless somebody knows a better one.
      if (node.view !== node.parent?.view) transport.links.activateAll();
      blocks.added(node);
      engine.lead.produced(node);
    },
    refused: (on, refusals) => submitted.refused(on, refusals),
  });
}
