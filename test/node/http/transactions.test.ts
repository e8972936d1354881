import { describe, expect, test } from "vitest";
import { decodeTransaction, encodeTransaction, transactionId } from "../../../chain/transaction.ts";
import { toHex, utf8 } from "../../../src/base/bytes.ts";
import type { SubmitResult } from "../../../src/node/api.ts";
import { decodeKvPayload, encodeKvPayload, encodeKvReceipt } from "../../../src/node/applications/kvPayload.ts";
import { SINGLE_BODY_BYTES } from "../../../src/node/http/limits.ts";
import { makeHttpApp } from "../../../src/node/http/server.ts";
import { SILENT } from "../../../src/node/logging.ts";
import { appOf, FakeNode, JSON_HEADERS, NOW, testGenesis } from "./fakeNode.ts";

const PUT = { put: { key: "a", value: "b" } };
const ID = "ab".repeat(32);

async function post(node: FakeNode, payload: unknown, query = "", headers: Record<string, string> = JSON_HEADERS) {
  const app = await appOf(node);
  const body = payload instanceof Uint8Array ? Buffer.from(payload) : JSON.stringify(payload);
  return app.inject({ method: "POST", url: `/v1/transactions${query}`, headers, payload: body });
}

function submittedOne(node: FakeNode) {
  const bytes = node.submissions[0]?.transactions[0];
  if (bytes === undefined) throw new Error("nothing was submitted");
  const decoded = decodeTransaction(bytes);
  if (!decoded.ok) throw new Error(decoded.error.code);
  const operations = decodeKvPayload(decoded.value.payload);
  if (!operations.ok) throw new Error(operations.error.code);
  return { bytes, transaction: decoded.value, operations: operations.value };
}

