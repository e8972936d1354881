import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, it } from "vitest";
import { blockClaim, decodeBlock } from "../../chain/block.ts";
import { HARD_LIMITS, HEADER_MAX_BYTES, NONCE_BYTES } from "../../chain/constants.ts";
import { type SignedKind, signingDigest } from "../../chain/signing.ts";
import { decodeTransaction, transactionClaim, transactionId } from "../../chain/transaction.ts";
import {
  BLOCK_PREFIX,
  BLOCK_RESPONSE_PREFIX,
  CERTIFICATE_MAX_BYTES,
  contentDigest,
  decodePayload,
  decodeSyncMessage,
  encodeSigned,
  type SignedContent,
} from "../../consensus/messages.ts";
import { decodeEnvelope, encodeEnvelope, envelopeMessage } from "../../net/transport/envelope.ts";
import { addressRecordsMessage, isAddressRecords } from "../../net/transport/addressMessages.ts";
import { decodeRouting, isRouting } from "../../net/transport/routeMessages.ts";
import { decodeTreeMessage, isTreeMessage } from "../../net/transport/treeMessages.ts";
import { concatBytes, hexBytes, toHex, utf8 } from "../../src/base/bytes.ts";
import type { Message } from "../../src/base/codec.ts";
import { decodeKvPayload } from "../../src/node/applications/kvPayload.ts";
import { allEncodings } from "./encodings.ts";
import { mutants } from "./mutants.ts";
import {
  boundsOf,
  codecTable,
  commentOf,
  describedNames,
  exportedCodecs,
  frameKinds,
  type Plain,
  protoTable,
  protoType,
  protoTypes,
  valuesOf,
} from "./schema.ts";

const codecs = await exportedCodecs();
const encodings = await allEncodings();

function codecOf(name: string): Message<unknown> {
  const codec = codecs.get(name);
  if (codec === undefined) throw new Error(`no codec ${name}`);
  return codec;
}

function readByProtobufjs(message: string, bytes: Uint8Array): Plain {
  const type = protoType(message);
  return type.toObject(type.decode(bytes), { longs: Number, bytes: String }) as Plain;
}

function writtenByProtobufjs(message: string, plain: Plain): Uint8Array {
  const type = protoType(message);
  return Uint8Array.from(type.encode(type.fromObject(plain)).finish());
}

describe("proto/ describes the messages of the sources", () => {
  it("each message that a source describes is exported, or part of one that is", () => {
    expect([...codecs.keys()].sort()).toEqual([...new Set(describedNames)].sort());
    expect(codecs.size).toBeGreaterThan(20);
  });

  it("has each message that is encoded, and no other", () => {
    const nestedByHand = ["BlockBody"];
    const encoded = new Set([...encodings.map(({ message }) => message), ...nestedByHand]);
    expect([...protoTypes.keys()].sort()).toEqual([...encoded].sort());
  });

  it.each([...codecs.keys()])("%s has the codec's fields: names, numbers, labels, types", (name) => {
    expect(protoTable(protoType(name))).toEqual(codecTable(codecOf(name)));
  });

  it.each([...codecs.keys()])("%s: the comments state the codec's bounds", (name) => {
    for (const [field, description] of Object.entries(codecOf(name).fields)) {
      const comment = commentOf(protoType(name), field).toLowerCase();
      for (const bound of boundsOf(description)) expect(comment, `${name}.${field}`).toContain(bound);
    }
  });

  it.each([
    ["Transaction", "nonce", `exactly ${NONCE_BYTES} bytes`],
    ["Transaction", "author", "exactly 32 bytes"],
    ["Transaction", "signature", "exactly 64 bytes"],
    ["Block", "header", `at most ${HEADER_MAX_BYTES} bytes`],
    ["Block", "signature", "exactly 64 bytes"],
    ["Block", "body", `at most ${HARD_LIMITS.blockBytes} bytes`],
    ["BlockBody", "transactions", `at most ${HARD_LIMITS.blockTransactions} elements`],
    ["BlockBody", "transactions", `at most ${HARD_LIMITS.transactionBytes} bytes`],
    ["TransactionForward", "transactions", `at most ${HARD_LIMITS.blockTransactions} elements`],
    ["TransactionForward", "transactions", `at most ${HARD_LIMITS.transactionBytes} bytes`],
    ["Hello", "rootCertificate", `at most ${CERTIFICATE_MAX_BYTES} bytes`],
  ])("%s.%s: the comment states %s", (message, field, bound) => {
    expect(commentOf(protoType(message), field).toLowerCase()).toContain(bound);
  });

  it("integers are uint64, and nothing is packed, a map or an enum", () => {
    for (const type of protoTypes.values()) {
      for (const field of type.fieldsArray) {
        const isMessage = field.resolvedType instanceof protobuf.Type;
        if (!isMessage) expect(["uint64", "bool", "bytes", "string"], field.fullName).toContain(field.type);
        if (field.repeated && !isMessage) expect(["bytes", "string"], field.fullName).toContain(field.type);
      }
    }
  });

  it("an Operation of kv is one of three: a oneof that decodeKvPayload enforces", () => {
    expect(protoType("Operation").oneofs["kind"]?.oneof).toEqual(Object.keys(codecOf("Operation").fields));
    const put = { key: Uint8Array.of(1), value: Uint8Array.of(2) };
    const codeOf = (...operations: Plain[]) => {
      const decoded = decodeKvPayload(codecOf("KvTransaction").encode({ operations }));
      return decoded.ok || decoded.error.code;
    };
    expect(codeOf({ put })).toBe(true);
    expect(codeOf({})).toBe("KV_INVALID");
    expect(codeOf({ put, delete: put })).toBe("KV_INVALID");
    expect(codeOf()).toBe("KV_INVALID");
  });

  it("each field is commented", () => {
    const fields = [...protoTypes.values()].flatMap((type) => type.fieldsArray);
    const bare = fields.filter((field) => !field.comment);
    expect(bare.map((field) => field.fullName)).toEqual([]);
  });
});

