import { describe, expect, it } from "vitest";
import { encodeList } from "../../chain/byteList.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { ChainLimits } from "../../chain/genesis.ts";
import { encodeProducerChange } from "../../chain/producerChange.ts";
import { encodeTransaction, transactionId } from "../../chain/transaction.ts";
import { CONSENSUS_DEFAULTS, FORWARD_AGAIN_MS, FORWARD_BYTES } from "../../consensus/constants.ts";
import { Mempool, type PoolEntry } from "../../consensus/mempool/mempool.ts";
import { decodePayload, type Payload, type TransactionResults } from "../../consensus/messages.ts";
import type { Engine } from "../../consensus/engine.ts";
import { BlockProducer } from "../../src/replica/blockProducer.ts";
import { EXECUTION_SLICE_TRANSACTIONS } from "../../src/replica/constants.ts";
import { FORWARD_BUDGET_BYTES, Submissions } from "../../src/replica/submissions.ts";
import type { TransactionOutcome } from "../../src/replica/types.ts";
import { elementAt } from "../../chain/byteList.ts";
import { makeLedger, settle } from "../fixtures/memoryLedger.ts";
import {
  CHAIN_ID,
  fakeSignature,
  idOf,
  KEYS,
  makeTransaction,
  type NaiveBlock,
  naiveChild,
  naiveGenesis,
  START_TIME,
  testGenesis,
} from "../fixtures/naiveChain.ts";
import { toyApplication } from "../fixtures/toyApplication.ts";

const SELF = KEYS[0] as string;
const LEADER = KEYS[1] as string;
const OTHER = KEYS[2] as string;

/** Submissions of a node around a real ledger and mempool. */
function makeNode(limits: Partial<ChainLimits> = {}, pool = { maxBytes: 1e6, maxCount: 10_000 }) {
  const genesis = testGenesis({ blockTransactions: 5_000, ...limits });
  const { ledger } = makeLedger(genesis);
  const mempool = new Mempool(pool);
  const told: TransactionOutcome[] = [];
  const sent: { to: string; payload: Payload }[] = [];
  const answered: TransactionResults[] = [];
  const others: string[] = [];
  const world = { now: START_TIME, view: 1, leader: LEADER as string | undefined, reachable: true, others };
  const submissions = new Submissions({
    self: SELF,
    ledger,
    mempool,
    application: toyApplication,
    engine: genesis.engine,
    limits: genesis.limits,
    now: () => world.now,
    view: () => world.view,
    leader: () => world.leader,
    others: () => world.others,
    reaches: () => world.reachable,
    unicast: (to, payload) => {
      const decoded = decodePayload(CHAIN_ID, payload);
      if (decoded.ok && world.reachable) sent.push({ to, payload: decoded.value });
      return world.reachable;
    },
    answer: (submitter, view, results) => void answered.push({ submitter, view, results }),
    tell: (outcomes) => void told.push(...outcomes),
  });
  const naive: NaiveBlock[] = [naiveGenesis(genesis)];
  const apply = (
    transactions: readonly Uint8Array[],
    view = 1,
    parent = naive.at(-1) as NaiveBlock,
    time = parent.block.header.time + 1,
  ): NaiveBlock => {
    const block = naiveChild(genesis, parent, { view, transactions, time });
    naive.push(block);
    ledger.add(block.block);
    for (const event of settle(ledger)) {
      if (event.kind !== "head") continue;
      for (const node of event.undone) submissions.blockUndone(node);
      for (const node of event.applied) submissions.blockApplied(node);
    }
    return block;
  };
  const decide = (block: { readonly id: string }): void => {
    const node = ledger.get(block.id) as BlockNode;
    ledger.setIrreversible(node);
    ledger.work(1);
    const line: BlockNode[] = [];
    for (let each: BlockNode = node; each !== ledger.bottom; each = each.parent as BlockNode) line.unshift(each);
    for (const each of line) submissions.irreversible(each);
    ledger.release(node);
  };
  /** What was forwarded, as ids, by recipient and frame. */
  const forwarded = (): string[][] => {
    const frames = sent.splice(0);
    return frames.flatMap(({ payload }) =>
      payload.kind === "transactionForward"
        ? [Array.from({ length: payload.transactions.count }, (_, i) => idOf(elementAt(payload.transactions, i)))]
        : [],
    );
  };
  return { genesis, ledger, mempool, told, sent, answered, world, submissions, naive, apply, decide, forwarded };
}
const put = (n: number, expiresAt = START_TIME + 30_000): Uint8Array => makeTransaction(`put k ${n}`, n, expiresAt);
const statuses = (told: readonly TransactionOutcome[]): string[] => told.map(({ status }) => status);

