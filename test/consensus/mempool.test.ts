import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { transactionId } from "../../chain/transaction.ts";
import { type LocalOutcome, Mempool, type PoolEntry } from "../../consensus/mempool/mempool.ts";
import { toHex } from "../../src/base/bytes.ts";
import { makeLedger, settle } from "../fixtures/memoryLedger.ts";
import {
  makeTransaction,
  type NaiveBlock,
  naiveChild,
  naiveGenesis,
  START_TIME,
  testGenesis,
} from "../fixtures/naiveChain.ts";

const LIMITS = { maxBytes: 700, maxCount: 10 };
const genesis = testGenesis();
/** Different sizes and expiries; the first byte of the payload does not matter here. */
const TRANSACTIONS = Array.from({ length: 16 }, (_, n) =>
  makeTransaction(`put k ${"x".repeat(n)}`, n, START_TIME + 5 + 4 * (n % 8)),
);

function entryOf(bytes: Uint8Array, expiresAt: number, source?: string): PoolEntry {
  const idBytes = transactionId(bytes);
  return { id: toHex(idBytes), idBytes, bytes, expiresAt, source, state: "pending", place: undefined };
}
function entry(n: number, source?: string): PoolEntry {
  return entryOf(TRANSACTIONS[n] as Uint8Array, START_TIME + 5 + 4 * (n % 8), source);
}

const KINDS = [
  "submit",
  "submit",
  "forward",
  "take",
  "take",
  "putBack",
  "giveUp",
  "finish",
  "refuse",
  "doom",
  "applyOther",
  "undo",
  "decide",
  "decide",
] as const;
const operation = fc.record({ kind: fc.constantFrom(...KINDS), n: fc.nat(15), m: fc.nat(15) });

/** A mempool beside lists that say what it should hold. A ledger gives the blocks. */
class Comparison {
  readonly pool = new Mempool(LIMITS);
  readonly ledger = makeLedger(genesis).ledger;
  readonly naive: NaiveBlock[] = [naiveGenesis(genesis)];
  readonly applied: BlockNode[] = [];
  readonly model = new Map<PoolEntry, { order: number; state: PoolEntry["state"] }>();
  /** Of the block being produced, in order. */
  taken: PoolEntry[] = [];
  time = START_TIME;
  arrivals = 0;