describe("protobufjs with proto/ reads what we write, and writes the same", () => {
  it.each(encodings)("$title", ({ message, samples, decode }) => {
    const unused = new Set(Object.keys(protoType(message).fields));
    fc.assert(
      fc.property(samples, ({ bytes, plain }) => {
        const read = readByProtobufjs(message, bytes);
        expect(read).toEqual(plain);
        expect(toHex(writtenByProtobufjs(message, read))).toBe(toHex(bytes));
        expect(decode(bytes)).toEqual(plain);
        for (const name of Object.keys(plain)) unused.delete(name);
      }),
      { numRuns: 200 },
    );
    // A field that nothing writes would be wrong unseen.
    expect([...unused]).toEqual([]);
  });
});

describe("there is one valid encoding", () => {
  it.each(encodings)("$title: all others are refused", ({ title, message, samples, decode }) => {
    const type = protoType(message);
    const seen = new Set<string>();
    for (const { bytes } of fc.sample(samples, { numRuns: 40 })) {
      for (const [what, mutant] of mutants(type, bytes)) {
        const decoded = decode(mutant);
        expect(decoded, `${what}: ${toHex(mutant)}`).toMatch(/UNDECODABLE$/);
        seen.add(what.split(": ").at(-1) as string);
      }
    }
    const kinds = ["unknown integer", "unknown bytes", "tag not minimal", "value or length not minimal", "cut short"];
    expect([...seen]).toEqual(expect.arrayContaining(kinds));
    const fields = title.startsWith("codec ") ? Object.values(codecOf(message).fields) : [];
    if (fields.some((field) => field.absent !== undefined)) expect([...seen]).toContain("default written");
    if (type.fieldsArray.length > 1 && message !== "Operation") expect([...seen]).toContain("behind the next");
  });

  const payload = "0a0101";
  const nonce = `1210${"22".repeat(16)}`;
  const expiry = "1801";
  const author = `2220${"44".repeat(32)}`;
  const signature = `2a40${"55".repeat(64)}`;
  it.each([
    ["with everything", payload + nonce + expiry + author + signature, true],
    ["without author and signature", payload + nonce + expiry, true],
    ["without a payload", nonce + expiry, false],
    ["with an empty payload", `0a00${nonce}${expiry}`, false],
    ["without a nonce", payload + expiry, false],
    ["with a short nonce", `${payload}120122${expiry}`, false],
    ["without an expiry", payload + nonce, false],
    ["with an expiry of 0", `${payload}${nonce}1800`, false],
    ["with an expiry of 2^53 - 1", `${payload}${nonce}18ffffffffffffff0f`, true],
    ["with an expiry of 2^53", `${payload}${nonce}188080808080808010`, false],
    ["with an author and no signature", payload + nonce + expiry + author, false],
    ["with a signature and no author", payload + nonce + expiry + signature, false],
    ["with a short author", `${payload}${nonce}${expiry}220144${signature}`, false],
    ["with a short signature", `${payload}${nonce}${expiry}${author}2a0155`, false],
  ])("a transaction %s", (_, encoding, taken) => {
    expect(decodeTransaction(hexBytes(encoding)).ok).toBe(taken);
  });

  it("a block writes no empty body", () => {
    const block = encodings.find(({ message }) => message === "Block");
    const bodyless = fc.sample(block!.samples, { numRuns: 1_000, seed: 1 }).filter(({ plain }) => !("body" in plain));
    expect(bodyless.length).toBeGreaterThan(0);
    for (const { bytes, plain } of bodyless) {
      const written = writtenByProtobufjs("Block", { ...plain, body: {} });
      expect(written.length).toBe(bytes.length + 2);
      expect(block?.decode(written)).toBe("UNDECODABLE");
    }
  });

  it("protobufjs itself accepts such bytes: the rule is ours, not protobuf's", () => {
    const good = writtenByProtobufjs("Heartbeat", { view: 1, round: 2, irreversibleHeight: 3 });
    const accepted = [...mutants(protoType("Heartbeat"), good)].filter(([, mutant]) => {
      try {
        return readByProtobufjs("Heartbeat", mutant)["round"] === 2;
      } catch {
        return false;
      }
    });
    expect(accepted.length).toBeGreaterThan(5);
  });
});

