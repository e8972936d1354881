/**
 * index.db: sorted runs ("segments") of index entries, each cut into pages that fill one page of the database.
 * A row for each transaction would rewrite a random page for it; a segment is written in one sweep. A
 * segment's fences, the first word of each page, are in memory, so a lookup reads about one page a segment.
 */
import { join } from "node:path";
import type { Connection } from "./connection.ts";
import type { DerivedFormat } from "./derivedFile.ts";
import { lowerBound, positionAt, WORDS } from "./indexEntries.ts";
import type { IdPrefix } from "./indexEntries.ts";
import type { TransactionPosition } from "./types.ts";

/** 8,000 bytes: the most that fits into a database page of 8 KiB with its row, without an overflow page. */
export const PAGE_ENTRIES = 500;

/** A segment's pages are numbered from segment * 2^24. */
const PAGES_PER_SEGMENT = 2 ** 24;

export const INDEX_FORMAT: DerivedFormat = {
  applicationId: 0x43414949, // "CAII"
  version: 1,
  schema: `
CREATE TABLE segments (segment INTEGER PRIMARY KEY, status TEXT NOT NULL CHECK (status IN ('live', 'building', 'dead')),
  entries INTEGER NOT NULL, fences BLOB NOT NULL);
CREATE TABLE pages (number INTEGER PRIMARY KEY, entries BLOB NOT NULL);
INSERT INTO meta (key, value) VALUES ('height', 0);
`,
  writer: { durable: false, pageBytes: 8_192, cacheBytes: 4 * 1024 * 1024 },
};

export function indexFile(dir: string): string {
  return join(dir, "index.db");
}

export interface Segment {
  readonly segment: number;
  readonly entries: number;
  /** The first word of each page, ascending. */
  readonly fences: Uint32Array;
}

interface SegmentRow {
  readonly segment: number;
  readonly entries: number;
  readonly fences: Buffer;
}

export class SegmentTables {
  readonly #statements: ReturnType<typeof prepareStatements>;

  constructor(connection: Connection) {
    this.#statements = prepareStatements(connection);
  }

  /** Every transaction of the blocks up to this height is in the segments. */
  height(): number {
    return this.#statements.height.get() ?? 0;
  }

  setHeight(height: number): void {
    this.#statements.setHeight.run(height);
  }

  live(): Segment[] {
    return this.#statements.byStatus.all("live").map(({ segment, entries, fences }) => {
      return { segment, entries, fences: asWords(fences) };
    });
  }

  /** Segments to be removed, also those whose merge a crash interrupted. */
  dead(): number[] {
    return this.#statements.byStatus.all("dead").map((row) => row.segment);
  }

  killUnfinished(): void {
    this.#statements.killUnfinished.run();
  }

  /** Adds a segment's row and gives its number. */
  begin(): number {
    return Number(this.#statements.addSegment.run().lastInsertRowid);
  }

  finish(segment: Segment): void {
    const fences = asBytes(segment.fences);
    this.#statements.finishSegment.run(segment.entries, fences, segment.segment);
  }

  kill(segment: number): void {
    this.#statements.kill.run(segment);
  }

  writePage(segment: number, page: number, words: Uint32Array): void {
    this.#statements.addPage.run(segment * PAGES_PER_SEGMENT + page, asBytes(words));
  }

  readPage(segment: number, page: number): Uint32Array {
    const bytes = this.#statements.page.get(segment * PAGES_PER_SEGMENT + page);
    if (bytes === undefined) throw new Error(`index segment ${segment} lacks page ${page}`);
    return asWords(bytes);
  }

  /** Removes up to `limit` pages of a dead segment; true when it is gone. */
  removeSome(segment: number, limit: number): boolean {
    const first = segment * PAGES_PER_SEGMENT;
    const removed = this.#statements.removePages.run(first, first + PAGES_PER_SEGMENT, limit).changes;
    if (removed > 0) return false;
    this.#statements.removeSegment.run(segment);
    return true;
  }

  /** Adds the positions of all entries with this prefix. */
  find(segment: Segment, prefix: IdPrefix, found: TransactionPosition[]): void {
    for (let page = firstPage(segment.fences, prefix.high); page < segment.fences.length; page++) {
      if (segment.fences[page]! > prefix.high) return;
      const words = this.readPage(segment.segment, page);
      for (let entry = lowerBound(words, prefix); entry * WORDS < words.length; entry++) {
        if (words[entry * WORDS] !== prefix.high || words[entry * WORDS + 1] !== prefix.low) return;
        found.push(positionAt(words, entry));
      }
    }
  }
}

/** The page before the first one that begins at or above `high`: the earliest that can hold such an entry. */
function firstPage(fences: Uint32Array, high: number): number {
  let low = 0;
  let end = fences.length;
  while (low < end) {
    const middle = (low + end) >>> 1;
    if (fences[middle]! < high) low = middle + 1;
    else end = middle;
  }
  return Math.max(0, low - 1);
}

function asBytes(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function asWords(bytes: Buffer): Uint32Array {
  if (bytes.byteLength % 4 !== 0) throw new Error("index page of odd length");
  const isAligned = bytes.byteOffset % 4 === 0;
  const source = isAligned ? bytes : Uint8Array.from(bytes);
  return new Uint32Array(source.buffer, source.byteOffset, bytes.byteLength / 4);
}

function prepareStatements(connection: Connection) {
  return {
    height: connection.prepare<[], number>("SELECT value FROM meta WHERE key = 'height'").pluck(),
    setHeight: connection.prepare("UPDATE meta SET value = ? WHERE key = 'height'"),
    byStatus: connection.prepare<[string], SegmentRow>(
      "SELECT segment, entries, fences FROM segments WHERE status = ? ORDER BY segment",
    ),
    killUnfinished: connection.prepare("UPDATE segments SET status = 'dead' WHERE status = 'building'"),
    addSegment: connection.prepare("INSERT INTO segments (status, entries, fences) VALUES ('building', 0, x'')"),
    finishSegment: connection.prepare("UPDATE segments SET status = 'live', entries = ?, fences = ? WHERE segment = ?"),
    kill: connection.prepare("UPDATE segments SET status = 'dead' WHERE segment = ?"),
    addPage: connection.prepare("INSERT INTO pages (number, entries) VALUES (?, ?)"),
    page: connection.prepare<[number], Buffer>("SELECT entries FROM pages WHERE number = ?").pluck(),
    removePages: connection.prepare(
      "DELETE FROM pages WHERE number IN (SELECT number FROM pages WHERE number >= ? AND number < ? LIMIT ?)",
    ),
    removeSegment: connection.prepare("DELETE FROM segments WHERE segment = ?"),
  };
}
