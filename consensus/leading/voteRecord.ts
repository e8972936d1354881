/**
 * What a producer has promised, as far as it knows, and whether it may promise more (docs/protocol.md, section 4). Raft and
 * VSR promise different things to come to a leader; what they do with a record that is behind, lost or old is the same.
 */
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { isMember, membersAround } from "../../chain/producerSets.ts";
import type { BlockRef } from "../../chain/header.ts";
import type { EngineHost } from "../engine.ts";
import type { ConsensusMessage } from "../messages.ts";
import { isAtLeast, refOf } from "./messages.ts";
import { NewestMessages } from "./newestMessages.ts";
import { ackOf } from "./term.ts";

/** What the record of every engine with a leader holds. */
export interface Promised {
  readonly view: number;
  readonly ackedHead: BlockRef;
  /** It was restored from an old backup. */
  readonly outdated?: boolean | undefined;
  /** It stands for one that was lost: what was promised in views up to this one is not known. */
  readonly unknownUpTo?: number | undefined;
}

/** What differs from engine to engine. */
export interface PromiseRules<R> {
  /** Does this message leave only when what it promises is on its signer's disk? */
  isPromise(message: ConsensusMessage): boolean;
  /** Does this message, one's own, promise what the record does not know? */
  isAbove(message: ConsensusMessage, record: R): boolean;
}

export class VoteRecord<R extends Promised> {
  readonly #host: EngineHost;
  readonly #rules: PromiseRules<R>;
  #content: R;
  /** False when it was lost or is an old one: this replica cannot know what it promised and takes no part. */
  #isKnown: boolean;
  /** No acks, no votes, until what was acked before the restart is here again [S6]. */
  #isRecovering = true;
  readonly #newest: NewestMessages;

  /**
   * @param stored as it was on disk; undefined: lost
   * @param blank stands for a lost one, and counts for nothing
   */
  constructor(host: EngineHost, stored: R | undefined, blank: R, rules: PromiseRules<R>) {
    this.#host = host;
    this.#rules = rules;
    this.#content = stored ?? blank;
    this.#isKnown = stored !== undefined && stored.outdated !== true;
    this.#newest = new NewestMessages((message) => rules.isPromise(message));
  }

  get content(): R {
    return this.#content;
  }
  get view(): number {
    return this.#content.view;
  }
  /** Does this node decide about its head or what follows? Else it only watches, and answers who asks [S11]. */
  get isMember(): boolean {
    return membersAround(this.#host.ledger.head).includes(this.#host.self);
  }
  /** May it lead the next view? */
  get mayLead(): boolean {
    return isMember(this.#host.ledger.head.setsAfter, this.#host.self);
  }
  /** Whether it is a member is for who counts to judge, not for this node [S11]. */
  get takesPart(): boolean {
    return this.#isKnown;
  }
  get isRecovering(): boolean {
    return this.#isRecovering;
  }

  /** It goes to disk with this step, and before whatever it promises leaves [S5]. */
  change(change: Partial<R>): void {
    this.#content = { ...this.#content, ...change };
    if (this.takesPart) this.#host.persistRecord();
  }

  /** Of a lost or old one: what it may have said at most has become known. */
  restore(content: R): void {
    this.#content = content;
    this.#isKnown = true;
    this.#isRecovering = true;
    this.#host.persistRecord();
  }

  /** Is what was acked here, or irreversible without it [S6]? And who opened the head's view did so without this producer? */
  checkRecovered(): void {
    if (!this.#isRecovering || !this.#isKnown) return;
    const { ackedHead, unknownUpTo = -1 } = this.#content;
    const { head, bottom } = this.#host.ledger;
    if (head.view <= unknownUpTo) return;
    const holds = head.invalid === undefined && isAtLeast(head, ackedHead);
    this.#isRecovering = !holds && bottom.height < ackedHead.height;
  }

  /** The operator rejected the head. What was acked stays promised: until a branch is as good it is as after a loss [S6]. */
  headRejected(): void {
    this.#isRecovering = true;
  }

  /** Promises a block of my view [S4]: the record first, the message and the own count when that is on disk [S5]. */
  ack(node: BlockNode, isLeading: boolean): void {
    if (!this.takesPart || this.#isRecovering || node.view !== this.view) return;
    if (!isMember(node.sets, this.#host.self)) return;
    if (node.id !== this.#content.ackedHead.id) this.change({ ackedHead: refOf(node) } as Partial<R>);
    const { producer } = node.block.header;
    if (isLeading) {
      this.#host.whenDurable({ kind: "ownAck", view: node.view, height: node.height, id: node.id });
    } else if (producer !== this.#host.self) this.#host.unicast(producer, ackOf(node), { durable: true });
  }

  /** Who has lost its record cannot say that it follows nobody else: a leader must not count on it. */
  replyTo(leader: string, round: number): void {
    if (!this.takesPart) return;
    this.#host.unicast(leader, { kind: "heartbeatReply", content: { view: this.view, round } }, { durable: true });
  }

  /** From another producer. */
  heard(message: ConsensusMessage): void {
    this.#newest.heard(message);
  }

  /** Gives a producer back what it promised: it may have forgotten. */
  giveBack(producer: string): void {
    for (const message of this.#newest.of(producer)) this.#host.giveBack(message);
  }

  /** One's own message came back. @returns whether it tells that the record is an old one, by which one may promise twice */
  givenBack(message: ConsensusMessage): boolean {
    if (!this.takesPart || !this.#rules.isAbove(message, this.#content)) return false;
    const { unknownUpTo } = this.#content;
    if (unknownUpTo !== undefined) return this.#knowMore(message, unknownUpTo);
    this.#host.log(
      "error",
      "its vote record is an old one: was its directory restored from a backup? Until it has recovered it promises nothing (status: recovering); see: cairn producers confirm-lost-record --help",
    );
    this.change({ outdated: true } as Partial<R>);
    this.#isKnown = false;
    this.#isRecovering = true;
    return true;
  }

  /** Of a record that stands for a lost one: there are promises of later views. */
  #knowMore({ content }: ConsensusMessage, unknownUpTo: number): boolean {
    const promised = "view" in content ? content.view : 0;
    if (promised <= unknownUpTo) return false;
    const isPast = promised < this.view;
    this.change({ unknownUpTo: promised, ...(!isPast && { view: promised + 1, votedFor: undefined }) } as Partial<R>);
    this.#isRecovering = true;
    return true;
  }
}
