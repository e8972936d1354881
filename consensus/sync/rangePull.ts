/**
 * Catching up from far behind (docs/protocol.md, section 3, "Far behind"): ranges of irreversible blocks from several peers
 * at once, in order to the ledger. Time comes in, requests and blocks go out; what the ledger and the disk can take is
 * asked of the host, so that memory stays bounded.
 */
import type { PeerKey } from "../../src/base/key.ts";
import type { Block } from "../../chain/block.ts";
import {
  GARBAGE_SHUN_MS,
  LACKS_SHUN_MS,
  LATE_SHUN_MS,
  RANGE_TIMEOUT_MAX_MS,
  RANGE_TIMEOUT_MS,
  RANGES_PER_PEER,
  type SyncLimits,
  UNANSWERED_MAX,
} from "./constants.ts";
import { type Anchor, openRange, type RangeRequest, type RangeResponse } from "./range.ts";
import { RangeBatch } from "./rangeBatch.ts";

export interface RangePullHost {
  readonly limits: SyncLimits;
  now(): number;
  /** The newest certified block known. */
  anchor(): Anchor | undefined;
  /** Connected peers with the height up to which each says to hold blocks, nearly all of them irreversible. */
  sources(): Iterable<readonly [PeerKey, number]>;
  request(peer: PeerKey, request: RangeRequest): void;
  /** A fault of a peer; "unrequested": an answer to nothing that it was asked, or to what it was asked too long ago. */
  fault(peer: PeerKey, what: "invalidRange" | "unrequested", detail: string): void;
}

/** What is known of a peer as a source. */
interface Source {
  timeoutMs: number;
  /** Until then it is asked when there is nobody else, ms. */
  shunnedUntil: number;
  /** It did not hold what this anchor proves. */
  lacksAnchor: number;
  /** Then it is asked again all the same, ms: a disk that did not read may read again. */
  lacksUntil: number;
}

type PullState =
  | { readonly kind: "idle" }
  | {
      readonly kind: "pulling";
      anchor: Anchor;
      /** Height of the next block to be planned, and to be handed over. */
      planned: number;
      taken: number;
      /** In ascending order without gaps, from `taken` to `planned` - 1. */
      readonly batches: RangeBatch[];
    };

export class RangePull {
  readonly #host: RangePullHost;
  readonly #sources = new Map<PeerKey, Source>();
  /** Requests that a peer has not answered, oldest first: its answer is due even when nobody waits for it any more. */
  readonly #unanswered = new Map<PeerKey, string[]>();
  #state: PullState = { kind: "idle" };

  constructor(host: RangePullHost) {
    this.#host = host;
  }

