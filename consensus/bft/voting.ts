/**
 * Prepares and commits of one producer, and what those of all prove. What it may promise is for the rules to say
 * (`rules.ts`); the record goes to disk before a vote leaves [B5], and an own vote counts when it is there [S5].
 */
import { ancestorAt, type BlockNode } from "../../chain/forkDatabase.ts";
import type { BlockRef } from "../../chain/header.ts";
import { configurationsOf, isMember } from "../../chain/producerSets.ts";
import { EarlyVotes, type EarlyVoteCounts } from "../earlyVotes.ts";
import type { Accuser } from "./accuser.ts";
import type { BftHost } from "./host.ts";
import { encodeQuorumCertificate, type QuorumCertificate } from "./certificates.ts";
import type { HeldRecord } from "./heldRecord.ts";
import { type SignedVote, type Votes, VOTES_MAX } from "./messages.ts";
import {
  afterCommit,
  afterPrepare,
  hasQuorum,
  isGreater,
  knowing,
  mayCommit,
  mayPrepare,
  type Precedes,
  quorumOf,
} from "./rules.ts";
import { placeOf, type Tally, VoteTable, votesOf } from "./voteTable.ts";

export interface VotingHost {
  readonly engine: BftHost;
  readonly record: HeldRecord;
  /** Takes part, and has all that it promised before a restart [S6]. */
  mayVote(): boolean;
  /** A commit has raised the view. */
  viewRaised(): void;
  /** A block that is here was prepare-certified. */
  certified(node: BlockNode, certificate: Uint8Array): void;
  isLeading(): boolean;
  readonly accuser: Accuser;
}

export class Voting {
  readonly #host: VotingHost;
  readonly #table = new VoteTable();
  readonly #self: string;
  #outgoing: SignedVote[] = [];
  /** Votes of a block that are not here, until it comes or they are too old. */
  readonly #overtook: EarlyVotes<SignedVote>;
  /** Own votes to be sent once more, by peer. */
  readonly #again = new Map<string, SignedVote[]>();
  /** Certificates of blocks that are not here, by id: the newest few. */
  readonly #early = new Map<string, Uint8Array>();

  constructor(host: VotingHost) {
    this.#host = host;
    this.#overtook = new EarlyVotes(() => host.engine.now());
    this.#self = host.engine.self;
  }

  /** Votes that overtook their block. */
  get early(): EarlyVoteCounts {
    return this.#overtook.counts;
  }

