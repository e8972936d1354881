import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ancestorAt, type BlockNode, branch } from "../../chain/forkDatabase.ts";
import { compareRefs } from "../../chain/header.ts";
import type { Flush, LedgerEvent } from "../../chain/ledger.ts";
import { fromUtf8, hexBytes } from "../../src/base/bytes.ts";
import { makeLedger, type MemoryLedger, settle } from "../fixtures/memoryLedger.ts";
import {
  fakeSignature,
  idOf,
  KEYS,
  lineOf,
  makeTransaction,
  type NaiveBlock,
  naiveChild,
  naiveGenesis,
  naiveJudge,
  naiveTransactionIds,
  type NewBlock,
  rangeOf,
  START_TIME,
  testGenesis,
} from "../fixtures/naiveChain.ts";

const STATE_KEYS = ["a", "b", "c", "d", "z"];

/** Everything that may happen to a ledger; `a` and `b` choose what to. */
const OPERATIONS = {
  make: 12,
  deliver: 12,
  work: 12,
  decide: 4,
  contradict: 1,
  release: 4,
  takeFlush: 3,
  writeFlush: 3,
  flushed: 3,
  startBlock: 3,
  push: 4,
  finishBlock: 2,
  abort: 1,
} as const;
type Operation = { readonly kind: keyof typeof OPERATIONS; readonly a: number; readonly b: number };

const operation: fc.Arbitrary<Operation> = fc.record({
  kind: fc.oneof(
    ...(Object.keys(OPERATIONS) as (keyof typeof OPERATIONS)[]).map((kind) => ({
      weight: OPERATIONS[kind],
      arbitrary: fc.constant(kind),
    })),
  ),
  a: fc.nat(1_000),
  b: fc.nat(100_000),
});

/** Drives a ledger and the naive chain side by side, and compares them after every operation. */
class Comparison {
  // Small limits, so that expiry, the window's count and its end all matter.
  readonly genesis = testGenesis({ expiryAheadMs: 40, duplicateWindowCount: 12, blockTransactions: 4 });
  readonly node: MemoryLedger = makeLedger(this.genesis);
  readonly made: NaiveBlock[] = [naiveGenesis(this.genesis)];
  readonly undelivered: NaiveBlock[] = [];
  readonly transactions: Uint8Array[] = [];
  /** As told by head events. */
  head = this.node.ledger.head;
  /** Told final and not yet released. */
  finals: BlockNode[] = [];
  lastFinal = this.node.ledger.head;
  flush: { readonly flush: Flush; written: boolean } | undefined;
  invalidTold = new Set<string>();

