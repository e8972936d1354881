/**
 * The hello/block machine of one connection (docs/protocol.md, section 3): find the nearest common ancestor, then
 * stream the better chain to whoever lacks it, then push what is new.
 *
 * Roles come only from a matched pair of hellos, my newest and one of theirs that echoes it [H1]. What to send follows
 * from what the peer is known to have [H3], so a fork switch needs no case of its own.
 *
 * Over a backup link nothing is streamed: my newest block is announced, and what they announce and does not come by
 * another link is grafted for. What was announced counts as not sent; that they announced it tells that they have it.
 */
import { equalBytes } from "../../src/base/bytes.ts";
import { encodeConfiguration } from "../../chain/configuration.ts";
import { type BlockRef, compareRefs } from "../../chain/header.ts";
import type { Hello } from "../messages.ts";
import type { BestChain, RawBlock } from "./bestChain.ts";
import { AnnouncedBlocks } from "./announcedBlocks.ts";
import { IDLE_HELLO_MS, PUSH_BLOCKS_MAX, SEARCH_STALL_MS, SEND_BUDGET_BYTES } from "./constants.ts";
import { type Interval, isExact, locate, type LocatorEntry, makeLocator, narrowLocator } from "./locator.ts";
import { PeerKnowledge } from "./peerKnowledge.ts";

export type SyncPhase =
  /** No matched pair yet. */
  | "start"
  /** Their chain is better: they stream, I wait. */
  | "initLow"
  /** Mine is better, and where it leaves theirs is still being searched. */
  | "initHigh"
  /** I am sending what they lack, or they pull it. */
  | "syncing"
  /** Nothing is missing, or they get it by another link; what is new is pushed, or announced. */
  | "idle";

/** All that a connection remembers. */
export interface ConnectionState {
  readonly phase: SyncPhase;
  /** The newest hellos of both sides. */
  readonly mine: Hello | undefined;
  readonly theirs: Hello | undefined;
  readonly lastSent: BlockRef | undefined;
  readonly lastReceived: BlockRef | undefined;
  /** The newest block that I announced, and that they did. */
  readonly announced: string | undefined;
  readonly theirAnnounced: BlockRef | undefined;
  /** The block that they announced which is waited for. */
  readonly missing: BlockRef | undefined;
  /** What the peer is known to have: my irreversible chain up to a height, and blocks above it. */
  readonly settledHeight: number | undefined;
  readonly tips: readonly BlockRef[];
  readonly budgetBytes: number;
  readonly hasMore: boolean;
  readonly isPulled: boolean;
  readonly progressAt: number;
}

type Shown = Pick<Hello, "rootCertificate" | "rootProducers">;

/** What a connection does to the world. */
export interface ConnectionOutput {
  hello(hello: Hello): void;
  /** @returns bytes sent; undefined: its signature is false here, and nobody would take it */
  block(block: RawBlock): number | undefined;
  announce(block: BlockRef): void;
  /** Is this link one of those over which blocks are streamed? Else they are announced. */
  isActive(): boolean;
  /** Is the block here in any way? */
  isKnown(id: string): boolean;
  /** The peer holds another block irreversible than I do. */
  finalityConflict(height: number, theirs: string, mine: string): void;
}

/**
 * My certificate of the root, if there is one for exactly that block.
 * @param isFinal only one of an irreversible block, for whoever has to pull from far behind
 */
export type RootCertificate = (isFinal: boolean) => Uint8Array | undefined;

export class Connection {
  readonly #chain: BestChain;
  readonly #out: ConnectionOutput;
  readonly #rootCertificate: RootCertificate;
  #phase: SyncPhase = "start";
  #mine: Hello | undefined;
  #theirs: Hello | undefined;
  #lastSent: BlockRef | undefined;
  #lastReceived: BlockRef | undefined;
  /** The block that I announced last. */
  #announced: string | undefined;
  readonly #awaited: AnnouncedBlocks;
  readonly #known: PeerKnowledge;
  #budgetBytes = SEND_BUDGET_BYTES;
  #hasMore = false;
  /** They are so far behind that they pull ranges: nothing is streamed. */
  #isPulled = false;
  /** What I told of my chain was far behind theirs: they stream nothing until a hello of mine tells more. */
  #pulls = false;
  #progressAt: number;

