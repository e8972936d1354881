/** Every decoder of bytes that a peer, a file or a user may have made, with samples of what it is meant for. */
import fc from "fast-check";
import { decodeBlock, encodeBlockParts } from "../../chain/block.ts";
import { decodeList, elementAt, encodeList } from "../../chain/byteList.ts";
import { decodeTransaction, encodeTransaction } from "../../chain/transaction.ts";
import { decodePayload, decodeSyncMessage, encodeRangeResponsePayload } from "../../consensus/messages.ts";
import { encodeCredit, readCredit, readPing } from "../../net/link/control.ts";
import { type FrameType, FrameReader, HEADER_BYTES, writeHeader } from "../../net/link/frame.ts";
import { encodeClose, encodeInit, readClose, readInit } from "../../net/link/init.ts";
import { HeaderScanner } from "../../net/link/muxer.ts";
import { decodeEnvelope, encodeEnvelope } from "../../net/transport/envelope.ts";
import { decodeAddressRecords, encodeAddressRecords, makeAddressRecord } from "../../net/transport/addressMessages.ts";
import { scopeOf } from "../../net/transport/addressScope.ts";
import { decodeRouting } from "../../net/transport/routeMessages.ts";
import { decodeTreeMessage } from "../../net/transport/treeMessages.ts";
import { concatBytes, EMPTY_BYTES, equalBytes, fromUtf8, toHex, utf8 } from "../../src/base/bytes.ts";
import type { Message } from "../../src/base/codec.ts";
import { decodeKvPayload, encodeKvPayload } from "../../src/node/applications/kvPayload.ts";
import { resolveConfig } from "../../src/node/config.ts";
import { configTemplate } from "../../src/node/configTemplate.ts";
import { DEFAULT_LIMITS, parseGenesisText } from "../../src/node/genesisFile.ts";
import { jsonLines, lengthPrefixed } from "../../src/node/http/batchLines.ts";
import { Nonces, transactionFromJson } from "../../src/node/http/transactionJson.ts";
import { Dice } from "../../tools/sim/dice.ts";
import { allEncodings } from "../proto/encodings.ts";
import { parseProposal, type ProposalFile, proposalText } from "../../src/node/proposalFile.ts";
import { exportedCodecs } from "../proto/schema.ts";

export interface Target {
  readonly name: string;
  readonly samples: readonly Uint8Array[];
  /** Decodes; throws, as the decoder itself never may, where what it took is not written again as it was. */
  readonly run: (bytes: Uint8Array) => void;
}

const CHAIN_ID = "ab".repeat(32);
const KEY = "cd".repeat(32);
const SAMPLES = 40;
/** Of the samples only: inputs come from the run's own seed. */
const SAMPLES_SEED = 1;

export async function decoderTargets(): Promise<readonly Target[]> {
  const codecs = await exportedCodecs();
  const encodings = await allEncodings();
  const samplesOf = (title: string): readonly Uint8Array[] => {
    const encoding = encodings.find((each) => each.title === title);
    if (encoding === undefined) throw new Error(`no encoding ${title}`);
    return fc.sample(encoding.samples, { numRuns: SAMPLES, seed: SAMPLES_SEED }).map(({ bytes }) => bytes);
  };
  const all = encodings.flatMap(({ title }) => samplesOf(title));
  return [
    ...[...codecs.values()].map((codec) => ofCodec(codec, samplesOf(`codec ${codec.name}`))),
    ...chainTargets(samplesOf),
    ...messageTargets(all),
    ...linkTargets(all),
    ...textTargets(samplesOf("encodeTransaction, decodeTransaction")),
  ];
}

function ofCodec(codec: Message<unknown>, samples: readonly Uint8Array[]): Target {
  return {
    name: `codec ${codec.name}`,
    samples,
    run: (bytes) => {
      const decoded = codec.decode(bytes);
      if (decoded.ok) same(codec.encode(decoded.value), bytes);
    },
  };
}