  apply({ kind, a, b }: Operation): void {
    const { ledger, database } = this.node;
    switch (kind) {
      case "make": {
        const made = naiveChild(this.genesis, pick(this.made, a), this.#choose(pick(this.made, a), b));
        if (this.#modelOf(made.id) !== undefined) return;
        this.made.push(made);
        this.undelivered.push(made);
        return;
      }
      case "deliver":
        if (this.undelivered.length > 0) this.#deliver(a);
        return;
      case "work":
        return this.#events(ledger.work(1 + (a % 5)).events);
      case "decide": {
        const candidates = [...ledger.nodes()].filter((each) => this.naive(each).isValid && isUnder(ledger.root, each));
        expect(ledger.setIrreversible(pick(candidates, a))).toEqual({ ok: true, value: undefined });
        return;
      }
      case "contradict": {
        const others = [...ledger.nodes()].filter((each) => !isUnder(ledger.root, each) && !isUnder(each, ledger.root));
        if (others.length === 0) return;
        const outcome = ledger.setIrreversible(pick(others, a));
        expect(!outcome.ok && outcome.error.code).toBe("FINALITY_CONFLICT");
        return;
      }
      case "release": {
        const taken = this.finals.splice(0, 1 + (a % this.finals.length || 0));
        const node = taken.at(-1);
        if (node !== undefined) this.#release(node);
        return;
      }
      case "takeFlush": {
        if (this.flush !== undefined) return expect(ledger.takeFlush()).toBeUndefined();
        const flush = ledger.takeFlush();
        if (flush !== undefined) this.flush = { flush, written: false };
        return;
      }
      case "writeFlush":
        if (this.flush === undefined || this.flush.written) return;
        database.apply(this.flush.flush.changes);
        this.flush.written = true;
        return expectState(database.entries, this.naive(this.flush.flush.nodes.at(-1) as BlockNode));
      case "flushed":
        if (!this.flush?.written) return;
        ledger.flushed();
        for (const { height } of this.flush.flush.nodes) expect(ledger.unflushedAt(height)).toBeUndefined();
        this.flush = undefined;
        return;
      case "startBlock": {
        if (!ledger.settled || ledger.producing) return;
        const { header } = ledger.head.block;
        const view = Math.max(1, header.view) + (a % 2);
        const producer = this.genesis.configuration.producers[view % 3] as string;
        const { irreversibleHeight } = header;
        // Never a block that another made: nobody else has this producer's key.
        ledger.startBlock({ view, time: header.time + 30 + (b % 20), producer, irreversibleHeight, closing: false });
        return;
      }
      case "push":
        if (ledger.production !== undefined) {
          const bytes = this.#transaction(b, ledger.production.place.time);
          ledger.production.pushTransaction(bytes, hexBytes(idOf(bytes)));
        }
        return;
      case "finishBlock": {
        if (ledger.production === undefined) return;
        const parent = this.naive(ledger.production.parent);
        const node = ledger.finishBlock(fakeSignature);
        const judged = naiveJudge(this.genesis, parent, node.block);
        expect(judged.isValid, "what is produced is valid").toBe(true);
        // It may be one that was made and has not been delivered yet.
        for (const list of [this.made, this.undelivered]) {
          const same = list.findIndex((each) => each.id === judged.id);
          if (same !== -1) list.splice(same, 1);
        }
        this.made.push(judged);
        return;
      }
      case "abort":
        return ledger.abortBlock();
    }
  }

  /** What must hold at every point. */
  check(): void {
    const { ledger } = this.node;
    expect(ledger.head).toBe(this.head);
    const bottom = this.naive(ledger.bottom);
    for (const key of STATE_KEYS) expect(ledger.read(key, "irreversible")).toEqual(bottom.state.get(key));
    expect(ledger.readRange("a", "d", 2, "irreversible")).toEqual(rangeOf(bottom.state, "a", "d", 2));
    const line = lineOf(this.naive(ledger.head));
    for (const id of this.transactions.slice(-5).map(idOf)) {
      const place = ledger.findTransaction(hexBytes(id));
      if (place !== undefined)
        expect(naiveTransactionIds(line[ledger.head.height - place.height] as NaiveBlock)[place.index]).toBe(id);
    }
  }

  /** Lets everything arrive and be done, and compares the end. */
  finish(): void {
    const { ledger } = this.node;
    ledger.abortBlock();
    while (this.undelivered.length > 0) this.#deliver(0);
    this.#events(settle(ledger));
    this.check();
    expect(ledger.settled).toBe(true);
    expect(ledger.head.id).toBe(this.#bestUnderRoot().id);
    const head = this.naive(ledger.head);
    for (const key of STATE_KEYS) expect(ledger.read(key, "head")).toEqual(head.state.get(key));
    expect(ledger.readRange("", undefined, 100, "head")).toEqual(rangeOf(head.state, "", undefined, 100));
    this.#checkWindow(head);
  }

  naive(node: BlockNode): NaiveBlock {
    return this.#modelOf(node.id) as NaiveBlock;
  }

  #modelOf(id: string): NaiveBlock | undefined {
    return this.made.find((each) => each.id === id);
  }

  #choose(parent: NaiveBlock, b: number): NewBlock {
    const time = parent.block.header.time + 1 + (b % 20);
    const view = Math.max(1, parent.view) + (b % 7 === 0 ? 1 + (b % 2) : 0);
    const transactions = Array.from({ length: b % 4 }, (_, i) => this.#transaction(b + 17 * i, time, b % 5 === 4));
    const wrong =
      b % 11 === 10
        ? { stateHash: KEYS[b % 3] as string }
        : b % 13 === 12
          ? { receiptRoot: KEYS[0] as string }
          : undefined;
    return { time, view, transactions, ...(wrong && { wrong }) };
  }

  /** An old one, or a new one that nearly always may be executed at `time`. */
  #transaction(b: number, time: number, careless = true): Uint8Array {
    if (careless && b % 3 === 0 && this.transactions.length > 0) return pick(this.transactions, b);
    const keys = STATE_KEYS.slice(0, 4);
    const payload =
      careless && b % 9 === 8
        ? `put ${pick(keys, b)} never;fail ODD`
        : pick(
            [
              `put ${pick(keys, b)} ${b}`,
              `delete ${pick(keys, b)}`,
              `copy ${pick(keys, b)} d`,
              "count a c",
              `put ${pick(keys, b)} x;delete ${pick(keys, b)}`,
            ],
            b >> 3,
          );
    const made = makeTransaction(payload, this.transactions.length, time + (careless ? (b % 50) - 3 : b % 40));
    this.transactions.push(made);
    return made;
  }

  #deliver(a: number): void {
    const [block] = this.undelivered.splice(a % this.undelivered.length, 1);
    const { ledger } = this.node;
    const outcome = ledger.add((block as NaiveBlock).block);
    expect(["added", "orphan", "stale"]).toContain(outcome.kind);
    if (outcome.kind === "added") expect(ledger.add((block as NaiveBlock).block).kind).toBe("known");
  }

