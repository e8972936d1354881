/**
 * Raft over a chain (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014; Ongaro's
 * dissertation, 2014, for pre-vote and check-quorum). Terms are views, entries are blocks, the log is the best chain,
 * AppendEntries is the block stream: what is left is who may produce and which block a majority holds.
 *
 * One loop: every handler looks at the state (role, view) and then at the message. Rules are marked by their tags in
 * docs/protocol.md, sections 4 and 5.
 */
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { Header } from "../../chain/header.ts";
import { hasMajority, type ProducerSets } from "../../chain/producerSets.ts";
import type { DurableAction, Engine, EngineHost, EngineView } from "../engine.ts";
import { ElectionTimer } from "../leading/electionTimer.ts";
import { type Ack, type HeartbeatReply, isAtLeast, refOf } from "../leading/messages.ts";
import { Lead } from "../leading/lead.ts";
import { VoteRecord } from "../leading/voteRecord.ts";
import { WatchedLeader } from "../leading/watchedLeader.ts";
import type { ConsensusMessage } from "../messages.ts";
import {
  type Heartbeat,
  isAbove,
  isPromise,
  type RaftRecord,
  raftRecordMessage,
  type RequestVote,
  type TimeoutNow,
  type Vote,
} from "./messages.ts";

type Role = "follower" | "preCandidate" | "candidate" | "leader";

export class Raft implements Engine {
  readonly #host: EngineHost;
  readonly #record: VoteRecord<RaftRecord>;
  readonly lead: Lead;
  #role: Role = "follower";
  #leader: string | undefined;
  /** Of an observer, in place of `#leader`. */
  readonly #watched: WatchedLeader;
  readonly #electionTimer: ElectionTimer;
  /** When the leader was last heard, ms. */
  #heardAt = Number.NEGATIVE_INFINITY;
  /** Newest round heard from the leader of this view. */
  #roundHeard = 0;
  /** Of a candidate or pre-candidate: who granted. */
  readonly #granted = new Set<string>();
  #wasMember: boolean;

  /** @param record as it was on disk; undefined: lost */
  constructor(host: EngineHost, record: RaftRecord | undefined) {
    this.#host = host;
    this.#electionTimer = new ElectionTimer(host);
    this.#watched = new WatchedLeader(host);
    this.lead = new Lead(host);
    const { head } = host.ledger;
    const blank = { view: head.view, ackedHead: refOf(head) };
    this.#record = new VoteRecord<RaftRecord>(host, record, blank, { isPromise, isAbove });
    this.#wasMember = this.#record.isMember;
  }