function chainTargets(samplesOf: (title: string) => readonly Uint8Array[]): Target[] {
  return [
    {
      name: "transaction",
      samples: samplesOf("encodeTransaction, decodeTransaction"),
      run: (bytes) => {
        const decoded = decodeTransaction(bytes);
        if (decoded.ok) same(encodeTransaction(decoded.value), bytes);
      },
    },
    {
      name: "block",
      samples: samplesOf("encodeBlockParts, decodeBlock"),
      run: (bytes) => {
        const decoded = decodeBlock(bytes);
        if (decoded.ok) same(concatBytes(...encodeBlockParts(decoded.value)), bytes);
      },
    },
    {
      name: "list",
      samples: samplesOf("encodeList, decodeList"),
      run: (bytes) => {
        const decoded = decodeList(bytes, { maxCount: 1000, maxElementBytes: 1000 });
        if (!decoded.ok) return;
        const elements = Array.from({ length: decoded.value.count }, (_, i) => elementAt(decoded.value, i));
        same(encodeList(elements).buffer, bytes);
      },
    },
    {
      name: "range response",
      samples: samplesOf("encodeRangeResponsePayload, decodePayload"),
      run: (bytes) => {
        const frame = concatBytes(Uint8Array.of(36), bytes);
        const decoded = decodePayload(CHAIN_ID, frame);
        if (!decoded.ok || decoded.value.kind !== "rangeResponse") return;
        const { blocks, proof } = decoded.value.response;
        const parts = Array.from({ length: blocks.count }, (_, i) => decodeBlock(elementAt(blocks, i)));
        // A block in it may still be none: that is judged one by one.
        const whole = parts.flatMap((part) => (part.ok ? [part.value] : []));
        if (whole.length === blocks.count) same(encodeRangeResponsePayload(whole, proof), frame);
      },
    },
    {
      name: "kv payload",
      samples: samplesOf("encodeKvPayload, decodeKvPayload"),
      run: (bytes) => {
        const decoded = decodeKvPayload(bytes);
        if (decoded.ok) same(encodeKvPayload(decoded.value), bytes);
      },
    },
  ];
}

/** A kind byte and a message: whatever message stands behind whatever kind. */
function messageTargets(messages: readonly Uint8Array[]): Target[] {
  const kinded = messages.map((bytes, i) => concatBytes(Uint8Array.of(i % 50), bytes));
  const envelope = { source: KEY, destinations: [CHAIN_ID], ttl: 3, broadcast: false };
  return [
    { name: "payload", samples: kinded, run: (bytes) => void decodePayload(CHAIN_ID, bytes) },
    { name: "sync message", samples: kinded, run: (bytes) => void decodeSyncMessage(bytes) },
    { name: "routing message", samples: kinded, run: (bytes) => void decodeRouting(bytes) },
    { name: "address records", samples: addressRecords(), run: readAddressRecords },
    { name: "tree message", samples: kinded, run: (bytes) => void decodeTreeMessage(bytes) },
    {
      name: "envelope",
      samples: kinded.map((payload) => concatBytes(...encodeEnvelope(envelope, payload))),
      run: (bytes) => {
        const opened = decodeEnvelope(bytes);
        if (opened !== undefined) same(concatBytes(...encodeEnvelope(opened.envelope, opened.payload)), bytes);
      },
    },
  ];
}

function addressRecords(): Uint8Array[] {
  const addresses = ["/ip4/192.0.2.1/tcp/26600", "/ip6/fd00::1/tcp/1", "/dns/node.example/tcp/26600"];
  const records = [1, 2, 3].map((count) =>
    makeAddressRecord(KEY, 10 ** count, addresses.slice(0, count), () => new Uint8Array(64)),
  );
  return records.map((_, i) => encodeAddressRecords(records.slice(0, i + 1)));
}

function readAddressRecords(bytes: Uint8Array): void {
  const records = decodeAddressRecords(bytes);
  if (records === undefined) return;
  same(encodeAddressRecords(records), bytes);
  for (const address of records.flatMap((record) => record.addresses)) scopeOf(address);
}

const INIT = {
  versionMajor: 1,
  versionMinor: 0,
  chainId: CHAIN_ID,
  features: ["a"],
  name: "n",
  role: "producer" as const,
  listenAddresses: ["/ip4/127.0.0.1/tcp/1"],
  firstHeight: 0,
  irreversibleHeight: 7,
  startNonce: "0123456789abcdef",
  startedAt: 1,
};

function linkTargets(messages: readonly Uint8Array[]): Target[] {
  const framed = (payload: Uint8Array, type: number): Uint8Array => {
    const frame = new Uint8Array(HEADER_BYTES + payload.length);
    writeHeader(frame, type as FrameType, payload.length);
    frame.set(payload, HEADER_BYTES);
    return frame;
  };
  return [
    {
      name: "init",
      samples: [encodeInit(INIT)],
      run: (bytes) => {
        const read = readInit(bytes, INIT);
        if (read.ok) encodeInit(read.value);
      },
    },
    { name: "close", samples: [encodeClose("misbehaviour", "so")], run: (bytes) => void readClose(bytes) },
    {
      name: "credit and ping",
      samples: [encodeCredit("bulk", { readBytes: 2 ** 40, windowBytes: 2 ** 20 }), Uint8Array.of(1, 2, 3, 4)],
      run: (bytes) => {
        readPing(bytes);
        const read = readCredit(bytes);
        if (read !== undefined) same(encodeCredit(read.lane, read.credit), bytes);
      },
    },
    {
      name: "frame reader",
      samples: messages.map((bytes, i) =>
        concatBytes(framed(bytes, 2), framed(EMPTY_BYTES, 6), framed(bytes, 1 + (i % 8))),
      ),
      run: assertSplitIsNoMatter,
    },
    {
      name: "yamux header scanner",
      samples: messages.map((bytes) => concatBytes(Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9), bytes)),
      run: (bytes) => {
        const whole = new HeaderScanner(1000);
        whole.push(bytes);
        const single = new HeaderScanner(1000);
        for (let i = 0; i < bytes.length; i++) single.push(bytes.subarray(i, i + 1));
        if (whole.fault !== single.fault) throw new Error(`in one piece ${whole.fault}, in bytes ${single.fault}`);
      },
    },
  ];
}