  #events(events: readonly LedgerEvent[]): void {
    for (const event of events) {
      switch (event.kind) {
        case "head":
          expect(event.from).toBe(this.head);
          expect(event.to).not.toBe(this.head);
          this.#checkPaths(event);
          this.head = event.to;
          break;
        case "invalid":
          expect(this.naive(event.node).isValid).toBe(false);
          expect(this.invalidTold.has(event.node.id), "told once").toBe(false);
          this.invalidTold.add(event.node.id);
          break;
        case "final":
          expect(event.nodes[0]?.parent).toBe(this.lastFinal);
          expect(event.nodes).toEqual(branch(this.lastFinal, this.node.ledger.root));
          this.lastFinal = event.nodes.at(-1) as BlockNode;
          this.finals.push(...event.nodes);
      }
    }
  }

  #checkPaths({ from, to, undone, applied }: Extract<LedgerEvent, { kind: "head" }>): void {
    const fork = undone.length > 0 ? undone.at(-1)?.parent : from;
    const down = undone.map((each) => each.id);
    expect(down).toEqual(
      lineOf(this.naive(from))
        .slice(0, undone.length)
        .map((each) => each.id),
    );
    const up = applied.map((each) => each.id);
    expect(up).toEqual(
      lineOf(this.naive(to))
        .slice(0, applied.length)
        .map((each) => each.id)
        .reverse(),
    );
    expect(applied.length > 0 ? applied[0]?.parent : to).toBe(fork);
    expect(
      applied.filter((each) => undone.includes(each)),
      "from the nearest common ancestor",
    ).toEqual([]);
    for (const each of applied) expect(each.execution?.receipts.count).toBe(each.block.transactions.count);
  }

  #release(node: BlockNode): void {
    const { ledger } = this.node;
    const before = [...ledger.nodes()];
    const abandoned = ledger.release(node);
    const kept = before.filter((each) => isUnderNaive(this.naive(node), this.naive(each)));
    expect(new Set(ledger.nodes())).toEqual(new Set(kept));
    const ancestors = new Set(lineOf(this.naive(node)).map((each) => each.id));
    const expected = before.filter((each) => !kept.includes(each) && !ancestors.has(each.id));
    expect(new Set(abandoned)).toEqual(new Set(expected));
    const waiting = before.filter((each) => ancestors.has(each.id) && each !== before[0]);
    for (const each of waiting) expect(ledger.unflushedAt(each.height)).toBe(each);
    for (const each of this.flush?.flush.nodes ?? []) expect(ledger.unflushedAt(each.height)).toBe(each);
    expect(ledger.unflushedAt(node.height + 1)).toBeUndefined();
  }

  #bestUnderRoot(): NaiveBlock {
    const root = this.naive(this.node.ledger.root);
    const running = this.made.filter((each) => each.isValid && isUnderNaive(root, each));
    return running.reduce((best, each) => (compareRefs(each, best) > 0 ? each : best), root);
  }

  #checkWindow(head: NaiveBlock): void {
    const { ledger } = this.node;
    const places = new Map<string, { height: number; index: number }>();
    const horizon = ledger.bottom.block.header.time - this.genesis.limits.expiryAheadMs;
    for (const block of lineOf(head)) {
      if (block.block.header.time < horizon) continue;
      naiveTransactionIds(block).forEach((id, index) => places.set(id, { height: block.height, index }));
    }
    expect(ledger.sizes.windowCount).toBe(places.size);
    for (const id of this.transactions.map(idOf)) expect(ledger.findTransaction(hexBytes(id))).toEqual(places.get(id));
  }
}

