import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytes, fixedBytes, message, optional, uint } from "../../src/base/codec.ts";
import { concatBytes, hexBytes, toHex, utf8 } from "../../src/base/bytes.ts";
import { sha256 } from "../../src/base/hash.ts";
import { signingDigest } from "../../chain/signing.ts";
import {
  decodeTransaction,
  encodeTransaction,
  looksSigned,
  type Transaction,
  transactionClaim,
  transactionId,
} from "../../chain/transaction.ts";
import { CHAIN_ID, fakeSignature, KEYS } from "../fixtures/naiveChain.ts";

/** The same message by the general strict codec; `expiresAt` is never 0 and payloads never empty. */
const reference = message("Transaction", {
  payload: bytes(1, 2 ** 20),
  nonce: fixedBytes(2, 16),
  expiresAt: uint(3),
  author: optional(fixedBytes(4, 32)),
  signature: optional(fixedBytes(5, 64)),
});

const transaction: fc.Arbitrary<Transaction> = fc
  .record({
    payload: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    nonce: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    expiresAt: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
    signed: fc.boolean(),
  })
  .map(({ signed, ...rest }) =>
    signed ? { ...rest, author: KEYS[0] as string, signature: fakeSignature("author") } : rest,
  );

const signed: Transaction = {
  payload: utf8("put a 1"),
  nonce: new Uint8Array(16).fill(3),
  expiresAt: 1_000,
  author: KEYS[1] as string,
  signature: fakeSignature("author"),
};
const { author: _author, signature: _signature, ...unsigned } = signed;

describe("transaction encoding (DESIGN section 8, docs/protocol.md, encoding)", () => {
  it("is the protobuf message of proto/chain.proto and comes back as it was", () => {
    fc.assert(
      fc.property(transaction, (value) => {
        const encoded = encodeTransaction(value);
        const author = value.author === undefined ? {} : { author: hexBytes(value.author) };
        expect(encoded).toEqual(reference.encode({ ...value, ...author } as never));
        expect(decodeTransaction(encoded)).toEqual({ ok: true, value });
      }),
    );
  });

  it.each([
    ["unsigned", unsigned],
    ["signed", signed],
  ])("every change of one byte of an %s one is refused or gives another id", (_, value) => {
    const encoded = encodeTransaction(value);
    const id = toHex(transactionId(encoded));
    for (let at = 0; at < encoded.length; at++) {
      for (let flip = 1; flip < 256; flip++) {
        const mutated = encoded.slice();
        mutated[at] = (mutated[at] as number) ^ flip;
        const decoded = decodeTransaction(mutated);
        if (!decoded.ok) continue;
        expect(toHex(transactionId(mutated))).not.toBe(id);
        if (flip % 64 === 1) expect(encodeTransaction(decoded.value)).toEqual(mutated);
      }
    }
  });

  it("whatever is accepted is the one encoding of what it says", () => {
    const pieces = fc.constantFrom(
      [0x0a, 1, 7],
      [0x0a, 0x81, 0, 7],
      [0x12, 16, ...new Uint8Array(16).fill(1)],
      [0x18, 5],
      [0x18, 0x85, 0],
      [0x18, 0],
      [0x22, 32, ...new Uint8Array(32).fill(2)],
      [0x2a, 64, ...new Uint8Array(64).fill(3)],
      [0x32, 0],
      [0x0a, 0],
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 6 }), (parts) => {
        const input = Uint8Array.from(parts.flat());
        const decoded = decodeTransaction(input);
        if (decoded.ok) expect(encodeTransaction(decoded.value)).toEqual(input);
      }),
      { numRuns: 2_000 },
    );
  });

  const encoded = encodeTransaction(unsigned);
  const whole = encodeTransaction(signed);
  const payloadEnd = 2 + unsigned.payload.length;
  it.each([
    ["trailing bytes", concatBytes(encoded, Uint8Array.of(0))],
    ["trailing bytes after a signature", concatBytes(whole, Uint8Array.of(0))],
    ["an unknown field after a signature", concatBytes(whole, Uint8Array.of(0x32, 0))],
    ["an empty payload", concatBytes(Uint8Array.of(0x0a, 0), encoded.subarray(payloadEnd))],
    ["an unknown field", concatBytes(encoded, Uint8Array.of(0x32, 0))],
    [
      "a length that is not minimal",
      concatBytes(Uint8Array.of(0x0a, 0x80 | unsigned.payload.length, 0), encoded.subarray(2)),
    ],
    [
      "fields in another order",
      concatBytes(
        encoded.subarray(payloadEnd, payloadEnd + 18),
        encoded.subarray(0, payloadEnd),
        encoded.subarray(payloadEnd + 18),
      ),
    ],
    ["an author without a signature", whole.subarray(0, whole.length - 66)],
    ["a signature without an author", concatBytes(encoded, whole.subarray(whole.length - 66))],
    ["no payload", encoded.subarray(payloadEnd)],
    ["no expiry", encoded.subarray(0, payloadEnd + 18)],
    ["an expiry of 0", concatBytes(encoded.subarray(0, payloadEnd + 18), Uint8Array.of(0x18, 0))],
    ["the payload twice", concatBytes(encoded.subarray(0, payloadEnd), encoded)],
    ["nothing", new Uint8Array(0)],
  ])("refuses %s", (_, input) => {
    expect(decodeTransaction(input)).toEqual({ ok: false, error: { code: "TRANSACTION_UNDECODABLE" } });
  });

  it("every prefix is refused", () => {
    // The one exception by design: what is before the author is itself an unsigned transaction, of another id.
    for (let end = 0; end < whole.length; end++)
      expect(decodeTransaction(whole.subarray(0, end)).ok).toBe(end === encoded.length);
  });

  it.each([
    ["a nonce", { nonce: new Uint8Array(15) }],
    ["a signature", { signature: new Uint8Array(63) }],
    ["an author", { author: "00" }],
    ["a payload", { payload: new Uint8Array(0) }],
  ])("%s of the wrong length is not encoded", (_, wrong) => {
    expect(() => encodeTransaction({ ...signed, ...wrong })).toThrow(RangeError);
  });
});

