/** Changes of the producer set as blocks execute them (docs/decisions/071-producer-set-changes.md). */
import { describe, expect, it } from "vitest";
import type { Block } from "../../chain/block.ts";
import { elementAt } from "../../chain/byteList.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { Ledger } from "../../chain/ledger.ts";
import {
  decodeChangeReceipt,
  encodeProducerChange,
  PRODUCER_SET_KEY,
  type ProducerEntry,
  readProducerSetRecord,
} from "../../chain/producerChange.ts";
import { encodeTransaction, transactionId } from "../../chain/transaction.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { makeLedger, settle } from "../fixtures/memoryLedger.ts";
import { fakeSignature, KEYS, START_TIME, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const [A, B, C, D] = KEYS as [string, string, string, string];
const entry = (key: string, name = ""): ProducerEntry => ({ key, name, address: "" });
let nonce = 0;

/** A payload that replaces the set at the head, approved by some keys. */
function change(ledger: Ledger, producers: readonly ProducerEntry[], approvers = [A, B]): Uint8Array {
  const { changes } = recordOf(ledger);
  return encodeProducerChange({
    proposal: { base: ledger.head.setsAfter.current.hash, changesBefore: changes, producers },
    approvals: approvers.map((producer) => ({ producer, signature: fakeSignature(producer) })),
  });
}

/** Produces a block on the head. @returns what its receipts say, or the refusal */
function produce(ledger: Ledger, payloads: readonly Uint8Array[], irreversibleHeight = 0): string[] {
  const { head } = ledger;
  const view = head.view + (head.block.header.closing ? 1 : 0);
  ledger.startBlock({ view, time: START_TIME + 10 + head.height, producer: A, irreversibleHeight, closing: false });
  const refused = payloads.map((payload) => {
    const bytes = encodeTransaction({
      payload,
      nonce: new Uint8Array(16).fill(nonce++),
      expiresAt: START_TIME + 1_000,
    });
    const pushed = ledger.production?.pushTransaction(bytes, transactionId(bytes));
    return pushed?.ok === false && "detail" in pushed.error ? pushed.error.detail : undefined;
  });
  const node = ledger.finishBlock(fakeSignature);
  settle(ledger);
  const receipts = node.execution?.receipts;
  let at = 0;
  return refused.map((refusal) => {
    if (refusal !== undefined || receipts === undefined) return refusal ?? "";
    const receipt = decodeChangeReceipt(elementAt(receipts, at++));
    return receipt === undefined ? "of the application" : receipt.ok ? "made" : receipt.code;
  });
}

const blockAt = (ledger: Ledger, height: number): Block => (ledger.onHeadBranch(height) as BlockNode).block;
const recordOf = (ledger: Ledger) => readProducerSetRecord(ledger.read(PRODUCER_SET_KEY, "head"));
const namesOf = (ledger: Ledger): string[] => recordOf(ledger).producers.map(({ name }) => name);

describe("a block with a change of the producer set", () => {
  it("proposes the set; a change that is not made leaves a receipt and the block valid", () => {
    const { ledger } = makeLedger(genesis);
    const four = [A, B, C, D].map((key) => entry(key));
    expect(produce(ledger, [change(ledger, four, [A]), change(ledger, four, [A, A, D])])).toEqual([
      "TOO_FEW_APPROVALS",
      "TOO_FEW_APPROVALS",
    ]);
    expect(ledger.head.block.nextConfiguration).toBeUndefined();
    expect(recordOf(ledger).changes).toBe(0);
    expect(produce(ledger, [change(ledger, four), change(ledger, [entry(A)])])).toEqual(["made", "BASE_REPLACED"]);
    expect(ledger.head.block.nextConfiguration?.producers).toEqual([A, B, C, D]);
    expect(produce(ledger, [change(ledger, [entry(A)])])).toEqual(["CHANGE_UNDER_WAY"]);
    // Another node comes to the same.
    const other = makeLedger(genesis).ledger;
    for (let height = 1; height <= ledger.head.height; height++) other.add(blockAt(ledger, height));
    settle(other);
    expect(other.head.id).toBe(ledger.head.id);
  });

  it("counts, so that an approval is of no use when the chain comes back to the set that it replaces", () => {
    const { ledger } = makeLedger(genesis);
    const first = change(
      ledger,
      [A, B, D].map((key) => entry(key)),
    );
    expect(produce(ledger, [first])).toEqual(["made"]);
    expect(produce(ledger, [], 1)).toEqual([]);
    expect(
      produce(
        ledger,
        [
          change(
            ledger,
            [A, B, C].map((key) => entry(key)),
          ),
        ],
        1,
      ),
    ).toEqual(["made"]);
    expect(produce(ledger, [], 3)).toEqual([]);
    expect(ledger.head.setsAfter.current.producers).toEqual([A, B, C]);
    expect(recordOf(ledger).changes).toBe(2);
    expect(produce(ledger, [first], 3)).toEqual(["BASE_REPLACED"]);
  });

  it("keeps names and addresses, those of whoever leaves as well, also where the application proposes keys", () => {
    const { ledger } = makeLedger(genesis);
    produce(ledger, [change(ledger, [entry(A, "one"), entry(B, "two"), entry(D, "four")])]);
    expect(namesOf(ledger)).toEqual(["one", "two", "four"]);
    produce(ledger, [], 1);
    expect(produce(ledger, [utf8(`propose ${D},${C}`)], 1)).toEqual(["of the application"]);
    expect(namesOf(ledger)).toEqual(["four", ""]);
    expect(recordOf(ledger).left.map(({ name }) => name)).toEqual(["one", "two"]);
    expect(recordOf(ledger).changes).toBe(2);
  });

  it("a fork that does not make the change does not know of it", () => {
    const { ledger } = makeLedger(genesis);
    const { ledger: other } = makeLedger(genesis);
    produce(ledger, [change(ledger, [entry(A), entry(B)])]);
    const mine = ledger.head;
    produce(other, [utf8("put x 1")]);
    produce(other, [utf8("put x 2")]);
    for (const height of [1, 2]) ledger.add(blockAt(other, height));
    settle(ledger);
    expect([ledger.head.id === mine.id, recordOf(ledger).changes]).toEqual([false, 0]);
  });
});

describe("the chain's own key of the state", () => {
  it("is not the application's to see or write", () => {
    const { ledger } = makeLedger(genesis);
    produce(ledger, [change(ledger, [entry(A), entry(B)])]);
    expect(produce(ledger, [utf8("put  x")])).toEqual(["RESERVED_KEY: the empty key is the chain's own"]);
    expect(produce(ledger, [utf8("delete ")])).toEqual(["RESERVED_KEY: the empty key is the chain's own"]);
    expect(produce(ledger, [utf8("copy  seen")])).toEqual(["of the application"]);
    expect(ledger.read("seen", "head")).toEqual(utf8("nothing"));
    expect(ledger.readRange("", undefined, 10, "head").map(({ key }) => key)).toEqual(["a", "seen", "z"]);
    expect(produce(ledger, [utf8("count  counted")])).toEqual(["of the application"]);
    expect(ledger.read("counted", "head")).toEqual(utf8("3"));
  });
});
