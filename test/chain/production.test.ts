import { describe, expect, it } from "vitest";
import { decodeBlock, encodeBlockParts } from "../../chain/block.ts";
import type { ChainLimits } from "../../chain/genesis.ts";
import type { Production } from "../../chain/production.ts";
import { transactionId } from "../../chain/transaction.ts";
import { concatBytes, fromUtf8 } from "../../src/base/bytes.ts";
import { makeLedger, type MemoryLedger, settle } from "../fixtures/memoryLedger.ts";
import {
  fakeSignature,
  KEYS,
  makeTransaction,
  naiveChild,
  naiveGenesis,
  naiveJudge,
  START_TIME,
  testGenesis,
} from "../fixtures/naiveChain.ts";

const PLACE = { view: 4, time: START_TIME + 5, producer: KEYS[1] as string, irreversibleHeight: 0, closing: false };

function producing(limits: Partial<ChainLimits> = {}): MemoryLedger & { production: Production } {
  const node = makeLedger(testGenesis(limits));
  node.ledger.startBlock(PLACE);
  return { ...node, production: node.ledger.production as Production };
}
function push(production: Production, bytes: Uint8Array): string {
  const pushed = production.pushTransaction(bytes, transactionId(bytes));
  return pushed.ok ? "ok" : pushed.error.code;
}

describe("startBlock, pushTransaction, finishBlock (DESIGN section 8, producing)", () => {
  it("makes a block that everyone who executes it finds valid, without the transactions that were refused", () => {
    const { ledger, production } = producing();
    const [one, two] = ["put k 1", "copy k m"].map((payload, n) => makeTransaction(payload, n)) as [
      Uint8Array,
      Uint8Array,
    ];
    const bad = [makeTransaction("put k lost;fail ODD", 7), one, makeTransaction("put k lost", 8, START_TIME)];
    expect([one, ...bad, two].map((each) => push(production, each))).toEqual([
      "ok",
      "TRANSACTION_FAILED",
      "DUPLICATE",
      "TRANSACTION_EXPIRED",
      "ok",
    ]);
    const node = ledger.finishBlock(fakeSignature);

    const genesis = testGenesis();
    const judged = naiveJudge(genesis, naiveGenesis(genesis), node.block);
    expect(judged.isValid).toBe(true);
    const { header, transactions, signature, id } = node.block;
    expect(header).toMatchObject({ height: 1, parent: naiveGenesis(genesis).id, ...PLACE });
    expect([transactions.count, signature]).toEqual([2, fakeSignature(id)]);
    expect(decodeBlock(concatBytes(...encodeBlockParts(node.block)))).toEqual({ ok: true, value: node.block });

    const other = makeLedger(genesis).ledger;
    other.add(node.block);
    settle(other);
    expect(other.head.id).toBe(id);
    expect(fromUtf8(other.read("m", "head") as Uint8Array)).toBe("1");
  });

  it("becomes the head with the next work, and is not executed again", () => {
    const { ledger, production } = producing();
    push(production, makeTransaction("put k 1", 1));
    const node = ledger.finishBlock(fakeSignature);
    expect(ledger.head).not.toBe(node);
    const { events } = ledger.work(1);
    expect(events).toMatchObject([{ kind: "head", to: node, undone: [], applied: [node] }]);
    expect(node.execution?.receipts.count).toBe(1);
    expect(ledger.settled).toBe(true);
  });

  it("nobody reads a block that is being produced", () => {
    const { ledger, production } = producing();
    const bytes = makeTransaction("put k 1", 1);
    push(production, bytes);
    for (const at of ["head", "irreversible"] as const) {
      expect(ledger.read("k", at)).toBeUndefined();
      expect(ledger.readRange("k", undefined, 1, at)).toMatchObject([{ key: "z" }]);
    }
    expect(ledger.findTransaction(transactionId(bytes))).toBeUndefined();
  });

  it("given up, it leaves nothing, and its transactions may come again", () => {
    const { ledger, production } = producing();
    const bytes = makeTransaction("put k 1;delete a", 1);
    push(production, bytes);
    ledger.abortBlock();
    expect([ledger.producing, ledger.sizes.overlayKeys, ledger.sizes.windowCount]).toEqual([false, 0, 0]);
    ledger.startBlock(PLACE);
    expect(push(ledger.production as Production, bytes)).toBe("ok");
  });

  it("gives way to a better block that arrives", () => {
    const { ledger, production } = producing();
    push(production, makeTransaction("put k mine", 1));
    const genesis = testGenesis();
    const better = naiveChild(genesis, naiveGenesis(genesis), {
      view: 9,
      transactions: [makeTransaction("put k theirs", 2)],
    });
    ledger.add(better.block);
    settle(ledger);
    expect([ledger.producing, ledger.head.id]).toEqual([false, better.id]);
    expect(fromUtf8(ledger.read("k", "head") as Uint8Array)).toBe("theirs");
  });

  it("starts on a settled head only, and one at a time", () => {
    const { ledger } = producing();
    expect(() => ledger.startBlock(PLACE)).toThrow();
    ledger.abortBlock();
    const genesis = testGenesis();
    ledger.add(naiveChild(genesis, naiveGenesis(genesis)).block);
    expect(() => ledger.startBlock(PLACE)).toThrow();
    settle(ledger);
    ledger.startBlock({ ...PLACE, time: START_TIME + 20 });
    expect(ledger.production?.parent).toBe(ledger.head);
  });
});

describe("room in a block", () => {
  it("ends at the genesis limits, to the byte", () => {
    const bytes = makeTransaction("put k 1", 1);
    const exact = producing({ blockBytes: 2 * (bytes.length + 2) });
    expect([1, 2, 3].map((n) => push(exact.production, makeTransaction("put k 1", n)))).toEqual([
      "ok",
      "ok",
      "BLOCK_FULL",
    ]);
    expect(exact.production.bytes).toBe(exact.ledger.finishBlock(fakeSignature).block.body.length);
    const short = producing({ blockBytes: 2 * (bytes.length + 2) - 1 });
    expect([1, 2].map((n) => push(short.production, makeTransaction("put k 1", n)))).toEqual(["ok", "BLOCK_FULL"]);
    const few = producing({ blockTransactions: 1 });
    expect([1, 2].map((n) => push(few.production, makeTransaction("put k 1", n)))).toEqual(["ok", "BLOCK_FULL"]);
  });
});
