import { describe, expect, it } from "vitest";
import { makeConfiguration } from "../../chain/configuration.ts";
import {
  approvalClaims,
  approvalDigest,
  approvalsNeeded,
  type ChangeBase,
  decodeChangeReceipt,
  decodeProducerChange,
  encodeChangeReceipt,
  encodeProducerChange,
  isProducerChange,
  judgeProducerChange,
  type ProducerEntry,
  type ProducerProposal,
} from "../../chain/producerChange.ts";
import { encodeTransaction } from "../../chain/transaction.ts";
import { bearsSignatures, transactionClaims } from "../../chain/transactionClaims.ts";
import { concatBytes, toHex, utf8 } from "../../src/base/bytes.ts";
import { encodeKvPayload } from "../../src/node/applications/kvPayload.ts";
import { CHAIN_ID, fakeSignature, KEYS } from "../fixtures/naiveChain.ts";

const entry = (key: string): ProducerEntry => ({ key, name: "", address: "" });
const key = (n: number): string => n.toString(16).padStart(64, "0");
const SET = makeConfiguration([key(1), key(2), key(3), key(4)]);
const BASE: ChangeBase = { engine: "raft", approval: "quorum", configuration: SET, isUnderWay: false, changes: 3 };
const PROPOSAL: ProducerProposal = {
  base: SET.hash,
  changesBefore: 3,
  producers: [1, 2, 3, 4, 5].map((n) => entry(key(n))),
};

function payloadOf(approvers: readonly string[], proposal: ProducerProposal = PROPOSAL): Uint8Array {
  return encodeProducerChange({
    proposal,
    approvals: approvers.map((producer) => ({ producer, signature: fakeSignature(producer) })),
  });
}

function codeOf(payload: Uint8Array, base: Partial<ChangeBase> = {}): string {
  const judged = judgeProducerChange(payload, { ...BASE, ...base });
  return judged.ok ? judged.value.next.hash : judged.error;
}

const NEXT = makeConfiguration(PROPOSAL.producers.map((each) => each.key)).hash;
const THREE = [key(1), key(2), key(3)];

describe("a change of the producer set", () => {
  it("is made with the approvals of as many producers as decide a block, or of one, as the genesis says", () => {
    expect(codeOf(payloadOf(THREE))).toBe(NEXT);
    expect(codeOf(payloadOf(THREE.slice(1)))).toBe("TOO_FEW_APPROVALS");
    expect(codeOf(payloadOf([]), { approval: "anyProducer" })).toBe("TOO_FEW_APPROVALS");
    expect(codeOf(payloadOf([key(4)]), { approval: "anyProducer" })).toBe(NEXT);
    const needed = (n: number, engine: ChangeBase["engine"]): number => {
      const configuration = makeConfiguration(Array.from({ length: n }, (_, i) => key(i + 1)));
      return approvalsNeeded({ engine, approval: "quorum", configuration });
    };
    expect([1, 2, 3, 4, 5, 7].map((n) => needed(n, "raft"))).toEqual([1, 2, 2, 3, 3, 4]);
    expect([1, 2, 3, 4, 5, 7].map((n) => needed(n, "vsr"))).toEqual([1, 2, 2, 3, 3, 4]);
    expect([1, 2, 3, 4, 5, 7].map((n) => needed(n, "bft"))).toEqual([1, 2, 3, 3, 4, 5]);
  });

  it("counts a producer once, and nobody who is not of the set in force", () => {
    expect(codeOf(payloadOf([key(1), key(1), key(1)]))).toBe("TOO_FEW_APPROVALS");
    expect(codeOf(payloadOf([key(1), key(2), key(5)]))).toBe("TOO_FEW_APPROVALS");
  });

  it("replaces the set that it names, at the number of changes that it names, and none while another is in flight", () => {
    const other = makeConfiguration(THREE);
    expect(codeOf(payloadOf(THREE), { configuration: other })).toBe("BASE_REPLACED");
    // The chain came back to the same set: what was approved before is not approved now.
    expect(codeOf(payloadOf(THREE), { changes: 5 })).toBe("BASE_REPLACED");
    expect(codeOf(payloadOf(THREE), { isUnderWay: true })).toBe("CHANGE_UNDER_WAY");
  });

  it("brings a legal set, and another one", () => {
    const proposing = (...producers: ProducerEntry[]): string => codeOf(payloadOf(THREE, { ...PROPOSAL, producers }));
    expect(proposing()).toBe("NO_PRODUCER_SET");
    expect(proposing(entry(key(1)), entry(key(1)))).toBe("NO_PRODUCER_SET");
    expect(proposing({ ...entry(key(1)), name: "a\u001b[2J" })).toBe("NO_PRODUCER_SET");
    expect(proposing(...SET.producers.map(entry))).toBe("NO_CHANGE");
    expect(codeOf(concatBytes(payloadOf(THREE), Uint8Array.of(0)))).toBe("CHANGE_UNDECODABLE");
  });

  it("is told from every payload of the application", () => {
    expect(isProducerChange(payloadOf(THREE))).toBe(true);
    const put = encodeKvPayload([{ kind: "put", key: utf8("\0cairn/producers/1\0"), value: utf8("") }]);
    expect(isProducerChange(put)).toBe(false);
    expect(isProducerChange(utf8("\0cairn/producers/1"))).toBe(false);
    expect(decodeProducerChange(put)).toBeUndefined();
  });
});