describe("admission (docs/protocol.md, section 4, transactions)", () => {
  it.each([
    ["TRANSACTION_TOO_LARGE", makeTransaction(`put k ${"x".repeat(200)}`, 1)],
    ["TRANSACTION_UNDECODABLE", Uint8Array.of(1, 2, 3)],
    ["TRANSACTION_EXPIRED", put(1, START_TIME - 1)],
    ["EXPIRES_TOO_LATE", put(1, START_TIME + 60_000 + 1_001)],
    ["REFUSED", makeTransaction("refuse it", 1)],
  ])("%s is told at once, and nothing is kept", (code, bytes) => {
    const { submissions, mempool } = makeNode({ transactionBytes: 150 });
    expect(submissions.submit([bytes])).toMatchObject([{ status: "invalid", code, id: idOf(bytes) }]);
    expect(mempool.count).toBe(0);
  });

  it("an unsigned one where the genesis requires signatures is refused", () => {
    const { submissions } = makeNode({ signaturesRequired: true });
    expect(submissions.submit([put(1)])).toMatchObject([{ status: "invalid", code: "AUTHOR_MISSING" }]);
  });

  it("a change of the producer set that the next block would not make is refused, and none is asked of the application", () => {
    const { submissions, genesis, mempool } = makeNode();
    const [first, second] = genesis.configuration.producers as [string, string];
    const changeOf = (approvers: readonly string[]): Uint8Array => {
      const producers = [{ key: first, name: "", address: "" }];
      const payload = encodeProducerChange({
        proposal: { base: genesis.configuration.hash, changesBefore: 0, producers },
        approvals: approvers.map((producer) => ({ producer, signature: new Uint8Array(64) })),
      });
      return encodeTransaction({ payload, nonce: new Uint8Array(16), expiresAt: START_TIME + 1_000 });
    };
    expect(submissions.submit([changeOf([first])])).toMatchObject([{ status: "invalid", code: "TOO_FEW_APPROVALS" }]);
    expect(mempool.count).toBe(0);
    expect(submissions.submit([changeOf([first, second])])).toMatchObject([{ status: "accepted" }]);
  });

  it("answers come in the order of the transactions; a known one is accepted again and kept once", () => {
    const { submissions, mempool } = makeNode();
    expect(submissions.submit([put(1), put(1, 1), put(2), put(1)]).map(({ status }) => status)).toEqual([
      "accepted",
      "invalid",
      "accepted",
      "accepted",
    ]);
    expect(mempool.count).toBe(2);
  });

  it("above the bounds of the mempool the answer is full", () => {
    const { submissions } = makeNode({}, { maxBytes: 1e6, maxCount: 1 });
    expect(submissions.submit([put(1), put(2)]).map(({ status }) => status)).toEqual(["accepted", "full"]);
  });

  it("what is in the chain is told with its place: pending as included, irreversible as inChain", () => {
    const { submissions, apply, decide, told } = makeNode();
    const block = apply([put(1), put(2)]);
    const id = idOf(put(2));
    expect(submissions.submit([put(2)])).toEqual([{ status: "included", id, place: { height: 1, index: 1 } }]);
    expect(submissions.submit([put(2)])).toEqual([{ status: "included", id, place: { height: 1, index: 1 } }]);
    decide(block);
    expect(told).toMatchObject([{ status: "irreversible", id, place: { height: 1, index: 1 } }]);
    expect(submissions.submit([put(2)])).toEqual([{ status: "inChain", id, place: { height: 1, index: 1 } }]);
  });

  it("one that is too old by the clock alone is refused where nobody waits; else a block has to prove it", () => {
    const { submissions, world, apply, decide, told, forwarded } = makeNode();
    world.now = START_TIME + 1_000;
    const late = put(1, START_TIME + 500);
    expect(submissions.submit([late], false)).toMatchObject([{ status: "invalid", code: "TRANSACTION_EXPIRED" }]);
    expect(submissions.submit([late])).toEqual([{ status: "accepted", id: idOf(late) }]);
    submissions.forward();
    expect(forwarded()).toEqual([[idOf(late)]]);
    decide(apply([], 1, undefined, START_TIME + 501));
    expect(told).toEqual([{ status: "expired", id: idOf(late) }]);
    expect(submissions.submit([late])).toMatchObject([{ status: "invalid", code: "TRANSACTION_EXPIRED" }]);
  });

  it("one that the chain's time has passed is refused even where the own clock is behind: it may have been in the chain", () => {
    const { submissions, apply, decide, naive } = makeNode({ expiryAheadMs: 50 });
    const first = apply([put(1, START_TIME + 40)]);
    const late = apply([], 1, first, START_TIME + 200);
    decide(late);
    expect(naive.at(-1)).toBe(late);
    expect(submissions.submit([put(1, START_TIME + 40)])).toMatchObject([
      { status: "invalid", code: "TRANSACTION_EXPIRED" },
    ]);
  });
});