  apply({ kind, n, m }: { kind: (typeof KINDS)[number]; n: number; m: number }): void {
    const { pool } = this;
    switch (kind) {
      case "submit":
      case "forward": {
        const made = entry(n, kind === "forward" ? "somebody" : undefined);
        // What others forward has three quarters of the room.
        const share = kind === "forward" ? 0.75 : 1;
        const { maxCount, maxBytes } = LIMITS;
        const fits = this.model.size < share * maxCount && this.#bytes() + made.bytes.length <= share * maxBytes;
        expect(pool.hasRoomFor(made.bytes.length, kind === "forward" ? "forwarded" : "local")).toBe(fits);
        if (!fits || pool.get(made.id) !== undefined) return;
        pool.add(made, this.time);
        this.model.set(made, { order: this.arrivals++, state: "pending" });
        return;
      }
      case "take": {
        const expected = this.#pending()[0];
        expect(pool.take()).toBe(expected);
        if (expected !== undefined) this.taken.push(this.#to(expected, "taken"));
        return;
      }
      case "putBack": {
        const last = this.taken.at(-1);
        if (last === undefined || this.model.get(last)?.state !== "taken") return;
        this.taken.pop();
        pool.putBack(this.#to(last, "pending"), this.time);
        return;
      }
      case "giveUp":
        for (const each of this.taken) if (this.model.get(each)?.state === "taken") this.#to(each, "pending");
        this.taken = [];
        return pool.putAllBack(this.time);
      case "finish": {
        const held = this.taken.filter((each) => this.model.get(each)?.state === "taken");
        pool.taken(this.time);
        this.taken = [];
        return this.#applyBlock(held);
      }
      case "refuse":
      case "doom": {
        const last = this.taken.at(-1);
        if (last === undefined || this.model.get(last)?.state !== "taken") return;
        if (kind === "doom") pool.doom(this.#to(last, "doomed"));
        else {
          pool.remove(last);
          this.model.delete(last);
        }
        return;
      }
      case "applyOther": {
        // A block of another leader; what was being produced here is given up right after.
        const known = [...this.model].filter(([, { state }]) => state !== "included").map(([each]) => each);
        const theirs = known.filter((_, i) => (m >> (i % 4)) & 1).slice(0, 3);
        const strange = [entryOf(makeTransaction("put other 1", 100 + this.naive.length), 0)];
        this.#applyBlock([...strange, ...theirs]);
        return this.apply({ kind: "giveUp", n, m });
      }
      case "undo": {
        const node = this.applied.pop();
        if (node === undefined) return;
        this.naive.pop();
        for (const [each] of this.#inBlock(node)) this.#to(each, "pending");
        pool.blockUndone(node, this.time);
        return this.apply({ kind: "giveUp", n, m });
      }
      case "decide": {
        const node = this.applied.shift();
        if (node !== undefined) this.#decide(node);
      }
    }
  }

  check(): void {
    const { pool, model } = this;
    expect([pool.count, pool.bytes]).toEqual([model.size, this.#bytes()]);
    const pending = this.#pending();
    expect([pool.pendingCount, pool.pendingBytes]).toEqual([pending.length, bytesOf(pending)]);
    expect(pool.pendingSince === undefined).toBe(pending.length === 0);
    for (const [each, { state }] of model) {
      expect(pool.get(each.id)).toBe(each);
      expect(each.state).toBe(state);
      expect(each.place !== undefined && state === "included").toBe(state === "included");
    }
    const doomed = [...model].filter(([, { state }]) => state === "doomed").map(([each]) => each.expiresAt);
    expect(pool.needsBlockAfter(this.time)).toBe(doomed.some((expiresAt) => expiresAt >= this.time));
  }

  /** Everything left comes out in order of arrival. */
  drain(): void {
    this.apply({ kind: "giveUp", n: 0, m: 0 });
    expect([...this.pool.localPending()]).toEqual(this.#pending().filter((each) => each.source === undefined));
    for (const each of this.#pending()) expect(this.pool.take()).toBe(each);
    expect(this.pool.take()).toBeUndefined();
  }

  #applyBlock(held: readonly PoolEntry[]): void {
    this.time += 3;
    const made = naiveChild(genesis, this.naive.at(-1) as NaiveBlock, {
      time: this.time,
      view: this.naive.length,
      transactions: held.map((each) => each.bytes),
    });
    this.ledger.add(made.block);
    const node = this.ledger.get(made.id) as BlockNode;
    this.naive.push(made);
    this.applied.push(node);
    const local = held.filter((each) => this.model.has(each) && each.source === undefined);
    for (const each of held) if (this.model.has(each)) this.#to(each, "included");
    expectOutcomes(
      this.pool.blockApplied(node),
      local.map((each) => ["included", each]),
    );
    held.forEach((each, index) => this.model.has(each) && expect(each.place).toEqual({ height: node.height, index }));
  }

  #decide(node: BlockNode): void {
    const done = this.#inBlock(node).map(([each]) => each);
    const { time } = node.block.header;
    const expired = [...this.model]
      .filter(
        ([each, { state }]) =>
          (state === "pending" || state === "doomed") && each.expiresAt < time && !done.includes(each),
      )
      .map(([each]) => each);
    for (const each of [...done, ...expired]) this.model.delete(each);
    const told = [
      ...done.map((each) => ["irreversible", each] as const),
      ...expired.map((each) => ["expired", each] as const),
    ];
    expectOutcomes(
      this.pool.irreversible(node),
      told.filter(([, each]) => each.source === undefined),
    );
    for (const each of done) expect(each.place?.height).toBe(node.height);
  }

  #inBlock(node: BlockNode): [PoolEntry, unknown][] {
    const { transactionIds } = node.block;
    const ids = Array.from({ length: node.block.transactions.count }, (_, i) =>
      toHex(transactionIds.subarray(32 * i, 32 * i + 32)),
    );
    return ids.flatMap((id) => [...this.model].filter(([each]) => each.id === id));
  }
  #to(each: PoolEntry, state: PoolEntry["state"]): PoolEntry {
    (this.model.get(each) as { state: PoolEntry["state"] }).state = state;
    return each;
  }
  #pending(): PoolEntry[] {
    return [...this.model]
      .filter(([, { state }]) => state === "pending")
      .sort(([, a], [, b]) => a.order - b.order)
      .map(([each]) => each);
  }
  #bytes(): number {
    return bytesOf([...this.model.keys()]);
  }
}

function bytesOf(entries: readonly PoolEntry[]): number {
  return entries.reduce((sum, each) => sum + each.bytes.length, 0);
}
function expectOutcomes(told: readonly LocalOutcome[], expected: readonly (readonly [string, PoolEntry])[]): void {
  expect(new Set(told.map(({ status, entry: each }) => `${status} ${each.id}`))).toEqual(
    new Set(expected.map(([status, each]) => `${status} ${each.id}`)),
  );
  expect(told).toHaveLength(expected.length);
}

describe("mempool (DESIGN section 9; docs/protocol.md, section 4, transactions)", () => {
  it("keeps its bounds, counts, order of arrival and outcomes through taking, putting back, fork switches and expiry", () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 10, maxLength: 80 }), (operations) => {
        const comparison = new Comparison();
        for (const each of operations) {
          comparison.apply(each);
          comparison.check();
        }
        comparison.drain();
      }),
      { numRuns: 200 },
    );
  });

  it("a receipt comes with `included` and `irreversible`", () => {
    const { ledger } = makeLedger(genesis);
    const pool = new Mempool(LIMITS);
    const mine = entry(1);
    pool.add(mine, 0);
    ledger.add(naiveChild(genesis, naiveGenesis(genesis), { transactions: [mine.bytes] }).block);
    settle(ledger);
    const receipt = new TextEncoder().encode("put k x at 1");
    expect(pool.blockApplied(ledger.head)).toMatchObject([{ status: "included", receipt }]);
    expect(pool.irreversible(ledger.head)).toMatchObject([{ status: "irreversible", receipt }]);
  });

  it("`expired` is told only when an irreversible block's time has passed expiresAt, not at it", () => {
    const { ledger } = makeLedger(genesis);
    const pool = new Mempool(LIMITS);
    const mine = entry(0);
    pool.add(mine, 0);
    const at = naiveChild(genesis, naiveGenesis(genesis), { time: mine.expiresAt });
    const after = naiveChild(genesis, at, { time: mine.expiresAt + 1 });
    for (const each of [at, after]) ledger.add(each.block);
    expect(pool.irreversible(ledger.get(at.id) as BlockNode)).toEqual([]);
    expect(pool.irreversible(ledger.get(after.id) as BlockNode)).toMatchObject([{ status: "expired", entry: mine }]);
    expect([pool.count, pool.bytes]).toEqual([0, 0]);
  });

  it("waiting is counted from when the pool was last empty or a block was taken from it", () => {
    const pool = new Mempool(LIMITS);
    pool.add(entry(1), 10);
    pool.add(entry(2), 20);
    expect(pool.pendingSince).toBe(10);
    pool.take();
    pool.taken(30);
    expect(pool.pendingSince).toBe(30);
  });
});
