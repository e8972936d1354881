/**
 * Blocks as a stream of bytes and back: `inspect export` and what reads it. Two formats:
 *
 *  jsonl     a block a line, as `GET /v1/blocks/{ref}` gives it, with receipts and certificate
 *  protobuf  encoded `Block` messages (proto/chain.proto), each behind its length as a varint
 *
 * One block is in memory at a time, whatever reads or writes at the other end.
 */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import * as lengthPrefixed from "it-length-prefixed";
import { pipe } from "it-pipe";
import { BLOCK_MAX_BYTES, decodeBlock, encodeBlockParts } from "../../chain/block.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { blockOfJson, type ReadBlock } from "./blockOfJson.ts";

export type ExportFormat = "jsonl" | "protobuf";

/** A block about to be written, as the format asks for it. */
export interface ExportedBlock {
  readonly read: () => ReadBlock;
  readonly json: () => string;
}

/** Takes chunks one by one; resolves when it can take the next. */
export type Sink = (chunk: Uint8Array) => Promise<void>;

/** Chunks are put together up to this many bytes: a write is a call to the kernel. */
const CHUNK_BYTES = 64 * 1024;
const NEWLINE = Buffer.from("\n");

/** Writes blocks in order; resolves with their number. */
export async function exportBlocks(
  blocks: AsyncIterable<ExportedBlock>,
  format: ExportFormat,
  sink: Sink,
): Promise<number> {
  let count = 0;
  const counted = async function* (): AsyncGenerator<ExportedBlock, void, undefined> {
    for await (const block of blocks) {
      yield block;
      count++;
    }
  };
  const drain = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const chunk of chunks) await sink(chunk);
  };
  if (format === "jsonl") await pipe(counted, toLines, inChunks, drain);
  else await pipe(counted, toMessages, (source) => lengthPrefixed.encode(source), toArrays, inChunks, drain);
  return count;
}

/** Blocks of a stream of either format, undecoded lists and all checked against their headers; throws ExportError. */
export async function* readExport(
  source: AsyncIterable<Uint8Array>,
  format: ExportFormat,
): AsyncGenerator<ReadBlock, void, undefined> {
  let number = 0;
  for await (const read of format === "jsonl" ? readLines(source) : readMessages(source)) {
    number++;
    if (!read.ok) throw new ExportError(`${format === "jsonl" ? "line" : "message"} ${number}: ${read.error}`);
    yield read.value;
  }
}

/** What is read is no export, or a damaged one. */
export class ExportError extends Error {
  override readonly name = "ExportError";
}

async function* toLines(blocks: AsyncIterable<ExportedBlock>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { json } of blocks) {
    yield Buffer.from(json());
    yield NEWLINE;
  }
}

async function* toMessages(blocks: AsyncIterable<ExportedBlock>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { read } of blocks) yield concatBytes(...encodeBlockParts(read().block));
}

async function* toArrays(
  lists: AsyncIterable<{ subarray(): Uint8Array }>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const list of lists) yield list.subarray();
}

async function* inChunks(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of parts) {
    waiting.push(part);
    bytes += part.length;
    if (bytes < CHUNK_BYTES) continue;
    yield concatBytes(...waiting);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield concatBytes(...waiting);
}

async function* readLines(source: AsyncIterable<Uint8Array>) {
  for await (const line of createInterface({ input: Readable.from(source), crlfDelay: Infinity })) {
    if (line === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      yield { ok: false, error: "it is not JSON" } as const;
      return;
    }
    yield blockOfJson(value);
  }
}

async function* readMessages(source: AsyncIterable<Uint8Array>) {
  const messages = lengthPrefixed.decode(source, { maxDataLength: BLOCK_MAX_BYTES });
  try {
    for await (const list of messages) {
      const block = decodeBlock(list.subarray());
      if (block.ok) yield { ok: true, value: { block: block.value, certificate: undefined } } as const;
      else
        yield {
          ok: false,
          error: block.error.code === "UNDECODABLE" ? block.error.detail : "body and header differ",
        } as const;
    }
  } catch (error) {
    yield { ok: false, error: error instanceof Error ? error.message : String(error) } as const;
  }
}
