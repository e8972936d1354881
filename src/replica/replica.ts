/**
 * The deterministic whole: ledger, sync, engine, mempool and transport wired into one state machine. `step` takes an
 * input and returns effects; nothing else happens. The shell (`src/node`) and the simulator (`tools/sim`) drive it.
 */
import { hexBytes, toHex } from "../base/bytes.ts";
import type { PeerKey } from "../base/key.ts";
import { type Random, seededRandom } from "../base/random.ts";
import { type Result, unreachable } from "../base/result.ts";
import type { Application } from "../../chain/application.ts";
import { type Block, encodeBlockParts } from "../../chain/block.ts";
import { isProducer } from "../../chain/configuration.ts";
import type { ExecutionSetting } from "../../chain/execution.ts";
import type { BlockNode, InvalidReason } from "../../chain/forkDatabase.ts";
import type { Genesis } from "../../chain/genesis.ts";
import { type AddOutcome, Ledger, type LedgerEvent } from "../../chain/ledger.ts";
import { encodeFrontier, type Frontier } from "../../chain/merkle.ts";
import { signingDigest } from "../../chain/signing.ts";
import type { Certificate } from "../../consensus/certificate.ts";
import type { ConsensusSettings } from "../../consensus/constants.ts";
import type { Engine, EngineHost } from "../../consensus/engine.ts";
import { Finality } from "../../consensus/finality.ts";
import { Mempool } from "../../consensus/mempool/mempool.ts";
import {
  BLOCK_PREFIX,
  BLOCK_RESPONSE_PREFIX,
  contentDigest,
  encodeBlockRequest,
  encodeCertificatePayload,
  encodeHello,
  encodeSigned,
  type SignedContent,
} from "../../consensus/messages.ts";
import { type RaftRecord, raftRecordMessage } from "../../consensus/raft/messages.ts";
import { raftHeaderRule } from "../../consensus/raft/headerRule.ts";
import { Raft } from "../../consensus/raft/raft.ts";
import { BestChain, type BlockLog, type RawBlock } from "../../consensus/sync/bestChain.ts";
import { SYNC_LIMITS, type SyncLimits } from "../../consensus/sync/constants.ts";
import type { RangeLog } from "../../consensus/sync/rangeServer.ts";
import { Sync } from "../../consensus/sync/sync.ts";
import type { CloseReason } from "../../net/link/types.ts";
import { DirectTransport } from "../../net/transport/directTransport.ts";
import type { Transport } from "../../net/transport/types.ts";
import { BlockProducer } from "./blockProducer.ts";
import { CatchUp } from "./catchUp.ts";
import { EXECUTION_SLICE_TRANSACTIONS, LEAVING_TIMEOUTS } from "./constants.ts";
import { HeldBlocks } from "./heldBlocks.ts";
import { type Arrival, Intake } from "./intake.ts";
import { Leaving } from "./leaving.ts";
import { LinearizableReads } from "./linearizableReads.ts";
import { Outbox, persistedBlock } from "./outbox.ts";
import { StateFlusher } from "./stateFlusher.ts";
import { Submissions } from "./submissions.ts";
import { syncStatus } from "./syncStatus.ts";
import type { Effect, Input, LogLevel, ReplicaStatus } from "./types.ts";

/** What a replica starts from: what the shell read from disk, and the services that stay outside. */
export interface ReplicaStart {
  readonly genesis: Genesis;
  readonly application: Application;
  readonly settings: ConsensusSettings;
  readonly self: PeerKey;
  /** Signs a 32-byte digest with this node's key; the key stays in the shell. */
  readonly sign: (digest: Uint8Array) => Uint8Array;
  /** State as of `bottom`, flushed; the duplicate window up to `bottom`. */
  readonly execution: ExecutionSetting;
  /** The irreversible block promised on disk, and the history up to it. */
  readonly bottom: { readonly block: Block; readonly frontier: Frontier };
  readonly certificate: Uint8Array;
  /** Blocks above it, all branches, parents first: from this node's own disk, checked when they came. */
  readonly blocks: readonly Block[];
  readonly log: BlockLog & RangeLog;
  /** The engine's record; undefined: missing or damaged. */
  readonly record: Uint8Array | undefined;
  /** Ids of the blocks that the operator rejected. */
  readonly rejected?: readonly string[];
  readonly seed: number;
  /** The simulator draws small ones; all nodes of a chain have the same. */
  readonly syncLimits?: SyncLimits;
}

