/**
 * Viewstamped Replication over a chain (Liskov and Cowling, "Viewstamped Replication Revisited", 2012). Views go round the
 * producers; the log is the best chain, so the state that a view change transfers comes by hellos and blocks, and the block
 * that opens a view is its StartView.
 *
 * One loop: every handler looks at the state (status, view, whose view it is) and then at the message. Rules are marked by
 * their tags in docs/protocol.md, sections 4 and 6.
 */
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { Header } from "../../chain/header.ts";
import type { ProducerSets } from "../../chain/producerSets.ts";
import type { DurableAction, Engine, EngineHost, EngineView } from "../engine.ts";
import { ElectionTimer } from "../leading/electionTimer.ts";
import { type HeartbeatReply, isAtLeast, refOf } from "../leading/messages.ts";
import { Lead } from "../leading/lead.ts";
import { VoteRecord } from "../leading/voteRecord.ts";
import { WatchedLeader } from "../leading/watchedLeader.ts";
import type { ConsensusMessage } from "../messages.ts";
import { primaryOf } from "./headerRule.ts";
import { Incarnations } from "./incarnations.ts";
import {
  type CommitNotice,
  type DoViewChange,
  isAbove,
  isPromise,
  type Recovery as RecoveryMessage,
  type RecoveryResponse,
  type VsrRecord,
  vsrRecordMessage,
} from "./messages.ts";
import { Recovery, type Told } from "./recovery.ts";
import { Asks, type Departure, Departures } from "./viewChange.ts";

/** What may have been lost is said again every so many heartbeats. */
const REPEAT_HEARTBEATS = 2;

export interface VsrHost extends EngineHost {
  /** Somebody has this block, and it is needed here. */
  want(id: string): void;
}

/** Beside the incarnations. */
type OwnRecord = Omit<VsrRecord, "incarnations">;

export class Vsr implements Engine {
  readonly #host: VsrHost;
  readonly #record: VoteRecord<OwnRecord>;
  readonly #recovery: Recovery;
  readonly lead: Lead;
  /** My view is open, as far as I know. */
  #isNormal = true;
  /** The view I ask for. */
  #asked: number | undefined;
  readonly #asks = new Asks();
  /** Of my view, while it is mine to open. */
  readonly #departures = new Departures();
  readonly #timer: ElectionTimer;
  #repeatAt = 0;
  /** Of an observer, in place of the primary. */
  readonly #watched: WatchedLeader;
  /** The primary of this view, once it was heard in it. */
  #led: string | undefined;
  /** Newest round heard from the primary of this view. */
  #roundHeard = 0;
  /** A view of mine that I may have opened before a restart: a second block of its first place must not be [S7]. */
  #silentIn = -1;
  #wasMember: boolean;