describe("what submitters are told", () => {
  it("included, undone, included again elsewhere, irreversible: each as it happens, with the receipt", () => {
    const { submissions, apply, decide, told, mempool } = makeNode();
    submissions.submit([put(1)]);
    const first = apply([put(1)], 1);
    expect(told.splice(0)).toMatchObject([
      { status: "included", place: { height: 1, index: 0 }, receipt: new TextEncoder().encode("put k 1 at 1") },
    ]);
    const root = first.parent as NaiveBlock;
    const other = apply([], 2, root);
    expect(mempool.get(idOf(put(1)))).toMatchObject({ state: "pending", place: undefined });
    const second = apply([put(2), put(1)], 2, other);
    expect(told.splice(0)).toMatchObject([{ status: "included", place: { height: 2, index: 1 } }]);
    decide(second);
    expect(told).toMatchObject([
      {
        status: "irreversible",
        id: idOf(put(1)),
        place: { height: 2, index: 1 },
        receipt: new TextEncoder().encode("put k 1 at 2"),
      },
    ]);
    expect(mempool.count).toBe(0);
  });

  it("expired only by an irreversible block", () => {
    const { submissions, apply, decide, told } = makeNode();
    submissions.submit([put(1, START_TIME + 5)]);
    const block = apply([], 1, undefined, START_TIME + 6);
    expect(told).toEqual([]);
    decide(block);
    expect(told).toEqual([{ status: "expired", id: idOf(put(1, START_TIME + 5)) }]);
  });

  it("rejected on the leader's word alone, and only while it waits", () => {
    const { submissions, apply, told } = makeNode();
    submissions.submit([put(1), put(2)]);
    const results = [1, 2].map((n) => ({ id: idOf(put(n)), outcome: "ODD", detail: "why" }));
    submissions.receiveResults(OTHER, { submitter: SELF, view: 1, results });
    submissions.receiveResults(LEADER, { submitter: SELF, view: 0, results });
    expect(told).toEqual([]);
    apply([put(2)]);
    submissions.receiveResults(LEADER, { submitter: SELF, view: 1, results });
    expect(told.slice(1)).toEqual([{ status: "rejected", id: idOf(put(1)), code: "ODD", detail: "why" }]);
  });

  it("nobody is told of what others forwarded, unless it is submitted here, too", () => {
    const { submissions, apply, told, mempool } = makeNode();
    submissions.receiveForward(OTHER, encodeList([put(1), put(2)]));
    expect(submissions.submit([put(2)])).toEqual([{ status: "accepted", id: idOf(put(2)) }]);
    expect(mempool.count).toBe(2);
    apply([put(1), put(2)]);
    expect(told).toMatchObject([{ status: "included", id: idOf(put(2)) }]);
  });
});

