/**
 * What the leader of one view does until it leads no more: heartbeats, acks, certificates, reads, its way out (docs/protocol.md,
 * section 4). Raft and VSR differ in how a leader comes to its view, not in this.
 */
import { ancestorAt, type BlockNode } from "../../chain/forkDatabase.ts";
import type { BlockRef } from "../../chain/header.ts";
import { isMember, type ProducerSets } from "../../chain/producerSets.ts";
import { LEADER_STALL_TIMEOUTS } from "../constants.ts";
import { EarlyVotes, type EarlyVoteCounts } from "../earlyVotes.ts";
import type { EngineHost, ProductionPermit } from "../engine.ts";
import type { SignedContent } from "../messages.ts";
import { AckTable } from "./ackTable.ts";
import { HandOver } from "./handOver.ts";
import type { Ack } from "./messages.ts";
import { ReadRounds } from "./readRounds.ts";
import { Rounds } from "./rounds.ts";

/** What differs from engine to engine. */
export interface TermHooks {
  readonly view: number;
  sendHeartbeat(round: number): void;
  /** Have enough elected this leader, by the sets that judge the block that opens its view? */
  isElectedBy(sets: ProducerSets): boolean;
  /** The leader is about to stop, or its view is closed: this producer shall lead the next view. It may be the leader itself. */
  askToLead(producer: string): void;
  /** Nobody takes over: this leader leads on. */
  handOverFailed?(): void;
}

export class Term {
  readonly #host: EngineHost;
  readonly #hooks: TermHooks;
  readonly #rounds: Rounds;
  readonly #reads: ReadRounds;
  readonly #acks = new AckTable();
  readonly #early: EarlyVotes<{ readonly ack: Ack; readonly signature: Uint8Array }>;
  #opened = false;
  #heartbeatAt = Number.POSITIVE_INFINITY;
  #progressAt: number;
  #handOver: HandOver | undefined;