  get state(): EngineView {
    const leader = this.#record.isMember ? this.#leader : this.#watched.key;
    return { view: this.#record.view, leader, status: this.#status() };
  }

  get deadline(): number {
    if (!this.#record.isMember) return this.#watched.deadline;
    if (!this.#record.takesPart) return Number.POSITIVE_INFINITY;
    return this.lead.term?.deadline ?? this.#electionTimer.at;
  }

  encodeRecord(): Uint8Array {
    return raftRecordMessage.encode(this.#record.content);
  }

  start(): void {
    const { view } = this.#host.ledger.head;
    this.#record.checkRecovered();
    // A leader restarted in its own view comes back as a follower: it stays silent there and asks for the next [S7].
    if (view > this.#record.view) this.#enterView(view);
    // A new leader opens its view with a block [S2]: who made the head's leads, as far as one who only watches can know.
    if (view > 0) this.#watched.assume(this.#host.ledger.head.block.header.producer);
    this.#electionTimer.reset();
  }

  tick(): void {
    if (!this.#record.takesPart) return;
    if (this.lead.term !== undefined) {
      const why = this.lead.term.tick();
      if (why !== undefined) this.#stepDown(why);
    } else if (this.#host.now() < this.#electionTimer.at) return;
    else if (this.#record.isRecovering || this.lead.isLeaving || !this.#record.mayLead) this.#electionTimer.reset();
    else this.#startPreVote();
  }

  receive(message: ConsensusMessage): void {
    if (!this.#host.ledger.isProducer(message.signer)) return;
    if (message.signer === this.#host.self) return this.#onGivenBack(message);
    this.#record.heard(message);
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
    } else if (action.kind === "ownAck") this.lead.term?.ownAckDurable(action.id);
  }

  /** A valid header of a higher view moves this replica to that view. */
  headerSeen(header: Header, node: BlockNode): void {
    this.lead.term?.blockAdded(node);
    if (header.view > this.#record.view) this.#enterView(header.view);
    if (header.view === this.#record.view && this.#role !== "leader") {
      this.#leader = header.producer;
      this.#watched.seen(header.producer);
      if (this.#role !== "follower") this.#becomeFollower();
    }
  }

  headMoved(to: BlockNode): void {
    this.#record.checkRecovered();
    this.#checkMembership();
    // The block that would open my view is judged by others now [S10].
    if (this.#role === "leader" && to.view < this.#record.view && !this.#isElectedBy(to.setsAfter))
      this.#stepDown("its head has changed who elects");
    this.#record.ack(to, this.#role === "leader");
  }

  /** A leader would make a second block of one view and height. */
  rejected(): void {
    if (this.#host.ledger.head.invalid === undefined) return;
    if (this.#role !== "follower") this.#stepDown("the operator rejected its head");
    this.#record.headRejected();
  }

  irreversibleMoved(): void {
    this.lead.term?.irreversibleMoved();
    this.#record.checkRecovered();
  }

  linkUp(peer: string): void {
    this.#record.giveBack(peer);
  }

  linkBroke(peer: string): void {
    this.lead.term?.askSuccessor();
    if (peer !== this.#leader || this.#role !== "follower" || !this.#record.takesPart) return;
    // The kernel tells at once that a process died: ask the others early. They refuse if they still hear it.
    this.#heardAt = Number.NEGATIVE_INFINITY;
    this.#electionTimer.leaderLost();
  }

  /** Who has just joined waits as long as everybody before it asks for an election. */
  #checkMembership(): void {
    if (this.#record.isMember && !this.#wasMember) this.#electionTimer.reset();
    this.#wasMember = this.#record.isMember;
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
    this.#record.change({ view: this.#record.view + 1, votedFor: this.#host.self });
    this.#electionTimer.reset();
    this.#granted.clear();
    const { view } = this.#record;
    this.#host.log("info", "stands for election", { view });
    this.#host.whenDurable({ kind: "ownVote", view });
    const content = { view, head: refOf(this.#host.ledger.head), preVote: false, transfer };
    this.#host.multicast({ kind: "requestVote", content }, { durable: true });
  }

  #onRequestVote(candidate: string, request: RequestVote): void {
    if (!this.#record.takesPart) return;
    if (request.preVote) return this.#answerPreVote(candidate, request);
    if (request.view > this.#record.view) {
      // Who hears its leader refuses to disrupt it, unless that leader asked for it.
      if (this.#hearsLeader() && !request.transfer) return;
      this.#enterView(request.view);
    }
    const granted = this.#mayVoteFor(candidate, request);
    if (granted && this.#record.content.votedFor === undefined) {
      this.#record.change({ votedFor: candidate });
      this.#electionTimer.reset();
    }
    const content = { view: this.#record.view, candidate, granted, preVote: false };
    this.#host.unicast(candidate, { kind: "vote", content }, { durable: true });
  }

  #mayVoteFor(candidate: string, request: RequestVote): boolean {
    if (this.#record.isRecovering || this.#role !== "follower") return false; // [S6]
    if (request.view !== this.#record.view) return false;
    const { votedFor } = this.#record.content;
    if (votedFor !== undefined && votedFor !== candidate) return false; // [R1]
    return isAtLeast(request.head, this.#host.ledger.head); // [S1]
  }

  #answerPreVote(candidate: string, request: RequestVote): void {
    const { head } = this.#host.ledger;
    const mayFollow = !this.#record.isRecovering && request.view > this.#record.view && !this.#hearsLeader();
    const granted = mayFollow && isAtLeast(request.head, head); // [S1]
    const view = granted ? request.view : this.#record.view;
    const content = { view, candidate, granted, preVote: true };
    this.#host.unicast(candidate, { kind: "vote", content }, { durable: false });
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
    if (!this.#isElectedBy(this.#host.ledger.head.setsAfter)) return;
    if (this.#role === "preCandidate") this.#startElection(false);
    else if (this.#role === "candidate") this.#lead();
  }

  /** @param sets those that judge the block that opens my view [S10] */
  #isElectedBy(sets: ProducerSets): boolean {
    return hasMajority(sets, (key) => this.#granted.has(key));
  }

  #onTimeoutNow(signer: string, { view, target }: TimeoutNow): void {
    if (target !== this.#host.self || view !== this.#record.view || signer !== this.#leader) return;
    if (!this.#record.takesPart || this.#record.isRecovering || this.lead.isLeaving) return;
    if (this.#role === "follower" && this.#record.mayLead) this.#startElection(true);
  }

  // Leading

  #lead(): void {
    const { view } = this.#record;
    this.#role = "leader";
    this.#leader = this.#host.self;
    this.#electionTimer.calm();
    this.lead.begin({
      view,
      sendHeartbeat: (round) => {
        const content = { view, round, irreversibleHeight: this.#host.ledger.bottom.height };
        this.#host.multicast({ kind: "heartbeat", content }, { durable: false });
      },
      isElectedBy: (sets) => this.#isElectedBy(sets),
      askToLead: (target) => this.#askToLead(target),
    });
  }

  #askToLead(target: string): void {
    const { view } = this.#record;
    if (target !== this.#host.self)
      return this.#host.unicast(target, { kind: "timeoutNow", content: { view, target } }, { durable: false });
    this.#becomeFollower();
    if (!this.lead.isLeaving) this.#startElection(true);
  }

  #onHeartbeatReply(signer: string, { view, round }: HeartbeatReply): void {
    if (view > this.#record.view) return this.#enterView(view);
    if (view === this.#record.view) this.lead.term?.replied(signer, round);
  }

  #onAck(signer: string, ack: Ack, signature: Uint8Array): void {
    if (ack.view === this.#record.view) this.lead.term?.acked(signer, ack, signature);
  }

  #stepDown(why: string): void {
    this.#host.log("warn", "steps down", { view: this.#record.view, why });
    this.#becomeFollower();
    this.#leader = undefined;
  }

  // Following

  #onHeartbeat(signer: string, { view, round, irreversibleHeight }: Heartbeat): void {
    if (view < this.#record.view) return this.#record.replyTo(signer, 0);
    if (view > this.#record.view) this.#enterView(view);
    if (this.#role === "leader") return;
    if (this.#role !== "follower") this.#becomeFollower();
    this.#leader = signer;
    if (round <= this.#roundHeard) return;
    this.#roundHeard = round;
    this.#heardAt = this.#host.now();
    this.#electionTimer.calm();
    this.#electionTimer.reset();
    this.#record.replyTo(signer, round);
    // An ack may have been lost with its link, or not been given before a restart: until it is decided it is sent again.
    const { head } = this.#host.ledger;
    if (head.height > irreversibleHeight) this.#record.ack(head, false);
  }

  // Shared

  #onGivenBack(message: ConsensusMessage): void {
    if (!this.#record.givenBack(message)) return;
    this.#becomeFollower();
    this.#leader = undefined;
  }

  #enterView(view: number): void {
    this.#record.change({ view, votedFor: undefined });
    this.#becomeFollower();
    this.#leader = undefined;
    this.#heardAt = Number.NEGATIVE_INFINITY;
    this.#roundHeard = 0;
  }

  #becomeFollower(): void {
    this.#role = "follower";
    this.lead.end();
    this.#granted.clear();
    this.#electionTimer.reset();
  }

  #hearsLeader(): boolean {
    if (this.#role === "leader") return true;
    return this.#leader !== undefined && this.#host.now() < this.#heardAt + this.#host.settings.electionTimeoutMs;
  }

  #status(): EngineView["status"] {
    if (!this.#record.isMember) return "observer";
    if (this.#record.isRecovering) return "recovering";
    if (this.#role === "leader" || this.#role === "follower") return this.#role;
    return "candidate";
  }
}
