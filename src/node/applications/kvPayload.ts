/**
 * What the key-value application reads and writes as bytes: transactions, receipts and the values of its state. Pure:
 * execution uses it, so it must give the same on every node.
 *
 *     message KvTransaction { repeated Operation operations = 1; }              // 1 to 1000, all or none
 *     message Operation { Put put = 1; Delete delete = 2; CompareAndSet compareAndSet = 3; }  // exactly one
 *     message Put { bytes key = 1; bytes value = 2; }                           // key 1 to 1024 bytes
 *     message Delete { bytes key = 1; }
 *     message CompareAndSet { bytes key = 1; uint64 expectedVersion = 2; bytes value = 3; }
 *     message KvReceipt { bool ok = 1; uint64 version = 2; uint64 failedOperation = 3; }
 */
import { scanLengthDelimited } from "../../../chain/scan.ts";
import { bool, bytes, type Decoded, message, nested, optional, repeated, uint } from "../../base/codec.ts";
import { EMPTY_BYTES } from "../../base/bytes.ts";
import { Slabs } from "../../base/memory.ts";
import { err, ok, type Result } from "../../base/result.ts";

export const KV_LIMITS = {
  /** Operations of one transaction. */
  operations: 1000,
  keyBytes: 1024,
  valueBytes: 1024 * 1024,
} as const;

/** One step of a transaction. Versions are heights: of the block that wrote last, 0 for an absent key. */
export type Operation =
  | { readonly kind: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: "delete"; readonly key: Uint8Array }
  | {
      readonly kind: "compareAndSet";
      readonly key: Uint8Array;
      readonly expectedVersion: number;
      readonly value: Uint8Array;
    };

/** Why a payload is no transaction of this application. */
export interface KvPayloadError {
  readonly code: "KV_UNDECODABLE" | "KV_INVALID";
  readonly message: string;
}

const key = bytes(1, KV_LIMITS.keyBytes);
const operationMessage = message("Operation", {
  put: optional(nested(1, message("Put", { key, value: bytes(2, KV_LIMITS.valueBytes) }))),
  delete: optional(nested(2, message("Delete", { key }))),
  compareAndSet: optional(
    nested(3, message("CompareAndSet", { key, expectedVersion: uint(2), value: bytes(3, KV_LIMITS.valueBytes) })),
  ),
});
export const transactionMessage = message("KvTransaction", {
  operations: repeated(nested(1, operationMessage), KV_LIMITS.operations),
});

/**
 * Encodes 1 to 1000 operations.
 *
 * @throws RangeError when there is none, or a key, value or version is out of its bounds: the caller has checked.
 */
export function encodeKvPayload(operations: readonly Operation[]): Uint8Array {
  if (operations.length === 0) throw new RangeError("a transaction has at least one operation");
  for (const { key } of operations) if (key.length === 0) throw new RangeError("a key has at least one byte");
  return transactionMessage.encode({ operations: operations.map(wireOf) });
}

function wireOf(operation: Operation): Decoded<typeof operationMessage> {
  switch (operation.kind) {
    case "put":
      return { put: operation };
    case "delete":
      return { delete: operation };
    case "compareAndSet":
      return { compareAndSet: operation };
  }
}

/** The operations of a payload, strictly; keys and values are views of it. */
export function decodeKvPayload(payload: Uint8Array): Result<readonly Operation[], KvPayloadError> {
  const put = scanSinglePut(payload);
  if (put !== undefined) return ok([put]);
  const decoded = transactionMessage.decode(payload);
  if (!decoded.ok) return err({ code: "KV_UNDECODABLE", message: decoded.error.detail });
  if (decoded.value.operations.length === 0) return invalid("no operation");
  const operations: Operation[] = [];
  for (const [index, wire] of decoded.value.operations.entries()) {
    const operation = operationOf(wire);
    if (operation === undefined) return invalid(`operation ${index}: not exactly one of put, delete, compareAndSet`);
    if (operation.key.length === 0) return invalid(`operation ${index}: an empty key`);
    operations.push(operation);
  }
  return ok(operations);
}

function invalid(message: string): Result<never, KvPayloadError> {
  return err({ code: "KV_INVALID", message });
}

