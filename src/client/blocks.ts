/** Blocks as nodes give them. */
import { isReceipt, type Receipt } from "./outcome.ts";
import { isHeight, isId, isListOf, isObject, isText } from "./shape.ts";
import type { TransactionContent } from "./transactionState.ts";

export interface BlockHeader {
  readonly height: number;
  readonly parent: string;
  readonly view: number;
  readonly producer: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly transactionRoot: string;
  readonly receiptRoot: string;
  readonly stateHash: string;
  readonly historyRoot: string;
  readonly irreversibleHeight: number;
}

export interface BlockAnswer {
  readonly height: number;
  readonly id: string;
  readonly status: "pending" | "irreversible";
  readonly header: BlockHeader;
  /** base64url. */
  readonly signature: string;
  /** The first certificate at or above this height, base64url; null on a pending block. */
  readonly certificate: string | null;
  readonly transactionCount: number;
  /** Absent when they were not asked for; on a stream with a topic only those that belong to it. */
  readonly transactions?: readonly (TransactionContent & { readonly id: string; readonly index: number })[];
  /** In the order of `transactions`; null when the node does not hold them. */
  readonly receipts?: readonly Receipt[] | null;
}

export interface BlockPage {
  readonly blocks: readonly BlockAnswer[];
  /** `from` of the next request; null at the head. */
  readonly next: number | null;
}

export function isBlock(value: unknown): value is BlockAnswer {
  if (!isObject(value)) return false;
  const { height, id, status, header, transactionCount, transactions, receipts } = value;
  if (!isHeight(height) || !isId(id) || !isHeight(transactionCount) || !isHeader(header)) return false;
  if (status !== "pending" && status !== "irreversible") return false;
  if (header.height !== height) return false;
  if (transactions !== undefined && !isListOf(transactions, isBlockTransaction)) return false;
  if (receipts === undefined || receipts === null) return true;
  return isListOf(receipts, isReceipt) && transactions?.length === receipts.length;
}

function isHeader(value: unknown): value is BlockHeader {
  if (!isObject(value)) return false;
  const { height, parent, view, producer, time } = value;
  return isHeight(height) && isId(parent) && isHeight(view) && isText(producer) && isHeight(time);
}

function isBlockTransaction(value: unknown): value is NonNullable<BlockAnswer["transactions"]>[number] {
  return isObject(value) && isId(value["id"]) && isHeight(value["index"]) && isText(value["bytes"]);
}

export function isBlockPage(value: unknown): value is BlockPage {
  if (!isObject(value)) return false;
  return isListOf(value["blocks"], isBlock) && (value["next"] === null || isHeight(value["next"]));
}
