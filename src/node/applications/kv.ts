/**
 * The built-in key-value application: put, delete and compare-and-set of byte keys, any number of them in one
 * transaction, all or none. A key's version is the height of the block that wrote it last.
 *
 * A compare-and-set that finds another version fails with a receipt and without effect, but its transaction is in the
 * chain: that it failed is part of the history.
 */
import {
  type Application,
  type ApplicationRefusal,
  type ExecutionContext,
  type StateAccess,
  type StateView,
  TransactionFailed,
} from "../../../chain/application.ts";
import { EMPTY_BYTES, toBinaryString, utf8 } from "../../base/bytes.ts";
import { err, ok, type Result } from "../../base/result.ts";
import {
  decodeKvPayload,
  encodeKvReceipt,
  encodeKvValue,
  KV_LIMITS,
  type KvReceipt,
  kvVersionOf,
  type Operation,
} from "./kvPayload.ts";

/** Version of the keys that the genesis writes: the height of block 0. */
const GENESIS_VERSION = 0;

export function createKvApplication(): Application {
  // Every transaction of a block that succeeds has the same receipt.
  let done: { readonly height: number; readonly receipt: Uint8Array } = { height: -1, receipt: EMPTY_BYTES };
  const receiptOfDone = (height: number): Uint8Array => {
    if (done.height !== height) done = { height, receipt: encodeKvReceipt({ ok: true, version: height }) };
    return done.receipt;
  };
  return {
    name: "kv",
    version: 1,
    initialize,
    check,
    execute(payload, state, { height }: ExecutionContext): Uint8Array {
      const operations = decodeKvPayload(payload);
      if (!operations.ok) throw new TransactionFailed(operations.error.code, operations.error.message);
      const failure = firstMismatch(operations.value, state, height);
      if (failure !== undefined) return encodeKvReceipt(failure);
      for (const operation of operations.value) apply(operation, state, height);
      return receiptOfDone(height);
    },
  };
}

function check(payload: Uint8Array, _read: StateView): Result<undefined, ApplicationRefusal> {
  const operations = decodeKvPayload(payload);
  return operations.ok ? ok(undefined) : err(operations.error);
}

/** The receipt of a transaction whose compare-and-set does not match; each operation sees those before it. */
function firstMismatch(operations: readonly Operation[], state: StateView, height: number): KvReceipt | undefined {
  if (!operations.some((operation) => operation.kind === "compareAndSet")) return undefined;
  /** Versions as the operations so far leave them, `undefined` = deleted. */
  const left = new Map<string, number | undefined>();
  for (const [index, operation] of operations.entries()) {
    const key = toBinaryString(operation.key);
    if (operation.kind === "compareAndSet") {
      const version = left.has(key) ? left.get(key) : currentVersion(state, key);
      if (!matches(operation.expectedVersion, version)) {
        return { ok: false, version: version ?? 0, failedOperation: index };
      }
    }
    left.set(key, operation.kind === "delete" ? undefined : height);
  }
  return undefined;
}

/** 0 expects an absent key. A key of the genesis has version 0 as well, so nothing matches it until it is put once. */
function matches(expectedVersion: number, version: number | undefined): boolean {
  return expectedVersion === 0 ? version === undefined : version === expectedVersion;
}

function currentVersion(state: StateView, key: string): number | undefined {
  const stateValue = state.get(key);
  return stateValue === undefined ? undefined : kvVersionOf(stateValue);
}

function apply(operation: Operation, state: StateAccess, height: number): void {
  const key = toBinaryString(operation.key);
  if (operation.kind === "delete") state.delete(key);
  else state.put(key, encodeKvValue(height, operation.value));
}

/**
 * Writes the initial state of the genesis: an object of UTF-8 keys and values.
 *
 * @throws Error that names the member at fault; a node does not start with such a genesis.
 */
function initialize(initialState: unknown, state: StateAccess): void {
  if (initialState === undefined || initialState === null) return;
  if (typeof initialState !== "object" || Array.isArray(initialState)) {
    throw new Error("genesis initialState: must be an object of keys and values");
  }
  for (const [key, value] of Object.entries(initialState)) {
    const where = `genesis initialState[${JSON.stringify(key)}]`;
    if (typeof value !== "string") throw new Error(`${where}: the value must be text`);
    if (!key.isWellFormed() || !value.isWellFormed()) throw new Error(`${where}: not well-formed Unicode`);
    const keyBytes = utf8(key);
    const valueBytes = utf8(value);
    if (keyBytes.length === 0 || keyBytes.length > KV_LIMITS.keyBytes) {
      throw new Error(`${where}: the key must have 1 to ${KV_LIMITS.keyBytes} bytes`);
    }
    if (valueBytes.length > KV_LIMITS.valueBytes) {
      throw new Error(`${where}: the value must have at most ${KV_LIMITS.valueBytes} bytes`);
    }
    state.put(toBinaryString(keyBytes), encodeKvValue(GENESIS_VERSION, valueBytes));
  }
}