  constructor(chain: BestChain, out: ConnectionOutput, rootCertificate: RootCertificate, now: number) {
    this.#chain = chain;
    this.#known = new PeerKnowledge(chain);
    this.#out = out;
    this.#rootCertificate = rootCertificate;
    this.#progressAt = now;
    this.#awaited = new AnnouncedBlocks((block) => this.#lacks(block));
  }

  get phase(): SyncPhase {
    return this.#phase;
  }
  get state(): ConnectionState {
    return {
      phase: this.#phase,
      mine: this.#mine,
      theirs: this.#theirs,
      lastSent: this.#lastSent,
      lastReceived: this.#lastReceived,
      announced: this.#announced,
      theirAnnounced: this.#awaited.newest,
      missing: this.#awaited.missing,
      settledHeight: this.#known.settledHeight,
      tips: this.#known.tips,
      budgetBytes: this.#budgetBytes,
      hasMore: this.#hasMore,
      isPulled: this.#isPulled,
      progressAt: this.#progressAt,
    };
  }
  /** Height up to which the peer is known, or says, to have blocks; undefined: it has not said a word yet. */
  get peerHeight(): number | undefined {
    const root = this.#theirs?.root;
    return root && Math.max(root.height, this.peerHead?.height ?? 0);
  }
  /** The best chain the peer is known to have. */
  get peerHead(): BlockRef | undefined {
    return [this.#theirHead(), this.#lastSent].reduce(greater, undefined);
  }
  /** The peer's root as of its last hello. */
  get peerRoot(): BlockRef | undefined {
    return this.#theirs?.root;
  }
  /** Their chain is better by so much that it is pulled. */
  get isFarAhead(): boolean {
    const root = this.#theirs?.root;
    return this.#phase === "initLow" && root !== undefined && this.#chain.isFarAhead(root);
  }
  get deadline(): number {
    // Who pulls waits for nobody's stream.
    return this.isFarAhead ? this.#stallsAt() : Math.min(this.#stallsAt(), this.#awaited.deadline);
  }

  #stallsAt(): number {
    return this.#progressAt + (this.#isCalm() ? IDLE_HELLO_MS : SEARCH_STALL_MS);
  }

