/**
 * Oracle 3: equal blocks give equal states. The irreversible chain is executed again by a model of the key-value
 * application that shares no code with the ledger; every node's whole state must be the model's.
 */
import { fromBinaryString, toBinaryString, toHex } from "../../../src/base/bytes.ts";
import { elementAt } from "../../../chain/byteList.ts";
import type { Block } from "../../../chain/block.ts";
import { decodeTransaction } from "../../../chain/transaction.ts";
import { decodeKvPayload, encodeKvValue } from "../../../src/node/applications/kvPayload.ts";
import { proposalOf } from "../changes.ts";
import { RuleBroken } from "../violation.ts";

/** Binary strings as keys, as the ledger has them. */
export type Entries = readonly { readonly key: string; readonly value: Uint8Array }[];

/** The state after these blocks in key order. */
export function modelState(blocks: Iterable<Block>): Entries {
  const values = new Map<string, Uint8Array>();
  for (const block of blocks) {
    for (let i = 0; i < block.transactions.count; i++) {
      const transaction = decodeTransaction(elementAt(block.transactions, i));
      if (transaction.ok && proposalOf(transaction.value.payload) !== undefined) continue;
      const operations = transaction.ok ? decodeKvPayload(transaction.value.payload) : transaction;
      if (!operations.ok) throw new Error(`transaction ${i} of block ${block.header.height} does not decode`);
      for (const operation of operations.value) {
        const key = toBinaryString(operation.key);
        if (operation.kind === "put") values.set(key, encodeKvValue(block.header.height, operation.value));
        else if (operation.kind === "delete") values.delete(key);
        else if (operation.expectedVersion !== 0) throw new Error("the model knows no version but 0");
        else if (!values.has(key)) values.set(key, encodeKvValue(block.header.height, operation.value));
      }
    }
  }
  return [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => ({ key, value }));
}

/** @param height at which both were taken */
export function assertSameState(node: number, height: number, state: Entries, model: Entries): void {
  const fail = (detail: string): never => {
    throw new RuleBroken("state", "equal blocks give equal states", `at height ${height}: ${detail}`, [node]);
  };
  if (state.length !== model.length) fail(`${state.length} keys, the model has ${model.length}`);
  for (let i = 0; i < model.length; i++) {
    const mine = state[i] as Entries[number];
    const wanted = model[i] as Entries[number];
    if (mine.key !== wanted.key) fail(`key ${hexOf(mine.key)}, the model has ${hexOf(wanted.key)}`);
    if (toHex(mine.value) !== toHex(wanted.value))
      fail(`key ${hexOf(mine.key)} is ${toHex(mine.value)}, not ${toHex(wanted.value)}`);
  }
}

function hexOf(key: string): string {
  return toHex(fromBinaryString(key));
}
