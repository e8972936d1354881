import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BlockUndo, nextStateHash, State, type StateChange } from "../../chain/state.ts";
import { concatBytes, hexBytes, toHex, utf8 } from "../../src/base/bytes.ts";
import { sha256, sha256Hex } from "../../src/base/hash.ts";
import { MemoryState } from "../fixtures/memoryLedger.ts";
import { rangeOf } from "../fixtures/naiveChain.ts";

const KEYS = ["", "a", "a\x00", "ab", "b", "c\xff"];
type Values = ReadonlyMap<string, Uint8Array>;

const OPERATIONS = [
  "begin",
  "put",
  "put",
  "put",
  "delete",
  "commit",
  "rollback",
  "end",
  "abort",
  "undo",
  "decide",
  "take",
  "write",
  "flushed",
] as const;
const operation = fc.record({ kind: fc.constantFrom(...OPERATIONS), key: fc.constantFrom(...KEYS), n: fc.nat(1_000) });

interface ModelBlock {
  readonly undo: BlockUndo;
  readonly height: number;
  /** The whole state after the block. */
  readonly values: Values;
}

/** Whole maps after every block, against overlay, undo and flush. */
class Comparison {
  readonly base = new MemoryState();
  readonly state = new State(this.base, 0);
  /** Executed and not irreversible, oldest first. */
  readonly above: ModelBlock[] = [];
  /** Irreversible, not yet taken for a flush. */
  unflushed: ModelBlock[] = [];
  flushing:
    { readonly blocks: readonly ModelBlock[]; readonly changes: readonly StateChange[]; written: boolean } | undefined;
  bottom: Values = new Map(KEYS.map((key, i) => [key, Uint8Array.of(i)]));
  height = 0;
  open:
    | {
        values: Map<string, Uint8Array>;
        touched: Set<string>;
        transaction: { values: Map<string, Uint8Array>; touched: Set<string> };
      }
    | undefined;

  constructor() {
    this.base.apply([...this.bottom].map(([key, value]) => ({ key, value })));
  }

  get tip(): Values {
    return this.above.at(-1)?.values ?? this.bottom;
  }

  apply(kind: (typeof OPERATIONS)[number], key: string, n: number): void {
    const { state, open } = this;
    switch (kind) {
      case "begin": {
        if (open !== undefined) return;
        state.beginBlock(this.height + 1);
        this.open = {
          values: new Map(this.tip),
          touched: new Set(),
          transaction: { values: new Map(this.tip), touched: new Set() },
        };
        return;
      }
      case "put": {
        const value = n % 7 === 0 ? new Uint8Array(0) : utf8(`${n}`);
        return this.#write(key, value, () => state.put(key, value));
      }
      case "delete":
        return this.#write(key, undefined, () => state.delete(key));
      case "commit":
        if (open === undefined) return;
        state.commitTransaction();
        open.values = new Map(open.transaction.values);
        open.touched = new Set(open.transaction.touched);
        return;
      case "rollback":
        if (open === undefined) return;
        state.rollbackTransaction();
        open.transaction = { values: new Map(open.values), touched: new Set(open.touched) };
        return;
      case "end":
        this.apply("commit", key, n);
        return this.#end();
      case "abort":
        if (open === undefined) return;
        state.abortBlock();
        this.open = undefined;
        return;
      case "undo": {
        const last = open === undefined ? this.above.pop() : undefined;
        if (last === undefined) return;
        state.undoBlock(last.undo);
        this.height--;
        return;
      }
      case "decide": {
        const decided = this.above.splice(0, n % (this.above.length + 1));
        this.bottom = decided.at(-1)?.values ?? this.bottom;
        this.unflushed.push(...decided);
        return;
      }
      case "take": {
        if (this.flushing !== undefined || this.unflushed.length === 0) return;
        const blocks = this.unflushed;
        this.unflushed = [];
        const { height } = blocks.at(-1) as ModelBlock;
        const changes = state.netChanges(undosOf(blocks), undosOf(this.above), height);
        this.flushing = { blocks, changes, written: false };
        return;
      }
      case "write": {
        if (this.flushing === undefined || this.flushing.written) return;
        const { changes, blocks } = this.flushing;
        expect(changes.map((change) => change.key)).toEqual(changes.map((change) => change.key).sort());
        this.base.apply(changes);
        this.flushing.written = true;
        return expect(rangeOf(this.base.entries, "", undefined, 99)).toEqual(
          rangeOf((blocks.at(-1) as ModelBlock).values, "", undefined, 99),
        );
      }
      case "flushed":
        if (!this.flushing?.written) return;
        state.flushed((this.flushing.blocks.at(-1) as ModelBlock).height, undosOf(this.flushing.blocks));
        this.flushing = undefined;
    }
  }

  check(n: number): void {
    const { state, above, open } = this;
    const [start, limit] = [KEYS[n % KEYS.length] as string, n % 5];
    const end = n % 3 === 0 ? undefined : KEYS[(n >> 3) % KEYS.length];
    for (let from = 0; from <= above.length; from++) {
      const values = from === 0 ? this.bottom : (above[from - 1] as ModelBlock).values;
      const undos = undosOf(above.slice(from));
      for (const key of KEYS) expect(state.getBelow(key, undos)).toEqual(values.get(key));
      expect(state.rangeBelow(start, end, limit, undos)).toEqual(rangeOf(values, start, end, limit));
    }
    const now = open?.transaction.values ?? this.tip;
    for (const key of KEYS) expect(state.get(key)).toEqual(now.get(key));
    expect(state.range(start, end, limit)).toEqual(rangeOf(now, start, end, limit));
    const mayBeInOverlay = new Set(
      [...above, ...this.unflushed, ...(this.flushing?.blocks ?? [])].flatMap((each) => [...each.undo.keys()]),
    );
    for (const key of open?.transaction.touched ?? []) mayBeInOverlay.add(key);
    expect(state.overlayKeys).toBeLessThanOrEqual(mayBeInOverlay.size);
  }

