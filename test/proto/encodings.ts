/** Everything that the project encodes as protobuf: codecs, and what is written and scanned by hand. */
import fc from "fast-check";
import {
  assembleBlock,
  type Attachments,
  decodeBlock,
  encodeBlockParts,
  encodeBody,
  hashOf,
} from "../../chain/block.ts";
import { encodeConfiguration, makeConfiguration } from "../../chain/configuration.ts";
import { type ByteList, decodeList, elementAt, encodeList } from "../../chain/byteList.ts";
import { headerMessage } from "../../chain/header.ts";
import {
  append,
  decodeFrontier,
  EMPTY_FRONTIER,
  encodeFrontier,
  leafHashesOf,
  rootOfLeafHashes,
} from "../../chain/merkle.ts";
import { decodeTransaction, encodeTransaction, type Transaction } from "../../chain/transaction.ts";
import { decodePayload, encodeRangeResponsePayload, encodeTransactionForward } from "../../consensus/messages.ts";
import { type RangeProof, rangeProofMessage } from "../../consensus/sync/range.ts";
import { concatBytes, EMPTY_BYTES, hexBytes, toHex } from "../../src/base/bytes.ts";
import type { Message } from "../../src/base/codec.ts";
import {
  decodeKvPayload,
  encodeKvPayload,
  encodeKvReceipt,
  type KvReceipt,
  type Operation,
  receiptToJson,
} from "../../src/node/applications/kvPayload.ts";
import { base64, exportedCodecs, type Plain, plainOf, valuesOf } from "./schema.ts";

/** One encoding: samples of what is written, and the decoder. */
export interface Encoding {
  readonly title: string;
  /** Name of the message in `proto/`. */
  readonly message: string;
  readonly samples: fc.Arbitrary<Sample>;
  /** What the bytes hold, or the code of the refusal. */
  readonly decode: (bytes: Uint8Array) => Plain | string;
}

export interface Sample {
  readonly bytes: Uint8Array;
  readonly plain: Plain;
}

const byteStrings = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength, size: "max" });
const keys = byteStrings(32, 32).map(toHex);
const numbers = fc.oneof(fc.nat(300), fc.maxSafeInteger().map(Math.abs));

export async function allEncodings(): Promise<readonly Encoding[]> {
  return [...[...(await exportedCodecs()).values()].map(ofCodec), ...HAND_WRITTEN];
}

function ofCodec(codec: Message<unknown>): Encoding {
  return {
    title: `codec ${codec.name}`,
    message: codec.name,
    samples: valuesOf(codec).map((value) => ({ bytes: codec.encode(value), plain: plainOf(codec, value) })),
    decode: (bytes) => {
      const decoded = codec.decode(bytes);
      return decoded.ok ? plainOf(codec, decoded.value as Record<string, unknown>) : decoded.error.code;
    },
  };
}

const transactions: fc.Arbitrary<Transaction> = fc
  .tuple(
    fc.record({ payload: byteStrings(1, 200), nonce: byteStrings(16, 16), expiresAt: numbers.map((n) => n || 1) }),
    fc.option(fc.record({ author: keys, signature: byteStrings(64, 64) }), { nil: {} }),
  )
  .map(([unsigned, signed]) => ({ ...unsigned, ...signed }));

function plainTransaction({ payload, nonce, expiresAt, author, signature }: Transaction): Plain {
  return {
    payload: base64(payload),
    nonce: base64(nonce),
    expiresAt,
    ...(author !== undefined && { author: base64(hexBytes(author)) }),
    ...(signature !== undefined && { signature: base64(signature) }),
  };
}

const elements = fc.array(fc.oneof(fc.constant(EMPTY_BYTES), byteStrings(1, 200)), { maxLength: 4 });

function plainList(field: string, list: ByteList): Plain {
  if (list.count === 0) return {};
  return { [field]: Array.from({ length: list.count }, (_, i) => base64(elementAt(list, i))) };
}

const producerSets = fc
  .uniqueArray(byteStrings(32, 32).map(toHex), { minLength: 1, maxLength: 3 })
  .map((keys) => makeConfiguration(keys));

