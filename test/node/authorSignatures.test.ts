import { generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { signingDigest } from "../../chain/signing.ts";
import { encodeTransaction, type Transaction, transactionId } from "../../chain/transaction.ts";
import { toHex, utf8 } from "../../src/base/bytes.ts";
import type { SubmitResult } from "../../src/node/api.ts";
import { submitGenuine } from "../../src/node/authorSignatures.ts";
import { verifySignatures } from "../../src/node/signatures.ts";
import { CHAIN_ID, KEYS, makeTransaction } from "../fixtures/naiveChain.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const author = toHex(publicKey.export({ type: "spki", format: "der" }).subarray(-32));

/** Signed for a chain, with a payload. */
function signed(payload: string, chainId: string): Uint8Array {
  const content: Transaction = { payload: utf8(payload), nonce: new Uint8Array(16), expiresAt: 5 };
  const unsigned = encodeTransaction({ ...content, author, signature: new Uint8Array(64) });
  const digest = signingDigest("transaction", chainId, unsigned.subarray(0, unsigned.length - 66));
  return encodeTransaction({ ...content, author, signature: sign(null, digest, privateKey) });
}

describe("transactions submitted here (DESIGN section 8, transaction)", () => {
  it("one that its author did not sign goes no further; the others do, and results keep their order", async () => {
    const good = signed("put a 1", CHAIN_ID);
    const altered = good.slice();
    altered[3] = (altered[3] as number) ^ 1;
    const elsewhere = signed("put a 1", KEYS[0] as string);
    const plain = makeTransaction("put a 1", 1);
    const nonsense = utf8("nonsense");
    const given = [altered, good, plain, elsewhere, nonsense];
    const passed: Uint8Array[] = [];
    const results = await submitGenuine(CHAIN_ID, given, verifySignatures, (transactions) => {
      passed.push(...transactions);
      return Promise.resolve(
        transactions.map((bytes): SubmitResult => ({ status: "accepted", id: toHex(transactionId(bytes)) })),
      );
    });
    expect(passed).toEqual([good, plain, nonsense]);
    expect(results.map((result) => result.status)).toEqual(["invalid", "accepted", "accepted", "invalid", "accepted"]);
    expect(results.map((result) => result.id)).toEqual(given.map((bytes) => toHex(transactionId(bytes))));
    expect(results[0]).toMatchObject({ code: "SIGNATURE_INVALID" });
  });
});
