/**
 * Application state at the executed tip: an overlay of everything not yet flushed above a read-only base. Each block
 * leaves an undo, the overlay entries it replaced, kept until the block is irreversible and flushed.
 */
import { concatBytes, hexBytes, toHex, writeBinaryString } from "../src/base/bytes.ts";
import { Scratch } from "../src/base/memory.ts";
import { sha256, sha256Hex } from "../src/base/hash.ts";
import type { StateAccess, StateView } from "./application.ts";

/** The flushed state below the overlay: a read-only database connection, some microseconds a read. */
export type StateReader = StateView;

interface OverlayEntry {
  /** `null`: deleted. */
  readonly value: Uint8Array | null;
  /** Height of the block that wrote it. */
  readonly height: number;
}

/** What a block replaced in the overlay, by key; `undefined`: the overlay did not have the key. */
export type BlockUndo = ReadonlyMap<string, OverlayEntry | undefined>;

export interface StateChange {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** The state database could not be read: this node's trouble, never a transaction's fault. */
export class StateReadError extends Error {
  override readonly name = "StateReadError";
}

function readBase<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new StateReadError(`the state database cannot be read: ${String(cause)}`, { cause });
  }
}

/** The input of a digest is put together here. */
const digestInput = new Scratch();

export class State implements StateAccess {
  readonly #base: StateReader;
  readonly #overlay = new Map<string, OverlayEntry>();
  #flushedHeight: number;
  #height = 0;
  #undo: Map<string, OverlayEntry | undefined> | undefined;
  /** Of the transaction being executed: key, entry before, whether the block had not touched the key before. */
  readonly #journal: { key: string; before: OverlayEntry | undefined; first: boolean }[] = [];

  constructor(base: StateReader, flushedHeight: number) {
    this.#base = base;
    this.#flushedHeight = flushedHeight;
  }

  get overlayKeys(): number {
    return this.#overlay.size;
  }