const headerCodec = headerMessage as Message<unknown>;
const blocks: fc.Arbitrary<Sample> = fc
  .tuple(
    valuesOf(headerCodec),
    byteStrings(64, 64),
    elements,
    fc.record({
      nextConfiguration: fc.option(producerSets, { nil: undefined, freq: 1 }),
      entry: fc.option(byteStrings(0, 200), { nil: undefined }),
      proof: fc.option(byteStrings(0, 200), { nil: undefined }),
    }),
  )
  .map(([random, signature, list, { nextConfiguration, entry, proof }]) => {
    const body = encodeList(list);
    const { nextConfiguration: _, entryHash: __, proofHash: ___, ...randomHeader } = random;
    const header = {
      ...randomHeader,
      transactionRoot: toHex(rootOfLeafHashes(leafHashesOf(body.buffer, body.offsets))),
      ...(nextConfiguration && { nextConfiguration: nextConfiguration.hash }),
      ...(entry && { entryHash: hashOf(entry) }),
      ...(proof && { proofHash: hashOf(proof) }),
    };
    const headerBytes = headerCodec.encode(header);
    const attachments = {
      ...(nextConfiguration && { nextConfiguration }),
      ...(entry && { entry }),
      ...(proof && { proof }),
    };
    const block = assembleBlock(headerBytes, signature, encodeBody(body.buffer, attachments));
    if (!block.ok) throw new Error(block.error.code);
    return {
      bytes: concatBytes(...encodeBlockParts(block.value)),
      plain: {
        header: plainOf(headerCodec, header),
        signature: base64(signature),
        ...plainBody(body, attachments),
      },
    };
  });

function plainBlock(bytes: Uint8Array): Plain | string {
  const decoded = decodeBlock(bytes);
  if (!decoded.ok) return decoded.error.code;
  const { header, signature, transactions } = decoded.value;
  return {
    header: plainOf(headerCodec, header),
    signature: base64(signature),
    ...plainBody(transactions, decoded.value),
  };
}

function plainBody(transactions: ByteList, { nextConfiguration, entry, proof }: Attachments): Plain {
  if ([nextConfiguration, entry, proof].every((each) => each === undefined) && transactions.count === 0) return {};
  return {
    body: {
      ...plainList("transactions", transactions),
      ...(nextConfiguration && { nextConfiguration: base64(encodeConfiguration(nextConfiguration)) }),
      ...(entry && { entry: base64(entry) }),
      ...(proof && { proof: base64(proof) }),
    },
  };
}

const keyBytes = byteStrings(1, 200);
const valueBytes = fc.oneof(fc.constant(EMPTY_BYTES), byteStrings(1, 200));
const operations: fc.Arbitrary<readonly Operation[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("put" as const), key: keyBytes, value: valueBytes }),
    fc.record({ kind: fc.constant("delete" as const), key: keyBytes }),
    fc.record({
      kind: fc.constant("compareAndSet" as const),
      key: keyBytes,
      expectedVersion: numbers,
      value: valueBytes,
    }),
  ),
  { minLength: 1, maxLength: 3 },
);

function plainOperation(operation: Operation): Plain {
  const { kind, key } = operation;
  const value = kind === "delete" || operation.value.length === 0 ? {} : { value: base64(operation.value) };
  const version =
    kind === "compareAndSet" && operation.expectedVersion > 0 ? { expectedVersion: operation.expectedVersion } : {};
  return { [kind]: { key: base64(key), ...version, ...value } };
}

const receipts: fc.Arbitrary<KvReceipt> = fc.oneof(
  numbers.map((version) => ({ ok: true as const, version })),
  fc.record({ ok: fc.constant(false as const), version: numbers, failedOperation: fc.nat(999) }),
);

/** Defaults are left out: all members of a receipt are numbers and a flag. */
function plainReceipt(receipt: KvReceipt): Plain {
  return Object.fromEntries(Object.entries(receipt).filter(([, member]) => member !== 0 && member !== false));
}

const NO_CHAIN = "00".repeat(32);
const LIST_BOUNDS = { maxCount: 100, maxElementBytes: 1000 };

