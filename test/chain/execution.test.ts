import { describe, expect, it } from "vitest";
import { BlockExecution, type ExecutionSetting } from "../../chain/execution.ts";
import { encodeTransaction, transactionId } from "../../chain/transaction.ts";
import { elementAt } from "../../chain/byteList.ts";
import type { ChainLimits } from "../../chain/genesis.ts";
import { singleSet } from "../../chain/producerSets.ts";
import { State, StateReadError } from "../../chain/state.ts";
import { fromUtf8, toHex, utf8 } from "../../src/base/bytes.ts";
import { makeSetting } from "../fixtures/memoryLedger.ts";
import {
  fakeSignature,
  idOf,
  KEYS,
  makeTransaction,
  naiveChild,
  naiveGenesis,
  START_TIME,
  testGenesis,
} from "../fixtures/naiveChain.ts";
import { toyApplication } from "../fixtures/toyApplication.ts";

const SETS = singleSet(testGenesis().configuration);
const TIME = START_TIME + 10;
const AHEAD = 60_000;

function open(limits: Partial<ChainLimits> = {}): { execution: BlockExecution; setting: ExecutionSetting } {
  const { setting } = makeSetting(testGenesis({ expiryAheadMs: AHEAD, ...limits }));
  return { setting, execution: new BlockExecution(setting, { height: 1, time: TIME, view: 1, sets: SETS }) };
}
function codeOf(execution: BlockExecution, bytes: Uint8Array): string {
  const applied = execution.apply(bytes, transactionId(bytes), 0);
  return applied.ok ? "ok" : applied.error.code;
}

describe("a transaction in a block (DESIGN section 8, transaction)", () => {
  it("is valid while header time <= expiresAt, and at most expiryAheadMs ahead", () => {
    const { execution } = open();
    const at = (expiresAt: number): string => codeOf(execution, makeTransaction("put k 1", expiresAt, expiresAt));
    expect([at(TIME - 1), at(TIME), at(TIME + AHEAD), at(TIME + AHEAD + 1)]).toEqual([
      "TRANSACTION_EXPIRED",
      "ok",
      "ok",
      "EXPIRES_TOO_LATE",
    ]);
  });

  it("comes once in its chain, and once in its block", () => {
    const { execution, setting } = open();
    const bytes = makeTransaction("put k 1", 1);
    expect([codeOf(execution, bytes), codeOf(execution, bytes)]).toEqual(["ok", "DUPLICATE"]);
    execution.finish(KEYS[0] as string);
    const next = new BlockExecution(setting, { height: 2, time: TIME + 1, view: 1, sets: SETS });
    expect(codeOf(next, bytes)).toBe("DUPLICATE");
  });

  it("one that differs only in its nonce is another one", () => {
    const { execution } = open();
    expect([1, 2].map((n) => codeOf(execution, makeTransaction("put k 1", n)))).toEqual(["ok", "ok"]);
  });

  it("names its author when the genesis requires signatures", () => {
    const { execution } = open({ signaturesRequired: true });
    const signed = encodeTransaction({
      payload: utf8("put k 1"),
      nonce: new Uint8Array(16),
      expiresAt: TIME,
      author: KEYS[0] as string,
      signature: fakeSignature("author"),
    });
    expect([codeOf(execution, makeTransaction("put k 1", 1)), codeOf(execution, signed)]).toEqual([
      "AUTHOR_MISSING",
      "ok",
    ]);
  });

  it("is at most as long as the genesis says", () => {
    const longest = makeTransaction("put k 1", 1);
    const { execution } = open({ transactionBytes: longest.length });
    expect([codeOf(execution, makeTransaction("put k 12", 2)), codeOf(execution, longest)]).toEqual([
      "TRANSACTION_TOO_LARGE",
      "ok",
    ]);
  });

  it("that is no transaction is refused", () => {
    expect(codeOf(open().execution, utf8("nonsense"))).toBe("TRANSACTION_UNDECODABLE");
  });
});

describe("the duplicate window's count (DESIGN section 8)", () => {
  it("bounds the transactions of the last expiryAheadMs, those of the block included", () => {
    const { execution, setting } = open({ duplicateWindowCount: 3 });
    const next = (n: number): Uint8Array => makeTransaction("put k 1", n, TIME + AHEAD);
    expect([1, 2].map((n) => codeOf(execution, next(n)))).toEqual(["ok", "ok"]);
    execution.finish(KEYS[0] as string);
    const second = new BlockExecution(setting, { height: 2, time: TIME + AHEAD, view: 1, sets: SETS });
    expect([3, 4].map((n) => codeOf(second, next(n)))).toEqual(["ok", "DUPLICATE_WINDOW_FULL"]);
    second.finish(KEYS[0] as string);
    // The first block has left the window by now.
    const third = new BlockExecution(setting, { height: 3, time: TIME + AHEAD + 1, view: 1, sets: SETS });
    const late = (n: number): Uint8Array => makeTransaction("put k 1", n, TIME + 2 * AHEAD);
    expect([5, 6, 7].map((n) => codeOf(third, late(n)))).toEqual(["ok", "ok", "DUPLICATE_WINDOW_FULL"]);
  });
});