describe("forwarding", () => {
  it("goes to the leader once, in order; again after a while, on a new leader, and after a fork switch", () => {
    const { submissions, world, forwarded, apply, naive } = makeNode();
    submissions.submit([put(1), put(2)]);
    submissions.forward();
    expect(forwarded()).toEqual([[idOf(put(1)), idOf(put(2))]]);
    submissions.forward();
    expect(forwarded()).toEqual([]);
    expect(submissions.deadline).toBe(START_TIME + FORWARD_AGAIN_MS);

    world.now += FORWARD_AGAIN_MS;
    submissions.tick();
    submissions.forward();
    expect(forwarded()).toEqual([[idOf(put(1)), idOf(put(2))]]);

    world.leader = OTHER;
    submissions.forward();
    expect(forwarded()).toHaveLength(1);

    world.view++; // the same leader, elected again, may have forgotten what it was given
    submissions.forward();
    expect(forwarded()).toHaveLength(1);

    const root = naive[0] as NaiveBlock;
    apply([put(1)], 1);
    apply([], 2, root);
    submissions.forward();
    expect(forwarded()).toEqual([[idOf(put(1)), idOf(put(2))]]);
  });

  it("waits while there is no leader or no way to it, and is made up for later", () => {
    const { submissions, world, forwarded } = makeNode();
    world.leader = undefined;
    submissions.submit([put(1)]);
    submissions.forward();
    world.leader = LEADER;
    world.reachable = false;
    submissions.forward();
    expect(forwarded()).toEqual([]);
    world.reachable = true;
    world.now = submissions.deadline;
    submissions.tick();
    submissions.forward();
    expect(forwarded()).toEqual([[idOf(put(1))]]);
  });

  it.each([[[]], [[OTHER]]])("goes as soon as there is a way again, where these watch: %j", (others) => {
    const { submissions, world, forwarded } = makeNode();
    world.others = others;
    world.reachable = false;
    submissions.submit([put(1)]);
    submissions.forward();
    submissions.submit([put(2)]);
    submissions.forward();
    expect(forwarded()).toEqual([]);
    world.reachable = true;
    submissions.forward();
    expect(forwarded()).toEqual([[idOf(put(1)), idOf(put(2))]]);
    submissions.forward();
    expect(forwarded()).toEqual([]);
  });

  it("what was lost goes again when what was forwarded later is in a block, however much is submitted meanwhile", () => {
    const { submissions, world, forwarded, apply } = makeNode();
    const next = (n: number): void => {
      submissions.submit([put(n)]);
      submissions.forward();
    };
    next(1);
    next(2);
    apply([put(2)]);
    submissions.forward();
    expect(forwarded()).toEqual([[idOf(put(1))], [idOf(put(2))]]);
    for (let n = 3; n <= 6; n++) {
      world.now += FORWARD_AGAIN_MS / 4;
      submissions.tick();
      next(n);
    }
    expect(forwarded()).toEqual([3, 4, 5, 6].map((n) => [idOf(put(n))]));
    // Not what waits in turn: the leader has much to do.
    apply([put(3), put(4)]);
    submissions.forward();
    expect(forwarded()).toEqual([[idOf(put(1))]]);
  });

  it("a leader forwards nothing to itself", () => {
    const { submissions, world, forwarded } = makeNode();
    world.leader = SELF;
    submissions.submit([put(1)]);
    submissions.forward();
    expect(forwarded()).toEqual([]);
  });

  it("frames are bounded in bytes", () => {
    const { submissions, forwarded, sent } = makeNode({ transactionBytes: 100_000 });
    const large = [1, 2, 3, 4, 5].map((n) => makeTransaction(`put k ${"x".repeat(90_000)}`, n));
    submissions.submit(large);
    submissions.forward();
    for (const { payload } of sent)
      if (payload.kind === "transactionForward")
        expect(payload.transactions.buffer.length).toBeLessThan(FORWARD_BYTES + 100);
    expect(forwarded().map((frame) => frame.length)).toEqual([2, 2, 1]);
  });

  it("no more is forwarded than the links take; the rest waits in the pool and follows as they drain", () => {
    const { submissions, forwarded, world } = makeNode({ transactionBytes: 70_000 }, { maxBytes: 64e6, maxCount: 1e3 });
    const payload = `put k ${"x".repeat(60_000)}`;
    submissions.submit(Array.from({ length: 300 }, (_, n) => makeTransaction(payload, n)));
    /** How many are forwarded now, of 60,000 bytes each. */
    const seen = new Set<string>();
    const forward = (): number => {
      submissions.forward();
      const ids = forwarded().flat();
      for (const id of ids) seen.add(id);
      return ids.length;
    };
    const first = forward();
    expect(Math.abs(first * 60_000 - FORWARD_BUDGET_BYTES)).toBeLessThan(FORWARD_BYTES);
    expect(forward()).toBe(0);
    submissions.drained(1_000_000);
    const second = forward();
    expect(second).toBeGreaterThan(10);
    expect(second).toBeLessThan(25);
    // A link that broke drains nothing: the timer goes on where it ended.
    for (let i = 0; i < 2; i++) {
      world.now += FORWARD_AGAIN_MS;
      submissions.tick();
      forward();
    }
    expect(seen.size).toBe(300);
  });

  it("one that others forwarded here is forwarded on once it is submitted here", () => {
    const { submissions, forwarded } = makeNode();
    submissions.receiveForward(OTHER, encodeList([put(1)]));
    submissions.forward();
    expect(forwarded()).toEqual([]);
    submissions.submit([put(1)]);
    submissions.forward();
    expect(forwarded()).toEqual([[idOf(put(1))]]);
  });

  it("what others forward is taken once, if it decodes, fits, is not out of date and is not in the chain", () => {
    const { submissions, mempool, apply } = makeNode({ transactionBytes: 150 }, { maxBytes: 1e6, maxCount: 2 });
    apply([put(9)]);
    const large = makeTransaction(`put k ${"x".repeat(200)}`, 1);
    const never = put(8, Number.MAX_SAFE_INTEGER);
    submissions.receiveForward(
      OTHER,
      encodeList([Uint8Array.of(1), large, never, put(7, START_TIME - 1), put(9), put(1), put(1), put(2), put(3)]),
    );
    expect([mempool.count, mempool.get(idOf(put(1)))?.source, mempool.get(idOf(put(2)))?.source]).toEqual([
      2,
      OTHER,
      OTHER,
    ]);
  });
});

