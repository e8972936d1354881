/**
 * Byzantine fault tolerance over a chain: two-phase votes on streamed blocks, leaders by turns (docs/protocol.md, section
 * 7). Views, leading and fork choice are here, votes in `voting.ts`, what may be promised in `rules.ts`.
 */
import { ancestorAt, type BlockNode } from "../../chain/forkDatabase.ts";
import type { Block } from "../../chain/block.ts";
import type { BlockRef, Header } from "../../chain/header.ts";
import { configurationsOf, endsChange, membersAround } from "../../chain/producerSets.ts";
import type { Certificate } from "../certificate.ts";
import type { EarlyVoteCounts } from "../earlyVotes.ts";
import type { DurableAction, Engine, EngineLead, EngineView, ProductionPermit } from "../engine.ts";
import type { ConsensusMessage } from "../messages.ts";
import { Accuser } from "./accuser.ts";
import { handoffEntry, type Judgement, preparedBy } from "./certificates.ts";
import { HeldRecord } from "./heldRecord.ts";
import type { BftHost } from "./host.ts";
import type { SignedVote, Votes } from "./messages.ts";
import { isMessageAbove, isVoteAbove, NewestPromises } from "./newestPromises.ts";
import { Pacemaker } from "./pacemaker.ts";
import {
  afterEntering,
  afterViewChange,
  faultsOf,
  hasQuorum,
  isGreater,
  isReport,
  leaderOf,
  reportOf,
  viewToJoin,
} from "./rules.ts";
import { Tenure } from "./tenure.ts";
import { type HeldViewChange, type OpeningPermit, ViewChanges } from "./viewChanges.ts";
import { Voting } from "./voting.ts";

/** Unrequested blocks kept of one producer, view and height. */
const PLACE_BLOCKS = 2;
/**
 * Unrequested blocks are taken up to so many windows above the root: nobody who is honest makes one further than a window above
 * its own, and what is said to be irreversible may be another one behind.
 */
const AHEAD_WINDOWS = 3;
/** Summaries, and what may have been lost, go out every so many heartbeats. */
const REPEAT_HEARTBEATS = 2;

export class Bft implements Engine, EngineLead {
  readonly #host: BftHost;
  readonly #judgement: Judgement;
  readonly #record: HeldRecord;
  readonly #accuser: Accuser;
  readonly #voting: Voting;
  readonly #viewChanges: ViewChanges;
  readonly #pacemaker: Pacemaker;
  readonly #tenure: Tenure;
  readonly #newest = new NewestPromises();
  /**
   * No votes until what was prepared before the restart is here again [S6], and a quorum was heard, which gives back first
   * what it holds of this producer's: without one nothing is decided.
   */
  #recovering = true;
  /** Other producers that were heard while recovering. */
  readonly #heard = new Set<string>();
  /** The first block of my view that came; others of its place count only when certified. */
  #opener: BlockNode | undefined;
  /** Why I may open my view; it counts once the record that enters the view is on disk. */
  #permit: (OpeningPermit & { isDurable: boolean; readonly isHandoff?: true }) | undefined;
  /** A leader that restarted in its own view makes no block of it any more [S7]. */
  #silentIn = -1;
  #repeatAt = 0;
  /** Root when it was looked at last: without progress votes are said again. */
  #rootSeen = "";
  #isLeaving = false;
  #viewHandedOver: number | undefined;

