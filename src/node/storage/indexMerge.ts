/**
 * Merging sorted segments into one, a slice at a time, so that no merge keeps the thread from a flush. The
 * output is invisible until its last slice, which in one transaction makes it live and its inputs dead.
 */
import { copyEntry, WORDS } from "./indexEntries.ts";
import { PAGE_ENTRIES } from "./indexSegments.ts";
import type { Segment, SegmentTables } from "./indexSegments.ts";

/** Segments of one level that become one of the next. Fewer: more rewriting; more: more reads a lookup. */
export const FAN_OUT = 8;

/** Collects sorted entries into a segment's pages. */
export class SegmentBuilder {
  readonly #tables: SegmentTables;
  readonly #segment: number;
  readonly #fences: Uint32Array;
  #page = new Uint32Array(PAGE_ENTRIES * WORDS);
  #inPage = 0;
  #entries = 0;
  #pages = 0;

  /** `entries` is the exact number that will be pushed. */
  constructor(tables: SegmentTables, entries: number) {
    this.#tables = tables;
    this.#segment = tables.begin();
    this.#fences = new Uint32Array(Math.ceil(entries / PAGE_ENTRIES));
  }

  get segment(): number {
    return this.#segment;
  }

  get pages(): number {
    return this.#pages;
  }

  push(words: Uint32Array, entry: number): void {
    copyEntry(words, entry, this.#page, this.#inPage++);
    this.#entries++;
    if (this.#inPage === PAGE_ENTRIES) this.#writePage();
  }

  #writePage(): void {
    this.#fences[this.#pages] = this.#page[0]!;
    this.#tables.writePage(this.#segment, this.#pages++, this.#page.subarray(0, this.#inPage * WORDS));
    this.#inPage = 0;
  }

  finish(): Segment {
    if (this.#inPage > 0) this.#writePage();
    const segment = { segment: this.#segment, entries: this.#entries, fences: this.#fences };
    this.#tables.finish(segment);
    return segment;
  }
}

/** Writes sorted entries as one segment. */
export function writeSegment(tables: SegmentTables, sorted: Uint32Array): Segment {
  const count = sorted.length / WORDS;
  const builder = new SegmentBuilder(tables, count);
  for (let entry = 0; entry < count; entry++) builder.push(sorted, entry);
  return builder.finish();
}

interface Cursor {
  readonly segment: Segment;
  page: number;
  entry: number;
  words: Uint32Array;
}

export class Merge {
  readonly level: number;
  readonly inputs: readonly Segment[];
  readonly #tables: SegmentTables;
  readonly #builder: SegmentBuilder;
  #cursors: Cursor[];

  /** Inside a transaction, as `step`. */
  constructor(tables: SegmentTables, level: number, inputs: readonly Segment[]) {
    this.level = level;
    this.inputs = inputs;
    this.#tables = tables;
    this.#builder = new SegmentBuilder(
      tables,
      inputs.reduce((sum, input) => sum + input.entries, 0),
    );
    this.#cursors = inputs.map((segment) => ({
      segment,
      page: 0,
      entry: 0,
      words: tables.readPage(segment.segment, 0),
    }));
  }

  /** The output's number, for removing it when the merge fails. */
  get output(): number {
    return this.#builder.segment;
  }

  /** Writes up to `pages` pages; the finished segment when all is merged. */
  step(pages: number): Segment | undefined {
    const until = this.#builder.pages + pages;
    while (this.#builder.pages < until) {
      const least = this.#least();
      if (least === undefined) return this.#finish();
      this.#builder.push(least.words, least.entry);
      this.#advance(least);
    }
    return undefined;
  }

  #least(): Cursor | undefined {
    let best: Cursor | undefined;
    let bestHigh = 0;
    let bestLow = 0;
    for (const cursor of this.#cursors) {
      const high = cursor.words[cursor.entry * WORDS]!;
      const low = cursor.words[cursor.entry * WORDS + 1]!;
      if (best !== undefined && (high > bestHigh || (high === bestHigh && low >= bestLow))) continue;
      best = cursor;
      bestHigh = high;
      bestLow = low;
    }
    return best;
  }

  #advance(cursor: Cursor): void {
    cursor.entry++;
    if (cursor.entry * WORDS < cursor.words.length) return;
    cursor.page++;
    cursor.entry = 0;
    if (cursor.page < cursor.segment.fences.length) {
      cursor.words = this.#tables.readPage(cursor.segment.segment, cursor.page);
    } else {
      this.#cursors = this.#cursors.filter((other) => other !== cursor);
    }
  }

  #finish(): Segment {
    for (const input of this.inputs) this.#tables.kill(input.segment);
    return this.#builder.finish();
  }
}
