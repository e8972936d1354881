/**
 * Transactions on their way into the chain. Those submitted here are kept until they are irreversible or provably
 * expired; those forwarded by other nodes until they are in an irreversible block or out of date.
 */
import { toHex } from "../../src/base/bytes.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { elementAt } from "../../chain/byteList.ts";

/** Of the pool's bounds: what forwarded transactions may take up. */
const FORWARDED_SHARE = 0.75;

export interface PoolEntry {
  readonly id: string;
  readonly idBytes: Uint8Array;
  readonly bytes: Uint8Array;
  /** Milliseconds, header time. */
  readonly expiresAt: number;
  /** The node that forwarded it; undefined: submitted here, and its submitter is told what becomes of it. */
  source: string | undefined;
  /**
   * `pending`: waits for a block. `taken`: in the block being produced. `included`: in a block of the executed branch.
   * `refused`: execution refused it, on a state that is not irreversible yet.
   * `doomed`: too old for any further block; kept until an irreversible block proves that.
   */
  state: "pending" | "taken" | "included" | "refused" | "doomed";
  place: { readonly height: number; readonly index: number } | undefined;
}

/** What happened to transactions that were submitted here. */
export interface LocalOutcome {
  readonly entry: PoolEntry;
  readonly status: "included" | "irreversible" | "expired";
  readonly receipt: Uint8Array | undefined;
}

export class Mempool {
  readonly #maxBytes: number;
  readonly #maxCount: number;
  /** In order of arrival. */
  readonly #entries = new Map<string, PoolEntry>();
  /** In order of arrival, too, unless something came back: transactions of one sender may build on one another. */
  #pending = new Map<string, PoolEntry>();
  #isMixed = false;
  /** Put back last: goes before all others, without sorting them. */
  #next: PoolEntry | undefined;
  readonly #taken: PoolEntry[] = [];
  /** Taken, too, and for a later block than the one being produced. */
  readonly #postponed: PoolEntry[] = [];
  readonly #doomed = new Set<PoolEntry>();
  #bytes = 0;
  #pendingBytes = 0;
  #pendingSince: number | undefined;
  /** No entry expires before this, ms. */
  #earliestExpiry = Number.POSITIVE_INFINITY;

  constructor(limits: { readonly maxBytes: number; readonly maxCount: number }) {
    this.#maxBytes = limits.maxBytes;
    this.#maxCount = limits.maxCount;
  }

  get count(): number {
    return this.#entries.size;
  }
  get bytes(): number {
    return this.#bytes;
  }
  get pendingCount(): number {
    return this.#pending.size;
  }
  get pendingBytes(): number {
    return this.#pendingBytes;
  }
  /** Since when something has been waiting for a block, ms. */
  get pendingSince(): number | undefined {
    return this.#pending.size === 0 ? undefined : this.#pendingSince;
  }

  get(id: string): PoolEntry | undefined {
    return this.#entries.get(id);
  }