describe("an approval", () => {
  it("is signed for one chain, one set that is replaced, one number of changes and one set to come", () => {
    const digests = [
      approvalDigest(CHAIN_ID, PROPOSAL),
      approvalDigest(key(9), PROPOSAL),
      approvalDigest(CHAIN_ID, { ...PROPOSAL, base: key(9) }),
      approvalDigest(CHAIN_ID, { ...PROPOSAL, changesBefore: 4 }),
      approvalDigest(CHAIN_ID, { ...PROPOSAL, producers: PROPOSAL.producers.slice(1) }),
      approvalDigest(CHAIN_ID, { ...PROPOSAL, producers: PROPOSAL.producers.toReversed() }),
    ];
    expect(new Set(digests.map(toHex)).size).toBe(digests.length);
  });

  it("is a signature that is checked where the transaction comes in, beside its author's", () => {
    const payload = payloadOf(THREE);
    const nonce = new Uint8Array(16);
    const plain = encodeTransaction({ payload, nonce, expiresAt: 1 });
    const digest = approvalDigest(CHAIN_ID, PROPOSAL);
    const claims = THREE.map((producer) => ({ key: producer, digest, signature: fakeSignature(producer) }));
    expect(approvalClaims(CHAIN_ID, payload)).toEqual(claims);
    expect(transactionClaims(CHAIN_ID, plain)).toEqual(claims);
    const author = KEYS[0] as string;
    const signed = encodeTransaction({ payload, nonce, expiresAt: 1, author, signature: fakeSignature("a") });
    expect(transactionClaims(CHAIN_ID, signed).map((claim) => claim.key)).toEqual([author, ...THREE]);
    for (const bytes of [plain, signed]) {
      const buffer = concatBytes(new Uint8Array(7), bytes);
      expect(bearsSignatures(buffer, 7, buffer.length)).toBe(true);
    }
    const other = encodeTransaction({ payload: utf8("no change"), nonce, expiresAt: 1 });
    expect(bearsSignatures(other, 0, other.length)).toBe(false);
    expect(transactionClaims(CHAIN_ID, other)).toEqual([]);
  });
});

it("a receipt says why a change was not made", () => {
  for (const receipt of [{ ok: true }, { ok: false, code: "CHANGE_UNDER_WAY" }] as const) {
    expect(decodeChangeReceipt(encodeChangeReceipt(receipt))).toEqual(receipt);
  }
  expect(decodeChangeReceipt(utf8("x"))).toBeUndefined();
});