  constructor(host: EngineHost, hooks: TermHooks) {
    this.#host = host;
    this.#hooks = hooks;
    this.#rounds = new Rounds(host.self);
    this.#rounds.expect(host.ledger.head.setsAfter, host.now());
    this.#progressAt = host.now();
    this.#early = new EarlyVotes(() => host.now());
    this.#reads = new ReadRounds({
      now: () => host.now(),
      decidedHeight: () => this.#decidedHeight(),
      beginRound: () => this.sendHeartbeat(),
      confirmed: () => this.#confirmed(),
      answer: (reads, decided) => host.readAnswered(reads, decided),
    });
  }

  get view(): number {
    return this.#hooks.view;
  }

  /** Time of the next {@link tick}, ms. */
  get deadline(): number {
    const handOverAt = this.#handOver?.deadline ?? Number.POSITIVE_INFINITY;
    return Math.min(this.#heartbeatAt, this.#quorumDeadline(), this.#reads.deadline, handOverAt);
  }

  /** @returns why this leader must lead no more */
  tick(): string | undefined {
    const now = this.#host.now();
    if (now >= this.#quorumDeadline()) return "no quorum answers";
    if (this.#isStalled(now)) return "own blocks do not become irreversible";
    // Who decides from now on was asked to lead the next view, and nobody came forward.
    if (this.#isOver && this.#handOver === undefined) return "its view is closed";
    if (now >= this.#heartbeatAt) this.sendHeartbeat();
    this.askSuccessor();
    this.#reads.proceed();
    return undefined;
  }

  /** The leader leads no more: reads that wait are refused. */
  end(): void {
    this.#handOver = undefined;
    this.#reads.drop();
  }

  /** @returns the round's number */
  sendHeartbeat(): number {
    const round = this.#rounds.begin();
    this.#heartbeatAt = this.#host.now() + this.#host.settings.heartbeatMs;
    this.#hooks.sendHeartbeat(round);
    return round;
  }

  /** A producer follows this leader still. */
  replied(signer: string, round: number): void {
    this.#rounds.answered(signer, round, this.#host.now());
    this.#reads.proceed();
  }

  /** Acks of this term whose block is not here: none while nobody lies, a leader's blocks are its own. */
  get earlyVotes(): EarlyVoteCounts {
    return this.#early.counts;
  }

  /** Of this view. */
  acked(signer: string, ack: Ack, signature: Uint8Array): void {
    this.#rounds.heard(signer, this.#host.now());
    const { ledger } = this.#host;
    const node = ledger.get(ack.id);
    if (node === undefined && ack.height > ledger.root.height)
      return this.#early.hold({ signer, place: `${ack.height}`, block: ack, vote: { ack, signature } });
    if (node === undefined || node.view !== ack.view || node.height !== ack.height) return;
    if (!this.#acks.record(signer, { node, signature })) return;
    this.#decide();
    this.askSuccessor();
  }

  /** A block is here: acks that overtook it count now. */
  blockAdded(node: BlockNode): void {
    for (const { signer, vote } of this.#early.take(node.id)) this.acked(signer, vote.ack, vote.signature);
  }

  /** The leader's own disk holds this block, and the record that acknowledges it [S5]. */
  ownAckDurable(id: string): void {
    const node = this.#host.ledger.get(id);
    if (node !== undefined) this.#acks.record(this.#host.self, { node, signature: NO_SIGNATURE });
    this.#decide();
  }

  read(read: number): void {
    this.#reads.add(read);
  }

  production(): ProductionPermit | undefined {
    if (this.#opened && this.#handOver !== undefined) return undefined;
    const { head, root } = this.#host.ledger;
    if (!this.#opened && !this.#hooks.isElectedBy(head.setsAfter)) return undefined;
    if (this.#isClosed) return undefined;
    // A view is opened whatever its predecessors left undecided: only with a block of its own can anything be decided.
    if (this.#opened && head.height - root.height >= this.#host.settings.windowBlocks) return undefined;
    const { next } = head.setsAfter;
    if (next === undefined) return { view: this.#hooks.view, opening: !this.#opened };
    const irreversible = this.#provenFor(head, next.height);
    const ends = irreversible.proof !== undefined;
    return { view: this.#hooks.view, opening: !this.#opened || ends, closing: ends, irreversible };
  }

  /** While the producer set is changed: what ends the change, once the block that began it is decided [S9]. */
  #provenFor(head: BlockNode, changeHeight: number): NonNullable<ProductionPermit["irreversible"]> {
    const proven = this.#host.finalityProof();
    if (proven !== undefined && proven.height >= changeHeight && ancestorAt(head, proven.height)?.id === proven.id)
      return { height: proven.height, proof: proven.bytes };
    const said = Math.min(this.#host.ledger.bottom.height, changeHeight - 1);
    return { height: Math.max(head.block.header.irreversibleHeight, said), proof: undefined };
  }

  /** Nothing follows my head in my view. */
  get #isClosed(): boolean {
    const { head } = this.#host.ledger;
    return head.view === this.#hooks.view && head.block.header.closing;
  }
  /** What closes my view is decided. */
  get #isOver(): boolean {
    return this.#isClosed && this.#host.ledger.root === this.#host.ledger.head;
  }

  produced(node: BlockNode): void {
    // Waiting for acks begins with the first block that waits, not with the last one that was decided.
    const first = node.height === this.#host.ledger.bottom.height + 1;
    if (!this.#opened || first) this.#progressAt = this.#host.now();
    this.#opened = true;
    this.#rounds.expect(node.setsAfter, this.#host.now());
  }

  irreversibleMoved(): void {
    this.#progressAt = this.#host.now();
    this.#early.settled(this.#host.ledger.root.height);
    if (this.#isOver && this.#handOver === undefined) this.#giveWay();
  }

  /** The producer set was changed: whoever decides from now on leads on, this node before all others if it may. */
  #giveWay(): void {
    const { self, ledger } = this.#host;
    if (isMember(ledger.head.setsAfter, self)) this.#hooks.askToLead(self);
    else this.handOver();
  }

  /** Stops producing and has another producer lead. */
  handOver(): void {
    this.#handOver = new HandOver(this.#host, {
      isUpToDate: (key) => this.#acks.get(key)?.node === this.#host.ledger.head,
      heardAt: (key) => this.#rounds.heardAt(key),
      askToLead: (key) => this.#hooks.askToLead(key),
    });
    this.askSuccessor();
  }

  /** Of a leader that hands over: goes on with it, or gives up and leads on. */
  askSuccessor(): void {
    if (this.#handOver === undefined || this.#handOver.proceed()) return;
    this.#host.log("warn", "nobody takes the lead over", { view: this.#hooks.view });
    this.#handOver = undefined;
    this.#hooks.handOverFailed?.();
  }

  /** The highest block of the current view held by a majority is irreversible, its ancestors with it [S3]. */
  #decide(): void {
    const { head, root } = this.#host.ledger;
    const node = head.view === this.#hooks.view ? this.#acks.decided(head, root.height) : undefined;
    if (node === undefined) return;
    const certificate = this.#acks.certificate(node, this.#host.self, (each) => this.#host.sign(ackOf(each)));
    this.#host.certified(node, certificate, true);
    this.#reads.proceed();
  }

  /** Only who has decided a block of its own view knows all that was decided before [R2]. */
  #decidedHeight(): number | undefined {
    const { root } = this.#host.ledger;
    return root.view === this.#hooks.view ? root.height : undefined;
  }

  /**
   * The newest round after which no other leader can have been elected before it began: whatever such a leader's head was,
   * who elected it was of the sets that follow from what is decided here, or from my head [S10].
   */
  #confirmed(): number {
    const { root, head } = this.#host.ledger;
    return Math.min(this.#rounds.confirmed(root.setsAfter), this.#rounds.confirmed(head.setsAfter));
  }

  /**
   * A leader that a majority has not answered for an election timeout gives up (check-quorum): of those that decide about
   * its head, and before it has opened its view of those that elected it. My head may have ended what others took part in.
   */
  #quorumDeadline(): number {
    const { head } = this.#host.ledger;
    const sets = this.#opened ? head.sets : head.setsAfter;
    return this.#rounds.quorumHeardAt(sets, this.#host.now()) + this.#host.settings.electionTimeoutMs;
  }

  /** Also a leader whose own disk does not take what the others have decided: it is full. */
  #isStalled(now: number): boolean {
    const { head, bottom } = this.#host.ledger;
    const patience = LEADER_STALL_TIMEOUTS * this.#host.settings.electionTimeoutMs;
    return head.height > bottom.height && now > this.#progressAt + patience;
  }
}

/** Stands for the leader's own ack, which is signed when a certificate needs it. */
const NO_SIGNATURE = new Uint8Array(0);

export function ackOf({ view, height, id }: BlockRef): SignedContent {
  return { kind: "ack", content: { view, height, id } };
}