describe("what others forwarded", () => {
  it("is dropped with the leadership, unless it is in a block: they keep it, and ask the next leader", () => {
    for (const next of [LEADER, undefined]) {
      const { submissions, mempool, world, apply } = makeNode();
      world.leader = SELF;
      submissions.receiveForward(OTHER, encodeList([put(1), put(2), put(3)]));
      submissions.submit([put(3), put(4)]);
      submissions.forward();
      apply([put(1)]);
      submissions.forward();
      expect(mempool.count).toBe(4);
      world.leader = next;
      submissions.forward();
      expect([1, 2, 3, 4].map((n) => mempool.get(idOf(put(n)))?.state)).toEqual([
        "included",
        undefined,
        "pending",
        "pending",
      ]);
    }
  });

  it("is dropped with its block, when that is undone after the leadership is lost", () => {
    const { submissions, mempool, world, apply, naive } = makeNode();
    world.leader = SELF;
    submissions.receiveForward(OTHER, encodeList([put(1)]));
    submissions.forward();
    apply([put(1)]);
    world.leader = LEADER;
    submissions.forward();
    expect(mempool.count).toBe(1);
    apply([], 2, naive[0]);
    expect(mempool.count).toBe(0);
  });

  it("leaves a quarter of the pool to those who submit here: of its places, and of its bytes", () => {
    const size = put(1).length;
    for (const pool of [
      { maxCount: 8, maxBytes: 1e6 },
      { maxCount: 1_000, maxBytes: 8 * size },
    ]) {
      const { submissions, mempool } = makeNode({}, pool);
      submissions.receiveForward(OTHER, encodeList([1, 2, 3, 4, 5, 6, 7, 8].map((n) => put(n))));
      expect(mempool.count).toBe(6);
      const answers = submissions.submit([put(7), put(8), put(9)]);
      expect(answers.map(({ status }) => status)).toEqual(["accepted", "accepted", "full"]);
    }
  });
});

describe("expiry of what others forwarded", () => {
  it("found too old by this node's own blocks is forwarded again when another leads: its blocks may be earlier", () => {
    const { submissions, mempool, world, forwarded } = makeNode();
    world.leader = SELF;
    submissions.submit([put(1)]);
    submissions.forward();
    mempool.doom(mempool.take() as PoolEntry);
    submissions.forward();
    expect(forwarded()).toEqual([]);
    world.view = 2;
    world.leader = LEADER;
    submissions.forward();
    expect(forwarded()).toEqual([[idOf(put(1))]]);
  });

  it("is judged by the chain, not by the clock: the leader has to know of it to prove it expired", () => {
    const { submissions, mempool, world, apply, decide, told } = makeNode();
    world.now = START_TIME + 1_000;
    submissions.receiveForward(OTHER, encodeList([put(1, START_TIME + 500)]));
    expect(mempool.count).toBe(1);
    decide(apply([], 1, undefined, START_TIME + 501));
    expect([mempool.count, told]).toEqual([0, []]);
    submissions.receiveForward(OTHER, encodeList([put(1, START_TIME + 500)]));
    expect(mempool.count).toBe(0);
  });
});