describe("transaction id and signature", () => {
  it("the id is the RFC 9162 leaf hash of the whole bytes, signature included", () => {
    const encoded = encodeTransaction(signed);
    expect(transactionId(encoded)).toEqual(sha256(concatBytes(Uint8Array.of(0), encoded)));
  });

  it("an author signs everything but the signature field, for this kind and this chain [S8]", () => {
    const encoded = encodeTransaction(signed);
    const claim = transactionClaim(CHAIN_ID, encoded, signed);
    const content = encoded.subarray(0, encoded.length - 66);
    expect(claim).toEqual({
      key: signed.author,
      digest: signingDigest("transaction", CHAIN_ID, content),
      signature: signed.signature,
    });
    const others = [
      signingDigest("block", CHAIN_ID, content),
      signingDigest("transaction", KEYS[2] as string, content),
    ];
    for (const other of others) expect(claim?.digest).not.toEqual(other);
    expect(transactionClaim(CHAIN_ID, encodeTransaction(unsigned), unsigned)).toBeUndefined();
  });

  it("every signed transaction looks signed wherever it lies in a buffer", () => {
    fc.assert(
      fc.property(transaction, fc.nat(5), (value, before) => {
        const encoded = encodeTransaction(value);
        const buffer = concatBytes(new Uint8Array(before), encoded, new Uint8Array(3));
        if (value.signature !== undefined) expect(looksSigned(buffer, before, before + encoded.length)).toBe(true);
      }),
    );
    expect(looksSigned(encodeTransaction(unsigned), 0, encodeTransaction(unsigned).length)).toBe(false);
  });
});
