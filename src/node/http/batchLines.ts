/**
 * The body of a batch in its parts: JSON lines, or encoded transactions each behind its length as a varint. What is no
 * transaction is an error in its place; the others go on.
 */
import { isUtf8 } from "node:buffer";
import { type ByteRange, scanVarint } from "../../../chain/scan.ts";
import { transactionFromJson, type Nonces } from "./transactionJson.ts";
import { invalidLine } from "./resultJson.ts";

/** An encoded transaction, or the line that answers what is none. */
export type BatchItem = Uint8Array | string;

/** Offset of a length that is none, or longer than what follows it. */
interface CutShort {
  readonly at: number;
}

const NEWLINE = 0x0a;
/** What JSON allows between its tokens: space, tab, carriage return. */
const BLANKS: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0d]);

/** Where the lines are; blank ones are passed over. Nothing is parsed. */
export function* lineRanges(body: Buffer): Generator<ByteRange, void, undefined> {
  for (let start = 0; start < body.length;) {
    const found = body.indexOf(NEWLINE, start);
    const end = found === -1 ? body.length : found;
    let first = start;
    while (first < end && BLANKS.has(body[first])) first++;
    if (first < end) yield { start: first, end };
    start = end + 1;
  }
}

/** Where the transactions are. Behind a length that is wrong nothing can be found. */
export function* prefixedRanges(body: Buffer): Generator<ByteRange | CutShort, void, undefined> {
  for (let at = 0; at < body.length;) {
    const length = scanVarint(body, at);
    if (length === undefined || length.end + length.value > body.length) return yield { at };
    const { end: start, value } = length;
    at = start + value;
    yield { start, end: at };
  }
}

/** Whether there are more parts than that; no more are looked at. */
export function hasMoreThan(most: number, parts: Iterator<unknown>): boolean {
  for (let i = 0; i <= most; i++) if (parts.next().done === true) return false;
  return true;
}

/** Items of JSON lines. */
export function* jsonLines(body: Buffer, nonces: Nonces, expiresAt: number): Generator<BatchItem, void, undefined> {
  const isText = isUtf8(body); // of the whole is cheaper than of each line; only when not, each is looked at
  for (const { start, end } of lineRanges(body)) {
    const isLineText = isText || isUtf8(body.subarray(start, end));
    yield lineItem(isLineText ? body.toString("utf8", start, end) : undefined, nonces, expiresAt);
  }
}

function lineItem(line: string | undefined, nonces: Nonces, expiresAt: number): BatchItem {
  if (line === undefined) return invalidLine("NOT_JSON", "the line is not UTF-8");
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return invalidLine("NOT_JSON", "the line is not JSON");
  }
  const transaction = transactionFromJson(value, nonces, expiresAt);
  return transaction.ok ? transaction.value : invalidLine(transaction.error.code, transaction.error.message);
}

/** Items of length-prefixed transactions. */
export function* lengthPrefixed(body: Buffer): Generator<BatchItem, void, undefined> {
  for (const part of prefixedRanges(body)) {
    if ("at" in part) {
      const message = `at byte ${part.at}: no length, or fewer bytes than it says; the rest is not read`;
      yield invalidLine("BATCH_CUT_SHORT", message);
    }
    // A copy: the transaction may wait for long, and must not keep the whole batch in memory.
    else yield Uint8Array.prototype.slice.call(body, part.start, part.end);
  }
}