describe("refusals of the block producer", () => {
  const refusalOf = (entry: PoolEntry | undefined, code: "DUPLICATE" | "TRANSACTION_FAILED") => [
    { entry: entry as PoolEntry, refusal: { code, detail: "détail" } },
  ];
  /** Everything that waits is taken for a block and refused. */
  const refuseAll = (mempool: Mempool): ReturnType<typeof refusalOf> => {
    const refused = [];
    for (let entry = mempool.take(); entry !== undefined; entry = mempool.take())
      refused.push(...refusalOf(entry, "TRANSACTION_FAILED"));
    return refused;
  };

  it("are told to the submitter here, or sent to the node that forwarded it", () => {
    const { submissions, mempool, told, answered, ledger } = makeNode();
    submissions.submit([put(1)]);
    submissions.receiveForward(OTHER, encodeList([put(2)]));
    submissions.refused(ledger.head, [
      ...refusalOf(mempool.take(), "TRANSACTION_FAILED"),
      ...refusalOf(mempool.take(), "TRANSACTION_FAILED"),
    ]);
    expect(told).toMatchObject([{ status: "rejected", id: idOf(put(1)), code: "TRANSACTION_FAILED" }]);
    const results = [{ id: idOf(put(2)), outcome: "TRANSACTION_FAILED" }];
    expect(answered).toMatchObject([{ submitter: OTHER, view: 1, results }]);
    expect(mempool.count).toBe(0);
  });

  it("on a state that is not irreversible are told only when that state is", () => {
    const { submissions, mempool, told, answered, apply, decide, ledger } = makeNode();
    const block = apply([]);
    submissions.submit([put(1)]);
    submissions.receiveForward(OTHER, encodeList([put(2)]));
    submissions.refused(ledger.head, refuseAll(mempool));
    expect([told, answered, mempool.count, mempool.pendingCount]).toEqual([[], [], 2, 0]);
    decide(block);
    expect(told).toMatchObject([{ status: "rejected", id: idOf(put(1)), code: "TRANSACTION_FAILED" }]);
    expect(answered).toMatchObject([{ submitter: OTHER }]);
    expect(mempool.count).toBe(0);
  });

  it("are told with the block they are on, not with one below it", () => {
    const { submissions, mempool, told, apply, decide, ledger } = makeNode();
    const [below, above] = [apply([]), apply([])];
    submissions.submit([put(1)]);
    submissions.refused(ledger.head, refuseAll(mempool));
    decide(below);
    expect(told).toEqual([]);
    decide(above);
    expect(statuses(told)).toEqual(["rejected"]);
  });

  it("are void when another block becomes irreversible at that height: the transaction waits again, forwarded or not", () => {
    const { submissions, mempool, told, answered, apply, decide, naive, ledger } = makeNode();
    apply([]);
    submissions.submit([put(1)]);
    submissions.receiveForward(OTHER, encodeList([put(2)]));
    submissions.refused(ledger.head, refuseAll(mempool));
    const other = apply([], 2, naive[0]);
    decide(other);
    expect([told, answered]).toEqual([[], []]);
    expect([1, 2].map((n) => mempool.get(idOf(put(n)))?.state)).toEqual(["pending", "pending"]);
    expect([mempool.take()?.id, mempool.take()?.id]).toEqual([idOf(put(1)), idOf(put(2))]);
  });

  it("a void one is forwarded to whoever leads by then", () => {
    const { submissions, mempool, world, apply, decide, naive, ledger, forwarded } = makeNode();
    world.leader = SELF;
    apply([]);
    submissions.submit([put(1)]);
    submissions.forward();
    submissions.refused(ledger.head, refuseAll(mempool));
    world.leader = LEADER;
    const other = apply([], 2, naive[0]);
    world.now += FORWARD_AGAIN_MS;
    submissions.tick();
    submissions.forward();
    expect(forwarded()).toEqual([]);
    decide(other);
    submissions.forward();
    expect(forwarded()).toEqual([[idOf(put(1))]]);
  });

  it("one that is included by another leader meanwhile is void, too", () => {
    const { submissions, mempool, told, apply, decide, ledger } = makeNode();
    const block = apply([]);
    submissions.submit([put(1)]);
    submissions.refused(ledger.head, refuseAll(mempool));
    const above = apply([put(1)], 2);
    decide(block);
    decide(above);
    expect(statuses(told)).toEqual(["included", "irreversible"]);
  });

  it("a duplicate is no refusal: it is in the chain", () => {
    const { submissions, mempool, told, apply, ledger } = makeNode();
    submissions.submit([put(1)]);
    const entry = mempool.take();
    apply([put(1)]);
    submissions.refused(ledger.head, refusalOf(entry, "DUPLICATE"));
    expect(statuses(told)).toEqual(["included"]);
    expect(mempool.get(idOf(put(1)))?.state).toBe("included");
  });
});

