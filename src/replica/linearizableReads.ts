/**
 * Linearizable reads on every node [R2]: the leader is asked for a read index, one question at a time for all reads that
 * wait, and a read is told that it may look when the state here has reached it. Of a leader: the questions of others.
 */
import type { PeerKey } from "../base/key.ts";
import { READ_ASK_AGAIN_MS, READ_ASKERS_MAX, READ_PATIENCE_MS, READS_MAX } from "./constants.ts";
import type { ReadRefusal } from "./types.ts";

export interface ReadHost {
  readonly self: PeerKey;
  now(): number;
  view(): number;
  leader(): PeerKey | undefined;
  /** Height of the state that is read. */
  irreversibleHeight(): number;
  /** Asks this node's own engine; the answer is {@link LinearizableReads.engineAnswered}, perhaps before it returns. */
  askEngine(question: number): void;
  /**
   * For a question to another node: nobody foretells it, and none was drawn before. Whoever knew it could ask in this node's
   * name in advance, keep the answer, and give it when something was decided since.
   */
  drawNumber(): number;
  /** Sends a question to the leader. */
  ask(leader: PeerKey, number: number): void;
  /** Signs and sends the answer to a question. */
  answer(reader: PeerKey, number: number, height: number): void;
  readable(requests: readonly number[], height: number): void;
  refused(requests: readonly number[], why: ReadRefusal): void;
}

interface Read {
  readonly request: number;
  /** Then it is refused, ms. */
  readonly until: number;
}

/** A question on its way to the leader. */
interface Question {
  readonly number: number;
  readonly leader: PeerKey;
  readonly view: number;
  readonly reads: readonly Read[];
  /** When it counts as lost, ms. */
  againAt: number;
}

/** Of a peer that asks this leader: one question at its engine, and the newest that came since. */
interface Asker {
  question: number;
  number: number;
  next: number | undefined;
}

export class LinearizableReads {
  readonly #host: ReadHost;
  /** In order of arrival, as are those of every other place: the first is the first whose time is over. */
  #unasked: Read[] = [];
  #asked: Question | undefined;
  /** Their read index is known, the state here is below it; in order of height. */
  #behind: { readonly height: number; readonly reads: readonly Read[] }[] = [];
  readonly #askers = new Map<PeerKey, Asker>();
  /** To this node's own engine. */
  #nextQuestion = 1;
  #count = 0;

  constructor(host: ReadHost) {
    this.#host = host;
  }

  /** Reads of this node that wait. */
  get waiting(): number {
    return this.#count;
  }
  /** Peers whose question is at this leader. */
  get askers(): number {
    return this.#askers.size;
  }

