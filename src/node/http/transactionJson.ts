/** Transactions of JSON at the HTTP interface: the usual one, a put of text, has a way of its own. */
import { randomFillSync } from "node:crypto";
import { NONCE_BYTES } from "../../../chain/constants.ts";
import { ok, type Result } from "../../base/result.ts";
import { kvTransactionFromJson, type TransactionJsonError } from "../applications/kvTransactionJson.ts";
import { encodePutTransaction } from "./putTransaction.ts";

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
  return kvTransactionFromJson(value, () => nonces.next(), expiresAt);
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