function operationOf(wire: Decoded<typeof operationMessage>): Operation | undefined {
  const { put, delete: deletion, compareAndSet } = wire;
  if (put !== undefined && deletion === undefined && compareAndSet === undefined) return { kind: "put", ...put };
  if (put === undefined && deletion !== undefined && compareAndSet === undefined)
    return { kind: "delete", ...deletion };
  if (put === undefined && deletion === undefined && compareAndSet !== undefined) {
    return { kind: "compareAndSet", ...compareAndSet };
  }
  return undefined;
}

const FIRST_FIELD = 0x0a; // number 1, length-delimited
const SECOND_FIELD = 0x12;

/**
 * The put of a payload that holds one put and nothing else, the usual transaction: a sixth of the general decoder's
 * cost. Accepts only what that accepts, to the byte; undefined for anything else, an error included.
 */
function scanSinglePut(payload: Uint8Array): Operation | undefined {
  const end = payload.length;
  const operation = scanLengthDelimited(payload, 0, FIRST_FIELD);
  if (operation?.end !== end) return undefined;
  const put = scanLengthDelimited(payload, operation.start, FIRST_FIELD);
  if (put?.end !== end) return undefined;
  const key = scanLengthDelimited(payload, put.start, FIRST_FIELD);
  if (key === undefined || key.end === key.start || key.end - key.start > KV_LIMITS.keyBytes) return undefined;
  const keyBytes = payload.subarray(key.start, key.end);
  if (key.end === end) return { kind: "put", key: keyBytes, value: EMPTY_BYTES };
  const value = scanLengthDelimited(payload, key.end, SECOND_FIELD);
  // An empty value is left out of the one valid encoding.
  if (value?.end !== end || value.start === end || end - value.start > KV_LIMITS.valueBytes) return undefined;
  return { kind: "put", key: keyBytes, value: payload.subarray(value.start, end) };
}

/** What became of a transaction. */
export type KvReceipt =
  /** All operations were done; keys written have `version`, the height of the block. */
  | { readonly ok: true; readonly version: number }
  /** None was done: `compareAndSet` number `failedOperation` found `version` (0: absent, or of the genesis). */
  | { readonly ok: false; readonly version: number; readonly failedOperation: number };

export const receiptMessage = message("KvReceipt", { ok: bool(1), version: uint(2), failedOperation: uint(3) });

export function encodeKvReceipt(receipt: KvReceipt): Uint8Array {
  return receiptMessage.encode({ failedOperation: 0, ...receipt });
}

/** The receipt of its bytes, ready for JSON; undefined when they are none of this application. */
export function receiptToJson(receipt: Uint8Array): KvReceipt | undefined {
  const decoded = receiptMessage.decode(receipt);
  if (!decoded.ok) return undefined;
  const { ok, version, failedOperation } = decoded.value;
  if (!ok) return { ok, version, failedOperation };
  return failedOperation === 0 ? { ok, version } : undefined;
}

/** Bytes of the version in front of a value of the state, big-endian. */
const VERSION_BYTES = 8;

const slabs = new Slabs();

/** A value of the state: its version and what was put. */
export function encodeKvValue(version: number, value: Uint8Array): Uint8Array {
  const stateValue = slabs.take(VERSION_BYTES + value.length);
  let rest = version;
  for (let i = VERSION_BYTES - 1; rest > 0; i--) {
    stateValue[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  stateValue.set(value, VERSION_BYTES);
  return stateValue;
}

/** @throws Error for bytes that {@link encodeKvValue} did not write: the state is damaged. */
export function decodeKvValue(stateValue: Uint8Array): { readonly version: number; readonly value: Uint8Array } {
  return { version: kvVersionOf(stateValue), value: stateValue.subarray(VERSION_BYTES) };
}

export function kvVersionOf(stateValue: Uint8Array): number {
  if (stateValue.length < VERSION_BYTES) throw new Error(`a kv state value of ${stateValue.length} bytes`);
  let version = 0;
  for (let i = 0; i < VERSION_BYTES; i++) version = version * 256 + (stateValue[i] as number);
  return version;
}
