/**
 * A block as JSON text, in pieces: a block of 20,000 transactions is tens of megabytes of text, and the event loop must
 * not stand still meanwhile. The inspection tool writes blocks the same way.
 */
import { Readable } from "node:stream";
import { setImmediate as eventLoop } from "node:timers/promises";
import { elementAt } from "../../../chain/byteList.ts";
import type { Header } from "../../../chain/header.ts";
import { decodeTransaction } from "../../../chain/transaction.ts";
import { toHex } from "../../base/bytes.ts";
import { HASH_BYTES } from "../../base/hash.ts";
import type { BlockView } from "../api.ts";
import { base64url, operationsJson, producerChangeJson, receiptText } from "./kvText.ts";
import { CHUNK_BYTES, JSON_SLICE } from "./limits.ts";

export interface BlockJsonOptions {
  readonly isKv: boolean;
  /** False: without transactions and receipts. */
  readonly transactions: boolean;
  /** Indexes of the transactions that are shown with their receipts; all when it is left out. */
  readonly only?: readonly number[];
}

/** The header's fields by their names in the documentation. */
export function headerJson(header: Header) {
  const { configuration, nextConfiguration, closing, entryHash, proofHash, ...rest } = header;
  return {
    ...rest,
    config: configuration,
    ...(nextConfiguration === undefined ? {} : { nextConfig: nextConfiguration }),
    closing,
    ...(entryHash === undefined ? {} : { entryHash }),
    ...(proofHash === undefined ? {} : { proofHash }),
  };
}

/** JSON text of a block, cut between transactions. */
export function* blockJson(view: BlockView, options: BlockJsonOptions): Generator<string, void, undefined> {
  const { block, status, receipts, certificate } = view;
  const head = {
    height: block.header.height,
    id: block.id,
    status,
    header: headerJson(block.header),
    signature: base64url(block.signature),
    ...(block.nextConfiguration === undefined ? {} : { nextProducers: block.nextConfiguration.producers }),
    ...(block.entry === undefined ? {} : { entry: base64url(block.entry) }),
    ...(block.proof === undefined ? {} : { proof: base64url(block.proof) }),
    certificate: certificate === undefined || certificate.length === 0 ? null : base64url(certificate),
    transactionCount: block.transactions.count,
  };
  const text = JSON.stringify(head);
  if (!options.transactions) {
    yield text;
    return;
  }
  const { isKv, only } = options;
  const count = only?.length ?? block.transactions.count;
  const shown = (position: number): number => only?.[position] ?? position;
  yield `${text.slice(0, -1)},"transactions":[`;
  yield* inSlices(count, (position) => JSON.stringify(transactionJson(view, shown(position), isKv)));
  if (receipts === undefined) yield '],"receipts":null}';
  else {
    yield '],"receipts":[';
    yield* inSlices(count, (position) => receiptText(receipts[shown(position)] as Uint8Array, isKv));
    yield "]}";
  }
}

/** Several blocks, and where the next request begins. */
export function* blockListJson(
  views: readonly BlockView[],
  next: number | null,
  options: BlockJsonOptions,
): Generator<string, void, undefined> {
  yield '{"blocks":[';
  for (const [index, view] of views.entries()) {
    if (index > 0) yield ",";
    yield* blockJson(view, options);
  }
  yield `],"next":${next}}`;
}

/** What a transaction is, apart from where. */
export function transactionContentJson(bytes: Uint8Array, isKv: boolean) {
  const decoded = decodeTransaction(bytes);
  if (!decoded.ok) return { bytes: base64url(bytes) };
  const { payload, nonce, expiresAt, author, signature } = decoded.value;
  const producerChange = producerChangeJson(payload);
  const operations = isKv && producerChange === undefined ? operationsJson(payload) : undefined;
  return {
    bytes: base64url(bytes),
    nonce: toHex(nonce),
    expiresAt,
    payload: base64url(payload),
    ...(author === undefined || signature === undefined ? {} : { author, signature: base64url(signature) }),
    ...(operations === undefined ? {} : { operations }),
    ...(producerChange === undefined ? {} : { producerChange }),
  };
}

/** The pieces as a stream of chunks that waits for a slow reader and, at each, for the event loop. */
export function chunksOf(pieces: Iterable<string> | AsyncIterable<string>): Readable {
  const source = async function* (): AsyncGenerator<Buffer, void, undefined> {
    for await (const piece of pieces) {
      yield* bufferChunks(Buffer.from(piece));
      await eventLoop();
    }
  };
  return Readable.from(source());
}

/** Bytes in chunks: whether a reader comes on is seen at each. */
export function* bufferChunks(bytes: Buffer): Generator<Buffer, void, undefined> {
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) yield bytes.subarray(start, start + CHUNK_BYTES);
}

function transactionJson({ block }: BlockView, index: number, isKv: boolean) {
  const id = toHex(block.transactionIds.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES));
  return { id, index, ...transactionContentJson(elementAt(block.transactions, index), isKv) };
}

/** Elements with commas between them, in pieces of some hundred elements or of {@link CHUNK_BYTES}. */
function* inSlices(count: number, textOf: (index: number) => string): Generator<string, void, undefined> {
  let piece = "";
  for (let index = 0; index < count; index++) {
    piece += `${index === 0 ? "" : ","}${textOf(index)}`;
    if (piece.length < CHUNK_BYTES && index % JSON_SLICE !== JSON_SLICE - 1) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}