describe("POST /v1/transactions", () => {
  test("an operation becomes a transaction, and its result the answer", async () => {
    const node = new FakeNode();
    const answer = await post(node, PUT, "?wait=irreversible&timeout=1234");
    expect(answer.statusCode).toBe(200);
    const { bytes, operations, transaction } = submittedOne(node);
    expect(answer.json()).toEqual({
      id: toHex(transactionId(bytes)),
      status: "irreversible",
      height: 5,
      index: 0,
      receipt: { ok: true, version: 5 },
    });
    expect(operations).toEqual([{ kind: "put", key: utf8("a"), value: utf8("b") }]);
    expect(transaction.expiresAt).toBe(NOW + 30_000);
    expect(node.submissions[0]).toMatchObject({ wait: "irreversible", timeoutMs: 1234 });
  });

  test("an array of operations is one transaction", async () => {
    const node = new FakeNode();
    const operations = [PUT, { delete: { key: "c" } }, { compareAndSet: { key: "d", expectedVersion: 0, value: "e" } }];
    expect((await post(node, operations)).statusCode).toBe(200);
    expect(submittedOne(node).operations.map(({ kind }) => kind)).toEqual(["put", "delete", "compareAndSet"]);
  });

  test.each([
    ["an operation", { ...PUT, nonce: "0f".repeat(16), expiresAt: NOW + 5 }],
    ["operations", { operations: [PUT], nonce: "0f".repeat(16), expiresAt: NOW + 5 }],
  ])("%s with nonce and expiresAt is the same transaction whenever it is sent", async (_, body) => {
    const node = new FakeNode();
    await post(node, body);
    const { transaction, bytes } = submittedOne(node);
    expect(toHex(transaction.nonce)).toBe("0f".repeat(16));
    expect(transaction.expiresAt).toBe(NOW + 5);
    await post(node, body);
    expect(node.submissions[1]?.transactions[0]).toEqual(bytes);
  });

  test("without a nonce no two transactions are the same", async () => {
    const node = new FakeNode();
    await post(node, PUT);
    await post(node, PUT);
    expect(node.submissions[0]?.transactions).not.toEqual(node.submissions[1]?.transactions);
  });

  test("a whole transaction goes to the node as it is, even one that is none", async () => {
    const node = new FakeNode();
    const payload = encodeKvPayload([{ kind: "delete", key: utf8("x") }]);
    const bytes = encodeTransaction({ payload, nonce: new Uint8Array(16), expiresAt: NOW });
    await post(node, bytes, "", { "content-type": "application/octet-stream" });
    expect([...(node.submissions[0]?.transactions[0] ?? [])]).toEqual([...bytes]);
  });

  const place = { height: 7, index: 2 };
  const outcomes: [string, SubmitResult, number, string, object][] = [
    ["invalid", { status: "invalid", id: ID, code: "KV_INVALID", detail: "no" }, 400, "KV_INVALID", { id: ID }],
    [
      "too large",
      { status: "invalid", id: ID, code: "TRANSACTION_TOO_LARGE", detail: "no" },
      413,
      "TRANSACTION_TOO_LARGE",
      { id: ID },
    ],
    ["rejected", { status: "rejected", id: ID, code: "THROWN", detail: "no" }, 400, "THROWN", { id: ID }],
    ["expired", { status: "expired", id: ID }, 400, "TRANSACTION_EXPIRED", { id: ID }],
    ["in the chain already", { status: "inChain", id: ID, place }, 409, "ALREADY_IN_CHAIN", { id: ID, ...place }],
    ["full", { status: "full", id: ID }, 429, "MEMPOOL_FULL", { id: ID }],
    ["no leader", { status: "noLeader", id: ID }, 503, "NO_LEADER", { id: ID }],
    ["still pending", { status: "pending", id: ID }, 504, "WAIT_TIMEOUT", { id: ID }],
  ];
  test.each(outcomes)("%s has its own status and code", async (_, result, statusCode, code, details) => {
    const node = new FakeNode();
    node.answer = () => result;
    const answer = await post(node, PUT);
    expect(answer.statusCode).toBe(statusCode);
    expect(answer.json().error).toMatchObject({ code, details });
    expect(typeof answer.json().error.message).toBe("string");
    expect(answer.headers["retry-after"]).toBe([429, 503].includes(statusCode) ? "1" : undefined);
  });

  test("a failed compare-and-set is in the chain: 200 with a receipt that says no", async () => {
    const node = new FakeNode();
    const receipt = encodeKvReceipt({ ok: false, version: 3, failedOperation: 0 });
    node.answer = (id) => ({ status: "included", id, place, receipt });
    const answer = await post(node, { compareAndSet: { key: "a", expectedVersion: 9, value: "b" } });
    expect(answer.statusCode).toBe(200);
    expect(answer.json().receipt).toEqual({ ok: false, version: 3, failedOperation: 0 });
  });

  test.each([
    ["no operation", { nothing: 1 }, "nothing"],
    ["an unknown field", { put: { key: "a", value: "b", ttl: 1 } }, "put.ttl"],
    ["an operation inside a list", [PUT, { put: { key: "" } }], "[1].put.key"],
    ["a nonce of the wrong length", { ...PUT, nonce: "00" }, "nonce"],
    ["an expiry that is no time", { ...PUT, expiresAt: "soon" }, "expiresAt"],
    ["operations that are no list", { operations: PUT }, "operations"],
    ["a stray field beside operations", { operations: [PUT], ttl: 1 }, "ttl"],
  ])("%s is a 400 that names it", async (_, body, path) => {
    const node = new FakeNode();
    const answer = await post(node, body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().error.details.path).toBe(path);
    expect(answer.json().error.message).toContain(path);
    expect(node.submissions).toEqual([]);
  });

  test("what is not JSON in UTF-8 is a 400", async () => {
    for (const body of [utf8("{"), new Uint8Array([0x22, 0xff, 0x22])]) {
      const answer = await post(new FakeNode(), body, "", JSON_HEADERS);
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error.code).toBe("NOT_JSON");
    }
  });

  test("another content type is a 415, a missing body a 400", async () => {
    const answer = await post(new FakeNode(), PUT, "", { "content-type": "text/plain" });
    expect(answer.statusCode).toBe(415);
    expect(answer.json().error.code).toBe("UNSUPPORTED_MEDIA_TYPE");
    const app = await appOf(new FakeNode());
    const missing = await app.inject({ method: "POST", url: "/v1/transactions" });
    expect(missing.statusCode).toBe(400);
    expect(missing.json().error.code).toBe("BODY_MISSING");
  });

  test("a body beyond the limit is a 413", async () => {
    const answer = await post(new FakeNode(), { put: { key: "a", value: "v".repeat(SINGLE_BODY_BYTES) } });
    expect(answer.statusCode).toBe(413);
    expect(answer.json().error.code).toBe("BODY_TOO_LARGE");
  });

  test("a transaction larger than this node takes is a 413 that tells both sizes; in a batch only its line", async () => {
    const node = new FakeNode();
    const app = await makeHttpApp(node, { token: undefined, log: SILENT, transactionBytes: 200 });
    const put = (bytes: number) => JSON.stringify({ put: { key: "a", value: "v".repeat(bytes) } });
    const post = (url: string, payload: string, type: string) =>
      app.inject({ method: "POST", url, payload, headers: { "content-type": type } });
    const single = await post("/v1/transactions", put(200), "application/json");
    expect([single.statusCode, single.json().error.code]).toEqual([413, "TRANSACTION_TOO_LARGE"]);
    expect(single.json().error.message).toMatch(/\d+ bytes.*at most 200/);
    expect((await post("/v1/transactions", put(100), "application/json")).statusCode).toBe(200);
    const batch = await post("/v1/transactions/batch", `${put(200)}\n${put(100)}`, "application/x-ndjson");
    expect(batch.body).toMatch(
      /^\{"status":"invalid","error":\{"code":"TRANSACTION_TOO_LARGE".*\n.*"irreversible".*\n$/,
    );
  });

  test.each(["?wait=never", "?timeout=-1", "?timeout=1s", "?wiat=included", "?timeout=300001"])(
    "the query %s is a 400",
    async (query) => {
      const answer = await post(new FakeNode(), PUT, query);
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error.code).toBe("INVALID_REQUEST");
    },
  );

  test("a chain of another application takes bytes only", async () => {
    const node = new FakeNode(testGenesis({ application: { name: "other" } }));
    expect((await post(node, PUT)).statusCode).toBe(415);
    const bytes = await post(node, new Uint8Array([1]), "", { "content-type": "application/octet-stream" });
    expect(bytes.json()).toMatchObject({ status: "irreversible", receipt: expect.any(String) });
  });
});