describe("the budget of a transaction (DESIGN section 8)", () => {
  it("counts operations, entries of a range and bytes, for each transaction anew, and ends to the unit", () => {
    const { execution, setting } = open({ executionOperations: 4, executionBytes: 60 });
    let n = 0;
    const code = (payload: string): string => codeOf(execution, makeTransaction(payload, n++));
    expect(code("put k1 1;put k2 2;delete k3;reads k1 1")).toBe("ok");
    expect(code("put k1 1;put k2 2;delete k3;reads k1 2")).toBe("BUDGET_EXCEEDED");
    // The range itself, its two entries, what `count` writes; then a third entry.
    expect(code("count k to")).toBe("ok");
    expect(code("put k3 3")).toBe("ok");
    expect(code("count k to")).toBe("BUDGET_EXCEEDED");
    // Key and value: 2 + 58 bytes.
    expect(code(`put kk ${"x".repeat(58)}`)).toBe("ok");
    expect(code(`put kk ${"y".repeat(59)}`)).toBe("BUDGET_EXCEEDED");
    expect(code("reads kk 1")).toBe("ok");
    expect(code("reads kk 2")).toBe("BUDGET_EXCEEDED");
    expect(fromUtf8(setting.state.get("kk") as Uint8Array)).toBe("x".repeat(58));
  });

  it("an application that catches what it is told gets no further: all it wrote is taken back", () => {
    const { execution, setting } = open({ executionOperations: 4 });
    const bytes = makeTransaction("put k lost;greedy k 4", 1);
    expect(execution.apply(bytes, transactionId(bytes), 0)).toEqual({
      ok: false,
      error: { code: "BUDGET_EXCEEDED", detail: "more than 4 operations on the state" },
    });
    expect([setting.state.get("k"), execution.count]).toEqual([undefined, 0]);
    expect(codeOf(execution, makeTransaction("put k kept;greedy k 3", 2))).toBe("ok");
    expect(fromUtf8(setting.state.get("k") as Uint8Array)).toBe("kept");
  });

  it("does not read what a range could not pay for", () => {
    const { setting } = makeSetting(testGenesis({ executionOperations: 4 }));
    const asked: number[] = [];
    const range = (_start: string, _end: string | undefined, limit: number) => {
      asked.push(limit);
      return Array.from({ length: Math.min(limit, 1_000) }, (_, i) => ({ key: `k${i}`, value: new Uint8Array(1) }));
    };
    const state = new State({ get: () => undefined, range }, 0);
    const execution = new BlockExecution({ ...setting, state }, { height: 1, time: TIME, view: 1, sets: SETS });
    expect(codeOf(execution, makeTransaction("count k to", 1))).toBe("BUDGET_EXCEEDED");
    expect(asked).toEqual([4]);
  });
});

describe("a refused transaction leaves no trace", () => {
  it("neither in the state, nor among the receipts, nor in the duplicate window, nor in the hash", () => {
    const { execution, setting } = open();
    const good = makeTransaction("put k kept", 1);
    const failing = makeTransaction("put k lost;put other lost;delete a;fail ODD", 2);
    expect(codeOf(execution, good)).toBe("ok");
    const refused = execution.apply(failing, transactionId(failing), 0);
    expect(refused).toEqual({
      ok: false,
      error: { code: "TRANSACTION_FAILED", detail: "ODD: the transaction asked for it" },
    });
    expect(execution.count).toBe(1);
    expect(fromUtf8(setting.state.get("k") as Uint8Array)).toBe("kept");
    expect(setting.state.get("other")).toBeUndefined();
    expect(setting.duplicates.has(transactionId(failing), 0)).toBe(false);

    const genesis = testGenesis({ expiryAheadMs: AHEAD });
    const root = naiveGenesis(genesis);
    const expected = naiveChild(genesis, root, { time: TIME, transactions: [good] }).block.header;
    const outcome = execution.finish(root.block.header.stateHash);
    expect([outcome.stateHash, outcome.receiptRoot]).toEqual([expected.stateHash, expected.receiptRoot]);
    expect(fromUtf8(elementAt(outcome.receipts, 0))).toBe("put k kept at 1");
  });

  it("whatever execute throws refuses the transaction (DESIGN section 6)", () => {
    const { execution, setting } = open();
    const crashing = makeTransaction("put k lost;crash", 1);
    expect(execution.apply(crashing, transactionId(crashing), 0)).toMatchObject({
      ok: false,
      error: { code: "TRANSACTION_FAILED", detail: "TypeError: a bug of the application" },
    });
    expect(setting.state.get("k")).toBeUndefined();
    expect(execution.count).toBe(0);
  });

  it("a state database that cannot be read is no verdict on a transaction: it is thrown on", () => {
    const broken = new State(
      {
        get: () => {
          throw new Error("I/O error");
        },
        range: () => [],
      },
      0,
    );
    expect(() => broken.get("k")).toThrow(StateReadError);
    const { setting } = open();
    setting.state.abortBlock();
    setting.duplicates.pop();
    const reads = { ...toyApplication, execute: () => broken.get("k") ?? new Uint8Array(0) };
    const execution = new BlockExecution(
      { ...setting, application: reads },
      { height: 1, time: TIME, view: 1, sets: SETS },
    );
    const bytes = makeTransaction("put k 1", 1);
    expect(() => execution.apply(bytes, transactionId(bytes), 0)).toThrow(StateReadError);
  });
});

describe("a block given up", () => {
  it("leaves state and duplicate window as they were", () => {
    const { execution, setting } = open();
    const bytes = makeTransaction("put k 1;delete a", 1);
    expect(codeOf(execution, bytes)).toBe("ok");
    execution.abort();
    expect(setting.state.overlayKeys).toBe(0);
    expect(fromUtf8(setting.state.get("a") as Uint8Array)).toBe("first");
    expect([setting.duplicates.size, setting.duplicates.blockCount]).toEqual([0, 0]);
    expect(toHex(transactionId(bytes))).toBe(idOf(bytes));
  });
});