  /** @param record as it was on disk; undefined: lost */
  constructor(host: VsrHost, record: VsrRecord | undefined) {
    this.#host = host;
    this.#timer = new ElectionTimer(host);
    this.#watched = new WatchedLeader(host);
    this.lead = new Lead(host);
    const { head } = host.ledger;
    const blank = { view: head.view, ackedHead: refOf(head) };
    const isLost = record === undefined || record.lostWithOthers === true;
    this.#record = new VoteRecord<OwnRecord>(host, isLost ? undefined : record, blank, { isPromise, isAbove });
    this.#wasMember = this.#record.isMember;
    this.#recovery = new Recovery(host, record?.incarnations ?? [], record?.lostWithOthers === true);
    if (!this.#record.takesPart) this.#recovery.begin();
  }

  get state(): EngineView {
    return { view: this.#record.view, leader: this.#leader(), status: this.#status() };
  }

  get deadline(): number {
    if (!this.#record.isMember) return this.#watched.deadline;
    if (this.#recovery.isOn) return this.#repeatAt;
    if (this.lead.term !== undefined) return this.lead.term.deadline;
    return Math.min(this.#timer.at, this.#asked === undefined ? Number.POSITIVE_INFINITY : this.#repeatAt);
  }

  encodeRecord(): Uint8Array {
    return vsrRecordMessage.encode({ ...this.#record.content, incarnations: this.#recovery.incarnations.list });
  }

  start(): void {
    const { head } = this.#host.ledger;
    // Blocks of abandoned branches count, too: a valid header of a higher view moves every engine.
    const view = Math.max(this.#record.view, ...[...this.#host.ledger.nodes()].map((node) => node.view));
    if (view > this.#record.view) this.#enter(view);
    // The head tells the last view that was normal here, because a view begins with a block [S2].
    this.#isNormal = head.view === view;
    this.#record.checkRecovered();
    if (head.view > 0) this.#watched.assume(head.block.header.producer);
    this.#timer.reset();
    if (!this.#isNormal) this.#asked = view;
    this.#fallSilent();
    // Block 0 has no primary.
    if (view === 0) this.#timer.leaderLost();
  }

  tick(): void {
    if (!this.#record.isMember) return;
    const now = this.#host.now();
    if (this.lead.term !== undefined) {
      const why = this.lead.term.tick();
      if (why !== undefined) this.#giveUp(why);
      return;
    }
    if (now >= this.#repeatAt) this.#repeat();
    if (this.#recovery.isOn || now < this.#timer.at) return;
    if (this.#record.isRecovering) this.#timer.reset();
    else this.#askFor(this.#nextView());
  }

  receive(message: ConsensusMessage): void {
    const { signer } = message;
    if (!this.#host.ledger.isProducer(signer)) return;
    if (signer === this.#host.self) return this.#onGivenBack(message);
    this.#record.heard(message);
    switch (message.kind) {
      case "startViewChange":
        return this.#onStartViewChange(signer, message.content.view);
      case "doViewChange":
        return this.#onDoViewChange(signer, message.content);
      case "ack":
        if (message.content.view === this.#record.view)
          this.lead.term?.acked(signer, message.content, message.signature);
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
    if (action.kind === "ownAck") this.lead.term?.ownAckDurable(action.id);
    else if (action.kind === "ownViewChange" && !this.#isNormal) this.#countDeparture(this.#host.self);
  }

  /** Who made a valid header of a view has opened that view. */
  headerSeen(header: Header, node: BlockNode): void {
    this.lead.term?.blockAdded(node);
    if (header.view > this.#record.view) this.#enter(header.view);
    if (header.view !== this.#record.view) return;
    this.#watched.seen(header.producer);
    if (!this.#isNormal) this.#normal();
    if (header.producer !== this.#host.self) this.#led = header.producer;
  }

  headMoved(to: BlockNode): void {
    this.#goOnWith(this.#recovery.headMoved());
    this.#record.checkRecovered();
    // Who has just joined waits as long as everybody before it asks for another view.
    if (this.#record.isMember && !this.#wasMember) this.#timer.reset();
    this.#wasMember = this.#record.isMember;
    if (this.lead.term !== undefined && to.view < this.#record.view && !this.#isLeftFor(to.setsAfter))
      this.#giveUp("its head has changed who opens its view");
    this.#ack(to);
    this.#openIfAble();
  }

  /** A primary would make a second block of one view and height; whoever acked waits for a branch as good [S6]. */
  rejected(): void {
    if (this.#host.ledger.head.invalid === undefined) return;
    if (this.lead.term !== undefined) this.#giveUp("the operator rejected its head");
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
    if (peer !== this.#leader() || this.lead.term !== undefined || !this.#record.takesPart) return;
    // The kernel tells at once that a process died: ask the others early. Alone it leads to nothing.
    this.#led = undefined;
    this.#timer.leaderLost();
  }

  // Leaving a view: with a quorum, so that one cut-off replica disturbs nobody

  /** The next view whose primary can be reached; the very next one when none can. */
  #nextView(): number {
    const { ledger, self } = this.#host;
    const { view } = this.#record;
    const sets = ledger.head.setsAfter;
    for (let next = view + 1; next <= view + sets.current.producers.length; next++) {
      const primary = primaryOf(sets, next);
      if (primary === self ? !this.lead.isLeaving : this.#host.reaches(primary)) return next;
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
    if (this.#recovery.isOn) return this.#recovery.ask();
    if (this.#asked === undefined || this.#record.isRecovering) return;
    this.#host.multicast({ kind: "startViewChange", content: { view: this.#asked } }, { durable: false });
    this.#countAsk(this.#host.self, this.#asked);
    if (this.#isNormal) return;
    this.#depart();
    this.#openIfAble();
  }

  #onStartViewChange(signer: string, view: number): void {
    if (view <= this.#record.view || !this.#record.takesPart) return;
    this.#countAsk(signer, view);
    if (this.#record.isRecovering || this.lead.term !== undefined) return;
    if (view <= Math.max(this.#record.view, this.#asked ?? 0)) return;
    // The primary wants to be replaced: it stops, or hears no quorum. On the way already: the furthest ahead is followed.
    if (signer === this.#leader() || !this.#isNormal) this.#askFor(view);
  }

  #countAsk(replica: string, view: number): void {
    const now = this.#host.now();
    this.#asks.record(replica, view, now);
    const agreed = this.#asks.agreed(this.#host.ledger.head.setsAfter, now - this.#host.settings.electionTimeoutMs);
    if (agreed > this.#record.view) this.#leaveFor(agreed);
  }

  /** A quorum asks for this view, or has left for it. */
  #leaveFor(view: number): void {
    this.#host.log("info", "leaves for another view", { view });
    this.#enter(view);
    this.#isNormal = false;
    if (this.#record.isRecovering) return;
    this.#asked = view;
    this.#asks.record(this.#host.self, view, this.#host.now());
    this.#host.multicast({ kind: "startViewChange", content: { view } }, { durable: false });
    const departedTo = primaryOf(this.#host.ledger.head.setsAfter, view);
    this.#record.change({ departedTo });
    if (departedTo === this.#host.self) this.#host.whenDurable({ kind: "ownViewChange", view });
    else this.#depart();
  }

  /** Tells the primary of my view that I have left all others, and with which head. */
  #depart(): void {
    if (this.#record.isRecovering) return;
    const { view, departedTo = primaryOf(this.#host.ledger.head.setsAfter, view) } = this.#record.content;
    // One primary a view: two of different producer sets might both open it.
    if (this.#record.content.departedTo === undefined) this.#record.change({ departedTo });
    if (departedTo === this.#host.self) return;
    const { head, config, incarnations } = this.#departure();
    const content = { view, head, incarnations: incarnations.list, primary: departedTo, config };
    this.#host.unicast(departedTo, { kind: "doViewChange", content }, { durable: true });
  }

  /** As it stands: a head that has moved may have moved to other producer sets. */
  #departure(): Departure {
    const { head } = this.#host.ledger;
    return { head: refOf(head), config: head.setsAfter.hash, incarnations: this.#recovery.incarnations };
  }

  #onDoViewChange(signer: string, { view, head, incarnations, primary, config }: DoViewChange): void {
    if (primary !== this.#host.self) return; // [S8]
    if (!this.#record.takesPart || view < this.#record.view) return;
    // Who left did so with a quorum.
    if (view > this.#record.view) this.#leaveFor(view);
    if (this.#isNormal) return;
    this.#departures.record(signer, { head, config, incarnations: new Incarnations(incarnations) });
    this.#openIfAble();
  }

  #countDeparture(self: string): void {
    if (this.#record.content.departedTo !== self || this.#record.isRecovering) return;
    this.#departures.record(self, this.#departure());
    this.#openIfAble();
  }

  /** My view is mine to open once a majority has left for it and I hold the best of their heads [V1]. */
  #openIfAble(): void {
    const { view } = this.#record;
    if (this.#isNormal || this.#record.isRecovering || this.#silentIn === view) return;
    const sets = this.#host.ledger.head.setsAfter;
    const best = this.#departures.best(this.#host.self, sets);
    if (best === undefined || primaryOf(sets, view) !== this.#host.self) return;
    if (isAtLeast(this.#host.ledger.head, best)) this.#lead();
    else if (this.#host.ledger.get(best.id) === undefined) this.#host.want(best.id);
  }

  /** @param sets those that judge the block that opens my view [S10] */
  #isLeftFor(sets: ProducerSets): boolean {
    const { self } = this.#host;
    return primaryOf(sets, this.#record.view) === self && this.#departures.best(self, sets) !== undefined;
  }

  // Leading

  #lead(): void {
    const { view } = this.#record;
    this.#isNormal = true;
    this.#calm();
    this.lead.begin({
      view,
      sendHeartbeat: (round) => {
        const { height, id } = this.#host.ledger.bottom;
        this.#host.multicast({ kind: "commitNotice", content: { view, round, height, id } }, { durable: false });
      },
      isElectedBy: (sets) => this.#isLeftFor(sets),
      askToLead: (target) => {
        if (target === this.#host.self) this.#giveUp("its view is closed");
        else this.#askFor(this.#viewOf(target));
      },
      handOverFailed: () => {
        this.#asked = undefined;
        this.#asks.withdraw(this.#host.self);
      },
    });
  }

  /** The next view that is this producer's. */
  #viewOf(producer: string): number {
    const sets = this.#host.ledger.head.setsAfter;
    const after = this.#record.view + 1;
    const { length } = sets.current.producers;
    for (let view = after; view < after + length; view++) if (primaryOf(sets, view) === producer) return view;
    return after;
  }

  #giveUp(why: string): void {
    this.#host.log("warn", "leads no more", { view: this.#record.view, why });
    this.lead.end();
    if (!this.#record.isRecovering) this.#askFor(this.#nextView());
  }

  #onReply(signer: string, { view, round }: HeartbeatReply): void {
    if (view > this.#record.view && this.#record.takesPart) return this.#leaveFor(view);
    if (view === this.#record.view) this.lead.term?.replied(signer, round);
  }

  // Following

  #onCommitNotice(signer: string, { view, round, height }: CommitNotice): void {
    if (view < this.#record.view) return this.#record.replyTo(signer, 0);
    if (view > this.#record.view) this.#enter(view);
    if (!this.#isNormal) this.#normal();
    this.#led = signer;
    if (round <= this.#roundHeard) return;
    this.#roundHeard = round;
    this.#calm();
    this.#record.replyTo(signer, round);
    // An ack may have been lost with its link, or not been given before a restart: until it is decided it is sent again.
    const { head } = this.#host.ledger;
    if (head.height > height) this.#ack(head);
  }

  #ack(node: BlockNode): void {
    if (this.#isNormal && this.#record.view > 0) this.#record.ack(node, this.lead.term !== undefined);
  }

  // Recovery

  /**
   * Answered in an open view: its primary can tell what the asker may have promised. Where too few are left for a view to
   * be opened, as the operator has confirmed, who is on its way to one tells of that: the asker promises nothing below it.
   */
  #onRecovery(signer: string, { nonce, lostWithOthers = false }: RecoveryMessage): void {
    this.#recovery.asked(signer);
    if (!this.#record.takesPart || this.#record.isRecovering || this.#record.view === 0) return;
    if (!this.#isNormal && !lostWithOthers) return;
    // A primary that leads no more may have forgotten blocks in a crash: it does not say that these are all.
    const head = this.lead.term && refOf(this.#host.ledger.head);
    this.#recovery.answer(signer, nonce, this.#record.view, head);
  }

  #onRecoveryResponse(signer: string, answer: RecoveryResponse): void {
    this.#goOnWith(this.#recovery.answered(signer, answer));
  }

  #goOnWith(told: Told | undefined): void {
    if (told === undefined) return;
    const view = Math.max(told.view, this.#record.view);
    this.#host.log("info", "takes part again: the others told what it may have promised", { view });
    this.#record.restore({ view, ackedHead: told.head });
    this.#isNormal = view === told.view;
    this.#led = undefined;
    this.#timer.reset();
    this.#fallSilent();
    this.#record.checkRecovered();
  }

  #onGivenBack(message: ConsensusMessage): void {
    if (!this.#record.givenBack(message)) return;
    this.lead.end();
    this.#asked = undefined;
    this.#recovery.begin();
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
    this.#record.change({ view, departedTo: undefined });
    this.lead.end();
    this.#departures.clear();
    this.#asked = undefined;
    this.#isNormal = true;
    this.#led = undefined;
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

  /** Did I open my view, or is it mine to open? */
  #isMine(): boolean {
    const { head } = this.#host.ledger;
    const { view, departedTo } = this.#record.content;
    const primary = head.view === view ? head.block.header.producer : (departedTo ?? primaryOf(head.setsAfter, view));
    return primary === this.#host.self;
  }

  #leader(): string | undefined {
    if (!this.#record.isMember) return this.#watched.key;
    if (this.lead.term !== undefined) return this.#host.self;
    return this.#isNormal ? this.#led : undefined;
  }

  #status(): EngineView["status"] {
    if (!this.#record.isMember) return "observer";
    if (this.#record.isRecovering) return "recovering";
    if (this.lead.term !== undefined) return "leader";
    return this.#isNormal && this.#asked === undefined ? "follower" : "candidate";
  }
}