  constructor(host: BftHost, judgement: Judgement, record: Uint8Array | undefined) {
    this.#host = host;
    this.#judgement = judgement;
    this.#record = new HeldRecord(record, judgement.genesis, host.ledger.head);
    this.#viewChanges = new ViewChanges();
    this.#tenure = new Tenure(host.settings);
    this.#pacemaker = new Pacemaker({
      self: host.self,
      settings: host.settings,
      sets: () => host.ledger.head.setsAfter,
      now: () => host.now(),
      random: () => host.random(),
    });
    this.#accuser = new Accuser(host);
    this.#voting = new Voting({
      accuser: this.#accuser,
      engine: host,
      record: this.#record,
      mayVote: () => this.#takesPart() && !this.#recovering,
      viewRaised: () => this.#entered(),
      certified: (node, certificate) => this.#certified(node, certificate),
      isLeading: () => this.#leads(),
    });
  }

  get lead(): EngineLead {
    return this;
  }

  get state(): EngineView {
    const { view } = this.#record;
    // Who restarted in its own view leads it no more, and has to find another to give its transactions to [S7].
    const leader = this.#silentIn === view ? undefined : this.#opener?.block.header.producer;
    return { view, leader, status: this.#status() };
  }

  get deadline(): number {
    return this.#takesPart() ? Math.min(this.#repeatAt, this.#pacemaker.at) : Number.POSITIVE_INFINITY;
  }

  /** The greatest certificate whose block is here: with it hellos are compared. */
  get certifiedRoot(): { readonly ref: BlockRef; readonly bytes: Uint8Array } | undefined {
    const { highQc } = this.#record.promises;
    const node = this.#host.ledger.get(highQc.id);
    if (node === undefined || !isGreater(highQc, this.#host.ledger.root)) return undefined;
    return { ref: highQc, bytes: this.#record.highQcBytes };
  }

  get earlyVotes(): EarlyVoteCounts {
    return this.#voting.early;
  }

  encodeRecord(): Uint8Array {
    return this.#record.encode();
  }

  start(): void {
    const { ledger, self } = this.#host;
    // Of blocks held, those of abandoned branches too: a valid header of a higher view moves every engine [S7].
    for (const node of ledger.nodes()) {
      this.#record.promises = afterEntering(this.#record.promises, node.view);
      if (node !== ledger.bottom) this.#accuser.block(node);
    }
    const { view } = this.#record;
    // By whatever it may have known of the producer sets then.
    const mayHaveLed = [...ledger.nodes()].some((node) => leaderOf(node.setsAfter, view) === self);
    if (view > 0 && mayHaveLed) this.#silentIn = view;
    this.#findOpener();
    this.#checkRecovered();
    this.#choose();
    if (this.#takesPart()) this.#voting.renew();
    if (view === 0 && leaderOf(ledger.head.setsAfter, 1) === self) this.#handedTo(1, this.#judgement.genesis, NOTHING);
  }

  tick(): void {
    if (!this.#takesPart()) return;
    const now = this.#host.now();
    if (now >= this.#pacemaker.at) this.#suspect();
    if (this.#isOverstayed()) this.#changeView(this.#record.view + 1);
    if (now < this.#repeatAt) return;
    this.#repeatAt = now + REPEAT_HEARTBEATS * this.#host.settings.heartbeatMs;
    this.#sendSummary();
    this.#voting.expire();
    for (const id of this.#voting.missing()) this.#host.want(id);
    this.#wantHighest();
    const root = this.#host.ledger.root.id;
    if (root === this.#rootSeen) this.#voting.repeat();
    this.#rootSeen = root;
    if (this.#isChanging()) this.#sendViewChange();
  }

  receive(message: ConsensusMessage): void {
    if (!this.#isMember || !this.#host.ledger.isProducer(message.signer)) return;
    if (message.signer === this.#host.self) {
      if (isMessageAbove(message, this.#record.promises)) this.#givenBack(message.content.view);
      return;
    }
    this.#newest.heard(message);
    if (message.kind === "summary") this.#onSummary(message.signer, message.content.view);
    else if (message.kind === "viewChange") this.#onViewChange(message);
  }

  receiveVotes(votes: Votes): void {
    if (!this.#isMember || !this.#host.ledger.isProducer(votes.signer)) return;
    if (votes.signer === this.#host.self)
      return votes.votes.forEach((each) => isVoteAbove(each, this.#record.promises) && this.#givenBack(each.vote.view));
    this.#newest.heardVotes(votes);
    for (const { vote } of votes.votes) this.#pacemaker.seen(votes.signer, vote.view);
    this.#voting.receive(votes);
  }

  isVoteNews(signer: string, vote: SignedVote): boolean {
    if (signer === this.#host.self)
      return this.#takesPart() && vote.vote.view > this.#record.unknownUpTo && isVoteAbove(vote, this.#record.promises);
    return this.#isMember && this.#voting.isVoteNews(signer, vote);
  }

  certificateSeen({ header, id, bytes }: Certificate): boolean {
    const isNews = this.#voting.seen({ ref: { view: header.view, height: header.height, id }, bytes });
    if (isNews) this.#choose();
    return isNews;
  }

  /** One block of a place is enough, and a second for evidence, and none far ahead; what a quorum prepared is always taken. */
  isSurplus({ id, header }: Block): boolean {
    const { ledger, settings } = this.#host;
    const isFar = header.height > ledger.root.height + AHEAD_WINDOWS * settings.windowBlocks;
    return (isFar || this.#accuser.countAt(header) >= PLACE_BLOCKS) && !this.#voting.isCertified({ ...header, id });
  }

  isCertificateNews(block: BlockRef): boolean {
    return this.#voting.isNews(block);
  }

  durable(action: DurableAction): void {
    switch (action.kind) {
      case "ownVotes":
        return this.#voting.durable(action.votes);
      case "ownViewChange":
        if (action.view === this.#record.view) this.#countViewChange(this.#host.self, this.#ownViewChange());
        return;
      case "entered":
        if (this.#permit?.view === action.view) this.#permit.isDurable = true;
        return;
      default:
        return;
    }
  }

  headerSeen(header: Header, node: BlockNode): void {
    if (header.view > this.#record.view) this.#enter(header.view);
    this.#noteOpener(node);
    this.#accuser.block(node);
    this.#voting.arrived(node);
    this.#choose();
  }

  headMoved(to: BlockNode, applied: readonly BlockNode[]): void {
    this.#checkRecovered();
    this.#permitAgain();
    this.#voting.prepareUpTo(applied.at(-1) ?? to);
  }

  invalidated(node: BlockNode): void {
    if (node.id === this.#record.promises.highQc.id)
      this.#host.halt(`block ${node.id} is certified and not valid here: ${node.invalid?.detail ?? ""}`);
    // Its leader lies. Where there is nothing else to decide nobody would look for another, and it could go on for ever.
    else if (node.view === this.#record.view && this.#takesPart()) this.#changeView(node.view + 1);
    this.#choose();
  }

  /** A leader would make a second block of one view and height. */
  rejected(): void {
    if (this.#leads()) {
      this.#silentIn = this.#record.view;
      this.#changeView(this.#record.view + 1);
    }
    this.#choose();
  }

  irreversibleMoved(node: BlockNode): void {
    this.#voting.settled(node.height);
    this.#accuser.settled(node.height);
    this.#pacemaker.calm();
    this.#pacemaker.stop();
    this.#checkRecovered();
    this.#choose();
    this.#voting.prepareUpTo(this.#host.ledger.head);
  }

  linkBroke(peer: string): void {
    if (peer === this.#leaderOfView()) this.#pacemaker.leaderLost();
  }

  linkUp(peer: string): void {
    if (!this.#host.ledger.isProducer(peer)) return;
    this.#newest.giveBack(peer, this.#host);
    if (!this.#takesPart()) return;
    this.#sendSummary(peer);
    if (this.#isChanging()) this.#sendViewChange(peer);
    this.#voting.repeat(peer);
  }

  blockSent(peer: string, id: string): void {
    if (this.#takesPart() && this.#host.ledger.isProducer(peer)) this.#voting.blockSent(peer, id);
  }

  read(read: number): void {
    this.#host.readAnswered([read], undefined);
  }

  handOver(): void {
    this.#isLeaving = true;
    if (this.#leads()) this.#viewHandedOver = this.#record.view;
  }
  get isHandingOver(): boolean {
    return this.#viewHandedOver !== undefined && this.#host.ledger.bottom.view <= this.#viewHandedOver;
  }

  production(): ProductionPermit | undefined {
    const { ledger, settings } = this.#host;
    const { view } = this.#record;
    if (!this.#takesPart() || this.#recovering || this.#leaderOfView() !== this.#host.self) return undefined;
    if (this.#silentIn === view) return undefined;
    const { head } = ledger;
    const irreversible = this.#proven(head);
    // The block that ends a change of the producer set is due as soon as it can be made.
    const ends = endsChange(head.setsAfter, irreversible.height);
    if (this.#opener === undefined) {
      const permit = this.#permit;
      if (permit?.view !== view || !permit.isDurable) return undefined;
      if (ancestorAt(head, permit.highest.height)?.id !== permit.highest.id || head.view >= view) return undefined;
      if (permit.judgedBy !== head.setsAfter.hash) return undefined;
      return { view, opening: true, closing: this.#isLeaving || ends, entry: permit.entry, irreversible };
    }
    if (head.view !== view || head.block.header.closing) return undefined;
    // While the set changes a view may have two leaders, of two branches: nobody goes on with the other's.
    if (head.block.header.producer !== this.#host.self) return undefined;
    if (head.height - ledger.root.height >= settings.windowBlocks) return undefined;
    const closing = this.#isLeaving || ends || this.#tenure.isOver(head.height - this.#opener.height);
    return { view, opening: closing, closing, irreversible };
  }

  produced(): void {
    this.#permit = undefined;
  }

  /** At the end of every step. */
  proceed(): void {
    this.#voting.flush();
    if (!this.#takesPart()) return;
    const hasWork = this.#hasWork();
    const leader = this.#leaderOfView();
    const isLeaderLost = leader !== this.#host.self && !this.#host.reaches(leader);
    this.#pacemaker.update(this.#record.view, hasWork, isLeaderLost);
    this.#tenure.update(this.#record.view, hasWork && this.#opener !== undefined, this.#host.now());
  }

  // Views

  #enter(view: number): void {
    this.#record.promises = afterEntering(this.#record.promises, view);
    this.#entered();
  }

  /** The view is another one now. */
  #entered(): void {
    this.#opener = undefined;
    this.#permit = undefined;
    this.#findOpener();
    if (this.#takesPart()) this.#host.persistRecord();
    this.#pacemaker.stop();
  }

  /** In a leader's own words nothing came for too long. */
  #suspect(): void {
    this.#pacemaker.stop();
    const { best, root } = this.#host.ledger;
    const isIdle = best.height === root.height && !this.#isChanging() && !this.#isChangeOpen;
    if (isIdle && !this.#host.canInclude()) return;
    this.#pacemaker.grow();
    this.#changeView(this.#record.view + 1);
  }

  #changeView(view: number): void {
    if (this.#recovering) return;
    this.#host.log("info", "asks for another view", { view });
    this.#record.promises = afterViewChange(this.#record.promises, view);
    this.#entered();
    this.#host.whenDurable({ kind: "ownViewChange", view });
    this.#sendViewChange();
    this.#choose();
  }

  #ownViewChange(): HeldViewChange {
    const { view } = this.#record;
    const highQc = reportOf(this.#record.promises);
    const signature = this.#host.sign({ kind: "viewChange", content: { view, highQc } });
    return { view, highQc, signature, certificate: this.#record.highQcBytes };
  }

  #sendViewChange(to?: string): void {
    const content = { view: this.#record.view, highQc: reportOf(this.#record.promises) };
    const options = { durable: true, attachment: this.#record.highQcBytes };
    if (to === undefined) this.#host.multicast({ kind: "viewChange", content }, options);
    else this.#host.unicast(to, { kind: "viewChange", content }, options);
  }

  #sendSummary(to?: string): void {
    const { view } = this.#record;
    const content = { view, round: this.#host.now(), irreversibleHeight: this.#host.ledger.bottom.height };
    if (to === undefined) this.#host.multicast({ kind: "summary", content }, { durable: true });
    else this.#host.unicast(to, { kind: "summary", content }, { durable: true });
  }

  #onSummary(signer: string, view: number): void {
    this.#pacemaker.seen(signer, view);
    if (!this.#recovering) return;
    this.#heard.add(signer);
    this.#checkRecovered();
  }

  #onViewChange(message: Extract<ConsensusMessage, { kind: "viewChange" }>): void {
    const { signer, signature, attachment, content } = message;
    const certificate = preparedBy(attachment, this.#judgement);
    if (!certificate.ok || !isReport(content, certificate.value?.ref ?? this.#judgement.genesis)) return;
    this.#pacemaker.seen(signer, content.view);
    if (certificate.value !== undefined && this.#voting.seen(certificate.value)) this.#choose();
    this.#accuser.viewChange(signer, { ...content, signature });
    this.#countViewChange(signer, { ...content, signature, certificate: attachment });
  }

  #countViewChange(signer: string, viewChange: HeldViewChange): void {
    if (!this.#viewChanges.record(signer, viewChange) || !this.#takesPart()) return;
    this.#joinOthers();
    const { ledger, self } = this.#host;
    const { view } = viewChange;
    if (view < this.#record.view || (this.#opener !== undefined && view === this.#record.view)) return;
    const permit = this.#viewChanges.permit(view, ledger.head.setsAfter);
    if (permit === undefined) return;
    if (view > this.#record.view) this.#enter(view);
    if (leaderOf(ledger.head.setsAfter, view) === self && this.#permit === undefined) this.#mayOpen(permit);
  }

  /** My head moved: who judges the block that would open my view may be others now [S10]. */
  #permitAgain(): void {
    const { ledger, self } = this.#host;
    const { view } = this.#record;
    const sets = ledger.head.setsAfter;
    if (!this.#takesPart() || this.#opener !== undefined || this.#permit?.judgedBy === sets.hash) return;
    // A handoff is of one block, and of those that follow from it.
    if (this.#permit !== undefined && this.#permit.isHandoff === true) return;
    const permit = leaderOf(sets, view) === self ? this.#viewChanges.permit(view, sets) : undefined;
    if (permit !== undefined) this.#mayOpen(permit);
  }

  /** Who opened my view, or is to open it as far as my head tells. */
  #leaderOfView(): string {
    return this.#opener?.block.header.producer ?? leaderOf(this.#host.ledger.head.setsAfter, this.#record.view);
  }

  #joinOthers(): void {
    const { ledger, self } = this.#host;
    // Among enough of either set is an honest one.
    for (const set of configurationsOf(ledger.head.setsAfter)) {
      const join = viewToJoin(this.#viewChanges.viewsOfOthers(set, self), this.#record.view, faultsOf(set));
      if (join !== undefined) this.#changeView(join);
    }
  }

  /** Its leader does not give up the view, though its tenure is over. */
  #isOverstayed(): boolean {
    const { head } = this.#host.ledger;
    if (this.#opener === undefined || head.view !== this.#record.view || this.#leads()) return false;
    return !head.block.header.closing && this.#tenure.isOverstayed(head.height - this.#opener.height);
  }

  // Leading

  /** A certified block closes the view before mine. */
  #handedTo(view: number, closing: BlockRef, certificate: Uint8Array): void {
    const judgedBy = (this.#host.ledger.get(closing.id) ?? this.#host.ledger.head).setsAfter.hash;
    if (!this.#takesPart() || this.#record.view >= view) return;
    this.#enter(view);
    this.#mayOpen({ view, highest: closing, entry: handoffEntry(certificate), judgedBy, isHandoff: true });
  }

  #mayOpen(permit: OpeningPermit & { readonly isHandoff?: true }): void {
    this.#permit = { ...permit, isDurable: false };
    this.#host.persistRecord();
    this.#host.whenDurable({ kind: "entered", view: permit.view });
    this.#wantHighest();
    this.#choose();
  }

  #wantHighest(): void {
    const highest = this.#permit?.highest.id;
    if (highest !== undefined && this.#host.ledger.get(highest) === undefined) this.#host.want(highest);
  }

  /** What the next block may say to be irreversible [S9]. */
  #proven(head: BlockNode): NonNullable<ProductionPermit["irreversible"]> {
    const said = head.block.header.irreversibleHeight;
    const proof = this.#host.finalityProof();
    if (proof === undefined || proof.height <= said || ancestorAt(head, proof.height)?.id !== proof.id)
      return { height: said, proof: undefined };
    return { height: proof.height, proof: proof.bytes };
  }

  #leads(): boolean {
    const { self } = this.#host;
    return this.#opener?.block.header.producer === self && this.#silentIn !== this.#record.view;
  }

  // Fork choice

  /** Among the blocks held; below them it is known by what followed it. */
  #findOpener(): void {
    const { bottom } = this.#host.ledger;
    if (bottom.view === this.#record.view && bottom.height > 0) this.#opener = bottom;
    for (const node of this.#host.ledger.nodes()) this.#noteOpener(node);
  }

  #noteOpener(node: BlockNode): void {
    const opens = node.view === this.#record.view && node.parent !== undefined && node.parent.view < node.view;
    if (opens && this.#opener === undefined && node.invalid === undefined) this.#opener = node;
  }

  #certified(node: BlockNode, certificate: Uint8Array): void {
    const { closing } = node.block.header;
    if (closing && leaderOf(node.setsAfter, node.view + 1) === this.#host.self)
      this.#handedTo(node.view + 1, node, certificate);
    this.#choose();
    this.#checkRecovered();
  }

  /** The head descends from the block that opened my view, unless as much is certified elsewhere; else from that. */
  #choose(): void {
    const { ledger } = this.#host;
    const { highQc } = this.#record.promises;
    const opener = this.#opener;
    const isOpen = opener !== undefined && opener.invalid === undefined && highQc.view < opener.view;
    const highest = this.#permit && ledger.get(this.#permit.highest.id);
    ledger.choose((isOpen ? opener : undefined) ?? highest ?? ledger.get(highQc.id) ?? ledger.root);
  }

  // Shared

  /** Something to decide: an undecided block, a view that is not open, a transaction. */
  #hasWork(): boolean {
    const { best, root } = this.#host.ledger;
    return best.height > root.height || this.#isChanging() || this.#isChangeOpen || this.#host.hasPending();
  }

  /** A change of the producer set is under way: a block has to end it, and the new set to open a view. */
  get #isChangeOpen(): boolean {
    const { sets, setsAfter } = this.#host.ledger.head;
    return sets.next !== undefined || setsAfter.next !== undefined;
  }

  /** I asked for my view, and nobody has opened it. */
  #isChanging(): boolean {
    const { view, viewChangeSent } = this.#record.promises;
    if (this.#recovering && this.#record.unknownUpTo >= 0) return false;
    return viewChangeSent === view && view > 0 && this.#opener === undefined;
  }

  /** A promise of one's own, of this view, that the record does not know: who goes by it may promise twice. */
  #givenBack(view: number): void {
    if (view <= this.#record.unknownUpTo || !this.#takesPart()) return;
    this.#record.outdate(view);
    if (!this.#record.isKept)
      this.#host.log(
        "error",
        "its vote record is an old one: was its directory restored from a backup? Until it has recovered it promises nothing (status: recovering); see: cairn producers confirm-lost-record --help",
      );
    this.#host.persistRecord();
    this.#recovering = true;
    this.#silentIn = this.#record.view;
    this.#permit = undefined;
    this.#choose();
  }

  #checkRecovered(): void {
    if (!this.#recovering || !this.#record.isKept || !this.#isMember) return;
    const { self } = this.#host;
    if (!hasQuorum(this.#host.ledger.head.setsAfter, (key) => key === self || this.#heard.has(key))) return;
    // Others opened that view without this producer, and what it reports from now on is above all that it committed [B7].
    if (this.#record.promises.highQc.view <= this.#record.unknownUpTo) return;
    const { ackedHead } = this.#record;
    const { head, bottom } = this.#host.ledger;
    const holds = head.invalid === undefined && !isGreater(ackedHead, head);
    this.#recovering = !holds && bottom.height < ackedHead.height && this.#host.ledger.get(ackedHead.id) === undefined;
    if (this.#recovering) return;
    // What came while no promises were made.
    this.#voting.resume();
    this.#joinOthers();
  }

  get #isMember(): boolean {
    return membersAround(this.#host.ledger.head).includes(this.#host.self);
  }

  #takesPart(): boolean {
    return this.#isMember && this.#record.isKept;
  }

  #status(): EngineView["status"] {
    if (!this.#isMember) return "observer";
    if (this.#recovering) return "recovering";
    if (this.#leads()) return "leader";
    return this.#isChanging() ? "candidate" : "follower";
  }
}

const NOTHING = new Uint8Array(0);
