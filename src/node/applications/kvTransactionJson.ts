/**
 * Transactions of the key-value application from JSON: an operation, an array of operations (all or none), or
 * `{"operations": [...]}`; the two object forms take `nonce` (32 hex digits) and `expiresAt` (ms), which a client sends
 * so that it can send the same transaction again without it being executed twice.
 */
import { NONCE_BYTES } from "../../../chain/constants.ts";
import { encodeTransaction } from "../../../chain/transaction.ts";
import { fromHex } from "../../base/bytes.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { operationsFromJson } from "./kvJson.ts";
import { encodeKvPayload } from "./kvPayload.ts";

/** Why JSON is no transaction; `path` names the member, empty for the whole. */
export interface TransactionJsonError {
  readonly code: string;
  readonly message: string;
  readonly path: string;
}

/** The encoded transaction of a JSON value; `nextNonce` and `expiresAt` hold where the value says none. */
export function kvTransactionFromJson(
  value: unknown,
  nextNonce: () => Uint8Array,
  expiresAt: number,
): Result<Uint8Array, TransactionJsonError> {
  const envelope = readEnvelope(value, expiresAt);
  if (!envelope.ok) return envelope;
  const operations = operationsFromJson(envelope.value.operations);
  if (!operations.ok) return operations;
  const payload = encodeKvPayload(operations.value);
  const { nonce = nextNonce() } = envelope.value;
  return ok(encodeTransaction({ payload, nonce, expiresAt: envelope.value.expiresAt }));
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