  #write(key: string, value: Uint8Array | undefined, write: () => void): void {
    if (this.open === undefined) {
      expect(write).toThrow("no block is open");
      return;
    }
    write();
    const { values, touched } = this.open.transaction;
    touched.add(key);
    if (value === undefined) values.delete(key);
    else values.set(key, value);
  }

  #end(): void {
    if (this.open === undefined) return;
    const { values, touched } = this.open;
    const { undo, digest } = this.state.endBlock();
    expect(new Set(undo.keys())).toEqual(touched);
    expect(toHex(digest)).toBe(digestOf(touched, values));
    this.height++;
    this.above.push({ undo, height: this.height, values });
    this.open = undefined;
  }
}

function undosOf(blocks: readonly ModelBlock[]): BlockUndo[] {
  return blocks.map((each) => each.undo);
}

/** By the specification: key length, key, 0 or 1 + value length, value, in key order; lengths big-endian in 4 bytes. */
function digestOf(touched: ReadonlySet<string>, values: Values): string {
  const uint32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
  const parts = [...touched].sort().flatMap((key) => {
    const value = values.get(key);
    const tail = value === undefined ? [uint32(0)] : [uint32(value.length + 1), value];
    return [uint32(key.length), Uint8Array.from(key, (c) => c.charCodeAt(0)), ...tail];
  });
  return toHex(sha256(concatBytes(...parts)));
}

describe("state (DESIGN section 8)", () => {
  it("reads, ranges, digests and flushes equal those of whole copies, whatever is undone, redone or being flushed", () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 20, maxLength: 120 }), (operations) => {
        const comparison = new Comparison();
        for (const { kind, key, n } of operations) {
          comparison.apply(kind, key, n);
          comparison.check(n);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("a deletion and an empty value are different changes", () => {
    const digest = (change: (state: State) => void): string => {
      const state = new State(new MemoryState(), 0);
      state.beginBlock(1);
      change(state);
      state.commitTransaction();
      return toHex(state.endBlock().digest);
    };
    const digests = [
      digest((state) => state.delete("k")),
      digest((state) => state.put("k", new Uint8Array(0))),
      digest((state) => state.put("k\0", new Uint8Array(0))),
      digest(() => undefined),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });

  it("a change taken back within its block by a later transaction is still a change; one of a failed transaction is none", () => {
    const state = new State(new MemoryState(), 0);
    state.beginBlock(1);
    state.put("kept", utf8("1"));
    state.commitTransaction();
    state.delete("kept");
    state.commitTransaction();
    state.put("failed", utf8("1"));
    state.rollbackTransaction();
    expect([...state.endBlock().undo.keys()]).toEqual(["kept"]);
  });

  it("a flushed key costs no memory, unless a block above wrote it", () => {
    const state = new State(new MemoryState(), 0);
    const undos = [1, 2].map((height) => {
      state.beginBlock(height);
      state.put("both", utf8(`${height}`));
      state.put(`only ${height}`, utf8("x"));
      state.commitTransaction();
      return state.endBlock().undo;
    });
    expect(state.overlayKeys).toBe(3);
    state.flushed(1, undos.slice(0, 1));
    expect(state.overlayKeys).toBe(2);
    state.flushed(2, undos.slice(1));
    expect(state.overlayKeys).toBe(0);
  });

  it("nor does one that comes back by undoing the block above", () => {
    const base = new MemoryState();
    const state = new State(base, 0);
    const undos = [1, 2].map((height) => {
      state.beginBlock(height);
      state.put("key", utf8(`${height}`));
      state.commitTransaction();
      return state.endBlock().undo;
    });
    base.apply(state.netChanges(undos.slice(0, 1), undos.slice(1), 1));
    state.flushed(1, undos.slice(0, 1));
    state.undoBlock(undos[1] as BlockUndo);
    expect([state.get("key"), state.overlayKeys]).toEqual([utf8("1"), 0]);
  });

  it("nor one that comes back by rolling a transaction back", () => {
    const base = new MemoryState();
    const state = new State(base, 0);
    state.beginBlock(1);
    state.put("key", utf8("1"));
    state.commitTransaction();
    const undos = [state.endBlock().undo];
    base.apply(state.netChanges(undos, [], 1));
    state.beginBlock(2);
    state.put("key", utf8("2"));
    state.flushed(1, undos);
    state.abortBlock();
    expect([state.get("key"), state.overlayKeys]).toEqual([utf8("1"), 0]);
  });

  it("a block with an open transaction cannot end, and only one block is open", () => {
    const state = new State(new MemoryState(), 0);
    state.beginBlock(1);
    expect(() => state.beginBlock(2)).toThrow();
    state.put("k", utf8("v"));
    expect(() => state.endBlock()).toThrow();
  });

  it("stateHash = SHA-256(parent's stateHash, digest of the changes)", () => {
    const parent = sha256Hex(utf8("parent"));
    const digest = sha256(utf8("changes"));
    expect(nextStateHash(parent, digest)).toBe(sha256Hex(concatBytes(hexBytes(parent), digest)));
  });
});