  #isCalm(): boolean {
    return this.#phase === "idle" || this.#phase === "syncing";
  }

  open(): void {
    this.#sendHello(this.#fullLocator());
  }

  /**
   * Time has passed without progress: describe the chain afresh.
   * @returns a block of theirs that should have come and did not
   */
  tick(now: number): BlockRef | undefined {
    if (now < this.#stallsAt()) return undefined;
    this.#progressAt = now;
    this.#sendHello(this.#fullLocator());
    return this.#phase === "initLow" && !this.isFarAhead ? this.#theirHead() : undefined;
  }

  /** A pull has brought me near: they go on from here. */
  pulled(now: number): void {
    if (this.#phase !== "initLow") return;
    this.#progressAt = now;
    this.#sendHello(this.#fullLocator());
  }

  /** A hello whose root certificate was checked and adopted before [H2]. */
  receiveHello(hello: Hello, now: number): void {
    const before = this.#theirs;
    if (before !== undefined && hello.seq < before.seq) return;
    if (this.#conflicts(hello.root)) return;
    this.#learnAgain();
    this.#theirs = hello;
    this.#progressAt = now;
    if (before === undefined || hello.seq > before.seq) this.#answer(hello, before);
    if (hello.echo === this.#mine?.seq) this.#takeRoles(this.#mine, hello);
  }

  /** A block of theirs arrived on the stream: they have it and all its ancestors. */
  blockReceived(block: BlockRef, now: number): void {
    this.#learnAgain();
    this.#lastReceived = refOf(block);
    this.#progressAt = now;
  }

  /** What they sent before, and what is here only now. Their stream may have gone on since, with what is not here yet. */
  sentBefore(block: BlockRef, now: number): void {
    this.#learnAgain();
    this.#known.learn(block);
    this.#lastReceived = greater(this.#lastReceived, refOf(block));
    this.#progressAt = now;
  }

  /** They have this block, and its ancestors; they send it if I graft. */
  announcementReceived(block: BlockRef, now: number): void {
    this.#learnAgain();
    this.#awaited.announced(refOf(block), now);
    if (this.#isCalm()) this.#progressAt = now;
  }

  /** What they announced and has not come in time: ask for it, or it is asked for elsewhere first. */
  overdue(now: number): BlockRef | undefined {
    return this.isFarAhead ? undefined : this.#awaited.overdue(now);
  }

  /** What is overdue was asked for, here (by a graft) or elsewhere. */
  asked(now: number, here: boolean): void {
    this.#awaited.asked(now, here);
  }
  /** How often it was asked for here. */
  get asks(): number {
    return this.#awaited.asks;
  }

  /** My head moved. */
  headMoved(now: number): void {
    this.#awaited.review(now);
    // Progress here is none with a peer that is being searched or waited for.
    if (this.#isCalm()) this.#progressAt = now;
    if (this.#mine === undefined) return;
    if (!this.#chain.extends(this.#mine.head)) this.#sendHello(this.#fullLocator());
    else if (this.#phase === "initLow") this.#leaveLow();
    this.push();
  }

  /** `node` is about to become the bottom of the fork database: other branches go, and with them what they told. */
  beforeRelease(node: BlockRef): void {
    this.#learnAgain();
    this.#known.beforeRelease(node);
  }

  get hasBudget(): boolean {
    return this.#budgetBytes > 0;
  }

  /** Bytes sent outside the stream. */
  spend(bytes: number): void {
    this.#budgetBytes -= bytes;
  }

  /** The link took this many bytes of what was sent. */
  drained(bytes: number): void {
    this.#budgetBytes = Math.min(SEND_BUDGET_BYTES, this.#budgetBytes + bytes);
    this.push();
  }

  /** Sends what they lack, as far as the budget goes. */
  push(): void {
    this.#hasMore = false;
    if (!this.#isCalm() || this.#isPulled) return;
    if (!this.#out.isActive()) return this.#announce();
    for (let sent = 0; this.#budgetBytes > 0; sent++) {
      // Reading thousands of small blocks at once would hold up consensus messages.
      this.#hasMore = sent === PUSH_BLOCKS_MAX;
      if (this.#hasMore) return;
      const known = this.#knownHeight();
      if (this.#fallsFarBehind(known)) return;
      const next = this.#nextToSend(known);
      if (next === undefined) {
        this.#phase = "idle";
        return;
      }
      this.#phase = "syncing";
      const bytes = this.#out.block(next);
      // The stream ends here. Once they are far behind they pull what is proven without signatures.
      if (bytes === undefined) return;
      this.#budgetBytes -= bytes;
      this.#lastSent = refOf(next);
      this.#known.learnHeight(next.height);
    }
  }

  /** Nothing is sent, and *last sent* does not move: they may have it from elsewhere. */
  #announce(): void {
    const known = this.#knownHeight();
    if (this.#fallsFarBehind(known)) return;
    this.#phase = "idle";
    const { head } = this.#chain;
    if (known === undefined || known >= head.height || head.id === this.#announced) return;
    this.#announced = head.id;
    this.#out.announce(refOf(head));
  }

  /** Not here. That it ranks below my head says nothing: their root may be above mine. */
  #lacks(block: BlockRef): boolean {
    return block.height > this.#chain.irreversibleHeight && !this.#out.isKnown(block.id);
  }

  /** A push was cut short, and not by the budget: it goes on in the next step. */
  get hasMore(): boolean {
    return this.#hasMore;
  }

  /** The stream cannot keep up with the chain: it ends with a hello, by which they know. */
  #fallsFarBehind(known: number | undefined): boolean {
    if (known === undefined || !this.#chain.isFarBehind(known)) return false;
    this.#phase = "syncing";
    this.#isPulled = true;
    this.#sendHello(this.#fullLocator());
    return true;
  }

  /** The child, on my best chain, of the highest block of that chain that the peer is known to have [H3]. */
  #nextToSend(known: number | undefined): RawBlock | undefined {
    return known === undefined ? undefined : this.#chain.blockAt(known + 1);
  }

  /** What they told of may have become known here since. */
  #learnAgain(): void {
    const toldOf = [this.#lastReceived, this.#theirs?.head, this.#awaited.newest];
    for (const block of toldOf) if (block !== undefined) this.#known.learn(block);
  }

  /** Height of the highest block of my best chain that the peer is known to have. */
  #knownHeight(): number | undefined {
    this.#learnAgain();
    return this.#known.height();
  }

  /** Echoes their new hello, with a new one of mine when the one they have no longer tells who is better. */
  #answer(theirs: Hello, before: Hello | undefined): void {
    const mine = this.#mine;
    const shown = this.#shown();
    if (mine === undefined) return this.#sendHello(this.#fullLocator(), shown);
    const current = { head: this.#chain.head, root: this.#chain.root };
    const stale =
      !this.#chain.extends(mine.head) ||
      (this.#isPulled && mine.root.id !== current.root.id) ||
      (Math.sign(compareRank(current, theirs)) !== Math.sign(compareRank(mine, theirs)) &&
        !this.#hasPassed(theirs.head)) ||
      !showsWhatHelps(mine, shown);
    if (stale) return this.#sendHello(this.#fullLocator(), shown);
    if (this.#phase === "initLow" && before?.head.id === theirs.head.id) {
      const interval = this.#locate(theirs);
      if (interval !== undefined) return this.#sendHello(this.#narrowed(interval), shown);
    }
    this.#repeatHello();
  }

  /** Their stream has brought more than they told of: a new hello would be as old when it is looked at, and so the next. */
  #hasPassed(theirHead: BlockRef): boolean {
    const received = this.#lastReceived;
    return received !== undefined && compareRefs(received, theirHead) >= 0 && this.#chain.extends(theirHead);
  }

  #takeRoles(mine: Hello, theirs: Hello): void {
    const order = compareRank(mine, theirs);
    this.#isPulled = this.#pulls = false;
    if (order === 0) this.#phase = "idle";
    else if (order < 0) {
      this.#phase = "initLow";
      this.#pulls = this.#chain.isFarAhead(theirs.root, mine.root);
      this.#leaveLow();
    } else this.#takeHigh(mine, theirs);
    this.push();
  }

  /** Mine is better: stream from the nearest common ancestor, or search for it. */
  #takeHigh(mine: Hello, theirs: Hello): void {
    const known = this.#chain.highestAncestorOf(theirs.head.id);
    if (known !== undefined) return this.#takeSyncing(mine, known);
    const interval = this.#locate(theirs);
    if (interval === undefined) {
      // Their irreversible block is above mine, or below all I keep: they have to come to me.
      this.#phase = "initHigh";
      return;
    }
    this.#known.learnHeight(interval.low);
    if (isExact(interval) || this.#chain.isFarBehind(interval.high)) return this.#takeSyncing(mine, interval.low);
    this.#phase = "initHigh";
    this.#sendHello(this.#narrowed(interval));
  }

  /** They have my chain up to where they told, or further: from there it is streamed, or pulled. */
  #takeSyncing(mine: Hello, told: number): void {
    // What they told of may have been passed by what was streamed to them since.
    const known = Math.max(told, this.#knownHeight() ?? told);
    this.#phase = "syncing";
    this.#isPulled = this.#chain.isFarBehind(known);
    // They see it by my root, unless that was below when I described my chain.
    if (this.#isPulled && !this.#sawFarBehind(mine, known)) this.#sendHello(this.#fullLocator());
  }

  #sawFarBehind({ root }: Hello, known: number): boolean {
    return this.#chain.isFarBehind(known + (this.#chain.irreversibleHeight - root.height));
  }

  /** What I waited for has arrived, from them or from others. */
  #leaveLow(): void {
    const head = this.#theirHead();
    const root = this.#theirs?.root;
    if (head === undefined || root === undefined) return;
    // The greatest that came from them may be of a branch that they have left: their own head is here, too, or I wait.
    // What leads on from mine is only being executed, and their root, as they told it, has fallen behind meanwhile.
    const leadsOn = this.#chain.precedes(this.#chain.head, head);
    if ((leadsOn || this.#chain.extends(head)) && this.#chain.extends(this.#theirs!.head)) {
      this.#phase = "idle";
      // Others were faster, and what this peer has got since it has told nobody who pulls.
      if (this.#pulls) this.#sendHello(this.#fullLocator());
    } else if (leadsOn) return;
    else if (compareRank({ head: this.#chain.head, root: this.#chain.root }, { head, root }) > 0) {
      this.#phase = "start";
      this.#sendHello(this.#fullLocator());
    }
  }

  /** The head of their own chain. Not what I sent: that they have it does not make it their best chain. */
  #theirHead(): BlockRef | undefined {
    return [this.#lastReceived, this.#awaited.newest].reduce(greater, this.#theirs?.head);
  }

  /** @returns true when the peer holds another block irreversible at a height that is irreversible here, too */
  #conflicts(root: BlockRef): boolean {
    if (!this.#chain.areRootsFinal || root.height > this.#chain.irreversibleHeight) return false;
    const mine = this.#chain.idAt(root.height);
    if (mine === undefined || mine === root.id) return false;
    this.#out.finalityConflict(root.height, root.id, mine);
    return true;
  }

  #locate(theirs: Hello): Interval | undefined {
    return locate(theirs.locator, (entry) => this.#chain.has(entry.height, entry.id));
  }

  #fullLocator(): LocatorEntry[] {
    return makeLocator(this.#chain.head.height, this.#chain.irreversibleHeight, (height) => this.#chain.idAt(height));
  }

  #narrowed(interval: Interval): LocatorEntry[] {
    return narrowLocator(interval, this.#chain.head.height, (height) => this.#chain.idAt(height));
  }

  /** What is shown for my root; to a peer far behind, what it can judge by the producer sets that it knows. */
  #shown(): Shown {
    const theirs = this.#theirs;
    const change = theirs && this.#chain.changeFor(theirs.irreversibleHeight);
    const isFar = theirs !== undefined && this.#chain.isFarBehind(theirs.irreversibleHeight);
    const producers = change?.producers ?? (isFar ? this.#chain.proposed : undefined);
    const certificate = change?.certificate ?? this.#rootCertificate(producers !== undefined);
    return {
      ...(certificate && { rootCertificate: certificate }),
      ...(producers && { rootProducers: encodeConfiguration(producers) }),
    };
  }

  #sendHello(locator: readonly LocatorEntry[], shown = this.#shown()): void {
    this.#mine = {
      seq: (this.#mine?.seq ?? 0) + 1,
      echo: this.#theirs?.seq ?? 0,
      head: refOf(this.#chain.head),
      root: refOf(this.#chain.root),
      ...shown,
      locator,
      irreversibleHeight: this.#chain.decidedHeight,
    };
    this.#out.hello(this.#mine);
  }

  /** The same description again, with their newest hello echoed. */
  #repeatHello(): void {
    if (this.#mine === undefined) return;
    this.#mine = { ...this.#mine, echo: this.#theirs?.seq ?? 0 };
    this.#out.hello(this.#mine);
  }
}

/** A peer far behind has come as far as it can with the certificate that my last hello showed it. */
function showsWhatHelps(mine: Hello, { rootCertificate, rootProducers }: Shown): boolean {
  if (rootProducers === undefined && mine.rootProducers === undefined) return true;
  const before = mine.rootCertificate;
  return rootCertificate !== undefined && before !== undefined && equalBytes(rootCertificate, before);
}

/** Rank of a chain: (view, height) of its root, then (view, height, id) of its head. */
function compareRank(a: { head: BlockRef; root: BlockRef }, b: { head: BlockRef; root: BlockRef }): number {
  if (a.root.view !== b.root.view) return a.root.view - b.root.view;
  if (a.root.height !== b.root.height) return a.root.height - b.root.height;
  return compareRefs(a.head, b.head);
}

function greater(a: BlockRef | undefined, b: BlockRef | undefined): BlockRef | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareRefs(a, b) >= 0 ? a : b;
}

function refOf({ view, height, id }: BlockRef): BlockRef {
  return { view, height, id };
}
