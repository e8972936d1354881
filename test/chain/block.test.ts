import { describe, expect, it } from "vitest";
import {
  assembleBlock,
  type Block,
  blockBytes,
  blockClaim,
  decodeBlock,
  encodeBlockParts,
  encodeBody,
  hashOf,
  transactionBytes,
} from "../../chain/block.ts";
import { elementAt, encodeList } from "../../chain/byteList.ts";
import { ATTACHMENTS_MAX_BYTES, HARD_LIMITS } from "../../chain/constants.ts";
import { compareRefs, headerMessage } from "../../chain/header.ts";
import { leafHash } from "../../chain/merkle.ts";
import { signingDigest } from "../../chain/signing.ts";
import { concatBytes, equalBytes, hexBytes, toHex, utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import {
  CHAIN_ID,
  fakeSignature,
  KEYS,
  makeTransaction,
  naiveChild,
  naiveGenesis,
  testGenesis,
} from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const parent = naiveGenesis(genesis);
const transactions = [1, 2, 3].map((n) => makeTransaction(`put k ${n}`, n));
const full = naiveChild(genesis, parent, { transactions, view: 300 }).block;
const empty = naiveChild(genesis, parent).block;

function encoded(block: Block): Uint8Array {
  return concatBytes(...encodeBlockParts(block));
}
function decoded(bytes: Uint8Array): Block {
  const result = decodeBlock(bytes);
  if (!result.ok) throw new Error(result.error.code);
  return result.value;
}
function field(tag: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  return concatBytes(
    length < 128 ? Uint8Array.of(tag, length) : Uint8Array.of(tag, 0x80 | (length & 0x7f), length >> 7),
    content,
  );
}

describe("block encoding (DESIGN section 8)", () => {
  it.each([
    ["full", full],
    ["empty", empty],
  ])("a %s block comes back as it was, its header's bytes verbatim", (_, block) => {
    const again = decoded(encoded(block));
    expect(again).toEqual(block);
    expect(again.id).toBe(sha256Hex(block.headerBytes));
    expect(blockBytes(block)).toBeGreaterThanOrEqual(encoded(block).length - 8);
  });

  it("transactions are views of the body, and their ids the leaves of transactionRoot", () => {
    const { transactions: list, transactionIds } = decoded(encoded(full));
    transactions.forEach((each, i) => {
      expect(elementAt(list, i)).toEqual(each);
      expect(transactionIds.slice(32 * i, 32 * i + 32)).toEqual(leafHash(each));
    });
  });

  it.each([
    ["full", full],
    ["empty", empty],
  ])(
    "every change of one byte of a %s block is refused, gives another id, or is in the signature, which covers neither",
    (_, block) => {
      const bytes = encoded(block);
      for (let at = 0; at < bytes.length; at++) {
        for (const flip of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
          const mutated = bytes.slice();
          mutated[at] = (mutated[at] as number) ^ flip;
          const result = decodeBlock(mutated);
          if (!result.ok || result.value.id !== block.id) continue;
          expect(equalBytes(result.value.signature, block.signature)).toBe(false);
          expect(equalBytes(result.value.headerBytes, block.headerBytes)).toBe(true);
          expect(equalBytes(result.value.body, block.body)).toBe(true);
        }
      }
    },
  );

  const parts = [field(0x0a, full.headerBytes), field(0x12, full.signature), field(0x1a, full.body)] as const;
  it.each([
    ["trailing bytes", [...parts, Uint8Array.of(0)]],
    ["an unknown field", [...parts, field(0x22, new Uint8Array(1))]],
    ["the body twice", [...parts, parts[2]]],
    ["another order", [parts[1], parts[0], parts[2]]],
    ["no header", [parts[1], parts[2]]],
    ["no signature", [parts[0], parts[2]]],
    [
      "an empty body that is written",
      [field(0x0a, empty.headerBytes), field(0x12, empty.signature), Uint8Array.of(0x1a, 0)],
    ],
    ["a signature of 63 bytes", [parts[0], field(0x12, full.signature.subarray(1)), parts[2]]],
    ["a length that is not minimal", [parts[0], Uint8Array.of(0x12, 0xc0, 0x00), full.signature, parts[2]]],
    [
      "a header with an unknown field",
      [field(0x0a, concatBytes(full.headerBytes, Uint8Array.of(0x80, 0x01, 1))), parts[1], parts[2]],
    ],
    ["a header longer than its bound", [field(0x0a, new Uint8Array(1025)), parts[1], parts[2]]],
    [
      "a field of the body that this version does not know",
      [parts[0], parts[1], field(0x1a, concatBytes(full.body, Uint8Array.of(0x12, 0)))],
    ],
  ])("refuses %s as undecodable", (_, pieces) => {
    const result = decodeBlock(concatBytes(...pieces));
    expect(!result.ok && result.error.code).toBe("UNDECODABLE");
  });

  it("every prefix is refused", () => {
    const bytes = encoded(full);
    for (let end = 0; end < bytes.length; end++) expect(decodeBlock(bytes.subarray(0, end)).ok).toBe(false);
  });

  it("a body that does not match its header is told apart: it is the sender's fault (DESIGN section 3, rule 7)", () => {
    const bodies = [
      new Uint8Array(0),
      encodeList(transactions.slice(1)).buffer,
      encodeList([...transactions].reverse()).buffer,
    ];
    for (const body of bodies) {
      const result = assembleBlock(full.headerBytes, full.signature, body);
      expect(result).toEqual({
        ok: false,
        error: { code: "BODY_DOES_NOT_MATCH", id: full.id, field: "transactionRoot" },
      });
    }
  });

  it("what the engine attaches is bound to the header by its hash, and counts for no limit of transactions", () => {
    const [entry, proof] = [utf8("why it may open its view"), utf8("what is irreversible")];
    const hashes = { entryHash: hashOf(entry) as string, proofHash: hashOf(proof) as string };
    const headerBytes = headerMessage.encode({ ...full.header, ...hashes });
    const body = encodeBody(full.body, { entry, proof });
    const block = assembleBlock(headerBytes, full.signature, body);
    if (!block.ok) throw new Error(block.error.code);
    expect([block.value.entry, block.value.proof]).toEqual([entry, proof]);
    expect(transactionBytes(block.value)).toBe(full.body.length);
    for (const [other, field] of [
      [encodeBody(full.body, { entry: utf8("another"), proof }), "entryHash"],
      [encodeBody(full.body, { proof }), "entryHash"],
      [encodeBody(full.body, { entry, proof: utf8("another") }), "proofHash"],
      [encodeBody(full.body, { entry }), "proofHash"],
    ] as const) {
      const result = assembleBlock(headerBytes, full.signature, other);
      expect(!result.ok && "field" in result.error && result.error.field).toBe(field);
    }
    const long = encodeBody(full.body, { entry: new Uint8Array(ATTACHMENTS_MAX_BYTES + 1) });
    const result = assembleBlock(headerBytes, full.signature, long);
    expect(!result.ok && result.error.code).toBe("UNDECODABLE");
  });

  it("the hard limits hold before a genesis is known", () => {
    const many = encodeList(Array.from({ length: HARD_LIMITS.blockTransactions + 1 }, () => utf8("x")));
    const result = assembleBlock(full.headerBytes, full.signature, many.buffer);
    expect(!result.ok && result.error.code).toBe("UNDECODABLE");
  });
});

describe("header", () => {
  it("every change of one byte is refused or gives another id", () => {
    const { header } = naiveChild(genesis, parent, {
      wrong: { closing: true },
    }).block;
    const hashes = { nextConfiguration: KEYS[1] as string, proofHash: KEYS[0] as string };
    const headerBytes = headerMessage.encode({ ...header, ...hashes });
    for (let at = 0; at < headerBytes.length; at++) {
      for (let flip = 1; flip < 256; flip += 7) {
        const mutated = headerBytes.slice();
        mutated[at] = (mutated[at] as number) ^ flip;
        const result = headerMessage.decode(mutated);
        if (result.ok) expect(headerMessage.encode(result.value)).toEqual(mutated);
      }
    }
  });

  it("the producer signs the id, for this kind and this chain [S8]", () => {
    const claim = blockClaim(CHAIN_ID, full);
    expect(claim).toEqual({
      key: full.header.producer,
      digest: signingDigest("block", CHAIN_ID, hexBytes(full.id)),
      signature: full.signature,
    });
    expect(toHex(claim.digest)).not.toBe(toHex(signingDigest("ack", CHAIN_ID, hexBytes(full.id))));
    expect(claim.signature).toEqual(fakeSignature(full.id));
  });

  it("blocks are ordered by view, then height, then id [S1]", () => {
    const ref = (view: number, height: number, id: string): { view: number; height: number; id: string } => ({
      view,
      height,
      id,
    });
    const ascending = [ref(1, 9, "ff"), ref(2, 1, "aa"), ref(2, 1, "ab"), ref(2, 2, "00"), ref(3, 0, "00")];
    for (const [i, a] of ascending.entries())
      for (const [j, b] of ascending.entries()) expect(Math.sign(compareRefs(a, b))).toBe(Math.sign(i - j));
  });
});