function pick<T>(list: readonly T[], at: number): T {
  return list[at % list.length] as T;
}
function isUnder(root: BlockNode, node: BlockNode): boolean {
  return ancestorAt(node, root.height) === root;
}
function isUnderNaive(root: NaiveBlock, block: NaiveBlock): boolean {
  return lineOf(block).includes(root);
}
function expectState(entries: ReadonlyMap<string, Uint8Array>, block: NaiveBlock): void {
  expect(rangeOf(entries, "", undefined, 100)).toEqual(rangeOf(block.state, "", undefined, 100));
}

describe("ledger against a naive chain (DESIGN section 8)", () => {
  it("follows the best valid branch under the root, whatever arrives, fails, is decided, flushed or produced when", () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 20, maxLength: 150 }), (operations) => {
        const comparison = new Comparison();
        for (const each of operations) {
          comparison.apply(each);
          comparison.check();
        }
        comparison.finish();
      }),
      { numRuns: 250 },
    );
  });
});

const genesis = testGenesis();
const root = naiveGenesis(genesis);
const put = (key: string, value: string, n: number): Uint8Array => makeTransaction(`put ${key} ${value}`, n);

describe("fork switch (DESIGN section 8, fork database)", () => {
  it("comes back from a branch whose blocks are all invalid without telling that the head moved", () => {
    const { ledger } = makeLedger(genesis);
    const mine = naiveChild(genesis, root, { view: 1, transactions: [put("a", "mine", 1)] });
    const bad = naiveChild(genesis, root, {
      view: 2,
      transactions: [put("a", "theirs", 2), makeTransaction("fail ODD", 3)],
    });
    ledger.add(mine.block);
    settle(ledger);
    ledger.add(bad.block);
    ledger.add(naiveChild(genesis, bad, { view: 2 }).block);
    const kinds: string[] = [];
    for (let more = true; more;) {
      const done = ledger.work(1);
      kinds.push(...done.events.map((event) => event.kind));
      expect(ledger.head.id).toBe(mine.id);
      more = done.more;
    }
    expect(kinds).toEqual(["invalid"]);
    expect(fromUtf8(ledger.read("a", "head") as Uint8Array)).toBe("mine");
  });

  it("marks a failing block and its subtree, and takes the next best", () => {
    const { ledger } = makeLedger(genesis);
    const good = naiveChild(genesis, root, { view: 2, transactions: [put("a", "good", 1)] });
    const bad = naiveChild(genesis, good, { view: 2, wrong: { stateHash: KEYS[0] as string } });
    const above = naiveChild(genesis, bad, { view: 3 });
    for (const each of [good, bad, above]) ledger.add(each.block);
    const events = settle(ledger);
    expect(events.map((event) => event.kind)).toEqual(["invalid", "head"]);
    expect(ledger.head.id).toBe(good.id);
    expect(ledger.get(bad.id)?.invalid?.code).toBe("EXECUTION_DIFFERS");
    expect(ledger.get(above.id)?.invalid?.code).toBe("ANCESTOR_INVALID");
    const later = ledger.add(naiveChild(genesis, above, { view: 4 }).block);
    expect(later.kind === "added" && later.nodes[0]?.invalid?.code).toBe("ANCESTOR_INVALID");
  });

  it("moves the head in one event when the switch is done, however small the slices are (DESIGN section 3, rule 2)", () => {
    const { ledger } = makeLedger(genesis);
    const old = naiveChild(genesis, root, { view: 1, transactions: [put("a", "1", 1)] });
    ledger.add(old.block);
    settle(ledger);
    const next = naiveChild(genesis, root, { view: 2, transactions: [put("b", "1", 2), put("b", "2", 3)] });
    const last = naiveChild(genesis, next, { view: 2, transactions: [put("b", "3", 4)] });
    ledger.add(next.block);
    ledger.add(last.block);
    const events: LedgerEvent[] = [];
    let steps = 0;
    for (let more = true; more; steps++) {
      const done = ledger.work(1);
      events.push(...done.events);
      more = done.more;
    }
    expect(steps).toBeGreaterThan(3);
    expect(events).toHaveLength(1);
    const [moved] = events;
    expect(moved?.kind === "head" && moved.undone.map((each) => each.id)).toEqual([old.id]);
    expect(moved?.kind === "head" && moved.applied.map((each) => each.id)).toEqual([next.id, last.id]);
  });
});