export class Replica {
  readonly #start: ReplicaStart;
  readonly #ledger: Ledger;
  readonly #engine: Engine;
  readonly #sync: Sync;
  readonly #catchUp: CatchUp;
  readonly #transport: Transport;
  readonly #mempool: Mempool;
  readonly #submissions: Submissions;
  readonly #reads: LinearizableReads;
  readonly #leaving: Leaving;
  readonly #producer: BlockProducer;
  readonly #chain: BestChain;
  readonly #outbox = new Outbox();
  readonly #intake: Intake;
  readonly #flusher: StateFlusher;
  readonly #random: Random;
  readonly #held = new HeldBlocks();
  readonly #finality: Finality;
  /** The block that was sent last. */
  #encoded: { readonly id: string; readonly parts: readonly Uint8Array[] } | undefined;
  #now = 0;
  #timerAt = Number.POSITIVE_INFINITY;
  #headMoved = false;
  #continuing = false;
  #halted: string | undefined;

  constructor(start: ReplicaStart, now: number) {
    this.#start = start;
    this.#now = now;
    this.#random = seededRandom(start.seed);
    this.#ledger = new Ledger(
      start.execution,
      start.bottom,
      raftHeaderRule(start.genesis.configuration),
      start.rejected,
    );
    this.#flusher = new StateFlusher(this.#ledger);
    this.#chain = new BestChain(this.#ledger, start.log, () => this.#finality.newest?.height ?? 0, start.syncLimits);
    const { mempoolBytes, mempoolTransactions } = start.settings;
    this.#mempool = new Mempool({ maxBytes: mempoolBytes, maxCount: mempoolTransactions });
    this.#transport = new DirectTransport(start.self, (to, lane, parts, { durable }) =>
      this.#outbox.send(to, lane, parts, durable),
    );
    const { id, header } = start.bottom.block;
    const certificate = { height: header.height, id, historyRoot: header.historyRoot, bytes: start.certificate };
    this.#finality = new Finality(this.#ledger, certificate.bytes.length > 0 ? certificate : undefined);
    this.#restoreBlocks(start.blocks);
    this.#engine = new Raft(this.#engineHost(), decodeRecord(start.record));
    this.#sync = this.#makeSync();
    this.#catchUp = this.#makeCatchUp();
    this.#submissions = this.#makeSubmissions();
    this.#reads = this.#makeReads();
    this.#leaving = this.#makeLeaving();
    this.#producer = this.#makeProducer();
    this.#intake = this.#makeIntake();
    this.#engine.start();
  }

  /** For reads by the shell (state, blocks, transactions) and for oracles. */
  get ledger(): Ledger {
    return this.#ledger;
  }
  get chain(): BestChain {
    return this.#chain;
  }
  get mempool(): Mempool {
    return this.#mempool;
  }

  /** Takes one input at a time `now` (ms) that never goes back. */
  step(input: Input, now: number): Effect[] {
    this.#now = Math.max(this.#now, now);
    if (this.#halted !== undefined) return [];
    this.#handle(input);
    this.#settle();
    const effects = this.#outbox.finish(() => this.#engine.encodeRecord());
    if (this.#halted !== undefined) return effects.filter((effect) => effect.kind === "halt" || effect.kind === "log");
    this.#setTimer(effects);
    return effects;
  }

  status(): ReplicaStatus {
    const { head, bottom } = this.#ledger;
    const engine = this.#engine.state;
    const connections = [...this.#sync.connections()];
    return {
      engine: { ...engine, status: this.#halted === undefined ? engine.status : "halted" },
      head: { view: head.view, height: head.height, id: head.id, time: head.block.header.time },
      irreversible: { view: bottom.view, height: bottom.height, id: bottom.id, time: bottom.block.header.time },
      sync: syncStatus({
        configuration: this.#start.genesis.configuration,
        self: this.#start.self,
        headHeight: head.height,
        certifiedHeight: this.#finality.newest?.height ?? 0,
        connections: this.#sync.connections(),
        isPulling: this.#catchUp.isPulling,
        stalledBecause: this.#catchUp.stalledBecause(),
      }),
      mempool: { count: this.#mempool.count, bytes: this.#mempool.bytes },
      peers: connections.map(([peer, connection]) => ({
        peer,
        phase: connection.phase,
        height: connection.peerHead?.height,
      })),
      halted: this.#halted,
      sizes: this.sizes,
    };
  }

  /** Sizes of everything bounded. */
  get sizes(): ReplicaStatus["sizes"] {
    return {
      ...this.#ledger.sizes,
      held: this.#held.size,
      gateWaiting: this.#intake.waiting,
      blockRequests: this.#sync.requests,
      ...this.#catchUp.sizes,
      mempoolCount: this.#mempool.count,
      mempoolBytes: this.#mempool.bytes,
      reads: this.#reads.waiting,
      readAskers: this.#reads.askers,
      persistOutstanding: this.#outbox.outstanding,
    };
  }

  #handle(input: Input): void {
    switch (input.kind) {
      case "tick":
        // A timer fires once: the same time, should it still be the next, has to be asked for again.
        this.#timerAt = Number.POSITIVE_INFINITY;
        this.#releaseHeld();
        this.#engine.tick();
        this.#sync.tick();
        this.#catchUp.tick();
        this.#reads.tick();
        return this.#submissions.tick();
      case "peerUp":
        this.#transport.peerUp(input.peer);
        this.#sync.peerUp(input.peer);
        if (this.#finality.newest) this.#sendCertificate(input.peer, this.#finality.newest.bytes);
        return;
      case "peerDown":
        this.#transport.peerDown(input.peer);
        this.#sync.peerDown(input.peer);
        this.#catchUp.peerDown(input.peer);
        this.#intake.peerDown(input.peer);
        this.#reads.peerDown(input.peer);
        if (input.broken) this.#engine.linkBroke(input.peer);
        return;
      case "received":
        return this.#intake.received(input.from, input.lane, input.frame);
      case "drained":
        if (input.lane === "bulk") return this.#catchUp.drained(input.peer, input.bytes);
        return this.#sync.drained(input.peer, input.bytes);
      case "persisted":
        return this.#persisted(input.token);
      case "signaturesChecked":
        return this.#intake.checked(input.batch, input.valid.every(Boolean));
      case "continue":
        this.#continuing = false;
        return;
      case "flushed":
        this.#ledger.flushed();
        return this.#flusher.changed(this.#now);
      case "stopping":
        return this.#flusher.stopping(this.#now);
      case "read":
        return this.#reads.read(input.request);
      case "handOver":
        return this.#leaving.begin();
      case "rejectBlock":
        return this.#rejectBlock(input.id);
      case "acceptBlock":
        return this.#ledger.accept(input.id);
      case "submit":
        this.#outbox.effect({
          kind: "submitted",
          request: input.request,
          answers: this.#submissions.submit(input.transactions),
        });
        return;
      default:
        return unreachable(input);
    }
  }

  /** Everything that follows from the input: execution, production, forwarding, flushing. */
  #settle(): void {
    let more = this.#work();
    more = this.#producer.step() || more;
    // A block just produced is the head now, and may be decided now where one producer is a majority.
    more = this.#work() || more;
    for (let immediate = this.#outbox.takeImmediate(); immediate.length > 0; immediate = this.#outbox.takeImmediate()) {
      for (const after of immediate) this.#afterPersist(after);
    }
    if (this.#headMoved) {
      this.#headMoved = false;
      this.#sync.headMoved();
    }
    more = this.#sync.pushOn() || more;
    more = this.#catchUp.work() || more;
    this.#submissions.forward();
    this.#reads.proceed();
    this.#leaving.proceed();
    const flush = this.#flusher.take(this.#now);
    if (flush !== undefined) this.#outbox.effect({ kind: "flush", flush });
    if (more && !this.#continuing) {
      this.#continuing = true;
      this.#outbox.effect({ kind: "continue" });
    }
  }

  #work(): boolean {
    const { events, more } = this.#ledger.work(EXECUTION_SLICE_TRANSACTIONS);
    for (const event of events) this.#onLedgerEvent(event);
    return more;
  }

  #onLedgerEvent(event: LedgerEvent): void {
    switch (event.kind) {
      case "head":
        for (const node of event.undone) this.#submissions.blockUndone(node);
        for (const node of event.applied) this.#submissions.blockApplied(node);
        this.#headMoved = true;
        this.#engine.headMoved(event.to);
        this.#outbox.effect({
          kind: "head",
          block: { view: event.to.view, height: event.to.height, id: event.to.id },
          undone: event.undone.length,
          applied: event.applied.length,
        });
        return;
      case "invalid":
        this.#log("error", "consensus", "a block is not valid", {
          ...event.reason,
          height: event.node.height,
          producer: event.node.block.header.producer,
        });
        if (this.#finality.isCertified(event.node))
          this.#halt(`block ${event.node.id} is certified and not valid here: ${event.reason.detail}`);
        return;
      case "final": {
        const node = event.nodes.at(-1) as BlockNode;
        const certificate = this.#finality.certificateOf(node.id) ?? NOTHING;
        this.#outbox.persistIrreversible({
          height: node.height,
          id: node.id,
          certificate,
          frontier: encodeFrontier(node.frontier),
        });
        this.#outbox.whenDurable({ kind: "irreversible", node });
        return;
      }
      default:
        return unreachable(event);
    }
  }

  #persisted(token: number): void {
    for (const after of this.#outbox.persisted(token)) this.#afterPersist(after);
  }

  #afterPersist(after: ReturnType<Outbox["persisted"]>[number]): void {
    if (after.kind === "action") this.#engine.durable(after.action);
    else this.#promise(after.node);
  }

  /** The disk knows that `node` is irreversible: now it may be said. */
  #promise(node: BlockNode): void {
    if (node.height <= this.#ledger.bottom.height) return;
    const nodes: BlockNode[] = [];
    for (let at: BlockNode = node; at !== this.#ledger.bottom; at = at.parent as BlockNode) nodes.push(at);
    // The block is told before what follows from it, the outcomes of its transactions.
    this.#outbox.effect({
      kind: "irreversible",
      block: { view: node.view, height: node.height, id: node.id },
      time: node.block.header.time,
      transactions: nodes.reduce((sum, each) => sum + each.block.transactions.count, 0),
    });
    this.#sync.beforeRelease(node);
    for (const each of nodes.reverse()) this.#submissions.irreversible(each);
    this.#ledger.release(node);
    this.#flusher.changed(this.#now);
    this.#engine.irreversibleMoved(node);
  }

  // What comes in

  /** Decoded, from somebody who may send it, signatures valid, order kept. */
  #deliver(from: PeerKey, arrival: Arrival): void {
    switch (arrival.kind) {
      case "sync":
        return this.#sync.receive(from, arrival.message, arrival.certificate);
      case "consensus":
        return this.#engine.receive(arrival.message);
      case "certificate":
        if (this.#adopt(arrival.certificate)) {
          this.#transport.broadcast("urgent", encodeCertificatePayload(arrival.certificate.bytes), from);
        }
        return;
      case "transactions":
        return this.#submissions.receiveForward(from, arrival.transactions);
      case "results":
        return this.#submissions.receiveResults(from, arrival.results);
      case "readIndex":
        return this.#reads.receiveIndex(from, arrival.number);
      case "readIndexReply":
        return this.#reads.receiveReply(from, arrival.number, arrival.height);
      case "rangeRequest":
        return this.#catchUp.requested(from, arrival.request);
      case "rangeResponse":
        return this.#catchUp.arrived(from, arrival.response);
      default:
        return unreachable(arrival);
    }
  }

  // Blocks and certificates

  #acceptBlock(from: PeerKey, block: Block): AddOutcome | { readonly kind: "held" } {
    if (this.#isAhead(block)) {
      this.#held.hold(block, from);
      return { kind: "held" };
    }
    // The held copy of a block is the one whose signature was checked.
    this.#releaseHeld();
    const outcome = this.#ledger.add(block);
    if (outcome.kind === "added") for (const node of outcome.nodes) this.#blockAdded(node);
    this.#sync.heldBy(this.#held.takeDropped(block.id), block);
    return outcome;
  }

  /** Blocks that a certified block proves by hash: no signature is checked, they are irreversible as they come. */
  #acceptProven(blocks: readonly Block[]): void {
    for (const block of blocks) {
      const outcome = this.#ledger.add(block);
      if (outcome.kind === "added") for (const node of outcome.nodes) this.#blockAdded(node);
      else if (outcome.kind !== "known") {
        const why = outcome.kind === "rejected" ? `${outcome.reason.code}: ${outcome.reason.detail}` : outcome.kind;
        return this.#halt(
          `block ${block.header.height} ${block.id} is certified and does not fit what is here: ${why}`,
        );
      }
    }
    const last = this.#ledger.get((blocks.at(-1) as Block).id);
    if (last !== undefined) this.#haltUnless(this.#ledger.setIrreversible(last));
  }

  #rejectBlock(id: string): void {
    const rejected = this.#ledger.reject(id);
    if (!rejected.ok) return this.#log("error", "chain", "a block cannot be rejected", { ...rejected.error });
    const node = rejected.value;
    this.#log("warn", "chain", "the operator rejected a block", { id, ...(node && { height: node.height }) });
    if (node !== undefined) this.#engine.rejected();
  }

  #blockAdded(node: BlockNode): void {
    this.#outbox.persistBlock(persistedBlock(node.block));
    this.#engine.headerSeen(node.block.header);
    this.#haltUnless(this.#finality.blockAdded(node));
  }

  /** A live block is taken in once its time is at most the tolerance ahead of my clock; a certified one always. */
  #isAhead(block: Block): boolean {
    const { clockToleranceMs } = this.#start.genesis.limits;
    if (block.header.time <= this.#now + clockToleranceMs) return false;
    // Not taken in at all, and its signature was not checked: it must not take the place of one that was.
    if (block.header.height <= this.#ledger.bottom.height) return false;
    return block.header.height > (this.#finality.newest?.height ?? 0);
  }

  #releaseHeld(): void {
    for (const { block, from } of this.#held.takeDue((each) => this.#isAhead(each))) {
      this.#sync.released(from, block, this.#acceptBlock(from[0] as PeerKey, block));
    }
  }

  #isKnown(id: string): boolean {
    return this.#ledger.get(id) !== undefined || this.#ledger.isOrphan(id) || this.#held.has(id);
  }

  /** @returns whether it was news */
  #adopt(certificate: Certificate): boolean {
    const { height, id, header, bytes } = certificate;
    if (!this.#finality.isNews(height, id)) return false;
    // A copy: the frame it came in would be kept alive whole.
    this.#haltUnless(this.#finality.adopt({ height, id, historyRoot: header.historyRoot, bytes: bytes.slice() }));
    this.#releaseHeld();
    return true;
  }

  #haltUnless(outcome: Result<undefined, InvalidReason>): void {
    if (!outcome.ok) this.#halt(`${outcome.error.code}: ${outcome.error.detail}`);
  }

  #sendCertificate(to: PeerKey, certificate: Uint8Array): void {
    this.#transport.unicast(to, "urgent", encodeCertificatePayload(certificate), { durable: false });
  }

  // Rules and hosts

  /** Blocks of this node's own disk: checked and persisted before. */
  #restoreBlocks(blocks: readonly Block[]): void {
    for (const block of blocks) {
      const outcome = this.#ledger.add(block);
      if (outcome.kind === "rejected")
        this.#log("error", "storage", "a block on disk is not valid", { ...outcome.reason });
    }
    for (let more = true; more;) more = this.#ledger.work(Number.POSITIVE_INFINITY).more;
  }

  #engineHost(): EngineHost {
    const { self, genesis, settings, sign } = this.#start;
    const { chainId, configuration } = genesis;
    const signed = (content: SignedContent): Uint8Array => encodeSigned(chainId, self, content, sign);
    return {
      self,
      configuration,
      settings,
      ledger: this.#ledger,
      now: () => this.#now,
      random: () => this.#random.next(),
      unicast: (to, content, options) => void this.#transport.unicast(to, "urgent", signed(content), options),
      multicast: (content, options) =>
        this.#transport.multicast(configuration.producers, "urgent", signed(content), options),
      sign: (content) => sign(contentDigest(chainId, content)),
      reaches: (producer) => this.#transport.reaches(producer),
      readAnswered: (reads, height) => this.#reads.engineAnswered(reads, height),
      persistRecord: () => this.#outbox.persistRecord(),
      whenDurable: (action) => this.#outbox.whenDurable({ kind: "action", action }),
      certified: (node, bytes) => {
        const { height, id } = node;
        const { historyRoot } = node.block.header;
        this.#haltUnless(this.#finality.adopt({ height, id, historyRoot, bytes }));
        this.#transport.broadcast("urgent", encodeCertificatePayload(bytes));
      },
      log: (level, message, fields) => this.#log(level, "consensus", message, fields),
    };
  }

  #makeIntake(): Intake {
    return new Intake({
      genesis: this.#start.genesis,
      transport: this.#transport,
      isKnown: (id) => this.#isKnown(id),
      isKnownTransaction: (id) =>
        this.#mempool.get(toHex(id)) !== undefined || this.#ledger.findTransaction(id) !== undefined,
      asked: (id) => this.#sync.asked(id),
      irreversibleHeight: () => this.#ledger.bottom.height,
      isNews: (height, id) => this.#finality.isNews(height, id),
      isLeading: () => this.#engine.state.leader === this.#start.self,
      streamedFrom: () => this.#chain.streamedFrom,
      checkSignatures: (batch, claims) => this.#outbox.effect({ kind: "checkSignatures", batch, claims }),
      deliver: (from, arrival) => this.#deliver(from, arrival),
      misbehaved: (peer, detail) => this.#misbehaved(peer, detail),
      disconnect: (peer, reason, detail) => this.#disconnect(peer, reason, detail),
    });
  }

  #makeSync(): Sync {
    return new Sync({
      chain: this.#chain,
      now: () => this.#now,
      sendHello: (to, hello) => this.#outbox.send(to, "chain", [encodeHello(hello)], false),
      sendBlock: (to, block, requested) => this.#sendBlock(to, block, requested),
      sendBlockRequest: (to, id) => this.#outbox.send(to, "chain", [encodeBlockRequest(id)], false),
      adopt: (certificate) => void this.#adopt(certificate),
      acceptBlock: (from, block) => this.#acceptBlock(from, block),
      isKnown: (id) => this.#isKnown(id),
      lowestMissing: (orphan) => this.#ledger.lowestMissing(orphan),
      rootCertificate: () => this.#finality.shown,
      misbehaved: (peer, detail) => this.#misbehaved(peer, detail),
      finalityConflict: (peer, detail) => this.#disconnect(peer, "finalityConflict", detail),
    });
  }

  #makeCatchUp(): CatchUp {
    return new CatchUp({
      limits: this.#start.syncLimits ?? SYNC_LIMITS,
      ledger: this.#ledger,
      chain: this.#chain,
      log: this.#start.log,
      sync: this.#sync,
      transport: this.#transport,
      now: () => this.#now,
      anchor: () => this.#finality.newest,
      outstanding: () => this.#outbox.outstanding,
      acceptProven: (blocks) => this.#acceptProven(blocks),
      misbehaved: (peer, detail) => this.#misbehaved(peer, detail),
      tell: (message, fields) => this.#log("info", "sync", message, fields),
    });
  }

  #sendBlock(to: PeerKey, block: RawBlock, requested: boolean): number {
    const prefix = requested ? BLOCK_RESPONSE_PREFIX : BLOCK_PREFIX;
    // A new block goes to all peers, one after the other.
    if (this.#encoded?.id !== block.id) this.#encoded = { id: block.id, parts: encodeBlockParts(block) };
    const parts = [prefix, ...this.#encoded.parts];
    this.#outbox.send(to, "chain", parts, false);
    // Exactly what the link will report as drained: an estimate would leak budget.
    return parts.reduce((sum, part) => sum + part.length, 0);
  }

  #makeSubmissions(): Submissions {
    const { self, application, genesis } = this.#start;
    return new Submissions({
      self,
      ledger: this.#ledger,
      mempool: this.#mempool,
      application,
      limits: genesis.limits,
      now: () => this.#now,
      view: () => this.#engine.state.view,
      leader: () => this.#engine.state.leader,
      unicast: (to, payload) => this.#transport.unicast(to, "bulk", payload, { durable: false }),
      tell: (outcomes) => this.#outbox.effect({ kind: "outcomes", outcomes }),
    });
  }

  #makeReads(): LinearizableReads {
    return new LinearizableReads({
      self: this.#start.self,
      now: () => this.#now,
      view: () => this.#engine.state.view,
      leader: () => this.#engine.state.leader,
      irreversibleHeight: () => this.#ledger.bottom.height,
      askEngine: (question) => this.#engine.read(question),
      unicast: (to, payload) => this.#transport.unicast(to, "urgent", payload, { durable: false }),
      readable: (requests, height) => this.#outbox.effect({ kind: "readable", requests, height }),
      refused: (requests, why) => this.#outbox.effect({ kind: "readRefused", requests, why }),
    });
  }

  #makeLeaving(): Leaving {
    return new Leaving({
      engine: this.#engine,
      mempool: this.#mempool,
      boundMs: LEAVING_TIMEOUTS * this.#start.settings.electionTimeoutMs,
      now: () => this.#now,
      handedOver: (undecided) => this.#outbox.effect({ kind: "handedOver", undecided }),
    });
  }

  #makeProducer(): BlockProducer {
    const { self, sign, settings, genesis } = this.#start;
    return new BlockProducer({
      self,
      ledger: this.#ledger,
      mempool: this.#mempool,
      engine: this.#engine,
      settings,
      now: () => this.#now,
      signBlock: (id) => sign(signingDigest("block", genesis.chainId, hexBytes(id))),
      produced: (node) => {
        this.#blockAdded(node);
        this.#engine.produced(node);
      },
      refused: (on, refusals) => this.#submissions.refused(on, refusals),
    });
  }

  #setTimer(effects: Effect[]): void {
    const at = Math.min(
      this.#engine.deadline,
      this.#sync.deadline,
      this.#catchUp.deadline,
      this.#submissions.deadline,
      this.#reads.deadline,
      this.#leaving.deadline,
      this.#producer.deadline,
      this.#heldDeadline(),
      this.#flusher.deadline,
    );
    if (at === this.#timerAt) return;
    this.#timerAt = at;
    effects.push({ kind: "setTimer", at });
  }

  #heldDeadline(): number {
    return this.#held.earliestTime - this.#start.genesis.limits.clockToleranceMs;
  }

  /** Costs a non-producer its link at once; a producer is reported, never cut off. */
  #misbehaved(peer: PeerKey, detail: string): void {
    if (isProducer(this.#start.genesis.configuration, peer)) {
      this.#log("warn", "net", "a producer misbehaves", { peer, detail });
    } else this.#disconnect(peer, "misbehaviour", detail);
  }

  #disconnect(peer: PeerKey, reason: CloseReason, detail: string): void {
    this.#log("warn", "net", "closes a link", { peer, reason, detail });
    this.#outbox.effect({ kind: "disconnect", peer, reason, detail });
  }

  #log(level: LogLevel, layer: string, message: string, fields?: Record<string, unknown>): void {
    this.#outbox.effect({ kind: "log", level, layer, message, ...(fields && { fields }) });
  }

  #halt(why: string): void {
    if (this.#halted !== undefined) return;
    this.#halted = why;
    this.#log("error", "consensus", "halts", { why });
    this.#outbox.effect({ kind: "halt", why });
  }
}

const NOTHING = new Uint8Array(0);

/** A record that does not decode counts as lost. */
function decodeRecord(bytes: Uint8Array | undefined): RaftRecord | undefined {
  const decoded = bytes && raftRecordMessage.decode(bytes);
  return decoded?.ok ? decoded.value : undefined;
}