  /** Those submitted here that wait for a block, in order of arrival. */
  *localPending(): Generator<PoolEntry> {
    this.#sort();
    for (const entry of this.#pending.values()) if (entry.source === undefined) yield entry;
  }

  /** Is anything here that was submitted here? */
  hasLocal(): boolean {
    for (const entry of this.#entries.values()) if (entry.source === undefined) return true;
    return false;
  }
  localCount(): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (entry.source === undefined) count++;
    return count;
  }

  /** What others forward may fill the pool only so far that submitters here still have room. */
  hasRoomFor(bytes: number, source: "local" | "forwarded"): boolean {
    const share = source === "local" ? 1 : FORWARDED_SHARE;
    return this.#entries.size < share * this.#maxCount && this.#bytes + bytes <= share * this.#maxBytes;
  }

  /** Forgets what others forwarded and is in no block: they keep it, and ask the next leader. */
  dropForwarded(): void {
    for (const entry of this.#entries.values()) {
      if (entry.source !== undefined && (entry.state === "pending" || entry.state === "doomed")) this.remove(entry);
    }
  }

  /** Execution refused it: it waits for the verdict to be final. */
  refuse(entry: PoolEntry): void {
    this.#leaveState(entry);
    entry.state = "refused";
  }

  /** The state on which it was refused is no more: it waits for a block again. */
  reconsider(entry: PoolEntry, now: number): void {
    if (this.#entries.get(entry.id) === entry && entry.state === "refused") this.#comeBack(entry, now);
  }

  /** The caller made sure that it is new and that there is room. */
  add(entry: PoolEntry, now: number): void {
    this.#entries.set(entry.id, entry);
    this.#bytes += entry.bytes.length;
    this.#earliestExpiry = Math.min(this.#earliestExpiry, entry.expiresAt);
    if (entry.state === "pending") this.#toPending(entry, now);
  }

  /** Takes the oldest pending transaction for the block being produced. */
  take(): PoolEntry | undefined {
    const entry = this.#oldest();
    if (entry === undefined) return undefined;
    this.#fromPending(entry);
    entry.state = "taken";
    this.#taken.push(entry);
    return entry;
  }

  /** The block being produced has no room for the entry taken last: it is the first again. */
  putBack(entry: PoolEntry, now: number): void {
    this.#taken.splice(this.#taken.lastIndexOf(entry), 1);
    this.#toPending(entry, now);
    if (this.#next !== undefined) this.#isMixed = true;
    this.#next = entry;
  }

  /** Too early for the block being produced: the entry taken last waits for a later one. */
  postpone(entry: PoolEntry): void {
    this.#taken.splice(this.#taken.lastIndexOf(entry), 1);
    this.#postponed.push(entry);
  }

  /** The block being produced was given up. */
  putAllBack(now: number): void {
    for (const entry of this.#taken) {
      const refused = this.#entries.get(entry.id) !== entry;
      if (entry.state === "taken" && !refused) this.#comeBack(entry, now);
    }
    this.#taken.length = 0;
    this.#resumePostponed(now);
  }

  /** The block being produced is done; what it holds is told by {@link blockApplied}. Waiting starts anew. */
  taken(now: number): void {
    this.#taken.length = 0;
    this.#resumePostponed(now);
    this.#pendingSince = now;
  }

  #resumePostponed(now: number): void {
    for (const entry of this.#postponed) {
      if (entry.state === "taken" && this.#entries.get(entry.id) === entry) this.#comeBack(entry, now);
    }
    this.#postponed.length = 0;
  }

  doom(entry: PoolEntry): void {
    this.#leaveState(entry);
    entry.state = "doomed";
    this.#doomed.add(entry);
  }

  /** Too old for the blocks of a leader who leads no more: another branch's may be of an earlier time. They wait again. */
  reconsiderDoomed(now: number): void {
    for (const entry of this.#doomed) this.#comeBack(entry, now);
    this.#doomed.clear();
  }

  remove(entry: PoolEntry): void {
    this.#leaveState(entry);
    this.#entries.delete(entry.id);
    this.#bytes -= entry.bytes.length;
  }

  /** Found in the chain by other means than a block being applied. */
  markIncluded(entry: PoolEntry, place: { readonly height: number; readonly index: number }): void {
    this.#leaveState(entry);
    entry.state = "included";
    entry.place = place;
  }

  /** Is there a doomed transaction that no block up to `headTime` proves expired? */
  needsBlockAfter(headTime: number): boolean {
    for (const entry of this.#doomed) if (entry.expiresAt >= headTime) return true;
    return false;
  }

  /** A block joined the executed branch. */
  blockApplied(node: BlockNode): LocalOutcome[] {
    return this.#inBlock(node, (entry, index) => {
      this.markIncluded(entry, { height: node.height, index });
      return { entry, status: "included", receipt: receiptOf(node, index) };
    });
  }

  /** A block left the executed branch: its transactions wait again. */
  blockUndone(node: BlockNode, now: number): void {
    this.#inBlock(node, (entry) => {
      if (entry.state !== "included") return undefined;
      entry.place = undefined;
      this.#comeBack(entry, now);
      return undefined;
    });
  }

  /** The disk knows the block irreversible: its transactions are done, and what it proves expired. */
  irreversible(node: BlockNode): LocalOutcome[] {
    const outcomes = this.#inBlock(node, (entry, index) => {
      this.remove(entry);
      entry.place = { height: node.height, index };
      return { entry, status: "irreversible", receipt: receiptOf(node, index) };
    });
    return [...outcomes, ...this.#expire(node.block.header.time)];
  }

  #expire(time: number): LocalOutcome[] {
    if (time <= this.#earliestExpiry) return [];
    const outcomes: LocalOutcome[] = [];
    this.#earliestExpiry = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) {
      const waits = entry.state !== "included" && entry.state !== "taken";
      if (waits && entry.expiresAt < time) {
        this.remove(entry);
        if (entry.source === undefined) outcomes.push({ entry, status: "expired", receipt: undefined });
      } else this.#earliestExpiry = Math.min(this.#earliestExpiry, entry.expiresAt);
    }
    return outcomes;
  }

  #inBlock(node: BlockNode, each: (entry: PoolEntry, index: number) => LocalOutcome | undefined): LocalOutcome[] {
    const outcomes: LocalOutcome[] = [];
    const { transactionIds } = node.block;
    for (let index = 0; 32 * index < transactionIds.length && this.#entries.size > 0; index++) {
      const entry = this.#entries.get(toHex(transactionIds.subarray(32 * index, 32 * index + 32)));
      if (entry === undefined) continue;
      const outcome = each(entry, index);
      if (outcome !== undefined && entry.source === undefined) outcomes.push(outcome);
    }
    return outcomes;
  }

  #oldest(): PoolEntry | undefined {
    const next = this.#next;
    this.#next = undefined;
    if (!this.#isMixed && next !== undefined && this.#pending.get(next.id) === next) return next;
    this.#sort();
    return this.#pending.values().next().value;
  }

  /** Brings what waits into the order of arrival: rare, after a fork switch or a block that was given up. */
  #sort(): void {
    if (!this.#isMixed && this.#next === undefined) return;
    this.#isMixed = false;
    this.#next = undefined;
    this.#pending = new Map();
    for (const [id, entry] of this.#entries) if (entry.state === "pending") this.#pending.set(id, entry);
  }

  #comeBack(entry: PoolEntry, now: number): void {
    this.#toPending(entry, now);
    this.#isMixed = true;
  }

  #toPending(entry: PoolEntry, now: number): void {
    entry.state = "pending";
    if (this.#pending.size === 0) this.#pendingSince = now;
    this.#pending.set(entry.id, entry);
    this.#pendingBytes += entry.bytes.length;
  }

  #fromPending(entry: PoolEntry): void {
    if (this.#pending.delete(entry.id)) this.#pendingBytes -= entry.bytes.length;
  }

  #leaveState(entry: PoolEntry): void {
    this.#fromPending(entry);
    this.#doomed.delete(entry);
  }
}

function receiptOf(node: BlockNode, index: number): Uint8Array | undefined {
  return node.execution && elementAt(node.execution.receipts, index);
}