  get deadline(): number {
    if (this.#count === 0) return Number.POSITIVE_INFINITY;
    const firsts = [this.#unasked[0], this.#asked?.reads[0], this.#behind[0]?.reads[0]];
    const over = Math.min(...firsts.map((read) => read?.until ?? Number.POSITIVE_INFINITY));
    return Math.min(over, this.#asked?.againAt ?? Number.POSITIVE_INFINITY);
  }

  read(request: number): void {
    if (this.#count >= READS_MAX) return this.#host.refused([request], "busy");
    this.#count++;
    this.#unasked.push({ request, until: this.#host.now() + READ_PATIENCE_MS });
  }

  /** A node takes this one for the leader; who leads was checked. Above the bound, it asks again. */
  receiveIndex(from: PeerKey, number: number): void {
    const asker = this.#askers.get(from);
    if (asker === undefined && this.#askers.size >= READ_ASKERS_MAX) return;
    if (asker === undefined) this.#askFor(from, number);
    else if (asker.number !== number) asker.next = number;
  }

  receiveReply(from: PeerKey, number: number, height: number): void {
    if (this.#asked?.leader === from && this.#asked.number === number) this.#known(height);
  }

  /** @param height undefined: this node leads no more */
  engineAnswered(questions: readonly number[], height: number | undefined): void {
    for (const question of questions) {
      if (this.#asked?.number === question && this.#asked.leader === this.#host.self) {
        if (height === undefined) this.#askAgain();
        else this.#known(height);
      } else this.#answerAsker(question, height);
    }
  }

  peerDown(peer: PeerKey): void {
    this.#askers.delete(peer);
    if (this.#asked?.leader === peer) this.#askAgain();
  }

  tick(): void {
    const now = this.#host.now();
    const isOver = ({ until }: Read): boolean => until <= now;
    const leaderless = [...(this.#asked?.reads ?? []), ...this.#unasked].filter(isOver);
    if (leaderless.length > 0) {
      this.#askAgain();
      this.#unasked = this.#unasked.filter((read) => !isOver(read));
      this.#refuse(leaderless, "noLeader");
    }
    for (const [index, { height, reads }] of this.#behind.entries()) {
      const over = reads.filter(isOver);
      if (over.length === 0) continue;
      this.#behind[index] = { height, reads: reads.filter((read) => !isOver(read)) };
      this.#refuse(over, "behind");
    }
    this.#behind = this.#behind.filter(({ reads }) => reads.length > 0);
    if (this.#asked !== undefined && this.#asked.againAt <= now) this.#send(this.#asked);
  }

  /** At the end of every step: tells who may read, asks for those who came since. */
  proceed(): void {
    const asked = this.#asked;
    const leader = this.#host.leader();
    // Another leader: who was asked before may not answer any more.
    if (asked !== undefined && (asked.leader !== leader || asked.view !== this.#host.view())) this.#askAgain();
    if (this.#asked === undefined && this.#unasked.length > 0 && leader !== undefined) this.#ask(leader);
    this.#tellReadable();
  }

  #ask(leader: PeerKey): void {
    const isOwn = leader === this.#host.self;
    const number = isOwn ? this.#nextQuestion++ : this.#host.drawNumber();
    const view = this.#host.view();
    this.#asked = { number, leader, view, reads: this.#unasked, againAt: Number.POSITIVE_INFINITY };
    this.#unasked = [];
    if (isOwn) this.#host.askEngine(number);
    else this.#send(this.#asked);
  }

  /** Also again: under the same number, for an answer to the first question is as good. */
  #send(question: Question): void {
    question.againAt = this.#host.now() + READ_ASK_AGAIN_MS;
    this.#host.ask(question.leader, question.number);
  }

  /** What was asked is asked anew, with what came since. */
  #askAgain(): void {
    this.#unasked = [...(this.#asked?.reads ?? []), ...this.#unasked];
    this.#asked = undefined;
  }

  /** The reads that were asked for may see the state as of `height` or later. */
  #known(height: number): void {
    const { reads } = this.#asked as Question;
    this.#asked = undefined;
    // A later answer may name a lower height: another leader knows less yet. It is no less right.
    const at = this.#behind.findIndex((each) => each.height > height);
    this.#behind.splice(at === -1 ? this.#behind.length : at, 0, { height, reads });
  }

  #tellReadable(): void {
    const height = this.#host.irreversibleHeight();
    for (let next = this.#behind[0]; next !== undefined && next.height <= height; next = this.#behind[0]) {
      this.#behind.shift();
      this.#count -= next.reads.length;
      this.#host.readable(
        next.reads.map((read) => read.request),
        height,
      );
    }
  }

  #refuse(reads: readonly Read[], why: ReadRefusal): void {
    this.#count -= reads.length;
    this.#host.refused(
      reads.map((read) => read.request),
      why,
    );
  }

  #askFor(peer: PeerKey, number: number): void {
    const question = this.#nextQuestion++;
    this.#askers.set(peer, { question, number, next: undefined });
    this.#host.askEngine(question);
  }

  /** Who led and leads no more says nothing: the asker learns of the next leader, and asks that one. */
  #answerAsker(question: number, height: number | undefined): void {
    for (const [peer, asker] of this.#askers) {
      if (asker.question !== question) continue;
      this.#askers.delete(peer);
      if (height === undefined) return;
      this.#host.answer(peer, asker.number, height);
      if (asker.next !== undefined) this.#askFor(peer, asker.next);
      return;
    }
  }
}
