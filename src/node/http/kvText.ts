/** Bytes of the key-value application as JSON: text where they are UTF-8, `{"base64url": ...}` where not. */
import {
  decodeChangeReceipt,
  decodeProducerChange,
  type ProducerChangeReceipt,
} from "../../../chain/producerChange.ts";
import { toHex, utf8 } from "../../base/bytes.ts";
import { decodeKvPayload, type KvReceipt, type Operation, receiptToJson } from "../applications/kvPayload.ts";
import { HttpError } from "./errors.ts";

export type BytesJson = string | { readonly base64url: string };

// A byte order mark is a character like others: without it the text would name another key.
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of UTF-8 bytes, exactly; undefined when they are none. */
export function exactText(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined; // not UTF-8
  }
}

export function bytesJson(bytes: Uint8Array): BytesJson {
  return exactText(bytes) ?? { base64url: base64url(bytes) };
}

export function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

/** Bytes that a parameter of a request names. Throws HttpError for what is no base64url. */
export function keyBytes(text: string, encoding: "utf-8" | "base64url", what: string): Uint8Array {
  if (encoding === "utf-8") return utf8(text);
  const bytes = Buffer.from(text, "base64url");
  if (base64url(bytes) === text) return bytes;
  throw new HttpError(400, "INVALID_REQUEST", `${what}: must be unpadded base64url text`);
}

/** Operations as a submitter would write them; undefined for a payload that is not of this application. */
export function operationsJson(payload: Uint8Array): unknown[] | undefined {
  const decoded = decodeKvPayload(payload);
  return decoded.ok ? decoded.value.map(operationJson) : undefined;
}

function operationJson(operation: Operation): unknown {
  const key = bytesJson(operation.key);
  switch (operation.kind) {
    case "put":
      return { put: { key, value: bytesJson(operation.value) } };
    case "delete":
      return { delete: { key } };
    case "compareAndSet":
      return { compareAndSet: { key, expectedVersion: operation.expectedVersion, value: bytesJson(operation.value) } };
  }
}

/**
 * A receipt for people: of a change of the producer set, or of the application; its bytes in base64url when the application
 * is another or the receipt is not its.
 */
export function receiptJson(receipt: Uint8Array, isKv: boolean): KvReceipt | ProducerChangeReceipt | string {
  return decodeChangeReceipt(receipt) ?? (isKv ? receiptToJson(receipt) : undefined) ?? base64url(receipt);
}

/** What a payload asks of the producer set; undefined when it is the application's, or does not decode. */
export function producerChangeJson(payload: Uint8Array) {
  const change = decodeProducerChange(payload);
  if (change === undefined) return undefined;
  const { proposal, approvals } = change;
  return { ...proposal, approvedBy: approvals.map(({ producer }) => producer) };
}

let lastReceipt = { hex: "", isKv: false, text: "" };

/** The same as JSON text. Transactions of one block mostly have equal receipts, so the last one is kept. */
export function receiptText(receipt: Uint8Array, isKv: boolean): string {
  const hex = toHex(receipt);
  if (lastReceipt.hex !== hex || lastReceipt.isKv !== isKv) {
    lastReceipt = { hex, isKv, text: JSON.stringify(receiptJson(receipt, isKv)) };
  }
  return lastReceipt.text;
}
