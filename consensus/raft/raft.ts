/**
 * Raft over a chain (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014; Ongaro's
 * dissertation, 2014, for pre-vote and check-quorum). Terms are views, entries are blocks, the log is the best chain,
 * AppendEntries is the block stream: what is left is who may produce and which block a majority holds.
 *
 * One loop: every handler looks at the state (role, view) and then at the message. Rules are marked by their tags in
 * docs/protocol.md, sections 4 and 5.
 */
import { isProducer, majorityOf } from "../../chain/configuration.ts";
import { ancestorAt, type BlockNode } from "../../chain/forkDatabase.ts";
import type { BlockRef, Header } from "../../chain/header.ts";
import { LEADER_STALL_TIMEOUTS } from "../constants.ts";
import type { DurableAction, Engine, EngineHost, EngineView } from "../engine.ts";
import type { ConsensusMessage, SignedContent } from "../messages.ts";
import { AckTable } from "./ackTable.ts";
import { ElectionTimer } from "./electionTimer.ts";
import { HandOver } from "./handOver.ts";
import type { Ack, Heartbeat, HeartbeatReply, RaftRecord, RequestVote, TimeoutNow, Vote } from "./messages.ts";
import { raftRecordMessage, refOf } from "./messages.ts";
import { isAbove, NewestMessages } from "./newestMessages.ts";
import { ReadRounds } from "./readRounds.ts";
import { Rounds } from "./rounds.ts";
import { WatchedLeader } from "./watchedLeader.ts";

type Role = "follower" | "preCandidate" | "candidate" | "leader";

export class Raft implements Engine {
  readonly #host: EngineHost;
  readonly #majority: number;
  /** False for a follower of the chain, who only watches. */
  readonly #isMember: boolean;
  /** False when the record was lost or is an old one: this replica cannot know what it promised and takes no part. */
  #hasRecord: boolean;
  #record: RaftRecord;
  #role: Role = "follower";
  #leader: string | undefined;
  /** Of an observer, in place of `#leader`. */
  readonly #watched: WatchedLeader;
  /** No acks, no votes, until what was acked before the restart is here again [S6]. */
  #recovering = true;
  readonly #electionTimer: ElectionTimer;
  readonly #newest = new NewestMessages();
  /** When the leader was last heard, ms. */
  #heardAt = Number.NEGATIVE_INFINITY;
  /** Newest round heard from the leader of this view. */
  #roundHeard = 0;
  /** Of a candidate or pre-candidate: who granted. */
  readonly #granted = new Set<string>();
  // Of a leader, from here on.
  #opened = false;
  #rounds: Rounds;
  readonly #reads: ReadRounds;
  #heartbeatAt = Number.POSITIVE_INFINITY;
  #acks = new AckTable();
  #progressAt = 0;
  #handOver: HandOver | undefined;
  /** The view that this node hands over, until its successor's has decided a block. */
  #viewHandedOver: number | undefined;
  /** This node is about to stop: it stands for election no more. */
  #isLeaving = false;

