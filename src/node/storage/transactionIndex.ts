/**
 * The transaction index as its thread keeps it: entries wait in memory until they fill a segment, segments of
 * like size are merged eight by eight. Nothing is ever changed or deleted in it, so the order of segments does
 * not matter and a merge needs no rules. A crash loses what waits: `height` tells from where to fill in.
 *
 * A segment's level is log8 of its entries, so small ones (an idle network flushes a few entries at a time)
 * are merged among themselves and every entry is rewritten once a level: at most 8 or so segments a level,
 * and nine levels hold 10^8 transactions.
 */
import { Checkpointer } from "./checkpointer.ts";
import type { Connection } from "./connection.ts";
import type { IndexedBlock } from "./derivedMessage.ts";
import { PendingEntries, prefixOf } from "./indexEntries.ts";
import { FAN_OUT, Merge, writeSegment } from "./indexMerge.ts";
import { SegmentTables } from "./indexSegments.ts";
import type { Segment } from "./indexSegments.ts";
import type { TransactionPosition } from "./types.ts";

/** 1 MiB of entries; also the most that is read again after a crash. */
export const FLUSH_ENTRIES = 65_536;
/** Pages a slice merges or removes: 2 to 4 ms. */
const MERGE_PAGES = 32;
const REMOVE_PAGES = 256;
/** 16 MiB of log. */
const CHECKPOINT_PAGES = 2_048;
/** Segments of one level at which a flush waits for merging. */
const CROWDED = 2 * FAN_OUT;

export class TransactionIndex {
  readonly #connection: Connection;
  readonly #tables: SegmentTables;
  readonly #checkpointer: Checkpointer;
  readonly #pending = new PendingEntries();
  #segments: Segment[];
  #merges: Merge[] = [];
  #dead: number[];
  /** Of the newest block in `#pending` or in the segments. */
  #height: number;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#tables = new SegmentTables(connection);
    this.#checkpointer = new Checkpointer(connection, CHECKPOINT_PAGES);
    this.#tables.killUnfinished();
    this.#segments = this.#tables.live();
    this.#dead = this.#tables.dead();
    this.#height = this.#tables.height();
  }

  /** All transactions of blocks up to here are in the index. */
  get height(): number {
    return this.#height;
  }

  get pendingEntries(): number {
    return this.#pending.count;
  }

  get segmentCount(): number {
    return this.#segments.length;
  }

  add(blocks: readonly IndexedBlock[]): void {
    for (const block of blocks) {
      this.#pending.addBlock(block.height, block.transactionIds);
      this.#height = block.height;
    }
  }

  /** Where transactions whose ids begin like this one are, newest first. The caller compares the whole id. */
  lookup(id: string): TransactionPosition[] {
    const prefix = prefixOf(id);
    const found: TransactionPosition[] = [];
    this.#pending.find(prefix, found);
    for (const segment of this.#segments) this.#tables.find(segment, prefix, found);
    return sortNewestFirst(found);
  }

  /** Writes what waits, whatever there is. Throws SqliteError and then has changed nothing. */
  flush(): void {
    if (this.#tables.height() === this.#height) return;
    const sorted = this.#pending.sorted();
    const added = this.#transaction(() => {
      this.#tables.setHeight(this.#height);
      return sorted.length === 0 ? undefined : writeSegment(this.#tables, sorted);
    });
    if (added !== undefined) this.#segments.push(added);
    this.#pending.clear();
  }

  /** Brings what waits and what is unmerged below their bounds. Throws as `flush`. */
  makeRoom(): void {
    if (this.#pending.count >= FLUSH_ENTRIES) this.flush();
    while (this.#isCrowded()) this.#mergeSlice();
  }

  /** A few ms of flushing, merging, removing or checkpointing; true when there is more. Throws as `flush`. */
  upkeep(queueIsEmpty: boolean): boolean {
    if (this.#pending.count >= FLUSH_ENTRIES) this.flush();
    else if (!queueIsEmpty) return true;
    else if (!this.#mergeSlice() && !this.#removeSlice()) return this.#checkpointer.run(true) !== undefined;
    this.#checkpointer.run(false);
    return true;
  }

  close(): void {
    try {
      this.flush();
    } finally {
      this.#connection.close();
    }
  }

  #isCrowded(): boolean {
    const counts = new Map<number, number>();
    for (const segment of this.#unmerged()) {
      const count = (counts.get(levelOf(segment)) ?? 0) + 1;
      if (count >= CROWDED) return true;
      counts.set(levelOf(segment), count);
    }
    return false;
  }

  #unmerged(): Segment[] {
    const merging = new Set(this.#merges.flatMap((merge) => merge.inputs));
    return this.#segments.filter((segment) => !merging.has(segment));
  }

  /** One slice of the merge at the lowest level, since those keep the number of segments down; false when none is due. */
  #mergeSlice(): boolean {
    const due = this.#dueMerge();
    const running = this.#merges.toSorted((a, b) => a.level - b.level)[0];
    if (due !== undefined && (running === undefined || due.level < running.level)) {
      this.#merges.push(this.#transaction(() => new Merge(this.#tables, due.level, due.inputs)));
      return true;
    }
    if (running === undefined) return false;
    this.#step(running);
    return true;
  }

  #dueMerge(): { readonly level: number; readonly inputs: readonly Segment[] } | undefined {
    const levels = Map.groupBy(this.#unmerged(), levelOf);
    for (const level of [...levels.keys()].sort((a, b) => a - b)) {
      const segments = levels.get(level) ?? [];
      if (segments.length >= FAN_OUT) return { level, inputs: segments.slice(0, FAN_OUT) };
    }
    return undefined;
  }

  #step(merge: Merge): void {
    let output: Segment | undefined;
    try {
      output = this.#transaction(() => merge.step(MERGE_PAGES));
    } catch (error) {
      // Its cursors are ahead of what was written: give it up; it begins again from its inputs.
      this.#merges = this.#merges.filter((other) => other !== merge);
      this.#dead.push(merge.output);
      throw error;
    }
    if (output === undefined) return;
    this.#merges = this.#merges.filter((other) => other !== merge);
    const inputs = new Set(merge.inputs);
    this.#segments = [...this.#segments.filter((segment) => !inputs.has(segment)), output];
    this.#dead.push(...merge.inputs.map((input) => input.segment));
  }

  #removeSlice(): boolean {
    const segment = this.#dead[0];
    if (segment === undefined) return false;
    if (this.#transaction(() => this.#tables.removeSome(segment, REMOVE_PAGES))) this.#dead.shift();
    return true;
  }

  #transaction<T>(work: () => T): T {
    this.#connection.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#connection.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#connection.inTransaction) this.#connection.exec("ROLLBACK");
      throw error;
    }
  }
}

export function sortNewestFirst(found: TransactionPosition[]): TransactionPosition[] {
  return found.sort((a, b) => b.height - a.height || b.index - a.index);
}

function levelOf(segment: Segment): number {
  return Math.floor(Math.log2(segment.entries) / Math.log2(FAN_OUT));
}