describe("frames", () => {
  const numberOf = (name: string) => frameKinds.values[`FRAME_KIND_${name}`];

  it("FrameKind names each first byte that a decoder knows, and no other", () => {
    const known = Array.from({ length: 256 }, (_, kind) => kind).filter((kind) => {
      const frame = Uint8Array.of(kind);
      const isPayload = [decodeSyncMessage(frame), decodePayload("00".repeat(32), frame)].some(
        (result) => result.ok || !("message" in result.error) || result.error.message !== "frame",
      );
      return isPayload || isRouting(frame) || isTreeMessage(frame) || isAddressRecords(frame);
    });
    const named = Object.values(frameKinds.values).filter((kind) => kind !== 0);
    expect(named).toEqual(known);
  });

  it("a kind is followed by the message that its comment names first", () => {
    expect([BLOCK_PREFIX[0], BLOCK_RESPONSE_PREFIX[0]]).toEqual([numberOf("BLOCK"), numberOf("BLOCK_RESPONSE")]);
    for (const [name, kind] of Object.entries(frameKinds.values)) {
      if (kind === 0) continue;
      const words = (frameKinds.comments[name] ?? "").match(/\w+/g) ?? [];
      const encoding = encodings.findLast(({ message }) => message === words[0]);
      if (encoding === undefined) throw new Error(`${name}: the comment names no message`);
      for (const { bytes } of fc.sample(encoding.samples, { numRuns: 5 })) {
        expect(isTaken(kind, words[0] === "Signed" ? signed(words.at(-1) as string) : bytes), name).toBe(true);
      }
    }
  });

  function signed(content: string): Uint8Array {
    const [value] = fc.sample(valuesOf(codecOf(content)), { numRuns: 1 });
    const bytes = codecOf(content).encode(value);
    return codecOf("Signed").encode({ signer: "11".repeat(32), content: bytes, signature: new Uint8Array(64) });
  }

  function isTaken(kind: number, content: Uint8Array): boolean {
    const frame = concatBytes(Uint8Array.of(kind), content);
    if (isRouting(frame)) return decodeRouting(frame) !== undefined;
    if (isTreeMessage(frame)) return decodeTreeMessage(frame) !== undefined;
    // What the contents are is for who opens them (test/net/addressBook.test.ts).
    if (isAddressRecords(frame)) return addressRecordsMessage.decode(content).ok;
    return decodeSyncMessage(frame).ok || decodePayload("00".repeat(32), frame).ok;
  }

  it("an envelope stands behind its length in 2 bytes and before its payload", () => {
    const envelope = { source: "ab".repeat(32), destinations: ["cd".repeat(32)], ttl: 3, broadcast: false };
    const header = envelopeMessage.encode(envelope);
    const frame = concatBytes(Uint8Array.of(header.length >> 8, header.length & 0xff), header, Uint8Array.of(7, 8));
    expect(toHex(concatBytes(...encodeEnvelope(envelope, Uint8Array.of(7, 8))))).toBe(toHex(frame));
    expect(decodeEnvelope(frame)).toEqual({ envelope, payload: Uint8Array.of(7, 8) });
    expect(decodeEnvelope(frame.subarray(0, -2))).toBeUndefined();
    for (const [, mutant] of mutants(protoType("Envelope"), header)) {
      const length = Uint8Array.of(mutant.length >> 8, mutant.length & 0xff);
      expect(decodeEnvelope(concatBytes(length, mutant, Uint8Array.of(7, 8)))).toBeUndefined();
    }
  });
});

