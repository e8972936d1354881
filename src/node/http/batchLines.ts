/**
 * The body of a batch in its parts: JSON lines, or encoded transactions each behind its length as a varint. What is no
 * transaction is an error in its place; the others go on.
 */
import { isUtf8 } from "node:buffer";
import { scanVarint } from "../../../chain/scan.ts";
import { transactionFromJson, type Nonces } from "./transactionJson.ts";
import { invalidLine } from "./resultJson.ts";

/** An encoded transaction, or the line that answers what is none. */
export type BatchItem = Uint8Array | string;

const NEWLINE = 0x0a;
/** Items of JSON lines; empty lines are passed over. */
export function* jsonLines(body: Buffer, nonces: Nonces, expiresAt: number): Generator<BatchItem, void, undefined> {
  const isText = isUtf8(body); // of the whole is cheaper than of each line; only when not, each is looked at
  let start = 0;
  while (start < body.length) {
    const found = body.indexOf(NEWLINE, start);
    const end = found === -1 ? body.length : found;
    const isLineText = isText || isUtf8(body.subarray(start, end));
    const line = isLineText ? body.toString("utf8", start, end).trim() : undefined;
    start = end + 1;
    if (line !== "") yield lineItem(line, nonces, expiresAt);
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

/** Items of length-prefixed transactions. Where a length is wrong nothing behind it can be found. */
export function* lengthPrefixed(body: Buffer): Generator<BatchItem, void, undefined> {
  let at = 0;
  while (at < body.length) {
    const length = scanVarint(body, at);
    if (length === undefined || length.end + length.value > body.length) {
      yield invalidLine(
        "BATCH_CUT_SHORT",
        `at byte ${at}: no length, or fewer bytes than it says; the rest is not read`,
      );
      return;
    }
    at = length.end + length.value;
    // A copy: the transaction may wait for long, and must not keep the whole batch in memory.
    yield Uint8Array.prototype.slice.call(body, length.end, at);
  }
}
