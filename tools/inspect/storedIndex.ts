/**
 * index.db against the chain. Entries lie sorted by id, blocks by height, and neither fits in memory: both sides are
 * summed, one 64-bit hash an entry, and compared. Only when the sums differ is each entry looked up in its block.
 */
import { toHex } from "../../src/base/bytes.ts";
import { positionAt, WORDS } from "../../src/node/storage/indexEntries.ts";
import type { IndexPage, IndexReader } from "../../src/node/storage/indexReader.ts";
import { type Fault, FaultFound } from "./fault.ts";

/** Ids of the transactions of the irreversible block at a height, 32 bytes each. */
export type IdsAt = (height: number) => Uint8Array | undefined;

/** Blocks whose ids are kept while a difference is looked for. */
const IDS_KEPT = 4_096;

/** A sum that does not depend on the order of what is added. */
class EntrySum {
  count = 0;
  #low = 0;
  #high = 0;

  add(idHigh: number, idLow: number, positionHigh: number, positionLow: number): void {
    this.count++;
    const first = mixed(mixed(mixed(mixed(0x2545f491, idHigh), idLow), positionHigh), positionLow);
    this.#low = (this.#low + first) >>> 0;
    this.#high = (this.#high + mixed(mixed(first ^ 0x5bd1e995, idLow), positionLow ^ idHigh)) >>> 0;
  }

  equals(other: EntrySum): boolean {
    return this.count === other.count && this.#low === other.#low && this.#high === other.#high;
  }
}

function mixed(hash: number, word: number): number {
  let h = Math.imul(hash ^ word, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
  return h ^ (h >>> 13);
}

export class StoredIndex {
  readonly #reader: IndexReader;
  readonly #stored = new EntrySum();
  readonly #chain = new EntrySum();
  /** Every transaction of the blocks up to here is in the index, as it says. */
  readonly height: number;

  /** Reads all of it. Throws StorageError and FaultFound. */
  constructor(reader: IndexReader) {
    this.#reader = reader;
    const segments = new Map<number, { found: number; entries: number }>();
    this.height = reader.scan((page) => {
      checkPage(page, reader.file);
      const { words } = page;
      for (let at = 0; at < words.length; at += WORDS) {
        this.#stored.add(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
      }
      const segment = segments.get(page.segment) ?? { found: 0, entries: page.entries };
      segment.found += words.length / WORDS;
      segments.set(page.segment, segment);
    });
    for (const [segment, { found, entries }] of segments) {
      if (found === entries) continue;
      const detail = `segment ${segment} has another number of entries than its row says`;
      throw new FaultFound({ kind: "index", detail, file: reader.file, expected: `${entries}`, found: `${found}` });
    }
  }

  get entries(): number {
    return this.#stored.count;
  }

  /** Takes the transactions of a block up to {@link height}. */
  addBlock(height: number, ids: Uint8Array): void {
    const view = new DataView(ids.buffer, ids.byteOffset, ids.byteLength);
    const high = Math.floor(height / 256);
    const low = (height % 256) << 24;
    for (let index = 0; index < ids.length / 32; index++) {
      this.#chain.add(view.getUint32(32 * index), view.getUint32(32 * index + 4), high, (low | index) >>> 0);
    }
  }

  /** Once all blocks up to {@link height} are added. @throws FaultFound, StorageError */
  compare(idsAt: IdsAt): void {
    if (this.#stored.equals(this.#chain)) return;
    const recent = new Map<number, Uint8Array | undefined>();
    const cached = (height: number): Uint8Array | undefined => {
      if (recent.has(height)) return recent.get(height);
      if (recent.size >= IDS_KEPT) recent.clear();
      const ids = height <= this.height ? idsAt(height) : undefined;
      recent.set(height, ids);
      return ids;
    };
    this.#reader.scan((page) => this.#checkEntries(page, cached));
    this.#findMissing(idsAt);
    throw this.#fault("index", "its entries are not those of the chain", {
      expected: `${this.#chain.count} entries`,
      found: `${this.#stored.count} entries, some of them more than once`,
    });
  }

  #checkEntries({ segment, page, words }: IndexPage, idsAt: IdsAt): void {
    for (let entry = 0; entry * WORDS < words.length; entry++) {
      const { height, index } = positionAt(words, entry);
      const ids = idsAt(height);
      const found = prefixText(words[entry * WORDS]!, words[entry * WORDS + 1]!);
      const expected = ids && toHex(ids.subarray(32 * index, 32 * index + 8));
      if (expected === found) continue;
      const where = `segment ${segment}, page ${page}, entry ${entry}`;
      const none = expected === undefined || expected === "";
      const detail = none ? `${where} names a place that has no transaction` : `${where} is for another transaction`;
      throw this.#fault("index entry", detail, {
        height,
        index,
        ...(none ? {} : { expected: `id ${expected}...` }),
        found: `id ${found}...`,
      });
    }
  }

  #findMissing(idsAt: IdsAt): void {
    for (let height = 1; height <= this.height; height++) {
      const ids = idsAt(height) ?? new Uint8Array(0);
      for (let index = 0; index < ids.length / 32; index++) {
        const id = toHex(ids.subarray(32 * index, 32 * index + 32));
        const places = this.#reader.lookup(id);
        if (places.some((place) => place.height === height && place.index === index)) continue;
        throw this.#fault("index entry", `transaction ${id} is not in the index`, { height, index });
      }
    }
  }

  #fault(kind: Fault["kind"], detail: string, rest: Partial<Fault>): FaultFound {
    return new FaultFound({ kind, detail, file: this.#reader.file, ...rest });
  }
}

/** A page begins with its fence and is sorted; the last ends the segment. */
function checkPage({ segment, page, fence, words }: IndexPage, file: string): void {
  const where = `segment ${segment}, page ${page}`;
  const fail = (detail: string, rest: Partial<Fault> = {}): never => {
    throw new FaultFound({ kind: "index", detail, file, ...rest });
  };
  if (words.length === 0 || words.length % WORDS !== 0) fail(`${where} has no whole number of entries`);
  if (words[0] !== fence) {
    const [expected, found] = [words[0]!, fence].map((word) => word.toString(16).padStart(8, "0")) as [string, string];
    fail(`${where}: the fence is not the page's first word`, { expected, found });
  }
  for (let at = WORDS; at < words.length; at += WORDS) {
    const isSorted =
      words[at - WORDS]! < words[at]! || (words[at - WORDS] === words[at] && words[at - WORDS + 1]! <= words[at + 1]!);
    if (!isSorted) fail(`${where}: entry ${at / WORDS} is not in order`);
  }
}

function prefixText(high: number, low: number): string {
  return [high, low].map((word) => word.toString(16).padStart(8, "0")).join("");
}