describe("a transaction's place", () => {
  it("is told of blocks on the way to the head only, not of a branch that is being tried", () => {
    const { ledger } = makeLedger(genesis);
    const mine = naiveChild(genesis, root, { view: 1 });
    const tried = put("a", "tried", 1);
    const first = naiveChild(genesis, root, { view: 2, transactions: [tried, put("b", "1", 2)] });
    ledger.add(mine.block);
    settle(ledger);
    ledger.add(first.block);
    for (let i = 0; i < 2; i++) ledger.work(1); // Undoes its own, executes the first of two transactions.
    expect(ledger.head.id).toBe(mine.id);
    expect(ledger.settled).toBe(false);
    expect(ledger.findTransaction(hexBytes(idOf(tried)))).toBeUndefined();
    settle(ledger);
    expect(ledger.findTransaction(hexBytes(idOf(tried)))).toEqual({ height: 1, index: 0 });
  });
});

describe("rules of a header that need its parent (DESIGN section 8)", () => {
  const parent = naiveChild(genesis, root, { view: 3, time: START_TIME + 50 });
  const codes: [string, NewBlock["wrong"]][] = [
    ["WRONG_HEIGHT", { height: 3 }],
    ["VIEW_DECREASES", { view: 2 }],
    ["TIME_DECREASES", { time: START_TIME + 50 }],
    ["IRREVERSIBLE_HEIGHT", { irreversibleHeight: 2 }],
    ["WRONG_CONFIGURATION", { configuration: KEYS[0] as string }],
    ["HISTORY_ROOT", { historyRoot: KEYS[0] as string }],
  ];
  it.each(codes)("%s", (code, wrong) => {
    const { ledger } = makeLedger(genesis);
    ledger.add(parent.block);
    const outcome = ledger.add(naiveChild(genesis, parent, { ...(wrong && { wrong }) }).block);
    expect(outcome.kind === "rejected" && outcome.reason.code).toBe(code);
    expect([...ledger.nodes()]).toHaveLength(2);
  });

  it("irreversibleHeight never decreases along a chain", () => {
    const { ledger } = makeLedger(genesis);
    const one = naiveChild(genesis, root);
    const two = naiveChild(genesis, one, { irreversibleHeight: 1 });
    ledger.add(one.block);
    expect(ledger.add(two.block).kind).toBe("added");
    const outcome = ledger.add(naiveChild(genesis, two, { irreversibleHeight: 0 }).block);
    expect(outcome.kind === "rejected" && outcome.reason.code).toBe("IRREVERSIBLE_HEIGHT");
  });

  it("a block beyond the genesis limits is refused", () => {
    const small = testGenesis({ blockTransactions: 2, blockBytes: 200 });
    const base = naiveGenesis(small);
    const { ledger } = makeLedger(small);
    const many = naiveChild(small, base, { transactions: [1, 2, 3].map((n) => put("a", "1", n)) });
    const large = naiveChild(small, base, { transactions: [put("a", "x".repeat(200), 1)] });
    const outcomes = [many, large].map((each) => ledger.add(each.block));
    expect(outcomes.map((each) => each.kind === "rejected" && each.reason.code)).toEqual([
      "TOO_MANY_TRANSACTIONS",
      "BLOCK_TOO_LARGE",
    ]);
  });
});

describe("irreversible blocks", () => {
  it("an invalid block is never taken as irreversible (DESIGN section 3, rule 6)", () => {
    const { ledger } = makeLedger(genesis);
    const bad = naiveChild(genesis, root, { transactions: [makeTransaction("fail ODD", 1)] });
    ledger.add(bad.block);
    settle(ledger);
    const outcome = ledger.setIrreversible(ledger.get(bad.id) as BlockNode);
    expect(!outcome.ok && outcome.error.code).toBe("IRREVERSIBLE_INVALID");
    expect(ledger.root.id).toBe(root.id);
  });

  it("one decided before it is executed and then found invalid is told once, and work ends", () => {
    const { ledger } = makeLedger(genesis);
    const bad = naiveChild(genesis, root, { transactions: [makeTransaction("fail ODD", 1)] });
    ledger.add(bad.block);
    ledger.setIrreversible(ledger.get(bad.id) as BlockNode);
    const { events, more } = ledger.work(100);
    expect(events.map((event) => event.kind)).toEqual(["invalid"]);
    expect(more).toBe(false);
  });
});