describe("the block producer and the mempool (DESIGN section 8, producing)", () => {
  interface Made {
    readonly producer: BlockProducer;
    permit: { view: number; opening: boolean } | undefined;
    /** Ids of what execution refused. */
    readonly refused: string[];
  }
  function makeProducer(node: ReturnType<typeof makeNode>): Made {
    const { ledger, mempool, submissions, world } = node;
    const self: Made = {
      permit: { view: 1, opening: false },
      refused: [],
      producer: new BlockProducer({
        self: KEYS[1] as string,
        ledger,
        mempool,
        engine: { lead: { production: () => self.permit } } as Engine,
        settings: { ...CONSENSUS_DEFAULTS, blockTransactions: 5_000 },
        now: () => world.now,
        isDiskBehind: () => false,
        signBlock: fakeSignature,
        produced: () => undefined,
        refused: (on, refusals) => {
          self.refused.push(...refusals.map(({ entry }) => entry.id));
          submissions.refused(on, refusals);
        },
      }),
    };
    return self;
  }
  const many = (count: number): Uint8Array[] =>
    Array.from({ length: count }, (_, n) => makeTransaction(`put k ${n}`, n));

  it("a block given up for a better one while it is being filled loses none of its transactions", () => {
    const node = makeNode();
    const { submissions, mempool, ledger, naive, apply } = node;
    const made = makeProducer(node);
    submissions.submit(many(EXECUTION_SLICE_TRANSACTIONS + 50));
    expect(made.producer.step()).toBe(true);
    expect([ledger.producing, mempool.pendingCount]).toEqual([true, 50]);
    made.permit = undefined;
    apply([], 7, naive[0]);
    expect(ledger.producing).toBe(false);
    made.producer.step();
    expect(mempool.pendingCount).toBe(EXECUTION_SLICE_TRANSACTIONS + 50);
    expect([...mempool.localPending()].map((each) => each.id)).toEqual(
      many(EXECUTION_SLICE_TRANSACTIONS + 50).map(idOf),
    );
  });

  it("nor do those that are submitted here while they are in it", () => {
    const node = makeNode();
    const { submissions, mempool, ledger } = node;
    const made = makeProducer(node);
    submissions.receiveForward(OTHER, encodeList(many(EXECUTION_SLICE_TRANSACTIONS + 1)));
    made.producer.step();
    expect(ledger.producing).toBe(true);
    submissions.submit(many(1));
    made.permit = undefined;
    made.producer.step();
    expect([...mempool.localPending()].map((each) => each.id)).toEqual(many(1).map(idOf));
  });

  it("transactions that do not fit are the first of the next block: the order of arrival is kept", () => {
    const node = makeNode({ blockTransactions: 3 });
    const { submissions, ledger } = node;
    const { producer } = makeProducer(node);
    submissions.submit(many(8));
    const order: string[] = [];
    while (node.mempool.pendingCount > 0) {
      producer.step();
      node.world.now += 100;
      for (const event of settle(ledger))
        if (event.kind === "head") for (const block of event.applied) submissions.blockApplied(block);
      const { transactions } = ledger.head.block;
      for (let i = 0; i < transactions.count; i++) order.push(idOf(elementAt(transactions, i)));
    }
    expect(order).toEqual(many(8).map(idOf));
    expect(ledger.head.height).toBe(3);
  });

  /** The chain goes on to the block that was made. */
  function work({ ledger, submissions }: ReturnType<typeof makeNode>): BlockNode {
    for (const event of settle(ledger))
      if (event.kind === "head") for (const block of event.applied) submissions.blockApplied(block);
    return ledger.head;
  }
  const countOf = ({ block }: BlockNode): number => block.transactions.count;

  it("a transaction that is larger than a block is refused, alone or after others, and others after it go on", () => {
    const large = makeTransaction(`put k ${"x".repeat(400)}`, 9);
    for (const transactions of [
      [large, put(1), put(2)],
      [put(1), large, put(2)],
      [put(1), put(2), large],
    ]) {
      const node = makeNode({ blockBytes: 300 });
      const { submissions, told, mempool } = node;
      const { producer } = makeProducer(node);
      submissions.submit(transactions);
      let included = 0;
      for (let step = 0; step < 2; step++) {
        node.world.now += 100;
        producer.step();
        const head = work(node);
        included += node.ledger.bottom === head ? 0 : countOf(head);
        node.decide(head);
      }
      expect([included, mempool.count]).toEqual([2, 0]);
      expect(told.filter(({ status }) => status === "rejected")).toMatchObject([
        { id: idOf(large), code: "TRANSACTION_TOO_LARGE" },
      ]);
    }
  });

  const failing = makeTransaction("fail ODD", 99);

  it("one that is refused first in a block is refused on the parent, which may be irreversible: it is told at once", () => {
    const node = makeNode();
    node.submissions.submit([failing, put(1)]);
    makeProducer(node).producer.step();
    expect(node.told).toMatchObject([{ status: "rejected", id: idOf(failing), code: "TRANSACTION_FAILED" }]);
    expect(countOf(work(node))).toBe(1);
  });

  it("one that is refused after others is refused on the block that holds them: told when that is irreversible", () => {
    const node = makeNode();
    node.submissions.submit([put(1), failing]);
    makeProducer(node).producer.step();
    const made = work(node);
    expect([countOf(made), statuses(node.told)]).toEqual([1, ["included"]]);
    node.decide(made);
    expect(statuses(node.told)).toEqual(["included", "irreversible", "rejected"]);
    expect(node.mempool.count).toBe(0);
  });

  it("and waits again when another block takes the place of that one", () => {
    const node = makeNode();
    node.submissions.submit([put(1), failing]);
    makeProducer(node).producer.step();
    work(node);
    node.decide(node.apply([], 7, node.naive[0]));
    expect(statuses(node.told)).toEqual(["included"]);
    expect([...node.mempool.localPending()].map(({ id }) => id)).toEqual([idOf(put(1)), idOf(failing)]);
  });

  it("or when the block is given up before it is done", () => {
    const node = makeNode();
    const made = makeProducer(node);
    const transactions = [put(1_000), failing, ...many(EXECUTION_SLICE_TRANSACTIONS)];
    node.submissions.submit(transactions);
    expect(made.producer.step()).toBe(true);
    made.permit = undefined;
    made.producer.step();
    expect(node.told).toEqual([]);
    expect([...node.mempool.localPending()].map(({ id }) => id)).toEqual(transactions.map(idOf));
    // Nor does the next block bring it up again.
    made.permit = { view: 1, opening: false };
    node.mempool.remove(node.mempool.get(idOf(failing)) as PoolEntry);
    while (made.producer.step());
    expect([countOf(work(node)), made.refused]).toEqual([EXECUTION_SLICE_TRANSACTIONS + 1, []]);
  });

  it("an idle leader makes no blocks; one that opens its view, or owes a proof of expiry, does", () => {
    const node = makeNode();
    const { ledger, submissions, world } = node;
    const made = makeProducer(node);
    made.producer.step();
    expect([ledger.head.height, ledger.producing]).toEqual([0, false]);
    made.permit = { view: 1, opening: true };
    made.producer.step();
    settle(ledger);
    expect(ledger.head).toMatchObject({ height: 1, view: 1 });
    made.permit = { view: 1, opening: false };
    submissions.submit([put(1, START_TIME + 5)]);
    world.now = START_TIME + 10;
    made.producer.step();
    settle(ledger);
    expect([ledger.head.height, ledger.head.block.transactions.count, ledger.head.block.header.time]).toEqual([
      2,
      0,
      START_TIME + 10,
    ]);
    made.producer.step();
    expect(ledger.producing).toBe(false);
    expect(transactionId(put(1))).toHaveLength(32);
  });
});