  get(key: string): Uint8Array | undefined {
    const entry = this.#overlay.get(key);
    if (entry !== undefined) return entry.value ?? undefined;
    return readBase(() => this.#base.get(key));
  }

  /** Walks the whole overlay: for queries by people, not for hot paths. */
  range(start: string, end: string | undefined, limit: number): { key: string; value: Uint8Array }[] {
    return this.#rangeWith(start, end, limit, (key) => this.#overlay.get(key), this.#overlay.keys());
  }

  put(key: string, value: Uint8Array): void {
    this.#write(key, value);
  }

  delete(key: string): void {
    this.#write(key, null);
  }

  beginBlock(height: number): void {
    if (this.#undo !== undefined) throw new Error("a block is open");
    this.#height = height;
    this.#undo = new Map();
  }

  /** Ends the block and returns its undo and the digest of its sorted net changes. */
  endBlock(): { undo: BlockUndo; digest: Uint8Array } {
    if (this.#undo === undefined || this.#journal.length > 0) throw new Error("no block is open, or a transaction is");
    const undo = this.#undo;
    this.#undo = undefined;
    return { undo, digest: this.#digestOf(undo) };
  }

  abortBlock(): void {
    if (this.#undo === undefined) throw new Error("no block is open");
    this.rollbackTransaction();
    const undo = this.#undo;
    this.#undo = undefined;
    this.undoBlock(undo);
  }

  commitTransaction(): void {
    this.#journal.length = 0;
  }

  rollbackTransaction(): void {
    for (let entry = this.#journal.pop(); entry !== undefined; entry = this.#journal.pop()) {
      this.#restore(entry.key, entry.before);
      if (entry.first) this.#undo?.delete(entry.key);
    }
  }

  /** Takes a block's changes back. Blocks are undone newest first. */
  undoBlock(undo: BlockUndo): void {
    for (const [key, before] of undo) this.#restore(key, before);
  }

  /**
   * Reads as of a point below the tip; a block being executed is never seen.
   * @param undos of all finished blocks above that point, oldest first; none: the tip itself
   */
  getBelow(key: string, undos: readonly BlockUndo[]): Uint8Array | undefined {
    const entry = this.#entryBelow(key, undos);
    return entry === undefined ? readBase(() => this.#base.get(key)) : (entry.value ?? undefined);
  }

  /** As {@link range}, as of a point below the tip. */
  rangeBelow(
    start: string,
    end: string | undefined,
    limit: number,
    undos: readonly BlockUndo[],
  ): { key: string; value: Uint8Array }[] {
    return this.#rangeWith(start, end, limit, (key) => this.#entryBelow(key, undos), this.#overlay.keys());
  }

  /**
   * Net changes of a run of irreversible blocks, for the flush: the last value of every key they touched.
   * @param undos of the blocks of the run
   * @param above undos of the blocks above the run, oldest first
   * @param height of the highest block of the run
   */
  netChanges(undos: readonly BlockUndo[], above: readonly BlockUndo[], height: number): StateChange[] {
    const keys = new Set<string>();
    for (const undo of undos) for (const key of undo.keys()) keys.add(key);
    // Most keys were not written since, which their entry says; of those above, what they replaced is put together once.
    let below: readonly BlockUndo[] | undefined;
    return [...keys].sort().map((key) => {
      let entry = this.#overlay.get(key);
      if (entry === undefined || entry.height > height) entry = this.#entryBelow(key, (below ??= [firstOf(above)]));
      return { key, value: entry?.value ?? null };
    });
  }

  /** The flush of blocks up to `height` is readable from the base: their overlay entries are dropped. */
  flushed(height: number, undos: readonly BlockUndo[]): void {
    this.#flushedHeight = height;
    for (const undo of undos) {
      for (const key of undo.keys()) {
        const entry = this.#overlay.get(key);
        if (entry !== undefined && entry.height <= height) this.#overlay.delete(key);
      }
    }
  }

  #write(key: string, value: Uint8Array | null): void {
    if (this.#undo === undefined) throw new Error("no block is open");
    const before = this.#overlay.get(key);
    // Only this block writes at this height.
    const first = before?.height !== this.#height;
    if (first) this.#undo.set(key, before);
    this.#journal.push({ key, before, first });
    this.#overlay.set(key, { value, height: this.#height });
  }

  /** What was flushed since it was replaced is in the base and costs no memory here. */
  #restore(key: string, entry: OverlayEntry | undefined): void {
    if (entry === undefined || entry.height <= this.#flushedHeight) this.#overlay.delete(key);
    else this.#overlay.set(key, entry);
  }

  #entryBelow(key: string, undos: readonly BlockUndo[]): OverlayEntry | undefined {
    for (const undo of undos) {
      const before = undo.get(key);
      if (before !== undefined || undo.has(key)) return before;
    }
    if (this.#undo?.has(key)) return this.#undo.get(key);
    return this.#overlay.get(key);
  }

  #rangeWith(
    start: string,
    end: string | undefined,
    limit: number,
    entryOf: (key: string) => OverlayEntry | undefined,
    overlayKeys: Iterable<string>,
  ): { key: string; value: Uint8Array }[] {
    const inRange = [...overlayKeys].filter((key) => key >= start && (end === undefined || key < end)).sort();
    const found: { key: string; value: Uint8Array }[] = [];
    // An overlay entry hides at most one base row, so this many rows suffice.
    const rows = readBase(() => this.#base.range(start, end, limit + inRange.length));
    let next = 0;
    for (const row of rows) {
      for (; next < inRange.length && (inRange[next] as string) < row.key; next++) pushEntry(inRange[next] as string);
      if (inRange[next] === row.key) {
        next++;
        pushEntry(row.key, row.value);
      } else found.push(row);
      if (found.length >= limit) return found.slice(0, limit);
    }
    for (; next < inRange.length && found.length < limit; next++) pushEntry(inRange[next] as string);
    return found.slice(0, limit);

    function pushEntry(key: string, baseValue?: Uint8Array): void {
      const entry = entryOf(key);
      const value = entry === undefined ? baseValue : entry.value;
      if (value !== null && value !== undefined) found.push({ key, value });
    }
  }

  /** Each change, in key order: key length, key, 0 for deleted or 1 + value length, value; lengths 4 bytes. */
  #digestOf(undo: BlockUndo): Uint8Array {
    const keys = [...undo.keys()].sort();
    const values = keys.map((key) => this.#overlay.get(key)?.value ?? null);
    let bytes = 0;
    for (let i = 0; i < keys.length; i++) bytes += 8 + (keys[i] as string).length + (values[i]?.length ?? 0);
    const buffer = digestInput.take(bytes);
    const view = new DataView(buffer.buffer);
    let at = 0;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      const value = values[i] as Uint8Array | null;
      view.setUint32(at, key.length);
      writeBinaryString(buffer, at + 4, key);
      at += 4 + key.length;
      view.setUint32(at, value === null ? 0 : value.length + 1);
      if (value !== null) buffer.set(value, at + 4);
      at += 4 + (value?.length ?? 0);
    }
    return sha256(buffer);
  }
}

/** What the oldest of some blocks replaced, for every key that any of them touched. */
function firstOf(undos: readonly BlockUndo[]): BlockUndo {
  const first = new Map<string, OverlayEntry | undefined>();
  for (const undo of undos) for (const [key, before] of undo) if (!first.has(key)) first.set(key, before);
  return first;
}

/** The rolling state hash: H(parent's, digest of this block's changes). */
export function nextStateHash(parentStateHash: string, digest: Uint8Array): string {
  return sha256Hex(concatBytes(hexBytes(parentStateHash), digest));
}

/** What stands for the state hash before block 0. */
export const NO_STATE_HASH = toHex(new Uint8Array(32));