const HAND_WRITTEN: readonly Encoding[] = [
  {
    title: "encodeTransaction, decodeTransaction",
    message: "Transaction",
    samples: transactions.map((value) => ({ bytes: encodeTransaction(value), plain: plainTransaction(value) })),
    decode: (bytes) => {
      const decoded = decodeTransaction(bytes);
      return decoded.ok ? plainTransaction(decoded.value) : decoded.error.code;
    },
  },
  {
    title: "encodeBlockParts, decodeBlock",
    message: "Block",
    samples: blocks,
    decode: plainBlock,
  },
  {
    title: "encodeRangeResponsePayload, decodePayload",
    message: "RangeResponse",
    samples: fc
      .tuple(fc.array(blocks, { maxLength: 3 }), valuesOf(rangeProofMessage as Message<unknown>))
      .map(([list, proof]) => {
        const parts = list.map(({ bytes }) => {
          const decoded = decodeBlock(bytes);
          if (!decoded.ok) throw new Error(decoded.error.code);
          return decoded.value;
        });
        return {
          bytes: encodeRangeResponsePayload(parts, proof as RangeProof).subarray(1),
          plain: {
            ...(list.length > 0 && { blocks: list.map(({ plain }) => plain) }),
            proof: plainOf(rangeProofMessage as Message<unknown>, proof),
          },
        };
      }),
    decode: (bytes) => {
      const decoded = decodePayload(NO_CHAIN, concatBytes(Uint8Array.of(36), bytes));
      if (!decoded.ok) return decoded.error.code;
      if (decoded.value.kind !== "rangeResponse") throw new Error(decoded.value.kind);
      const { blocks: list, proof } = decoded.value.response;
      const plains = Array.from({ length: list.count }, (_, i) => plainBlock(elementAt(list, i)));
      const failed = plains.find((plain) => typeof plain === "string");
      if (failed !== undefined) return failed;
      return {
        ...(list.count > 0 && { blocks: plains }),
        proof: plainOf(rangeProofMessage as Message<unknown>, proof),
      };
    },
  },
  {
    title: "encodeList, decodeList",
    message: "Receipts",
    samples: elements.map(encodeList).map((list) => ({ bytes: list.buffer, plain: plainList("receipts", list) })),
    decode: (bytes) => {
      const decoded = decodeList(bytes, LIST_BOUNDS);
      return decoded.ok ? plainList("receipts", decoded.value) : decoded.error.code;
    },
  },
  {
    title: "encodeTransactionForward, decodePayload",
    message: "TransactionForward",
    samples: elements.map(encodeList).map((list) => ({
      bytes: encodeTransactionForward(list).subarray(1),
      plain: plainList("transactions", list),
    })),
    decode: (bytes) => {
      const decoded = decodePayload(NO_CHAIN, concatBytes(Uint8Array.of(33), bytes));
      if (!decoded.ok) return decoded.error.code;
      if (decoded.value.kind !== "transactionForward") throw new Error(decoded.value.kind);
      return plainList("transactions", decoded.value.transactions);
    },
  },
  {
    title: "encodeFrontier, decodeFrontier",
    message: "Frontier",
    samples: fc.array(byteStrings(32, 32), { maxLength: 70 }).map((leaves) => {
      const frontier = leaves.reduce(append, EMPTY_FRONTIER);
      return { bytes: encodeFrontier(frontier), plain: plainFrontier(frontier.size, frontier.peaks) };
    }),
    decode: (bytes) => {
      const decoded = decodeFrontier(bytes);
      return decoded.ok ? plainFrontier(decoded.value.size, decoded.value.peaks) : decoded.error.code;
    },
  },
  {
    title: "encodeKvPayload, decodeKvPayload",
    message: "KvTransaction",
    samples: operations.map((list) => ({
      bytes: encodeKvPayload(list),
      plain: { operations: list.map(plainOperation) },
    })),
    decode: (bytes) => {
      const decoded = decodeKvPayload(bytes);
      return decoded.ok ? { operations: decoded.value.map(plainOperation) } : decoded.error.code;
    },
  },
  {
    title: "encodeKvReceipt, receiptToJson",
    message: "KvReceipt",
    samples: receipts.map((receipt) => ({ bytes: encodeKvReceipt(receipt), plain: plainReceipt(receipt) })),
    decode: (bytes) => {
      const receipt = receiptToJson(bytes);
      return receipt === undefined ? "UNDECODABLE" : plainReceipt(receipt);
    },
  },
];

function plainFrontier(size: number, peaks: readonly Uint8Array[]): Plain {
  return size === 0 ? {} : { size, peaks: peaks.map(base64) };
}
