/**
 * The deterministic whole: ledger, sync, engine, mempool and transport wired into one state machine. `step` takes an
 * input and returns effects; nothing else happens. The shell (`src/node`) and the simulator (`tools/sim`) drive it.
 */
import type { PeerKey } from "../base/key.ts";
import { unreachable } from "../base/result.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { Ledger, LedgerEvent } from "../../chain/ledger.ts";
import { encodeFrontier } from "../../chain/merkle.ts";
import type { Evidence } from "../../consensus/bft/evidence.ts";
import { encodeCertificatePayload, encodeEvidencePayload } from "../../consensus/messages.ts";
import type { Mempool } from "../../consensus/mempool/mempool.ts";
import type { BestChain } from "../../consensus/sync/bestChain.ts";
import type { CloseReason } from "../../net/link/types.ts";
import type { RouteView } from "../../net/transport/types.ts";
import { EXECUTION_SLICE_TRANSACTIONS } from "./constants.ts";
import type { Arrival } from "./intakeHost.ts";
import { type Outbox, persistedSets } from "./outbox.ts";
import type { ReplicaStart } from "./start.ts";
import { syncStatus } from "./syncStatus.ts";
import type { Effect, Input, LogLevel, ReplicaStatus } from "./types.ts";
import { type Parts, wire } from "./wiring.ts";

export type { ReplicaStart } from "./start.ts";

export class Replica {
  readonly #start: ReplicaStart;
  readonly #parts: Parts;
  #now: number;
  #timerAt = Number.POSITIVE_INFINITY;
  #headMoved = false;
  #continuing = false;
  #halted: string | undefined;