const FRAME_MAX_BYTES = 10_000;

/** The same frames, and the same fault, in whatever pieces the bytes come. */
function assertSplitIsNoMatter(bytes: Uint8Array): void {
  const read = (sizes: () => number): string => {
    const seen: string[] = [];
    const reader = new FrameReader(
      (type, length) =>
        type === 0 || type > 7 || length > FRAME_MAX_BYTES
          ? { reason: "undecodable", detail: `${type} ${length}` }
          : undefined,
      (type, payload) => seen.push(`${type} ${toHex(payload)}`),
    );
    let fault: string | undefined;
    for (let at = 0, size = 0; at < bytes.length && fault === undefined; at += size) {
      size = sizes();
      fault = reader.push(bytes.subarray(at, at + size))?.detail;
    }
    return `${seen.join("\n")}\n${fault}`;
  };
  const dice = new Dice(bytes.length);
  if (read(() => bytes.length) !== read(() => dice.integer(1, 40))) throw new Error("frames depend on the pieces");
}

const PROPOSAL: ProposalFile = {
  chainId: KEY,
  proposal: { base: KEY, changesBefore: 1, producers: [{ key: KEY, name: "p", address: "127.0.0.1:1" }] },
  approvals: [],
};

function textTargets(transactions: readonly Uint8Array[]): Target[] {
  const put = `{"put":{"key":"a","value":"b"},"expiresAt":5}`;
  const requests = [
    put,
    `{"put":{"key":"a","value":"b"}}`,
    `{"delete":{"key":{"base64url":"YQ"}},"nonce":"AAAAAAAAAAAAAAAAAAAAAA"}`,
    `[{"compareAndSet":{"key":"k","expectedVersion":3,"value":{"base64url":"YQ"}}},{"put":{"key":"x","value":""}}]`,
  ];
  const nonces = new Nonces();
  const genesis = JSON.stringify({
    name: "net",
    time: 1_700_000_000_000,
    engine: "raft",
    producers: [{ name: "p", key: KEY, address: "127.0.0.1:1" }],
    application: { name: "kv", initialState: {} },
    limits: DEFAULT_LIMITS,
  });
  return [
    ofText("genesis file", [genesis], (text) => void parseGenesisText(text)),
    ofText("proposal of producers", [proposalText(PROPOSAL)], (text) => void parseProposal(text)),
    ofText("config file", [configTemplate({})], (text) => void resolveConfig(text, "config.toml", {})),
    ofText("transaction as JSON", requests, (text) => {
      const value = parsed(text);
      if (value === undefined) return;
      const made = transactionFromJson(value, nonces, 1_700_000_000_000);
      if (!made.ok) return;
      const decoded = decodeTransaction(made.value);
      if (!decoded.ok) throw new Error(`made a transaction that does not decode: ${decoded.error.code}`);
    }),
    {
      name: "batch of JSON lines",
      samples: [utf8(`${requests.join("\n")}\n`)],
      run: (bytes) => drain(jsonLines(Buffer.from(bytes), nonces, 1_700_000_000_000)),
    },
    {
      name: "batch of encoded transactions",
      samples: transactions.map((bytes) => encodeList([bytes, bytes]).buffer),
      run: (bytes) => drain(lengthPrefixed(Buffer.from(bytes))),
    },
  ];
}

function ofText(name: string, samples: readonly string[], run: (text: string) => void): Target {
  return {
    name,
    samples: samples.map(utf8),
    run: (bytes) => {
      const text = fromUtf8(bytes);
      if (text !== undefined) run(text);
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function drain(items: Iterable<unknown>): void {
  for (const _ of items);
}

function same(again: Uint8Array, bytes: Uint8Array): void {
  if (!equalBytes(again, bytes)) throw new Error(`taken, but written again as ${toHex(again)}`);
}
