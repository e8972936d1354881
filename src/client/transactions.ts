/** Transactions as the client sends them: encoded once, so that the id is known before anything is sent. */
import { decodeTransaction, transactionId } from "../../chain/transaction.ts";
import { NONCE_BYTES } from "../../chain/constants.ts";
import { varintBytes, writeVarint } from "../../chain/scan.ts";
import { toHex } from "../base/bytes.ts";
import { kvTransactionFromJson } from "../node/applications/kvTransactionJson.ts";
import { ClientError } from "./errors.ts";
import type { Platform } from "./platform.ts";

/** Text, or bytes in base64url. */
export type BytesJson = string | { readonly base64url: string };

/** One step of a transaction of the key-value application. Versions are heights, 0 for an absent key. */
export type KvOperation =
  | { readonly put: { readonly key: BytesJson; readonly value: BytesJson } }
  | { readonly delete: { readonly key: BytesJson } }
  | {
      readonly compareAndSet: { readonly key: BytesJson; readonly expectedVersion: number; readonly value: BytesJson };
    };

/**
 * What can be submitted: an operation, some of them (all or none), or a whole encoded transaction. `nonce` (32 hex
 * digits) and `expiresAt` (ms since the epoch) are for those who keep them, to submit the same transaction again later.
 */
export type TransactionInput =
  | KvOperation
  | (KvOperation & { readonly nonce?: string; readonly expiresAt?: number })
  | readonly KvOperation[]
  | { readonly operations: readonly KvOperation[]; readonly nonce?: string; readonly expiresAt?: number }
  | Uint8Array;

export interface PreparedTransaction {
  /** 64 hex digits. */
  readonly id: string;
  /** The whole encoded transaction. */
  readonly bytes: Uint8Array;
  /** Milliseconds since the epoch, in the chain's time: in no block after it. */
  readonly expiresAt: number;
}

/** Made with a new nonce and not sent yet: nobody can have them. */
const unsent = new WeakSet<PreparedTransaction>();

/** Whether nobody can have it yet; from now on somebody may. */
export function takeUnsent(transaction: PreparedTransaction): boolean {
  return unsent.delete(transaction);
}

/** @throws ClientError INVALID_ARGUMENT */
export function prepareTransaction(
  input: TransactionInput,
  expiresInMs: number,
  { now, randomBytes }: Pick<Platform, "now" | "randomBytes">,
): PreparedTransaction {
  let isNew = false;
  const newNonce = (): Uint8Array => {
    isNew = true;
    return randomBytes(NONCE_BYTES);
  };
  const bytes = input instanceof Uint8Array ? input.slice() : encoded(input, newNonce, now() + expiresInMs);
  const decoded = decodeTransaction(bytes);
  if (!decoded.ok) throw new ClientError("INVALID_ARGUMENT", "these bytes are not an encoded transaction");
  const prepared = { id: toHex(transactionId(bytes)), bytes, expiresAt: decoded.value.expiresAt };
  if (isNew) unsent.add(prepared);
  return prepared;
}

function encoded(input: unknown, newNonce: () => Uint8Array, expiresAt: number): Uint8Array {
  const made = kvTransactionFromJson(input, newNonce, expiresAt);
  if (made.ok) return made.value;
  const { code, message } = made.error;
  throw new ClientError("INVALID_ARGUMENT", message, { nodeCode: code });
}

/** Transactions as the batch endpoint takes them: each behind its length as a varint. */
export function encodeBatch(transactions: readonly Pick<PreparedTransaction, "bytes">[]): Uint8Array {
  const total = transactions.reduce((sum, each) => sum + batchBytes(each), 0);
  const batch = new Uint8Array(total);
  let at = 0;
  for (const { bytes } of transactions) {
    at = writeVarint(batch, at, bytes.length);
    batch.set(bytes, at);
    at += bytes.length;
  }
  return batch;
}

export function batchBytes({ bytes }: Pick<PreparedTransaction, "bytes">): number {
  return varintBytes(bytes.length) + bytes.length;
}