  constructor(start: ReplicaStart, now: number) {
    this.#start = start;
    this.#now = now;
    this.#parts = wire(start, {
      now: () => this.#now,
      deliver: (from, arrival) => this.#deliver(from, arrival),
      disconnect: (peer, reason, detail) => this.#disconnect(peer, reason, detail),
      log: (level, layer, message, fields) => this.#log(level, layer, message, fields),
      halt: (why, certificates) => this.#halt(why, certificates),
    });
    this.#parts.evidence.restore(start.evidence ?? []);
    this.#parts.engine.start();
  }

  /** For reads by the shell (state, blocks, transactions) and for oracles. */
  get ledger(): Ledger {
    return this.#parts.ledger;
  }
  get chain(): BestChain {
    return this.#parts.chain;
  }
  get mempool(): Mempool {
    return this.#parts.mempool;
  }

  /** Takes one input at a time `now` (ms) that never goes back. */
  step(input: Input, now: number): Effect[] {
    this.#now = Math.max(this.#now, now);
    if (this.#halted !== undefined) return [];
    this.#handle(input);
    this.#settle();
    const effects = this.#parts.outbox.finish(() => this.#parts.engine.encodeRecord());
    if (this.#halted !== undefined) return effects.filter((effect) => effect.kind === "halt" || effect.kind === "log");
    this.#setTimer(effects);
    return effects;
  }

  status(): ReplicaStatus {
    const { head, bottom } = this.#parts.ledger;
    const engine = this.#parts.engine.state;
    const connections = [...this.#parts.sync.connections()];
    return {
      engine: { ...engine, status: this.#halted === undefined ? engine.status : "halted" },
      head: { view: head.view, height: head.height, id: head.id, time: head.block.header.time },
      irreversible: { view: bottom.view, height: bottom.height, id: bottom.id, time: bottom.block.header.time },
      sync: syncStatus({
        producers: head.setsAfter.members,
        self: this.#start.self,
        headHeight: head.height,
        certifiedHeight: this.#parts.finality.newest?.height ?? 0,
        connections: this.#parts.sync.connections(),
        isPulling: this.#parts.catchUp.isPulling,
        stalledBecause: this.#parts.catchUp.stalledBecause(),
      }),
      mempool: { count: this.#parts.mempool.count, bytes: this.#parts.mempool.bytes },
      peers: connections.map(([peer, connection]) => ({
        peer,
        phase: connection.phase,
        height: connection.peerHead?.height,
        score: this.#parts.conduct.score(peer),
        slowed: this.#parts.conduct.isSlowed(peer),
      })),
      producers: this.#parts.watch.states(),
      faults: this.#parts.conduct.counts,
      earlyVotes: this.#parts.engine.lead.earlyVotes ?? NO_VOTES,
      halted: this.#halted,
      sizes: this.sizes,
    };
  }

  /** Against producers: one piece of each kind. */
  get evidence(): readonly Evidence[] {
    return this.#parts.evidence.all;
  }

  /** Ways to the other producers. */
  routes(): RouteView[] {
    return this.#parts.transport.routes(this.#parts.ledger.head.setsAfter.members);
  }

  /** Sizes of everything bounded. */
  get sizes(): ReplicaStatus["sizes"] {
    return {
      ...this.#parts.ledger.sizes,
      held: this.#parts.admission.held,
      gateWaiting: this.#parts.intake.waiting,
      blockRequests: this.#parts.sync.requests,
      ...this.#parts.catchUp.sizes,
      ...this.#parts.transport.sizes,
      mempoolCount: this.#parts.mempool.count,
      mempoolBytes: this.#parts.mempool.bytes,
      reads: this.#parts.reads.waiting,
      earlyVotes: this.#parts.engine.lead.earlyVotes?.waiting ?? 0,
      readAskers: this.#parts.reads.askers,
      scoredPeers: this.#parts.conduct.scored,
      ...this.#parts.discovery.sizes,
      evidence: this.#parts.evidence.size,
      persistOutstanding: this.#parts.outbox.outstanding,
    };
  }

  #handle(input: Input): void {
    switch (input.kind) {
      case "tick":
        // A timer fires once: the same time, should it still be the next, has to be asked for again.
        this.#timerAt = Number.POSITIVE_INFINITY;
        this.#parts.admission.releaseHeld();
        this.#parts.transport.tick();
        this.#parts.engine.tick();
        this.#parts.sync.tick();
        this.#parts.catchUp.tick();
        this.#parts.reads.tick();
        this.#parts.watch.tick();
        this.#parts.evidence.tick();
        this.#parts.discovery.tick();
        return this.#parts.submissions.tick();
      case "peerUp":
        this.#parts.conduct.peerUp(input.peer);
        this.#parts.transport.peerUp(input.peer);
        this.#parts.engine.linkUp(input.peer);
        this.#parts.sync.peerUp(input.peer);
        this.#parts.watch.peerUp();
        this.#parts.discovery.peerUp(input.peer, input.scope ?? "public", input.outbound === true);
        if (this.#parts.finality.newest) this.#sendCertificate(input.peer, this.#parts.finality.newest.bytes);
        for (const { bytes } of this.#parts.evidence.all)
          this.#parts.transport.toNeighbour(input.peer, "urgent", encodeEvidencePayload(bytes));
        return;
      case "peerDown":
        this.#parts.conduct.peerDown(input.peer);
        this.#parts.transport.peerDown(input.peer);
        this.#parts.sync.peerDown(input.peer);
        this.#parts.admission.peerDown(input.peer);
        this.#parts.catchUp.peerDown(input.peer);
        this.#parts.intake.peerDown(input.peer);
        this.#parts.reads.peerDown(input.peer);
        this.#parts.discovery.peerDown(input.peer);
        if (input.broken) this.#parts.engine.linkBroke(input.peer);
        return;
      case "roundTrip":
        return this.#parts.transport.measured(input.peer, input.ms);
      case "received":
        return this.#parts.intake.received(input.from, input.lane, input.frame);
      case "drained":
        if (input.lane === "chain") return this.#parts.sync.drained(input.peer, input.bytes);
        this.#parts.submissions.drained(input.bytes);
        return this.#parts.catchUp.drained(input.peer, input.bytes);
      case "persisted":
        return this.#persisted(input.token);
      case "signaturesChecked":
        return this.#parts.intake.checked(input.batch, input.valid.every(Boolean));
      case "continue":
        this.#continuing = false;
        return;
      case "flushed":
        this.#parts.ledger.flushed();
        return this.#parts.flusher.changed(this.#now);
      case "listening":
        return this.#parts.discovery.listening(input.addresses);
      case "stopping":
        this.#parts.discovery.keep();
        return this.#parts.flusher.stopping(this.#now);
      case "read":
        return this.#parts.reads.read(input.request);
      case "handOver":
        return this.#parts.leaving.begin();
      case "rejectBlock":
        return this.#parts.admission.reject(input.id);
      case "acceptBlock":
        return this.#parts.ledger.accept(input.id);
      case "submit":
        this.#parts.outbox.effect({
          kind: "submitted",
          request: input.request,
          answers: this.#parts.submissions.submit(input.transactions, input.isAwaited),
        });
        return;
      default:
        return unreachable(input);
    }
  }

  /** Everything that follows from the input: execution, production, forwarding, flushing. */
  #settle(): void {
    let more = this.#work();
    more = this.#parts.producer.step() || more;
    // A block just produced is the head now, and may be decided now where one producer is a majority.
    more = this.#work() || more;
    this.#proceedImmediately();
    if (this.#headMoved) {
      this.#headMoved = false;
      this.#parts.sync.headMoved();
    }
    more = this.#parts.sync.pushOn() || more;
    more = this.#parts.catchUp.work() || more;
    this.#parts.submissions.forward();
    this.#parts.reads.proceed();
    this.#parts.leaving.proceed();
    this.#parts.transport.finish();
    const flush = this.#parts.flusher.take(this.#now);
    if (flush !== undefined) this.#parts.outbox.effect({ kind: "flush", flush });
    if (more && !this.#continuing) {
      this.#continuing = true;
      this.#parts.outbox.effect({ kind: "continue" });
    }
  }

  /** What waits for nothing but what the disk has already. */
  #proceedImmediately(): void {
    const { engine, outbox } = this.#parts;
    for (;;) {
      engine.proceed?.();
      const immediate = outbox.takeImmediate();
      if (immediate.length === 0) return;
      for (const after of immediate) this.#afterPersist(after);
    }
  }

  #work(): boolean {
    const { events, more } = this.#parts.ledger.work(EXECUTION_SLICE_TRANSACTIONS);
    for (const event of events) this.#onLedgerEvent(event);
    return more;
  }

  #onLedgerEvent(event: LedgerEvent): void {
    switch (event.kind) {
      case "head":
        for (const node of event.undone) this.#parts.submissions.blockUndone(node);
        for (const node of event.applied) this.#parts.submissions.blockApplied(node);
        this.#headMoved = true;
        this.#parts.engine.headMoved(event.to, event.applied);
        if (event.to.setsAfter !== event.from.setsAfter) this.#producersChanged();
        this.#parts.outbox.effect({
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
        if (this.#parts.finality.isCertified(event.node))
          this.#halt(`block ${event.node.id} is certified and not valid here: ${event.reason.detail}`);
        return this.#parts.engine.invalidated?.(event.node);
      case "final": {
        const node = event.nodes.at(-1) as BlockNode;
        const certificate = this.#parts.finality.certificateOf(node.id) ?? NOTHING;
        this.#parts.outbox.persistIrreversible({
          height: node.height,
          id: node.id,
          certificate,
          frontier: encodeFrontier(node.frontier),
          producerSets: event.nodes.filter((each) => each.setsAfter !== each.sets).map(persistedSets),
        });
        this.#parts.outbox.whenDurable({ kind: "irreversible", node });
        return;
      }
      default:
        return unreachable(event);
    }
  }

  /** Who is in the set now is watched, has ways to it told, and says that it is there. */
  #producersChanged(): void {
    this.#parts.watch.producersChanged();
    this.#parts.transport.producersChanged();
    const { current, next } = this.#parts.ledger.head.setsAfter;
    const fields = { producers: current.producers.length, ...(next && { next: next.configuration.producers.length }) };
    this.#log(
      "info",
      "consensus",
      next === undefined ? "the producer set is another" : "the producer set changes",
      fields,
    );
  }

  #persisted(token: number): void {
    for (const after of this.#parts.outbox.persisted(token)) this.#afterPersist(after);
  }

  #afterPersist(after: ReturnType<Outbox["persisted"]>[number]): void {
    if (after.kind === "action") this.#parts.engine.durable(after.action);
    else this.#promise(after.node);
  }

  /** The disk knows that `node` is irreversible: now it may be said. */
  #promise(node: BlockNode): void {
    if (node.height <= this.#parts.ledger.bottom.height) return;
    const nodes: BlockNode[] = [];
    for (let at: BlockNode = node; at !== this.#parts.ledger.bottom; at = at.parent as BlockNode) nodes.push(at);
    // The block is told before what follows from it, the outcomes of its transactions.
    this.#parts.outbox.effect({
      kind: "irreversible",
      block: { view: node.view, height: node.height, id: node.id },
      time: node.block.header.time,
      transactions: nodes.reduce((sum, each) => sum + each.block.transactions.count, 0),
    });
    this.#parts.sync.beforeRelease(node);
    for (const each of nodes.reverse()) this.#parts.submissions.irreversible(each);
    this.#parts.ledger.release(node);
    this.#parts.flusher.changed(this.#now);
    this.#parts.engine.irreversibleMoved(node);
  }

  // What comes in

  /** Decoded, from somebody who may send it, signatures valid, order kept. */
  #deliver(from: PeerKey, arrival: Arrival): void {
    switch (arrival.kind) {
      case "sync":
        return this.#parts.sync.receive(from, arrival.message, arrival.certificate);
      case "consensus":
        // Of a neighbour: what others pass on may be a replay.
        if (this.#parts.sync.connections().has(arrival.message.signer)) this.#parts.watch.heard(arrival.message.signer);
        return this.#parts.engine.receive(arrival.message);
      case "votes":
        return this.#parts.engine.receiveVotes?.(arrival.votes);
      case "notice":
        if (this.#parts.watch.receive(arrival.notice)) this.#parts.transport.broadcast("urgent", arrival.payload, from);
        return;
      case "certificate":
        if (this.#parts.admission.adopt(arrival.certificate) && arrival.certificate.isFinal) {
          this.#parts.transport.broadcast("urgent", encodeCertificatePayload(arrival.certificate.bytes), from);
        }
        return;
      case "evidence":
        return this.#parts.evidence.received(arrival.evidence, from);
      case "transactions":
        return this.#parts.submissions.receiveForward(from, arrival.transactions);
      case "results":
        return this.#parts.submissions.receiveResults(from, arrival.answer);
      case "readIndex":
        return this.#parts.reads.receiveIndex(from, arrival.number);
      case "readIndexReply":
        return this.#parts.reads.receiveReply(from, arrival.answer.number, arrival.answer.height);
      case "routing":
        return this.#parts.transport.receiveRouting(from, arrival.message);
      case "addresses":
        return this.#parts.discovery.receive(from, arrival.records);
      case "rangeRequest":
        return this.#parts.catchUp.requested(from, arrival.request);
      case "rangeResponse":
        return this.#parts.catchUp.arrived(from, arrival.response);
      default:
        return unreachable(arrival);
    }
  }

  #sendCertificate(to: PeerKey, certificate: Uint8Array): void {
    this.#parts.transport.toNeighbour(to, "urgent", encodeCertificatePayload(certificate));
  }

  #setTimer(effects: Effect[]): void {
    const at = Math.min(
      this.#parts.engine.deadline,
      this.#parts.transport.deadline,
      this.#parts.sync.deadline,
      this.#parts.catchUp.deadline,
      this.#parts.submissions.deadline,
      this.#parts.reads.deadline,
      this.#parts.leaving.deadline,
      this.#parts.watch.deadline,
      this.#parts.evidence.deadline,
      this.#parts.discovery.deadline,
      this.#parts.producer.deadline,
      this.#parts.admission.deadline,
      this.#parts.flusher.deadline,
    );
    if (at === this.#timerAt) return;
    this.#timerAt = at;
    effects.push({ kind: "setTimer", at });
  }

  #disconnect(peer: PeerKey, reason: CloseReason, detail: string): void {
    this.#log("warn", "net", "closes a link", { peer, reason, detail });
    this.#parts.outbox.effect({ kind: "disconnect", peer, reason, detail });
  }

  #log(level: LogLevel, layer: string, message: string, fields?: Record<string, unknown>): void {
    this.#parts.outbox.effect({ kind: "log", level, layer, message, ...(fields && { fields }) });
  }

  #halt(why: string, certificates: readonly Uint8Array[] = []): void {
    if (this.#halted !== undefined) return;
    this.#halted = why;
    this.#log("error", "consensus", "halts", { why });
    this.#parts.outbox.effect({ kind: "halt", why, certificates });
  }
}

const NOTHING = new Uint8Array(0);
const NO_VOTES = { counted: 0, dropped: 0, expired: 0 };
