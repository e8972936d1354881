import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assembleBlock, encodeBody } from "../../chain/block.ts";
import { makeConfiguration } from "../../chain/configuration.ts";
import { type Header, headerMessage } from "../../chain/header.ts";
import type { Ledger } from "../../chain/ledger.ts";
import {
  decodeProducerSets,
  encodeProducerSets,
  hasMajority,
  isMember,
  jointSets,
  majorityValue,
  type ProducerSets,
  singleSet,
} from "../../chain/producerSets.ts";
import { transactionId } from "../../chain/transaction.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { makeLedger, settle } from "../fixtures/memoryLedger.ts";
import { fakeSignature, KEYS, makeTransaction, START_TIME, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const [A, B, C, D, E] = KEYS as [string, string, string, string, string];
const NEW = makeConfiguration([B, C, D, E]);

interface Made {
  readonly irreversibleHeight?: number;
  readonly closing?: boolean;
  readonly transactions?: readonly string[];
}

let nonce = 0;

/** Produces a block on the head. */
function produce(ledger: Ledger, { irreversibleHeight = 0, closing = false, transactions = [] }: Made = {}) {
  const { head } = ledger;
  const time = START_TIME + 10 + head.height;
  ledger.startBlock({ view: head.height + 1, time, producer: A, irreversibleHeight, closing });
  const codes = transactions.map((payload) => {
    const bytes = makeTransaction(payload, nonce++);
    const pushed = ledger.production?.pushTransaction(bytes, transactionId(bytes));
    return pushed?.ok === false && "detail" in pushed.error ? pushed.error.detail.split(":")[0] : "ok";
  });
  const node = ledger.finishBlock(fakeSignature);
  settle(ledger);
  return { node, codes };
}

const PROPOSE = `propose ${NEW.producers.join(",")}`;
const namesOf = ({ current, next }: ProducerSets): string[] =>
  [current, next?.configuration].flatMap((set) => (set === undefined ? [] : [set.producers.join()]));

describe("producer sets along a chain (docs/protocol.md, section 4)", () => {
  it("the proposing block is judged by the set before it, its descendants by both, up to the first that says it irreversible [S10]", () => {
    const { ledger } = makeLedger(genesis);
    const old = genesis.configuration;
    const before = produce(ledger).node;
    const proposing = produce(ledger, { transactions: [PROPOSE] }).node;
    const joint = produce(ledger, { irreversibleHeight: proposing.height - 1 }).node;
    const ending = produce(ledger, { irreversibleHeight: proposing.height }).node;
    const after = produce(ledger).node;
    const [single, both] = [[old.producers.join()], [old.producers.join(), NEW.producers.join()]];
    expect([before, proposing, joint, ending, after].map(({ sets }) => namesOf(sets))).toEqual([
      single,
      single,
      both,
      both,
      [NEW.producers.join()],
    ]);
    expect(proposing.block.header.nextConfiguration).toBe(NEW.hash);
    expect(proposing.block.nextConfiguration).toEqual(NEW);
    // Nothing follows in the view of the block that ends the change, whoever made it.
    expect([joint, ending, after].map(({ block }) => block.header.closing)).toEqual([false, true, false]);
    const hashes = [proposing, joint, ending, after].map(({ block }) => block.header.configuration);
    expect(hashes).toEqual([old.hash, jointSets(old, NEW, 0).hash, jointSets(old, NEW, 0).hash, NEW.hash]);
    expect(proposing.sets).toBe(before.sets);
    expect(ending.sets).toBe(joint.sets);
  });

  it("one change at a time, and only to another set", () => {
    const { ledger } = makeLedger(genesis);
    const refused = produce(ledger, {
      transactions: [`propose ${A},${B},${C}`, `propose ${A},${A}`, "propose ", PROPOSE, `propose ${A}`],
    });
    expect(refused.codes.slice(0, 2)).toEqual(["NO_CHANGE", "NO_PRODUCER_SET"]);
    expect(refused.codes.slice(3)).toEqual(["ok", "CHANGE_UNDER_WAY"]);
    expect(refused.node.block.nextConfiguration).toEqual(NEW);
    expect(produce(ledger, { transactions: [`propose ${A}`] }).codes).toEqual(["CHANGE_UNDER_WAY"]);
    const ending = produce(ledger, { irreversibleHeight: 1, transactions: [`propose ${A}`] });
    expect(ending.codes).toEqual(["CHANGE_UNDER_WAY"]);
    expect(produce(ledger, { transactions: [`propose ${A}`] }).codes).toEqual(["ok"]);
  });

  it("what a refused transaction proposed counts for nothing", () => {
    const { ledger } = makeLedger(genesis);
    const { node, codes } = produce(ledger, { transactions: [`${PROPOSE};fail NO`, "put a 1"] });
    expect(codes).toEqual(["NO", "ok"]);
    expect([node.block.header.nextConfiguration, node.setsAfter.next]).toEqual([undefined, undefined]);
  });

  it("a header that does not follow from its parent is no block, one that execution does not bear out is not valid", () => {
    const { ledger } = makeLedger(genesis);
    const proposing = produce(ledger, { transactions: [PROPOSE] }).node;
    const ending = produce(ledger, { irreversibleHeight: 1 }).node;
    const second = makeConfiguration([A]);
    const judged = (fields: Partial<Header>, body = ending.block.body): string => {
      const other = makeLedger(genesis).ledger;
      expect(other.add(proposing.block).kind).toBe("added");
      settle(other);
      const headerBytes = headerMessage.encode({ ...ending.block.header, ...fields });
      const block = assembleBlock(headerBytes, fakeSignature(sha256Hex(headerBytes)), body);
      if (!block.ok) return "field" in block.error ? block.error.field : block.error.code;
      const outcome = other.add(block.value);
      if (outcome.kind === "rejected") return outcome.reason.code;
      settle(other);
      return other.get(block.value.id)?.invalid?.code ?? "valid";
    };
    const withSet = encodeBody(ending.block.body, { nextConfiguration: second });
    expect(judged({})).toBe("valid");
    expect(judged({ configuration: genesis.configuration.hash })).toBe("WRONG_CONFIGURATION");
    expect(judged({ configuration: NEW.hash })).toBe("WRONG_CONFIGURATION");
    expect(judged({ closing: false })).toBe("CHANGE_NOT_CLOSED");
    expect(judged({ closing: false, irreversibleHeight: 0 })).toBe("valid");
    expect(judged({ nextConfiguration: second.hash }, withSet)).toBe("CHANGE_UNDER_WAY");
    expect(judged({ nextConfiguration: second.hash })).toBe("nextConfiguration");
    expect(judged({}, withSet)).toBe("nextConfiguration");
    const { ledger: fresh } = makeLedger(genesis);
    const plain = produce(fresh).node;
    const claims = headerMessage.encode({ ...plain.block.header, nextConfiguration: second.hash });
    const unproposed = assembleBlock(
      claims,
      fakeSignature(sha256Hex(claims)),
      encodeBody(plain.block.body, { nextConfiguration: second }),
    );
    if (!unproposed.ok) throw new Error(unproposed.error.code);
    const { ledger: judge } = makeLedger(genesis);
    judge.add(unproposed.value);
    settle(judge);
    expect(judge.get(unproposed.value.id)?.invalid).toMatchObject({ code: "EXECUTION_DIFFERS" });
  });

  it("known by their hash: those of blocks here, for past ones up to the height where they ended, and a set proposed irreversibly", () => {
    const { ledger } = makeLedger(genesis);
    const old = genesis.configuration;
    const proposing = produce(ledger, { transactions: [PROPOSE] }).node;
    const both = jointSets(old, NEW, 1);
    expect(ledger.setsNamed(both.hash, 9)).toBe(proposing.setsAfter);
    expect(ledger.setsNamed(NEW.hash, 9)).toBeUndefined();
    expect(ledger.isProducer(E)).toBe(true);
    ledger.setIrreversible(proposing);
    expect(ledger.setsNamed(NEW.hash, 9)?.current).toEqual(NEW);
    const ending = produce(ledger, { irreversibleHeight: 1 }).node;
    const after = produce(ledger, { irreversibleHeight: 1 }).node;
    ledger.setIrreversible(after);
    settle(ledger);
    ledger.release(after);
    expect(ledger.setsNamed(NEW.hash, 9)).toBe(after.sets);
    expect(ledger.setsNamed(both.hash, ending.height)).toBe(ending.sets);
    expect(ledger.setsNamed(both.hash, ending.height + 1)).toBeUndefined();
    expect(ledger.setsNamed(old.hash, proposing.height)?.current).toEqual(old);
    expect(ledger.setsNamed(old.hash, proposing.height + 1)).toBeUndefined();
    expect(ledger.isProducer(A)).toBe(true);
  });
});

describe("counting", () => {
  it("two sets: a majority of each, and whoever is in neither counts for nothing [S10] [S11]", () => {
    const sets = jointSets(makeConfiguration([A, B, C]), makeConfiguration([C, D]), 1);
    const majority = (...keys: string[]): boolean => hasMajority(sets, (key) => keys.includes(key));
    expect([majority(A, B), majority(C, D), majority(A, C, D), majority(A, B, D), majority(A, B, E)]).toEqual([
      false,
      false,
      true,
      false,
      false,
    ]);
    expect(majorityValue(sets, (key) => ({ [A]: 5, [B]: 4, [C]: 3, [D]: 9 })[key] ?? 0)).toBe(3);
    expect(sets.members).toEqual([A, B, C, D]);
    expect(isMember(sets, E)).toBe(false);
  });

  it("they are stored as they are", () => {
    const set = fc.uniqueArray(fc.constantFrom(...KEYS), { minLength: 1, maxLength: 5 }).map(makeConfiguration);
    fc.assert(
      fc.property(set, fc.option(set), fc.nat(), (current, next, height) => {
        const sets = next === null ? singleSet(current) : jointSets(current, next, height);
        expect(decodeProducerSets(encodeProducerSets(sets))).toEqual(sets);
      }),
      { numRuns: 50 },
    );
    expect(decodeProducerSets(new Uint8Array([1]))).toBeUndefined();
  });
});