describe("signatures and ids cover what proto/chain.proto says", () => {
  const chainProto = readFileSync(join(import.meta.dirname, "../../proto/chain.proto"), "utf8");
  const CHAIN = "5a".repeat(32);
  const sha256 = (...parts: Uint8Array[]) =>
    createHash("sha256")
      .update(concatBytes(...parts))
      .digest("hex");
  const digest = (kind: string, content: Uint8Array) =>
    sha256(utf8(`cairn/1/${kind}`), Uint8Array.of(0), hexBytes(CHAIN), content);
  const sampleOf = (message: string) => {
    const encoding = encodings.findLast((candidate) => candidate.message === message);
    if (encoding === undefined) throw new Error(message);
    return fc.sample(encoding.samples, { numRuns: 20 });
  };

  it("a block: its id, the hash of the header", () => {
    for (const { bytes } of sampleOf("Block")) {
      const block = decodeBlock(bytes);
      if (!block.ok) throw new Error(block.error.code);
      const headerBytes = writtenByProtobufjs("Header", readByProtobufjs("Block", bytes)["header"] as Plain);
      expect(block.value.id).toBe(sha256(headerBytes));
      const claim = blockClaim(CHAIN, block.value);
      expect(toHex(claim.digest)).toBe(digest("block", hexBytes(block.value.id)));
      expect(claim.key).toBe(block.value.header.producer);
    }
  });

  it("a transaction: everything without the signature; its id is its leaf hash", () => {
    let signedCount = 0;
    for (const { bytes, plain } of sampleOf("Transaction")) {
      expect(toHex(transactionId(bytes))).toBe(sha256(Uint8Array.of(0), bytes));
      const transaction = decodeTransaction(bytes);
      if (!transaction.ok) throw new Error(transaction.error.code);
      const claim = transactionClaim(CHAIN, bytes, transaction.value);
      expect(claim !== undefined).toBe("signature" in plain);
      if (claim === undefined) continue;
      signedCount++;
      const { signature: _, ...unsigned } = plain;
      expect(toHex(claim.digest)).toBe(digest("transaction", writtenByProtobufjs("Transaction", unsigned)));
    }
    expect(signedCount).toBeGreaterThan(0);
  });

  it.each([
    "requestVote",
    "vote",
    "ack",
    "heartbeat",
    "heartbeatReply",
    "timeoutNow",
    "viewChange",
    "summary",
    "startViewChange",
    "doViewChange",
    "commitNotice",
    "recovery",
    "recoveryResponse",
  ] as const)("%s: the message of that name", (kind) => {
    const name = kind.charAt(0).toUpperCase() + kind.slice(1);
    for (const content of fc.sample(valuesOf(codecOf(name)), { numRuns: 20 })) {
      const message = { kind, content } as unknown as SignedContent;
      const bytes = codecOf(name).encode(content);
      expect(toHex(contentDigest(CHAIN, message))).toBe(digest(kind, bytes));
      const frame = encodeSigned(CHAIN, "22".repeat(32), message, () => new Uint8Array(64));
      const decoded = decodePayload(CHAIN, frame);
      if (!decoded.ok || decoded.value.kind !== "signed") throw new Error("not a signed message");
      expect(toHex(decoded.value.claim.digest)).toBe(digest(kind, bytes));
      const inner = readByProtobufjs("Signed", frame.subarray(1))["content"] ?? "";
      expect(inner).toBe(Buffer.from(bytes).toString("base64"));
    }
  });

  it("the file lists each kind that is signed", () => {
    const kinds: Record<SignedKind, true> = {
      block: true,
      transaction: true,
      producerChange: true,
      requestVote: true,
      vote: true,
      ack: true,
      heartbeat: true,
      heartbeatReply: true,
      timeoutNow: true,
      prepare: true,
      commit: true,
      viewChange: true,
      summary: true,
      startViewChange: true,
      doViewChange: true,
      commitNotice: true,
      recovery: true,
      recoveryResponse: true,
      nodeStarting: true,
      nodePresence: true,
      nodeStopping: true,
      seqno: true,
      addresses: true,
      transactionResults: true,
      readIndexReply: true,
    };
    for (const kind of Object.keys(kinds) as SignedKind[]) {
      expect(toHex(signingDigest(kind, CHAIN, utf8("content")))).toBe(digest(kind, utf8("content")));
      expect(chainProto).toMatch(new RegExp(`^//     (\\w+, )*${kind}\\b`, "m"));
    }
  });
});
