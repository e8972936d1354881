/**
 * Viewstamped Replication over a chain (Liskov and Cowling, "Viewstamped Replication Revisited", 2012). Views go round the
 * producers; the log is the best chain, so the state that a view change transfers comes by hellos and blocks, and the block
 * that opens a view is its StartView.
 *
 * One loop: every handler looks at the state (status, view, whose view it is) and then at the message. Rules are marked by
 * their tags in docs/protocol.md, sections 4 and 6.
 */
import { isProducer, majorityOf } from "../../chain/configuration.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { Header } from "../../chain/header.ts";
import type { EarlyVoteCounts } from "../earlyVotes.ts";
import type { DurableAction, Engine, EngineHost, EngineView, ProductionPermit } from "../engine.ts";
import { ElectionTimer } from "../leading/electionTimer.ts";
import { type HeartbeatReply, isAtLeast, refOf } from "../leading/messages.ts";
import { NewestMessages } from "../leading/newestMessages.ts";
import { ackOf, Term } from "../leading/term.ts";
import { WatchedLeader } from "../leading/watchedLeader.ts";
import type { ConsensusMessage } from "../messages.ts";
import { primaryOf } from "./headerRule.ts";
import {
  type CommitNotice,
  type DoViewChange,
  isAbove,
  isPromise,
  type Recovery,
  type RecoveryResponse,
  type VsrRecord,
  vsrRecordMessage,
} from "./messages.ts";
import { Incarnations, RecoveryExchange } from "./recovery.ts";
import { Asks, Departures } from "./viewChange.ts";

/** What may have been lost is said again every so many heartbeats. */
const REPEAT_HEARTBEATS = 2;

export interface VsrHost extends EngineHost {
  /** Somebody has this block, and it is needed here. */
  want(id: string): void;
}

export class Vsr implements Engine {
  readonly #host: VsrHost;
  readonly #majority: number;
  /** False for a follower of the chain, who only watches. */
  readonly #isMember: boolean;
  #record: Pick<VsrRecord, "view" | "ackedHead" | "outdated">;
  readonly #incarnations: Incarnations;
  /** While the record is lost or old: this replica cannot know what it promised. */
  #recovery: RecoveryExchange | undefined;
  /** No acks, no view changes, until what was acked before the restart is here again [S6]. */
  #recovering = true;
  /** My view is open, as far as I know. */
  #isNormal = true;
  /** The view I ask for. */
  #asked: number | undefined;
  readonly #asks = new Asks();
  /** Of my view, while it is mine to open. */
  readonly #departures = new Departures();
  readonly #timer: ElectionTimer;
  #repeatAt = 0;
  readonly #newest = new NewestMessages(isPromise);
  /** Of an observer, in place of the primary. */
  readonly #watched: WatchedLeader;
  /** The primary of this view was heard in it. */
  #isLed = false;
  /** Newest round heard from the primary of this view. */
  #roundHeard = 0;
  /** Of the primary of an open view. */
  #term: Term | undefined;
  /** A view of mine that I may have opened before a restart: a second block of its first place must not be [S7]. */
  #silentIn = -1;
  /** The view that this node hands over, until its successor's has decided a block. */
  #viewHandedOver: number | undefined;
  #isLeaving = false;

  /** @param record as it was on disk; undefined: lost */
  constructor(host: VsrHost, record: VsrRecord | undefined) {
    this.#host = host;
    this.#timer = new ElectionTimer(host);
    this.#watched = new WatchedLeader(host);
    this.#majority = majorityOf(host.configuration);
    this.#isMember = isProducer(host.configuration, host.self);
    const { head } = host.ledger;
    this.#record = record ?? { view: head.view, ackedHead: refOf(head) };
    this.#incarnations = new Incarnations(record?.incarnations ?? []);
    if (record === undefined || record.outdated === true) this.#recovery = this.#newRecovery();
  }

