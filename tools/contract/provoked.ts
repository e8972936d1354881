/** Requests for the errors that no schema leads to, each with the status that the contract gives. */
import { generateKeyPairSync } from "node:crypto";
import { makeConfiguration } from "../../chain/configuration.ts";
import { encodeProducerChange, type ProducerProposal } from "../../chain/producerChange.ts";
import { encodeTransaction } from "../../chain/transaction.ts";
import { utf8 } from "../../src/base/bytes.ts";
import type { Case } from "./cases.ts";
import type { ContractDocument, Operation } from "./document.ts";

const JSON_HEADERS = { "content-type": "application/json" };
const BYTES_HEADERS = { "content-type": "application/octet-stream" };
const PUT = JSON.stringify({ put: { key: "k", value: "v" } });
const ABSENT = "0".repeat(64);

export function operationOf(contract: ContractDocument, operationId: string): Operation {
  const operation = contract.operations.find((each) => each.operationId === operationId);
  if (operation === undefined) throw new Error(`the document has no operation ${operationId}`);
  return operation;
}

/** On a node without a token, whose key is `self`, the only producer. */
export function* provoked(contract: ContractDocument, self: string): Generator<Case, void, undefined> {
  const get = (operationId: string, status: number, path: string): Case => {
    const operation = operationOf(contract, operationId);
    return { operation, what: `a ${status}`, expected: [status], request: { method: "GET", path } };
  };
  yield get("block", 404, "/v1/blocks/999999999");
  yield get("block", 404, `/v1/blocks/${ABSENT}`);
  yield get("block", 414, `/v1/blocks/${"1".repeat(500)}`);
  yield get("transaction", 404, `/v1/transactions/${ABSENT}`);
  yield get("kvGet", 404, "/v1/kv/no-such-key");
  yield get("kvGet", 400, "/v1/kv/%ff");
  yield get("kvList", 400, "/v1/kv?limit=1001");
  yield get("blocks", 400, "/v1/blocks?limit=101");

  const off = { method: "POST", path: `/v1/peers/${self}/off` };
  yield { operation: operationOf(contract, "switchPeerOff"), what: "itself off", expected: [409], request: off };

  const submit = operationOf(contract, "submit");
  const post = (
    what: string,
    status: number,
    headers: Record<string, string>,
    body: string | Uint8Array,
    query = "",
  ): Case => ({
    operation: submit,
    what,
    expected: [status],
    request: { method: "POST", path: `/v1/transactions${query}`, headers, body },
  });
  yield post("a page from elsewhere", 403, { ...JSON_HEADERS, origin: "http://elsewhere.example" }, PUT);
  yield post("bytes that are none", 400, BYTES_HEADERS, "x");
  yield post("a payload of no application", 400, BYTES_HEADERS, transaction({ payload: utf8("rubbish") }));
  yield post("an operation that is none", 400, BYTES_HEADERS, transaction({ payload: new Uint8Array([0x0a, 0x00]) }));
  yield post("a signature of nobody", 400, BYTES_HEADERS, transaction({ ...AUTHOR, payload: utf8("x") }));
  yield post("a time that is over", 400, JSON_HEADERS, JSON.stringify({ ...JSON.parse(PUT), expiresAt: 1 }));
  yield post("a time too far ahead", 400, JSON_HEADERS, JSON.stringify({ ...JSON.parse(PUT), expiresAt: 9e14 }));
  yield post("no operation", 400, JSON_HEADERS, "[]");
  for (const [what, payload] of changesOfNothing(self)) yield post(what, 400, BYTES_HEADERS, transaction({ payload }));
  const large = { put: { key: "k", value: "v".repeat(70_000) } };
  yield post("a large transaction", 413, JSON_HEADERS, JSON.stringify(large));
  const again = JSON.stringify({ ...JSON.parse(PUT), nonce: "ab".repeat(16), expiresAt: Date.now() + 30_000 });
  yield post("a transaction", 200, JSON_HEADERS, again, "?wait=irreversible");
  yield post("the same again", 409, JSON_HEADERS, again, "?wait=irreversible");
  yield post("the same again, without waiting", 409, JSON_HEADERS, again);
  const batch = operationOf(contract, "submitBatch");
  const lines = `${PUT}\n`.repeat(100_001);
  const headers = { "content-type": "application/x-ndjson" };
  const request = { method: "POST", path: "/v1/transactions/batch", headers, body: lines };
  yield { operation: batch, what: "too many lines", expected: [413], request };
}

/** On a node with a token. */
export function* unauthorized(contract: ContractDocument): Generator<Case, void, undefined> {
  for (const operation of contract.operations) {
    if (operation.security === undefined) continue;
    for (const authorization of [undefined, "Bearer wrong", "Bearer ", "Basic c2VjcmV0", "secret", "Bearer secretx"]) {
      const headers = { ...JSON_HEADERS, ...(authorization === undefined ? {} : { authorization }) };
      const request = { method: operation.method, path: operation.path, headers, body: PUT };
      yield { operation, what: `authorization ${authorization}`, expected: [401], request };
    }
  }
}

/** With the token, what it is worth: the node takes the request. */
export function authorized(
  contract: ContractDocument,
  token: string,
  query: string,
  expected: readonly number[],
): Case {
  const operation = operationOf(contract, "submit");
  const headers = { ...JSON_HEADERS, authorization: `Bearer ${token}` };
  const request = { method: "POST", path: `/v1/transactions${query}`, headers, body: PUT };
  return { operation, what: `with the token${query}`, expected, request };
}

const AUTHOR = {
  author: generateKeyPairSync("ed25519")
    .publicKey.export({ format: "der", type: "spki" })
    .subarray(-32)
    .toString("hex"),
  signature: new Uint8Array(64),
};

/** Changes of the producer set that are none. */
function* changesOfNothing(producer: string): Generator<[what: string, payload: Uint8Array], void, undefined> {
  const change = (parts: Partial<ProducerProposal>): Uint8Array => {
    const base = { base: makeConfiguration([producer]).hash, changesBefore: 0, producers: [entry(producer)] };
    return encodeProducerChange({ proposal: { ...base, ...parts }, approvals: [] });
  };
  yield ["a change cut short", change({}).subarray(0, -1)];
  yield ["a change of a set that is not in force", change({ base: ABSENT })];
  yield ["a change to nobody", change({ producers: [] })];
  yield ["a change to the set in force", change({})];
  yield ["a change that nobody approves", change({ producers: [entry(ABSENT)] })];
}

function entry(key: string): ProducerProposal["producers"][number] {
  return { key, name: "", address: "" };
}

function transaction(parts: { payload: Uint8Array; author?: string; signature?: Uint8Array }): Uint8Array {
  return encodeTransaction({ nonce: new Uint8Array(16), expiresAt: Date.now() + 30_000, ...parts });
}