  /** @param record as it was on disk; undefined: lost */
  constructor(host: EngineHost, record: RaftRecord | undefined) {
    this.#host = host;
    this.#electionTimer = new ElectionTimer(host);
    this.#watched = new WatchedLeader(host);
    this.#majority = majorityOf(host.configuration);
    this.#isMember = isProducer(host.configuration, host.self);
    this.#hasRecord = record !== undefined && record.outdated !== true;
    const { view, height, id } = host.ledger.head;
    this.#record = record ?? { view, ackedHead: { view, height, id } };
    this.#rounds = this.#newRounds();
    this.#reads = new ReadRounds({
      now: () => host.now(),
      decidedHeight: () => this.#decidedHeight(),
      beginRound: () => this.#sendHeartbeat(),
      confirmed: () => this.#rounds.confirmed,
      answer: (reads, decided) => host.readAnswered(reads, decided),
    });
  }

  get state(): EngineView {
    const leader = this.#isMember ? this.#leader : this.#watched.key;
    return { view: this.#record.view, leader, status: this.#status() };
  }

  get deadline(): number {
    if (!this.#isMember) return this.#watched.deadline;
    if (!this.#hasRecord) return Number.POSITIVE_INFINITY;
    if (this.#role !== "leader") return this.#electionTimer.at;
    const handOverAt = this.#handOver?.deadline ?? Number.POSITIVE_INFINITY;
    return Math.min(this.#heartbeatAt, this.#quorumDeadline(), this.#reads.deadline, handOverAt);
  }

  encodeRecord(): Uint8Array {
    return raftRecordMessage.encode(this.#record);
  }

  start(): void {
    const { view } = this.#host.ledger.head;
    this.#checkRecovered();
    // A leader restarted in its own view comes back as a follower: it stays silent there and asks for the next [S7].
    if (view > this.#record.view) this.#enterView(view);
    // A new leader opens its view with a block [S2]: who made the head's leads, as far as one who only watches can know.
    if (view > 0) this.#watched.assume(this.#host.ledger.head.block.header.producer);
    this.#electionTimer.reset();
  }

  tick(): void {
    if (!this.#takesPart()) return;
    const now = this.#host.now();
    if (this.#role === "leader") {
      if (now >= this.#quorumDeadline()) this.#stepDown("no quorum answers");
      else if (this.#isStalled(now)) this.#stepDown("own blocks do not become irreversible");
      else {
        if (now >= this.#heartbeatAt) this.#sendHeartbeat();
        this.#askSuccessor();
        this.#reads.proceed();
      }
    } else if (now < this.#electionTimer.at) return;
    else if (this.#recovering || this.#isLeaving) this.#electionTimer.reset();
    else this.#startPreVote();
  }

  receive(message: ConsensusMessage): void {
    if (!this.#isMember || !isProducer(this.#host.configuration, message.signer)) return;
    if (message.signer === this.#host.self) return this.#onGivenBack(message);
    this.#newest.heard(message);
    switch (message.kind) {
      case "requestVote":
        return this.#onRequestVote(message.signer, message.content);
      case "vote":
        return this.#onVote(message.signer, message.content);
      case "ack":
        return this.#onAck(message.signer, message.content, message.signature);
      case "heartbeat":
        return this.#onHeartbeat(message.signer, message.content);
      case "heartbeatReply":
        return this.#onHeartbeatReply(message.signer, message.content);
      case "timeoutNow":
        return this.#onTimeoutNow(message.signer, message.content);
      default:
        // Another engine's.
        return;
    }
  }

  /** Own votes and acks count only now [S5]. */
  durable(action: DurableAction): void {
    if (action.view !== this.#record.view) return;
    if (action.kind === "ownVote") {
      if (this.#role === "candidate") this.#countGrant(this.#host.self);
    } else if (action.kind === "ownAck" && this.#role === "leader") {
      const node = this.#host.ledger.get(action.id);
      if (node !== undefined) this.#acks.record(this.#host.self, { node, signature: NO_SIGNATURE });
      this.#decide();
    }
  }

  /** A valid header of a higher view moves this replica to that view. */
  headerSeen(header: Header): void {
    if (header.view > this.#record.view) this.#enterView(header.view);
    if (header.view === this.#record.view && this.#role !== "leader") {
      this.#leader = header.producer;
      this.#watched.seen(header.producer);
      if (this.#role !== "follower") this.#becomeFollower();
    }
  }

  headMoved(to: BlockNode): void {
    this.#checkRecovered();
    this.#ack(to);
  }

  /**
   * What was acked stays promised: whose head falls below that takes part again once another branch is as good, as after
   * a loss [S6]. A leader would make a second block of one view and height.
   */
  rejected(): void {
    if (this.#host.ledger.head.invalid === undefined) return;
    if (this.#role !== "follower") this.#stepDown("the operator rejected its head");
    this.#recovering = true;
  }

  irreversibleMoved(): void {
    this.#progressAt = this.#host.now();
    this.#checkRecovered();
  }

  read(read: number): void {
    if (this.#role === "leader") this.#reads.add(read);
    else this.#host.readAnswered([read], undefined);
  }

  handOver(): void {
    this.#isLeaving = true;
    if (this.#role !== "leader") return;
    this.#viewHandedOver = this.#record.view;
    this.#handOver = new HandOver(this.#host, {
      view: this.#record.view,
      isUpToDate: (key) => this.#acks.get(key)?.node === this.#host.ledger.head,
      heardAt: (key) => this.#rounds.heardAt(key),
    });
    this.#askSuccessor();
  }
  get isHandingOver(): boolean {
    // The successor may need this node's vote, and its ack.
    return this.#viewHandedOver !== undefined && this.#host.ledger.bottom.view <= this.#viewHandedOver;
  }

  linkUp(peer: string): void {
    for (const message of this.#newest.of(peer)) this.#host.giveBack(message);
  }

  linkBroke(peer: string): void {
    this.#askSuccessor();
    if (peer !== this.#leader || this.#role !== "follower" || !this.#takesPart()) return;
    // The kernel tells at once that a process died: ask the others early. They refuse if they still hear it.
    this.#heardAt = Number.NEGATIVE_INFINITY;
    this.#electionTimer.leaderLost();
  }

  production(): { readonly view: number; readonly opening: boolean } | undefined {
    if (this.#role !== "leader" || (this.#opened && this.#handOver !== undefined)) return undefined;
    const { head, root } = this.#host.ledger;
    // A view is opened whatever its predecessors left undecided: only with a block of its own can anything be decided.
    if (this.#opened && head.height - root.height >= this.#host.settings.windowBlocks) return undefined;
    return { view: this.#record.view, opening: !this.#opened };
  }

  produced(node: BlockNode): void {
    // Waiting for acks begins with the first block that waits, not with the last one that was decided.
    const first = node.height === this.#host.ledger.root.height + 1;
    if (!this.#opened || first) this.#progressAt = this.#host.now();
    this.#opened = true;
  }

  // Elections

  #startPreVote(): void {
    if (this.#role !== "follower") this.#electionTimer.grow();
    this.#role = "preCandidate";
    this.#leader = undefined;
    this.#electionTimer.reset();
    this.#granted.clear();
    const content = {
      view: this.#record.view + 1,
      head: refOf(this.#host.ledger.head),
      preVote: true,
      transfer: false,
    };
    this.#host.log("debug", "asks for pre-votes", { view: content.view });
    this.#host.multicast({ kind: "requestVote", content }, { durable: false });
    this.#countGrant(this.#host.self);
  }

  #startElection(transfer: boolean): void {
    this.#role = "candidate";
    this.#leader = undefined;
    // Rounds count anew in each view: another candidate may win this one.
    this.#roundHeard = 0;
    this.#record = { ...this.#record, view: this.#record.view + 1, votedFor: this.#host.self };
    this.#host.persistRecord();
    this.#electionTimer.reset();
    this.#granted.clear();
    const { view } = this.#record;
    this.#host.log("info", "stands for election", { view });
    this.#host.whenDurable({ kind: "ownVote", view });
    const content = { view, head: refOf(this.#host.ledger.head), preVote: false, transfer };
    this.#host.multicast({ kind: "requestVote", content }, { durable: true });
  }

  #onRequestVote(candidate: string, request: RequestVote): void {
    if (!this.#takesPart()) return;
    if (request.preVote) return this.#answerPreVote(candidate, request);
    if (request.view > this.#record.view) {
      // Who hears its leader refuses to disrupt it, unless that leader asked for it.
      if (this.#hearsLeader() && !request.transfer) return;
      this.#enterView(request.view);
    }
    const granted = this.#mayVoteFor(candidate, request);
    if (granted && this.#record.votedFor === undefined) {
      this.#record = { ...this.#record, votedFor: candidate };
      this.#host.persistRecord();
      this.#electionTimer.reset();
    }
    const content = { view: this.#record.view, candidate, granted, preVote: false };
    this.#host.unicast(candidate, { kind: "vote", content }, { durable: true });
  }

  #mayVoteFor(candidate: string, request: RequestVote): boolean {
    if (this.#recovering || this.#role !== "follower") return false; // [S6]
    if (request.view !== this.#record.view) return false;
    const { votedFor } = this.#record;
    if (votedFor !== undefined && votedFor !== candidate) return false; // [R1]
    return this.#isUpToDate(request.head);
  }

  #answerPreVote(candidate: string, request: RequestVote): void {
    const granted =
      !this.#recovering && request.view > this.#record.view && !this.#hearsLeader() && this.#isUpToDate(request.head);
    const view = granted ? request.view : this.#record.view;
    const content = { view, candidate, granted, preVote: true };
    this.#host.unicast(candidate, { kind: "vote", content }, { durable: false });
  }

  /** View first, then height [S1]. */
  #isUpToDate(head: BlockRef): boolean {
    const mine = this.#host.ledger.head;
    return head.view !== mine.view ? head.view > mine.view : head.height >= mine.height;
  }

  #onVote(signer: string, vote: Vote): void {
    if (vote.candidate !== this.#host.self) return; // [S8]
    if (!vote.granted) {
      if (vote.view > this.#record.view) this.#enterView(vote.view);
      return;
    }
    const awaited = vote.preVote
      ? this.#role === "preCandidate" && vote.view === this.#record.view + 1
      : this.#role === "candidate" && vote.view === this.#record.view;
    if (awaited) this.#countGrant(signer);
  }

  #countGrant(signer: string): void {
    this.#granted.add(signer);
    if (this.#granted.size < this.#majority) return;
    if (this.#role === "preCandidate") this.#startElection(false);
    else if (this.#role === "candidate") this.#lead();
  }

  #onTimeoutNow(signer: string, { view, target }: TimeoutNow): void {
    if (target !== this.#host.self || view !== this.#record.view || signer !== this.#leader) return;
    if (!this.#takesPart() || this.#recovering || this.#isLeaving) return;
    if (this.#role === "follower") this.#startElection(true);
  }

  // Leading

  #lead(): void {
    this.#role = "leader";
    this.#leader = this.#host.self;
    this.#opened = false;
    this.#acks = new AckTable();
    this.#rounds = this.#newRounds();
    this.#electionTimer.calm();
    this.#progressAt = this.#host.now();
    this.#host.log("info", "leads", { view: this.#record.view });
    this.#sendHeartbeat();
  }

  #newRounds(): Rounds {
    const { configuration, self } = this.#host;
    return new Rounds(configuration, self, this.#majority, this.#host.now());
  }

  /** @returns the round's number */
  #sendHeartbeat(): number {
    const round = this.#rounds.begin();
    this.#heartbeatAt = this.#host.now() + this.#host.settings.heartbeatMs;
    const content = { view: this.#record.view, round, irreversibleHeight: this.#host.ledger.bottom.height };
    this.#host.multicast({ kind: "heartbeat", content }, { durable: false });
    return round;
  }

  #onHeartbeatReply(signer: string, { view, round }: HeartbeatReply): void {
    if (view > this.#record.view) return this.#enterView(view);
    if (this.#role !== "leader" || view !== this.#record.view) return;
    this.#rounds.answered(signer, round, this.#host.now());
    this.#reads.proceed();
  }

  #onAck(signer: string, ack: Ack, signature: Uint8Array): void {
    if (this.#role !== "leader" || ack.view !== this.#record.view) return;
    this.#rounds.heard(signer, this.#host.now());
    const node = this.#host.ledger.get(ack.id);
    if (node === undefined || node.view !== ack.view || node.height !== ack.height) return;
    if (!this.#acks.record(signer, { node, signature })) return;
    this.#decide();
    this.#askSuccessor();
  }

  /** The highest block of the current view held by a majority is irreversible, its ancestors with it [S3]. */
  #decide(): void {
    const { head, root } = this.#host.ledger;
    const height = this.#acks.decidedHeight(this.#majority);
    if (height === undefined || height <= root.height) return;
    const node = ancestorAt(head, height);
    if (node === undefined || node.view !== this.#record.view) return;
    const { view } = this.#record;
    const certificate = this.#acks.certificate(node, view, this.#majority, this.#host.self, (each) =>
      this.#host.sign(ackOf(each)),
    );
    this.#host.certified(node, certificate, true);
    this.#reads.proceed();
  }

  /** Only who has decided a block of its own view knows all that was decided before [R2]. */
  #decidedHeight(): number | undefined {
    const { root } = this.#host.ledger;
    return root.view === this.#record.view ? root.height : undefined;
  }

  /** Of a leader that hands over: goes on with it, or gives up and leads on. */
  #askSuccessor(): void {
    if (this.#handOver === undefined || this.#handOver.proceed()) return;
    this.#host.log("warn", "nobody takes the lead over", { view: this.#record.view });
    this.#handOver = this.#viewHandedOver = undefined;
  }

  /** A leader that a majority has not answered for an election timeout gives up (check-quorum). */
  #quorumDeadline(): number {
    return this.#rounds.quorumHeardAt(this.#host.now()) + this.#host.settings.electionTimeoutMs;
  }

  #isStalled(now: number): boolean {
    const { head, root } = this.#host.ledger;
    const patience = LEADER_STALL_TIMEOUTS * this.#host.settings.electionTimeoutMs;
    return head.height > root.height && now > this.#progressAt + patience;
  }

  #stepDown(why: string): void {
    this.#host.log("warn", "steps down", { view: this.#record.view, why });
    this.#becomeFollower();
    this.#leader = undefined;
  }

  // Following

  #onHeartbeat(signer: string, { view, round, irreversibleHeight }: Heartbeat): void {
    if (view < this.#record.view) return this.#replyTo(signer, 0);
    if (view > this.#record.view) this.#enterView(view);
    if (this.#role === "leader") return;
    if (this.#role !== "follower") this.#becomeFollower();
    this.#leader = signer;
    if (round <= this.#roundHeard) return;
    this.#roundHeard = round;
    this.#heardAt = this.#host.now();
    this.#electionTimer.calm();
    this.#electionTimer.reset();
    this.#replyTo(signer, round);
    // An ack may have been lost with its link, or not been given before a restart: until it is decided it is sent again.
    const { head } = this.#host.ledger;
    if (head.height > irreversibleHeight) this.#ack(head);
  }

  /** Who has lost its record cannot say that it follows nobody else: a leader must not count on it. */
  #replyTo(leader: string, round: number): void {
    if (!this.#takesPart()) return;
    const content = { view: this.#record.view, round };
    this.#host.unicast(leader, { kind: "heartbeatReply", content }, { durable: true });
  }

  /** The head's view is mine and nothing acked before a restart is missing [S4] [S6]; durability is the caller's. */
  #mayAck(node: BlockNode): boolean {
    return this.#takesPart() && !this.#recovering && node.view === this.#record.view;
  }

  /** Promises a block, unless it may not: the record first, the message and the own count when that is on disk. */
  #ack(node: BlockNode): void {
    if (!this.#mayAck(node)) return;
    if (node.id !== this.#record.ackedHead.id) {
      this.#record = { ...this.#record, ackedHead: refOf(node) };
      this.#host.persistRecord();
    }
    if (this.#role === "leader") {
      this.#host.whenDurable({ kind: "ownAck", view: node.view, height: node.height, id: node.id });
    } else this.#host.unicast(node.block.header.producer, ackOf(node), { durable: true });
  }

  // Shared

  /** A promise of one's own that the record does not know: it is an old one, and who goes by it may promise twice. */
  #onGivenBack(message: ConsensusMessage): void {
    if (!this.#takesPart() || !isAbove(message, this.#record)) return;
    const { view } = message.content;
    this.#host.log("error", "its vote record is an old one: was its directory restored from a backup?", { view });
    this.#record = { ...this.#record, outdated: true };
    this.#host.persistRecord();
    this.#hasRecord = false;
    this.#recovering = true;
    this.#becomeFollower();
    this.#leader = undefined;
  }

  #enterView(view: number): void {
    this.#record = { ...this.#record, view, votedFor: undefined };
    if (this.#takesPart()) this.#host.persistRecord();
    this.#becomeFollower();
    this.#leader = undefined;
    this.#heardAt = Number.NEGATIVE_INFINITY;
    this.#roundHeard = 0;
  }

  #becomeFollower(): void {
    this.#role = "follower";
    this.#handOver = undefined;
    this.#reads.drop();
    this.#granted.clear();
    this.#electionTimer.reset();
  }

  #checkRecovered(): void {
    if (!this.#recovering || !this.#hasRecord) return;
    const { ackedHead } = this.#record;
    const { head, bottom } = this.#host.ledger;
    const holds = head.invalid === undefined && this.#atLeast(head, ackedHead);
    this.#recovering = !holds && bottom.height < ackedHead.height;
  }

  #atLeast(a: BlockRef, b: BlockRef): boolean {
    return a.view !== b.view ? a.view > b.view : a.height >= b.height;
  }

  #takesPart(): boolean {
    return this.#isMember && this.#hasRecord;
  }

  #hearsLeader(): boolean {
    if (this.#role === "leader") return true;
    return this.#leader !== undefined && this.#host.now() < this.#heardAt + this.#host.settings.electionTimeoutMs;
  }

  #status(): EngineView["status"] {
    if (!this.#isMember) return "observer";
    if (this.#recovering) return "recovering";
    if (this.#role === "leader" || this.#role === "follower") return this.#role;
    return "candidate";
  }
}

/** Stands for the leader's own ack, which is signed when a certificate needs it. */
const NO_SIGNATURE = new Uint8Array(0);

function ackOf({ view, height, id }: BlockRef): SignedContent {
  return { kind: "ack", content: { view, height, id } };
}