  get state(): EngineView {
    return { view: this.#record.view, leader: this.#leader(), status: this.#status() };
  }

  get earlyVotes(): EarlyVoteCounts | undefined {
    return this.#term?.earlyVotes;
  }

  get deadline(): number {
    if (!this.#isMember) return this.#watched.deadline;
    if (this.#recovery !== undefined) return this.#repeatAt;
    if (this.#term !== undefined) return this.#term.deadline;
    return Math.min(this.#timer.at, this.#asked === undefined ? Number.POSITIVE_INFINITY : this.#repeatAt);
  }

  encodeRecord(): Uint8Array {
    return vsrRecordMessage.encode({ ...this.#record, incarnations: this.#incarnations.list });
  }

  start(): void {
    const { head } = this.#host.ledger;
    // Blocks of abandoned branches count, too: a valid header of a higher view moves every engine.
    const view = Math.max(this.#record.view, ...[...this.#host.ledger.nodes()].map((node) => node.view));
    if (view > this.#record.view) this.#enter(view);
    // The head tells the last view that was normal here, because a view begins with a block [S2].
    this.#isNormal = head.view === view;
    this.#checkRecovered();
    if (head.view > 0) this.#watched.assume(head.block.header.producer);
    this.#timer.reset();
    if (!this.#isNormal) this.#asked = view;
    this.#fallSilent();
    // Block 0 has no primary.
    if (view === 0) this.#timer.leaderLost();
  }

  tick(): void {
    if (!this.#isMember) return;
    const now = this.#host.now();
    if (this.#term !== undefined) {
      const why = this.#term.tick();
      if (why !== undefined) this.#giveUp(why);
      return;
    }
    if (now >= this.#repeatAt) this.#repeat();
    if (this.#recovery !== undefined || now < this.#timer.at) return;
    if (this.#recovering) this.#timer.reset();
    else this.#askFor(this.#nextView());
  }

  receive(message: ConsensusMessage): void {
    const { signer } = message;
    if (!this.#isMember || !isProducer(this.#host.configuration, signer)) return;
    if (signer === this.#host.self) return this.#onGivenBack(message);
    this.#newest.heard(message);
    switch (message.kind) {
      case "startViewChange":
        return this.#onStartViewChange(signer, message.content.view);
      case "doViewChange":
        return this.#onDoViewChange(signer, message.content);
      case "ack":
        if (message.content.view === this.#record.view) this.#term?.acked(signer, message.content, message.signature);
        return;
      case "commitNotice":
        return this.#onCommitNotice(signer, message.content);
      case "heartbeatReply":
        return this.#onReply(signer, message.content);
      case "recovery":
        return this.#onRecovery(signer, message.content);
      case "recoveryResponse":
        return this.#onRecoveryResponse(signer, message.content);
      default:
        // Another engine's.
        return;
    }
  }

  /** Own acks and departures count only now [S5]. */
  durable(action: DurableAction): void {
    if (action.view !== this.#record.view) return;
    if (action.kind === "ownAck") this.#term?.ownAckDurable(action.id);
    else if (action.kind === "ownViewChange" && !this.#isNormal) this.#countDeparture(this.#host.self);
  }

  /** Who made a valid header of a view has opened that view. */
  headerSeen(header: Header, node: BlockNode): void {
    this.#term?.blockAdded(node);
    if (header.view > this.#record.view) this.#enter(header.view);
    if (header.view !== this.#record.view) return;
    this.#watched.seen(header.producer);
    if (!this.#isNormal) this.#normal();
    if (!this.#isMine()) this.#isLed = true;
  }

  headMoved(to: BlockNode): void {
    this.#checkRecovered();
    this.#ack(to);
    this.#openIfAble();
  }

  /** A primary would make a second block of one view and height; whoever acked waits for a branch as good [S6]. */
  rejected(): void {
    if (this.#host.ledger.head.invalid === undefined) return;
    if (this.#term !== undefined) this.#giveUp("the operator rejected its head");
    this.#recovering = true;
  }

  irreversibleMoved(): void {
    this.#term?.irreversibleMoved();
    this.#checkRecovered();
  }

  read(read: number): void {
    if (this.#term !== undefined) this.#term.read(read);
    else this.#host.readAnswered([read], undefined);
  }

  handOver(): void {
    this.#isLeaving = true;
    if (this.#term === undefined) return;
    this.#viewHandedOver = this.#record.view;
    this.#term.handOver();
  }
  get isHandingOver(): boolean {
    // The successor may need this node's departure, and its ack.
    return this.#viewHandedOver !== undefined && this.#host.ledger.bottom.view <= this.#viewHandedOver;
  }

  linkUp(peer: string): void {
    for (const message of this.#newest.of(peer)) this.#host.giveBack(message);
  }

  linkBroke(peer: string): void {
    this.#term?.askSuccessor();
    if (peer !== this.#leader() || this.#term !== undefined || !this.#takesPart()) return;
    // The kernel tells at once that a process died: ask the others early. Alone it leads to nothing.
    this.#isLed = false;
    this.#timer.leaderLost();
  }

  production(): ProductionPermit | undefined {
    return this.#term?.production();
  }

  produced(node: BlockNode): void {
    this.#term?.produced(node);
  }

  // Leaving a view: with a quorum, so that one cut-off replica disturbs nobody

  /** The next view whose primary can be reached; the very next one when none can. */
  #nextView(): number {
    const { configuration, self } = this.#host;
    const { view } = this.#record;
    for (let next = view + 1; next <= view + configuration.producers.length; next++) {
      const primary = primaryOf(configuration, next);
      if (primary === self ? !this.#isLeaving : this.#host.reaches(primary)) return next;
    }
    return view + 1;
  }

  #askFor(view: number): void {
    if (this.#asked !== undefined) this.#timer.grow();
    this.#timer.reset();
    this.#asked = view;
    this.#host.log("debug", "asks for another view", { view });
    this.#repeat();
  }

  /** Says again what may have been lost, while it stands. */
  #repeat(): void {
    const now = this.#host.now();
    this.#repeatAt = now + REPEAT_HEARTBEATS * this.#host.settings.heartbeatMs;
    if (this.#recovery !== undefined) {
      this.#host.multicast({ kind: "recovery", content: { nonce: this.#recovery.nonce } }, { durable: false });
      return;
    }
    if (this.#asked === undefined || this.#recovering) return;
    this.#host.multicast({ kind: "startViewChange", content: { view: this.#asked } }, { durable: false });
    this.#countAsk(this.#host.self, this.#asked);
    if (this.#isNormal) return;
    this.#depart();
    this.#openIfAble();
  }

  #onStartViewChange(signer: string, view: number): void {
    if (view <= this.#record.view || !this.#takesPart()) return;
    this.#countAsk(signer, view);
    if (this.#recovering || this.#term !== undefined || view <= Math.max(this.#record.view, this.#asked ?? 0)) return;
    // The primary wants to be replaced: it stops, or hears no quorum. On the way already: the furthest ahead is followed.
    if (signer === this.#leader() || !this.#isNormal) this.#askFor(view);
  }

  #countAsk(replica: string, view: number): void {
    const now = this.#host.now();
    this.#asks.record(replica, view, now);
    const agreed = this.#asks.agreed(this.#majority, now - this.#host.settings.electionTimeoutMs);
    if (agreed !== undefined && agreed > this.#record.view) this.#leaveFor(agreed);
  }

  /** A quorum asks for this view, or has left for it. */
  #leaveFor(view: number): void {
    this.#host.log("info", "leaves for another view", { view });
    this.#enter(view);
    this.#isNormal = false;
    if (this.#recovering) return;
    this.#asked = view;
    this.#asks.record(this.#host.self, view, this.#host.now());
    this.#host.multicast({ kind: "startViewChange", content: { view } }, { durable: false });
    if (this.#isMine()) this.#host.whenDurable({ kind: "ownViewChange", view });
    else this.#depart();
  }

  /** Tells the primary of my view that I have left all others, and with which head. */
  #depart(): void {
    const { view } = this.#record;
    if (this.#isMine() || this.#recovering) return;
    const content = { view, head: refOf(this.#host.ledger.head), incarnations: this.#incarnations.list };
    this.#host.unicast(primaryOf(this.#host.configuration, view), { kind: "doViewChange", content }, { durable: true });
  }

  #onDoViewChange(signer: string, { view, head, incarnations }: DoViewChange): void {
    if (!this.#takesPart() || view < this.#record.view) return;
    if (primaryOf(this.#host.configuration, view) !== this.#host.self) return;
    // Who left did so with a quorum.
    if (view > this.#record.view) this.#leaveFor(view);
    if (this.#isNormal) return;
    this.#departures.record(signer, { head, incarnations: new Incarnations(incarnations) });
    this.#openIfAble();
  }

  #countDeparture(self: string): void {
    if (!this.#isMine() || this.#recovering) return;
    this.#departures.record(self, { head: refOf(this.#host.ledger.head), incarnations: this.#incarnations });
    this.#openIfAble();
  }

  /** My view is mine to open once a majority has left for it and I hold the best of their heads [V1]. */
  #openIfAble(): void {
    if (this.#isNormal || !this.#isMine() || this.#recovering || this.#silentIn === this.#record.view) return;
    const best = this.#departures.best(this.#host.self, this.#majority);
    if (best === undefined) return;
    if (isAtLeast(this.#host.ledger.head, best)) this.#lead();
    else if (this.#host.ledger.get(best.id) === undefined) this.#host.want(best.id);
  }

  // Leading

  #lead(): void {
    const { view } = this.#record;
    this.#normal();
    this.#host.log("info", "leads", { view });
    this.#term = new Term(this.#host, {
      view,
      sendHeartbeat: (round) => {
        const { height, id } = this.#host.ledger.bottom;
        this.#host.multicast({ kind: "commitNotice", content: { view, round, height, id } }, { durable: false });
      },
      askToLead: (target) => this.#askFor(this.#viewOf(target)),
      handOverFailed: () => {
        this.#viewHandedOver = this.#asked = undefined;
        this.#asks.withdraw(this.#host.self);
      },
    });
    this.#term.sendHeartbeat();
  }

  /** The next view that is this producer's. */
  #viewOf(producer: string): number {
    let view = this.#record.view + 1;
    while (primaryOf(this.#host.configuration, view) !== producer) view++;
    return view;
  }

  #giveUp(why: string): void {
    this.#host.log("warn", "leads no more", { view: this.#record.view, why });
    this.#endTerm();
    if (!this.#recovering) this.#askFor(this.#nextView());
  }

  #onReply(signer: string, { view, round }: HeartbeatReply): void {
    if (view > this.#record.view && this.#takesPart()) return this.#leaveFor(view);
    if (view === this.#record.view) this.#term?.replied(signer, round);
  }

  // Following

  #onCommitNotice(signer: string, { view, round, height }: CommitNotice): void {
    if (primaryOf(this.#host.configuration, view) !== signer) return;
    if (view < this.#record.view) return this.#replyTo(signer, 0);
    if (view > this.#record.view) this.#enter(view);
    if (!this.#isNormal) this.#normal();
    this.#isLed = true;
    if (round <= this.#roundHeard) return;
    this.#roundHeard = round;
    this.#calm();
    this.#replyTo(signer, round);
    // An ack may have been lost with its link, or not been given before a restart: until it is decided it is sent again.
    const { head } = this.#host.ledger;
    if (head.height > height) this.#ack(head);
  }

  /** Who has lost its record cannot say that it follows nobody else: a primary must not count on it. */
  #replyTo(primary: string, round: number): void {
    if (!this.#takesPart()) return;
    const content = { view: this.#record.view, round };
    this.#host.unicast(primary, { kind: "heartbeatReply", content }, { durable: true });
  }

  /** Promises a block, unless it may not [S4] [S6]: the record first, the message and the own count when that is on disk. */
  #ack(node: BlockNode): void {
    const { view } = this.#record;
    if (!this.#takesPart() || this.#recovering || !this.#isNormal || node.view !== view || view === 0) return;
    if (node.id !== this.#record.ackedHead.id) {
      this.#record = { ...this.#record, ackedHead: refOf(node) };
      this.#host.persistRecord();
    }
    if (this.#term !== undefined) this.#host.whenDurable({ kind: "ownAck", view, height: node.height, id: node.id });
    else if (!this.#isMine())
      this.#host.unicast(primaryOf(this.#host.configuration, view), ackOf(node), { durable: true });
  }

  // Recovery

  #newRecovery(): RecoveryExchange {
    const { configuration, self } = this.#host;
    return new RecoveryExchange(configuration, self, this.#host.now());
  }

  /** Answered in an open view only: who is on its way to another may let the asker forget what it has promised there. */
  #onRecovery(signer: string, { nonce }: Recovery): void {
    if (!this.#takesPart() || this.#recovering || !this.#isNormal || this.#record.view === 0) return;
    if (this.#isMine() && this.#term === undefined) return;
    if (this.#incarnations.raise(signer, nonce)) this.#host.persistRecord();
    const head = this.#term && { head: refOf(this.#host.ledger.head) };
    const known = this.#incarnations.of(signer);
    const content = { replica: signer, nonce: known, view: this.#record.view, ...head };
    this.#host.unicast(signer, { kind: "recoveryResponse", content }, { durable: true });
  }

  #onRecoveryResponse(signer: string, answer: RecoveryResponse): void {
    const told = this.#recovery?.answered(signer, answer);
    if (this.#recovery === undefined || told === undefined) return;
    this.#incarnations.raise(this.#host.self, this.#recovery.nonce);
    this.#recovery = undefined;
    const view = Math.max(told.view, this.#record.view);
    this.#host.log("info", "takes part again: the others told what it may have promised", { view });
    this.#record = { view, ackedHead: told.head };
    this.#host.persistRecord();
    this.#isNormal = view === told.view;
    this.#isLed = this.#isNormal;
    this.#recovering = true;
    this.#timer.reset();
    this.#fallSilent();
    this.#checkRecovered();
  }

  /** A promise of one's own that the record does not know: it is an old one, and who goes by it may promise twice. */
  #onGivenBack(message: ConsensusMessage): void {
    if (!this.#takesPart() || !isAbove(message, this.#record)) return;
    this.#host.log("error", "its vote record is an old one: was its directory restored from a backup?");
    this.#record = { ...this.#record, outdated: true };
    this.#host.persistRecord();
    this.#endTerm();
    this.#recovering = true;
    this.#asked = undefined;
    this.#recovery = this.#newRecovery();
    this.#repeatAt = 0;
  }

  // Shared

  /** What was opened before a restart is not known: a primary that comes back in its own view asks for the next [S7]. */
  #fallSilent(): void {
    if (!this.#isMine()) return;
    this.#silentIn = this.#record.view;
    this.#timer.leaderLost();
  }

  /** My view is this one from now on; whether it is open is the caller's to say. */
  #enter(view: number): void {
    this.#record = { ...this.#record, view };
    if (this.#takesPart()) this.#host.persistRecord();
    this.#endTerm();
    this.#departures.clear();
    this.#asked = undefined;
    this.#isNormal = true;
    this.#isLed = false;
    this.#roundHeard = 0;
    this.#timer.reset();
  }

  /** My view is open. */
  #normal(): void {
    this.#isNormal = true;
    this.#departures.clear();
    this.#calm();
  }

  /** There is a primary. */
  #calm(): void {
    this.#asked = undefined;
    this.#asks.withdraw(this.#host.self);
    this.#timer.calm();
    this.#timer.reset();
  }

  #endTerm(): void {
    this.#term?.end();
    this.#term = undefined;
  }

  #checkRecovered(): void {
    if (!this.#recovering || this.#recovery !== undefined) return;
    const { ackedHead } = this.#record;
    const { head, bottom } = this.#host.ledger;
    const holds = head.invalid === undefined && isAtLeast(head, ackedHead);
    this.#recovering = !holds && bottom.height < ackedHead.height;
  }

  #isMine(): boolean {
    return primaryOf(this.#host.configuration, this.#record.view) === this.#host.self;
  }

  #takesPart(): boolean {
    return this.#isMember && this.#recovery === undefined;
  }

  #leader(): string | undefined {
    if (!this.#isMember) return this.#watched.key;
    if (this.#term !== undefined) return this.#host.self;
    return this.#isNormal && this.#isLed ? primaryOf(this.#host.configuration, this.#record.view) : undefined;
  }

  #status(): EngineView["status"] {
    if (!this.#isMember) return "observer";
    if (this.#recovering) return "recovering";
    if (this.#term !== undefined) return "leader";
    return this.#isNormal && this.#asked === undefined ? "follower" : "candidate";
  }
}
