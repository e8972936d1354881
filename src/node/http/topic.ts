/** What of a block belongs to a topic. A topic of the key-value application is what a key begins with. */
import type { Block } from "../../../chain/block.ts";
import { elementAt } from "../../../chain/byteList.ts";
import { decodeTransaction } from "../../../chain/transaction.ts";
import { decodeKvPayload } from "../applications/kvPayload.ts";

/** Indexes of the transactions with an operation on a key that begins with `prefix`, whatever came of them. */
export function transactionsOf({ transactions }: Block, prefix: Uint8Array): number[] {
  const indexes: number[] = [];
  for (let index = 0; index < transactions.count; index++) {
    if (touches(elementAt(transactions, index), prefix)) indexes.push(index);
  }
  return indexes;
}

function touches(bytes: Uint8Array, prefix: Uint8Array): boolean {
  const transaction = decodeTransaction(bytes);
  const operations = transaction.ok ? decodeKvPayload(transaction.value.payload) : transaction;
  return operations.ok && operations.value.some(({ key }) => beginsWith(key, prefix));
}

function beginsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  if (bytes.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}