  get isPulling(): boolean {
    return this.#state.kind === "pulling";
  }
  /** Everything up to the newest anchor was handed over. */
  get isDone(): boolean {
    const state = this.#state;
    return state.kind === "pulling" && state.batches.length === 0 && state.planned > state.anchor.height;
  }
  get deadline(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { state } of this.#batches()) if (state.kind === "asked") earliest = Math.min(earliest, state.deadline);
    if (!this.#batches().some(({ state }) => state.kind === "waiting")) return earliest;
    const now = this.#host.now();
    for (const { lacksUntil } of this.#sources.values())
      if (lacksUntil > now) earliest = Math.min(earliest, lacksUntil);
    return earliest;
  }
  /** Ranges asked for or arrived. */
  get ranges(): number {
    let ranges = 0;
    for (const { state } of this.#batches()) if (state.kind !== "waiting") ranges++;
    return ranges;
  }
  /** Nobody can be asked for what comes next. */
  get isStarved(): boolean {
    const first = this.#batches()[0];
    return first !== undefined && first.state.kind === "waiting" && this.#pick(first.anchor) === undefined;
  }
  /** The first range waits for whoever was asked. */
  get isWaiting(): boolean {
    return this.#batches()[0]?.state.kind === "asked";
  }

  /** @param height of the irreversible block to go on from */
  begin(height: number): void {
    if (this.#state.kind !== "idle") throw new Error("begin: a pull is under way");
    const anchor = this.#host.anchor();
    if (anchor === undefined || anchor.height <= height) throw new Error("begin: nothing to pull");
    this.#state = { kind: "pulling", anchor, planned: height + 1, taken: height + 1, batches: [] };
    this.#sources.clear();
    this.proceed();
  }

  end(): void {
    if (!this.isDone) throw new Error("end: the pull is not done");
    this.#state = { kind: "idle" };
  }

  /** What is irreversible here by other ways need not come: the stream of a peer that is not far ahead, say. */
  passed(height: number): void {
    const state = this.#state;
    if (state.kind === "idle") return;
    while (state.batches[0] !== undefined && state.batches[0].to <= height) {
      state.taken = (state.batches.shift() as RangeBatch).to + 1;
    }
    if (state.batches.length === 0) state.planned = state.taken = Math.max(state.taken, height + 1);
  }

  /** Plans ahead and asks whoever is free. */
  proceed(): void {
    const state = this.#state;
    if (state.kind === "idle") return;
    this.#plan(state);
    let { ranges } = this;
    for (const [index, batch] of state.batches.entries()) {
      if (batch.state.kind !== "waiting") continue;
      // The first is always asked for: without it nothing of what has arrived can leave.
      if (index > 0 && ranges >= this.#host.limits.pullRanges) return;
      const peer = this.#pick(batch.anchor);
      if (peer === undefined) return;
      batch.ask(peer, this.#host.now() + this.#source(peer).timeoutMs);
      ranges++;
      const { height, id } = batch.anchor;
      this.#asked(peer, batch.from, height);
      this.#host.request(peer, { from: batch.from, to: batch.to, anchorHeight: height, anchorId: id });
    }
  }

  /** Ranges that did not come in time are asked of somebody else. */
  tick(): void {
    const now = this.#host.now();
    for (const batch of this.#batches()) {
      if (batch.state.kind !== "asked" || now < batch.state.deadline) continue;
      const source = this.#source(batch.state.peer);
      source.timeoutMs = Math.min(RANGE_TIMEOUT_MAX_MS, source.timeoutMs * 2);
      source.shunnedUntil = Math.max(source.shunnedUntil, now + LATE_SHUN_MS);
      batch.giveBack();
    }
    this.proceed();
  }

  /** Was this peer asked for a range from this height, and its answer is due? Also when nobody waits for it any more. */
  owes(peer: PeerKey, from: number, anchorHeight: number): boolean {
    return this.#unanswered.get(peer)?.includes(nameOf(from, anchorHeight)) === true;
  }

  receive(peer: PeerKey, response: RangeResponse): void {
    const pull = this.#state;
    const { from, anchorHeight } = response.proof;
    if (!this.#answers(peer, from, anchorHeight)) return this.#host.fault(peer, "unrequested", `a range from ${from}`);
    if (pull.kind === "idle") return;
    const index = pull.batches.findIndex((batch) => batch.from === from && batch.anchor.height === anchorHeight);
    const batch = pull.batches[index];
    // Somebody else was faster, or it came by other ways.
    if (batch === undefined || batch.state.kind === "arrived") return;
    if (response.blocks.count === 0) return this.#lacks(peer, batch);
    const opened = openRange(response, batch.from, batch.to, batch.anchor);
    if (!opened.ok) return this.#garbage(peer, `${opened.error.code}: ${opened.error.detail}`);
    if (batch.isAskedOf(peer)) this.#source(peer).timeoutMs = RANGE_TIMEOUT_MS;
    const rest = batch.arrive(opened.value);
    if (rest !== undefined) pull.batches.splice(index + 1, 0, rest);
    this.proceed();
  }

  peerDown(peer: PeerKey): void {
    this.#unanswered.delete(peer);
    this.#takeBack(peer);
    // Who lied and lost its link is not asked again at once when it is back.
    if (this.#source(peer).shunnedUntil < this.#host.now()) this.#sources.delete(peer);
    this.proceed();
  }

  /** The next blocks in order, when they are here. */
  take(): readonly Block[] | undefined {
    const state = this.#state;
    if (state.kind === "idle" || state.batches[0]?.state.kind !== "arrived") return undefined;
    const batch = state.batches.shift() as RangeBatch;
    if (batch.from !== state.taken) throw new Error(`take: range ${batch.from} after ${state.taken - 1}`);
    const blocks = batch.take();
    state.taken += blocks.length;
    this.proceed();
    return blocks;
  }

  #asked(peer: PeerKey, from: number, anchorHeight: number): void {
    const requests = this.#unanswered.get(peer) ?? [];
    this.#unanswered.set(peer, requests);
    if (requests.push(nameOf(from, anchorHeight)) > UNANSWERED_MAX) requests.shift();
  }

  #answers(peer: PeerKey, from: number, anchorHeight: number): boolean {
    const requests = this.#unanswered.get(peer) ?? [];
    const index = requests.indexOf(nameOf(from, anchorHeight));
    if (index !== -1) requests.splice(index, 1);
    return index !== -1;
  }

  #batches(): readonly RangeBatch[] {
    return this.#state.kind === "pulling" ? this.#state.batches : [];
  }

  /** Ranges as far as the bound on memory reaches, and on to a newer anchor when the old one is used up. */
  #plan(state: Extract<PullState, { kind: "pulling" }>): void {
    const { rangeBlocks, pullRanges, farBehindBlocks } = this.#host.limits;
    while (state.batches.length < pullRanges) {
      if (state.planned > state.anchor.height) {
        const newest = this.#host.anchor();
        // What is left then is streamed.
        if (newest === undefined || newest.height - state.planned < farBehindBlocks / 2) return;
        state.anchor = newest;
      }
      const to = Math.min(state.planned + rangeBlocks - 1, state.anchor.height);
      state.batches.push(new RangeBatch(state.planned, to, state.anchor));
      state.planned = to + 1;
    }
  }

  /** Who is in time and busy least; who was late or lied when there is nobody else. */
  #pick(anchor: Anchor): PeerKey | undefined {
    const now = this.#host.now();
    let best: { readonly peer: PeerKey; readonly shunned: boolean; readonly busy: number } | undefined;
    for (const [peer, height] of this.#host.sources()) {
      // An anchor that it does not hold yet is about to be there: certificates are sent before blocks.
      if (height + this.#host.limits.farBehindBlocks < anchor.height) continue;
      const source = this.#source(peer);
      if (source.lacksAnchor >= anchor.height && now < source.lacksUntil) continue;
      const shunned = now < source.shunnedUntil;
      const busy = this.#batches().reduce((sum, batch) => sum + (batch.isAskedOf(peer) ? 1 : 0), 0);
      const isBetter = best === undefined || (shunned === best.shunned ? busy < best.busy : !shunned);
      if (isBetter) best = { peer, shunned, busy };
    }
    if (best === undefined || best.busy >= (best.shunned ? 1 : RANGES_PER_PEER)) return undefined;
    return best.peer;
  }

  #source(peer: PeerKey): Source {
    let source = this.#sources.get(peer);
    if (source === undefined) {
      source = { timeoutMs: RANGE_TIMEOUT_MS, shunnedUntil: Number.NEGATIVE_INFINITY, lacksAnchor: -1, lacksUntil: 0 };
      this.#sources.set(peer, source);
    }
    return source;
  }

  #lacks(peer: PeerKey, batch: RangeBatch): void {
    if (!batch.isAskedOf(peer)) return;
    const source = this.#source(peer);
    source.lacksAnchor = batch.anchor.height;
    source.lacksUntil = this.#host.now() + LACKS_SHUN_MS;
    this.#takeBack(peer);
    this.proceed();
  }

  #garbage(peer: PeerKey, detail: string): void {
    this.#source(peer).shunnedUntil = this.#host.now() + GARBAGE_SHUN_MS;
    this.#takeBack(peer);
    this.#host.fault(peer, "invalidRange", detail);
    this.proceed();
  }

  #takeBack(peer: PeerKey): void {
    for (const batch of this.#batches()) if (batch.isAskedOf(peer)) batch.giveBack();
  }
}

/** Of a request, among those to one peer. */
function nameOf(from: number, anchorHeight: number): string {
  return `${from} ${anchorHeight}`;
}
