/** Changes of keys, out of the stream of blocks. */
import { fromBase64Url } from "../base/base64url.ts";
import { utf8 } from "../base/bytes.ts";
import type { BlockAnswer } from "./blocks.ts";
import { ClientError } from "./errors.ts";
import type { Receipt } from "./outcome.ts";
import { isObject } from "./shape.ts";
import type { BytesJson } from "./transactions.ts";

/** An operation that was done; a compare-and-set is a put. */
export interface KvChange {
  readonly kind: "put" | "delete";
  readonly key: BytesJson;
  /** Absent for a delete. */
  readonly value?: BytesJson;
  /** Height of the block: the key's version. */
  readonly height: number;
  /** Of the transaction in its block. */
  readonly index: number;
  readonly transactionId: string;
}

/** The changes of a block to keys with a prefix, in order. Throws ClientError RECEIPTS_MISSING, ANSWER_INVALID. */
export function* changesOf(block: BlockAnswer, prefix: Uint8Array): Generator<KvChange, void, undefined> {
  for (const [i, transaction] of (block.transactions ?? []).entries()) {
    const { index, id, operations } = transaction;
    const changes = (operations ?? []).map((operation) => readOperation(operation, block.height));
    const touching = changes.filter(({ key }) => beginsWith(key, prefix));
    if (touching.length === 0 || !wasDone(block, block.receipts?.[i], changes)) continue;
    for (const { kind, key, value } of touching) {
      yield { kind, key, ...(value === undefined ? {} : { value }), height: block.height, index, transactionId: id };
    }
  }
}

interface Step {
  readonly kind: "put" | "delete";
  readonly key: BytesJson;
  readonly value?: BytesJson;
  readonly isConditional: boolean;
}

/** All steps of a transaction are done or none; without a condition all are. */
function wasDone({ height }: BlockAnswer, receipt: Receipt | undefined, steps: readonly Step[]): boolean {
  if (typeof receipt === "object") return receipt.ok;
  if (!steps.some(({ isConditional }) => isConditional)) return true;
  const message = `the node does not hold the receipts of block ${height} any more: what it changed cannot be told`;
  throw new ClientError("RECEIPTS_MISSING", message, { height });
}

function readOperation(operation: unknown, height: number): Step {
  const { put, delete: deletion, compareAndSet } = isObject(operation) ? operation : {};
  const [kind, fields] =
    deletion === undefined ? (["put", put ?? compareAndSet] as const) : (["delete", deletion] as const);
  if (isObject(fields) && isBytesJson(fields["key"]) && (kind === "delete" || isBytesJson(fields["value"]))) {
    const { key, value } = fields as { readonly key: BytesJson; readonly value?: BytesJson };
    const isConditional = compareAndSet !== undefined;
    return { kind, key, isConditional, ...(value === undefined ? {} : { value }) };
  }
  throw new ClientError("ANSWER_INVALID", `block ${height} holds what is no operation`, { height });
}

function isBytesJson(value: unknown): value is BytesJson {
  return typeof value === "string" || (isObject(value) && typeof value["base64url"] === "string");
}

/** Bytes of text or base64url. Throws ClientError INVALID_ARGUMENT. */
export function bytesOf(value: BytesJson): Uint8Array {
  if (typeof value === "string") return utf8(value);
  const bytes = fromBase64Url(value.base64url);
  if (bytes !== undefined) return bytes;
  throw new ClientError("INVALID_ARGUMENT", `${JSON.stringify(value.base64url)} is not unpadded base64url`);
}

function beginsWith(value: BytesJson, prefix: Uint8Array): boolean {
  const bytes = bytesOf(value);
  return bytes.length >= prefix.length && prefix.every((byte, i) => bytes[i] === byte);
}