  /** Prepares what is new on the branch of an executed head, lowest first. */
  prepareUpTo(head: BlockNode): void {
    const { record } = this.#host;
    if (!this.#host.mayVote() || head.view !== record.view) return;
    const { root } = this.#host.engine.ledger;
    const nodes: BlockNode[] = [];
    const last = record.promises.lastPrepared?.id;
    for (let at: BlockNode | undefined = head; at !== undefined && at.id !== last; at = at.parent) {
      if (at.view !== record.view || at.height <= root.height) break;
      nodes.unshift(at);
    }
    for (const node of nodes) {
      if (!isMember(node.sets, this.#self)) continue;
      if (!mayPrepare(record.promises, refOf(node), this.#precedes)) return;
      record.promises = afterPrepare(record.promises, refOf(node));
      record.prepared(node);
      this.#vote(false, node);
    }
  }

  receive({ signer, votes }: Votes): void {
    const { engine } = this.#host;
    const { ledger } = engine;
    const touched = new Set<Tally>();
    for (const signed of votes) {
      if (signed.vote.height <= ledger.root.height) continue;
      if (ledger.get(signed.vote.id) === undefined) this.#hold(signer, signed);
      const recorded = this.#table.record(signer, signed);
      if (recorded === undefined) continue;
      if ("second" in recorded) this.#host.accuser.contradiction(signer, recorded.first, recorded.second);
      else {
        this.#host.accuser.vote(signer, signed);
        touched.add(recorded);
      }
    }
    for (const tally of touched) this.#judge(tally);
  }

  /** Of what is decided, and what was said before, nothing is learned. What a quorum has said already may yet be evidence. */
  isVoteNews(signer: string, { commit, vote }: SignedVote): boolean {
    const { ledger } = this.#host.engine;
    if (vote.height <= ledger.root.height) return false;
    const tally = this.#table.tally(vote);
    const said = commit ? tally?.commits : tally?.prepares;
    return said?.has(signer) !== true;
  }

  /** Own votes count from now on. */
  durable(votes: readonly SignedVote[]): void {
    if (this.#host.mayVote()) this.receive({ signer: this.#self, votes });
  }

  /** A block was added: what was said of it before counts now. */
  arrived(node: BlockNode): void {
    this.#overtook.take(node.id);
    const early = this.#early.get(node.id);
    this.#early.delete(node.id);
    if (early !== undefined) this.#certified(node, early);
    const tally = this.#table.tally(node);
    if (tally === undefined) return;
    for (const { signer, signed } of votesOf(tally)) this.#host.accuser.vote(signer, signed);
    this.#judge(tally);
  }

  /** A prepare certificate whose signatures were checked. @returns whether it was news */
  seen({ ref, bytes }: Pick<QuorumCertificate, "ref" | "bytes">): boolean {
    const node = this.#host.engine.ledger.get(ref.id);
    if (!this.isNews(ref)) return false;
    if (node !== undefined) this.#certified(node, bytes);
    else {
      this.#early.set(ref.id, bytes);
      if (this.#early.size > EARLY_MAX) this.#early.delete(this.#early.keys().next().value as string);
      this.#know(ref, bytes);
    }
    return true;
  }

  /** Was a quorum of prepares for this block seen? */
  isCertified(block: BlockRef): boolean {
    const { promises } = this.#host.record;
    const tally = this.#table.tally(block);
    return this.#early.has(block.id) || promises.highQc.id === block.id || this.#looksPrepared(tally);
  }

  isNews(ref: BlockRef): boolean {
    return isGreater(ref, this.#host.record.promises.highQc);
  }

  settled(height: number): void {
    this.#overtook.settled(height);
    this.#table.settled(height);
  }

  /** Blocks that a quorum prepared and that are not here. */
  missing(): string[] {
    const { ledger } = this.#host.engine;
    const missing: string[] = [...this.#early.keys()];
    for (const tally of this.#table.tallies()) if (this.#looksPrepared(tally)) missing.push(tally.ref.id);
    return missing.filter((id) => ledger.get(id) === undefined);
  }

  /** Own votes that are not settled, for who may not have them. */
  repeat(to?: string): void {
    const { engine } = this.#host;
    const votes = this.#table.saidBy(this.#self, engine.ledger.root.height, 0).slice(0, VOTES_MAX);
    if (votes.length > 0) engine.sendVotes(votes, { durable: true, ...(to !== undefined && { to }) });
  }

  /** Own votes on a block go to who was sent it, with what else this step says. */
  blockSent(peer: string, id: string): void {
    const own = this.#table.saidBy(this.#self, this.#host.engine.ledger.root.height, 0);
    const votes = own.filter(({ vote }) => vote.id === id);
    if (votes.length > 0) this.#again.set(peer, [...(this.#again.get(peer) ?? []), ...votes]);
  }

  /** Votes whose block did not come in time are forgotten: whoever waits for it says them again. */
  expire(): void {
    for (const { signer, vote } of this.#overtook.expire()) this.#table.forget(signer, vote);
  }

  /** What was promised before a restart is said again: the signatures are the same. */
  renew(): void {
    const { lastPrepared, lastCommitted } = this.#host.record.promises;
    const { ledger } = this.#host.engine;
    const votes: SignedVote[] = [];
    const prepared = lastPrepared && ledger.get(lastPrepared.id);
    for (
      let at = prepared;
      at !== undefined && at.view === prepared?.view && at.height > ledger.root.height;
      at = at.parent
    )
      if (isMember(at.sets, this.#self)) votes.unshift(this.#sign(false, at));
    const committed = lastCommitted && ledger.get(lastCommitted.id);
    if (committed !== undefined && committed.height > ledger.root.height) votes.push(this.#sign(true, committed));
    this.receive({ signer: this.#self, votes });
  }

  /** It may vote now: on what came before, too. */
  resume(): void {
    const { ledger } = this.#host.engine;
    this.prepareUpTo(ledger.head);
    const certified = ledger.get(this.#host.record.promises.highQc.id);
    if (certified !== undefined && certified.invalid === undefined) this.#commit(certified);
  }

  /** At the end of a step: all its votes in one frame, after the record. */
  flush(): void {
    const { engine, record } = this.#host;
    for (const [to, own] of this.#again) engine.sendVotes(own.slice(0, VOTES_MAX), { durable: true, to });
    this.#again.clear();
    if (this.#outgoing.length === 0) return;
    const votes = this.#outgoing.slice(0, VOTES_MAX);
    this.#outgoing = [];
    engine.persistRecord();
    engine.whenDurable({ kind: "ownVotes", view: record.view, votes });
    engine.sendVotes(votes, { durable: true });
  }

  /** It is in the table, too: what is said of blocks that are not here may be evidence, and tells what to ask for. */
  #hold(signer: string, signed: SignedVote): void {
    const { commit, vote } = signed;
    this.#overtook.hold({ signer, place: placeOf(commit, vote), block: vote, vote: signed });
  }

  #judge(tally: Tally): void {
    const { ref, prepares, commits } = tally;
    const node = this.#host.engine.ledger.get(ref.id);
    if (node === undefined || node.view !== ref.view || node.height !== ref.height) return;
    if (!tally.isCertified && hasQuorum(node.sets, (key) => prepares.has(key))) {
      tally.isCertified = true;
      this.#certified(node, this.#certificate(false, node, prepares));
    }
    if (hasQuorum(node.sets, (key) => commits.has(key))) this.#decide(node, commits);
  }

  /** Of a block that may not be here: as far as my head tells who judges it. */
  #looksPrepared(tally: Tally | undefined): boolean {
    const { head } = this.#host.engine.ledger;
    const hasSpoken = (key: string): boolean => tally?.prepares.has(key) === true;
    return hasQuorum(head.sets, hasSpoken) || hasQuorum(head.setsAfter, hasSpoken);
  }

  #certified(node: BlockNode, bytes: Uint8Array): void {
    if (node.invalid !== undefined)
      return this.#host.engine.halt(`block ${node.id} is certified and not valid here: ${node.invalid.detail}`);
    const { highQc } = this.#host.record.promises;
    const greatest = this.#host.engine.ledger.get(highQc.id);
    if (greatest !== undefined && highQc.view === node.view && !isOneChain(greatest, node))
      return this.#host.engine.halt(`blocks ${node.id} and ${greatest.id} of view ${node.view} are both certified`, [
        this.#host.record.highQcBytes,
        bytes,
      ]);
    this.#know(refOf(node), bytes);
    this.#commit(node);
    this.#host.certified(node, bytes);
  }

  #know(ref: BlockRef, bytes: Uint8Array): void {
    const { record, engine } = this.#host;
    if (!isGreater(ref, record.promises.highQc)) return;
    record.promises = knowing(record.promises, ref);
    record.highQcBytes = bytes;
    if (record.isKept) engine.persistRecord();
  }

  #commit(node: BlockNode): void {
    const { record } = this.#host;
    if (!this.#host.mayVote() || node.height <= this.#host.engine.ledger.root.height) return;
    if (!isMember(node.sets, this.#self)) return;
    if (record.promises.lastCommitted?.id === node.id) return;
    if (!mayCommit(record.promises, refOf(node), this.#precedes)) return;
    const before = record.view;
    record.promises = afterCommit(record.promises, refOf(node));
    this.#vote(true, node);
    if (record.view > before) this.#host.viewRaised();
  }

  #decide(node: BlockNode, commits: ReadonlyMap<string, Uint8Array>): void {
    const { engine } = this.#host;
    if (node.height <= engine.ledger.root.height) return;
    engine.certified(node, this.#certificate(true, node, commits), this.#host.isLeading());
  }

  #vote(commit: boolean, node: BlockNode): void {
    this.#outgoing.push(this.#sign(commit, node));
  }

  #sign(commit: boolean, node: BlockNode): SignedVote {
    const vote = refOf(node);
    return { commit, vote, signature: this.#host.engine.signVote(commit, vote) };
  }

  /** As few signatures as each of the block's producer sets asks for. */
  #certificate(commit: boolean, node: BlockNode, signatures: ReadonlyMap<string, Uint8Array>): Uint8Array {
    const signers = new Set<string>();
    for (const set of configurationsOf(node.sets))
      for (const key of set.producers.filter((each) => signatures.has(each)).slice(0, quorumOf(set))) signers.add(key);
    const chosen = [...signers].map((key) => ({
      signer: node.sets.members.indexOf(key),
      signature: signatures.get(key) as Uint8Array,
    }));
    return encodeQuorumCertificate(commit, node.block.headerBytes, chosen);
  }

  readonly #precedes: Precedes = (ancestor, block) => {
    const { ledger } = this.#host.engine;
    const node = ledger.get(block.id);
    if (node === undefined) return false;
    // Who was away has promised what the others have long decided.
    if (ancestor.height < ledger.bottom.height)
      return this.#host.engine.irreversibleIdAt(ancestor.height) === ancestor.id;
    return ancestorAt(node, ancestor.height)?.id === ancestor.id;
  };
}

/** Certificates of blocks that are not here yet; the oldest leave. */
const EARLY_MAX = 64;

function isOneChain(a: BlockNode, b: BlockNode): boolean {
  return a.height <= b.height ? ancestorAt(b, a.height) === a : ancestorAt(a, b.height) === b;
}

function refOf({ view, height, id }: BlockRef): BlockRef {
  return { view, height, id };
}