describe("writing with a token", () => {
  const request = { method: "POST", url: "/v1/transactions", payload: JSON.stringify(PUT) } as const;

  test("needs the token, reading does not", async () => {
    const app = await appOf(new FakeNode(), "s3cret");
    for (const authorization of [undefined, "Bearer wrong", "Basic s3cret", "s3cret", "Bearer s3cret2"]) {
      const headers = { ...JSON_HEADERS, ...(authorization === undefined ? {} : { authorization }) };
      const answer = await app.inject({ ...request, headers });
      expect(answer.statusCode).toBe(401);
      expect(answer.headers["www-authenticate"]).toBe("Bearer");
    }
    const headers = { ...JSON_HEADERS, authorization: "Bearer s3cret" };
    expect((await app.inject({ ...request, headers })).statusCode).toBe(200);
    expect((await app.inject({ ...request, url: "/v1/transactions/batch", headers: JSON_HEADERS })).statusCode).toBe(
      401,
    );
    expect((await app.inject("/v1/status")).statusCode).toBe(200);
  });

  test("without one, a browser's page from another host may not write", async () => {
    const app = await appOf(new FakeNode());
    const foreign = await app.inject({ ...request, headers: { ...JSON_HEADERS, origin: "http://evil.example:26601" } });
    expect(foreign.statusCode).toBe(403);
    const own = await app.inject({ ...request, headers: { ...JSON_HEADERS, origin: "http://127.0.0.1:26601" } });
    expect(own.statusCode).toBe(200);
  });
});

describe("GET /v1/transactions/{id}", () => {
  test("tells place, receipt and content", async () => {
    const node = new FakeNode();
    const payload = encodeKvPayload([{ kind: "put", key: utf8("a"), value: new Uint8Array([0xff]) }]);
    const bytes = encodeTransaction({ payload, nonce: new Uint8Array(16).fill(1), expiresAt: NOW });
    const block = node.add(bytes);
    const id = toHex(transactionId(bytes));
    const answer = (await (await appOf(node)).inject(`/v1/transactions/${id}`)).json();
    expect(answer).toEqual({
      id,
      status: "irreversible",
      height: 1,
      index: 0,
      blockId: block.id,
      receipt: { ok: true, version: 1 },
      transaction: {
        bytes: Buffer.from(bytes).toString("base64url"),
        nonce: "01".repeat(16),
        expiresAt: NOW,
        payload: Buffer.from(payload).toString("base64url"),
        operations: [{ put: { key: "a", value: { base64url: "_w" } } }],
      },
    });
  });

  test("its bytes as submitted, to whoever asks for them, pending or not", async () => {
    const node = new FakeNode();
    const bytes = encodeTransaction({ payload: utf8("x"), nonce: new Uint8Array(16), expiresAt: NOW });
    node.add(bytes);
    const app = await appOf(node);
    const headers = { accept: "application/octet-stream" };
    const answer = await app.inject({ url: `/v1/transactions/${toHex(transactionId(bytes))}`, headers });
    expect(answer.headers["content-type"]).toBe("application/octet-stream");
    expect([...answer.rawPayload]).toEqual([...bytes]);
    const pending = await app.inject({ url: `/v1/transactions/${"11".repeat(32)}`, headers });
    expect([...pending.rawPayload]).toEqual([1, 2]);
    expect((await app.inject({ url: `/v1/transactions/${"22".repeat(32)}`, headers })).statusCode).toBe(404);
  });

  test("pending, unknown and malformed ids are told apart", async () => {
    const app = await appOf(new FakeNode());
    expect((await app.inject(`/v1/transactions/${"11".repeat(32)}`)).json()).toMatchObject({ status: "pending" });
    const unknown = await app.inject(`/v1/transactions/${"22".repeat(32)}`);
    expect(unknown.statusCode).toBe(404);
    expect(unknown.json().error.code).toBe("TRANSACTION_NOT_FOUND");
    for (const id of ["abc", "AB".repeat(32)]) {
      expect((await app.inject(`/v1/transactions/${id}`)).statusCode).toBe(400);
    }
  });
});
