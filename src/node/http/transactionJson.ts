/**
 * Transactions of the key-value application from JSON: an operation, an array of operations (all or none), or
 * `{"operations": [...]}`; the two object forms take `nonce` (32 hex digits) and `expiresAt` (ms), which a client sends
 * so that it can send the same transaction again without it being executed twice.
 */
import { randomFillSync } from "node:crypto";
import { NONCE_BYTES } from "../../../chain/constants.ts";
import { encodeTransaction } from "../../../chain/transaction.ts";
import { fromHex } from "../../base/bytes.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { operationsFromJson } from "../applications/kvJson.ts";
import { encodeKvPayload } from "../applications/kvPayload.ts";
import { encodePutTransaction } from "./putTransaction.ts";

/** Why JSON is no transaction; `path` names the member, empty for the whole. */
export interface TransactionJsonError {
  readonly code: string;
  readonly message: string;
  readonly path: string;
}

const NONCES_AT_ONCE = 512;

/** Random nonces, many from one call to the kernel. A nonce is valid until the next is asked for. */
export class Nonces {
  readonly #pool = new Uint8Array(NONCES_AT_ONCE * NONCE_BYTES);
  #at = this.#pool.length;

  next(): Uint8Array {
    if (this.#at === this.#pool.length) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    return this.#pool.subarray(this.#at, (this.#at += NONCE_BYTES));
  }
}

/** The encoded transaction of a JSON value; `expiresAt` holds where the value says none. */
export function transactionFromJson(
  value: unknown,
  nonces: Nonces,
  expiresAt: number,
): Result<Uint8Array, TransactionJsonError> {
  const simple = simplePut(value, nonces, expiresAt);
  if (simple !== undefined) return ok(simple);
  const envelope = readEnvelope(value, expiresAt);
  if (!envelope.ok) return envelope;
  const operations = operationsFromJson(envelope.value.operations);
  if (!operations.ok) return operations;
  const payload = encodeKvPayload(operations.value);
  const { nonce = nonces.next() } = envelope.value;
  return ok(encodeTransaction({ payload, nonce, expiresAt: envelope.value.expiresAt }));
}

/** `{"put": {"key": text, "value": text}}` and nothing else; undefined for every other value. */
function simplePut(value: unknown, nonces: Nonces, expiresAt: number): Uint8Array | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { put } = value as { readonly put?: unknown };
  if (typeof put !== "object" || put === null || !hasMembers(value, 1) || !hasMembers(put, 2)) return undefined;
  const { key, value: text } = put as { readonly key?: unknown; readonly value?: unknown };
  if (typeof key !== "string" || typeof text !== "string") return undefined;
  return encodePutTransaction(key, text, nonces.next(), expiresAt);
}

function hasMembers(object: object, count: number): boolean {
  let found = 0;
  for (const _ in object) found++;
  return found === count;
}

interface Envelope {
  readonly operations: unknown;
  readonly nonce: Uint8Array | undefined;
  readonly expiresAt: number;
}

function readEnvelope(value: unknown, defaultExpiresAt: number): Result<Envelope, TransactionJsonError> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return ok({ operations: value, nonce: undefined, expiresAt: defaultExpiresAt });
  }
  const { nonce, expiresAt, ...rest } = value as Record<string, unknown>;
  const nonceBytes = nonce === undefined ? undefined : typeof nonce === "string" ? fromHex(nonce) : undefined;
  if (nonce !== undefined && nonceBytes?.length !== NONCE_BYTES)
    return refuse("nonce", "must be 32 lower-case hex digits");
  const isTime = typeof expiresAt === "number" && Number.isSafeInteger(expiresAt) && expiresAt > 0;
  if (expiresAt !== undefined && !isTime) return refuse("expiresAt", "must be a time in milliseconds since the epoch");
  const operations = readOperations(rest);
  if (!operations.ok) return operations;
  return ok({ operations: operations.value, nonce: nonceBytes, expiresAt: isTime ? expiresAt : defaultExpiresAt });
}

function readOperations(rest: Readonly<Record<string, unknown>>): Result<unknown, TransactionJsonError> {
  if (!Object.hasOwn(rest, "operations")) return ok(rest);
  const stray = Object.keys(rest).find((name) => name !== "operations");
  if (stray !== undefined) return refuse(stray, "unknown field, known: operations, nonce, expiresAt");
  return Array.isArray(rest["operations"])
    ? ok(rest["operations"])
    : refuse("operations", "must be an array of operations");
}

function refuse(path: string, message: string): Result<never, TransactionJsonError> {
  return err({ code: "TRANSACTION_JSON_INVALID", message: `${path}: ${message}`, path });
}
