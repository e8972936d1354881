import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { varintBytes, writeVarint } from "../../../chain/scan.ts";
import { encodeTransaction, transactionId } from "../../../chain/transaction.ts";
import { concatBytes, toHex, utf8 } from "../../../src/base/bytes.ts";
import { encodeKvPayload } from "../../../src/node/applications/kvPayload.ts";
import { hasMoreThan, lineRanges } from "../../../src/node/http/batchLines.ts";
import { BATCH_SLICE, BATCH_TRANSACTIONS } from "../../../src/node/http/limits.ts";
import { encodePutTransaction } from "../../../src/node/http/putTransaction.ts";
import { appOf, FakeNode, NOW, testGenesis } from "./fakeNode.ts";

const NDJSON = "application/x-ndjson";

async function batch(node: FakeNode, body: string | Uint8Array, type = NDJSON, query = "") {
  const app = await appOf(node);
  const payload = typeof body === "string" ? body : Buffer.from(body);
  return app.inject({
    method: "POST",
    url: `/v1/transactions/batch${query}`,
    headers: { "content-type": type },
    payload,
  });
}

function lines(body: string): { id?: string; status: string; error?: { code: string } }[] {
  expect(body.endsWith("\n") || body === "").toBe(true);
  return body
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

function put(key: string): string {
  return JSON.stringify({ put: { key, value: "v" } });
}

function transaction(key: string): Uint8Array {
  const payload = encodeKvPayload([{ kind: "put", key: utf8(key), value: utf8("v") }]);
  return encodeTransaction({ payload, nonce: new Uint8Array(16), expiresAt: NOW });
}

function prefixed(bytes: Uint8Array): Uint8Array {
  const prefix = new Uint8Array(varintBytes(bytes.length));
  writeVarint(prefix, 0, bytes.length);
  return concatBytes(prefix, bytes);
}

describe("POST /v1/transactions/batch", () => {
  test("answers one result a line, in order, whatever each became", async () => {
    const node = new FakeNode();
    node.answer = (id, index) => {
      if (index === 1) return { status: "full", id };
      if (index === 2) return { status: "inChain", id, place: { height: 2, index: 9 } };
      return { status: "pending", id };
    };
    const answer = await batch(
      node,
      [put("a"), put("b"), `[${put("c")},${put("d")}]`].join("\n"),
      NDJSON,
      "?wait=included&timeout=77",
    );
    expect(answer.statusCode).toBe(200);
    expect(answer.headers["content-type"]).toContain(NDJSON);
    const ids = node.submissions[0]?.transactions.map((bytes) => toHex(transactionId(bytes))) ?? [];
    expect(lines(answer.body)).toEqual([
      { id: ids[0], status: "pending" },
      { id: ids[1], status: "full", error: { code: "MEMPOOL_FULL", message: expect.any(String) } },
      {
        id: ids[2],
        status: "inChain",
        height: 2,
        index: 9,
        error: { code: "ALREADY_IN_CHAIN", message: expect.any(String) },
      },
    ]);
    expect(node.submissions[0]).toMatchObject({ wait: "included", timeoutMs: 77 });
  });

  test("a bad line is an error in its place and the others go on", async () => {
    const node = new FakeNode();
    const bad = Buffer.concat([Buffer.from('{"put":{"key":"'), Buffer.from([0xff]), Buffer.from('","value":""}}')]);
    const body = Buffer.concat([
      Buffer.from(`${put("a")}\nnot json\n{"put":{"key":""}}\n`),
      bad,
      Buffer.from(`\n\n  \r\n${put("b")}\r\n`),
    ]);
    const answers = lines((await batch(node, body)).body);
    expect(answers.map(({ status }) => status)).toEqual([
      "irreversible",
      "invalid",
      "invalid",
      "invalid",
      "irreversible",
    ]);
    expect(answers.map(({ error }) => error?.code)).toEqual([
      undefined,
      "NOT_JSON",
      "KV_INVALID_VALUE",
      "NOT_JSON",
      undefined,
    ]);
    expect(node.submissions[0]?.transactions).toHaveLength(2);
  });

  test("more lines than a slice keep their order across slices", async () => {
    const node = new FakeNode();
    const count = 2 * BATCH_SLICE + 3;
    const answers = lines((await batch(node, Array.from({ length: count }, (_, i) => put(`k${i}`)).join("\n"))).body);
    expect(node.submissions.map(({ transactions }) => transactions.length)).toEqual([BATCH_SLICE, BATCH_SLICE, 3]);
    const ids = node.submissions
      .flatMap(({ transactions }) => transactions)
      .map((bytes) => toHex(transactionId(bytes)));
    expect(answers.map(({ id }) => id)).toEqual(ids);
  });

  test("length-prefixed transactions are taken as they are", async () => {
    const node = new FakeNode();
    const transactions = [transaction("a"), new Uint8Array(0), transaction("k".repeat(300))];
    const answer = await batch(node, concatBytes(...transactions.map(prefixed)), "application/octet-stream");
    expect(lines(answer.body)).toHaveLength(3);
    expect(node.submissions[0]?.transactions.map(toHex)).toEqual(transactions.map(toHex));
  });

  test("a transaction does not keep the whole batch in memory", async () => {
    const node = new FakeNode();
    await batch(
      node,
      concatBytes(...Array.from({ length: 50 }, () => prefixed(transaction("a")))),
      "application/octet-stream",
    );
    for (const bytes of node.submissions[0]?.transactions ?? []) expect(bytes.buffer.byteLength).toBe(bytes.length);
  });

  test("where a length is wrong, what comes before it is taken and the rest is told", async () => {
    const node = new FakeNode();
    const body = concatBytes(prefixed(transaction("a")), new Uint8Array([0xff, 0x01, 0x00]));
    const answers = lines((await batch(node, body, "application/octet-stream")).body);
    expect(answers.map(({ status, error }) => error?.code ?? status)).toEqual(["irreversible", "BATCH_CUT_SHORT"]);
  });

  test.each([
    ["JSON lines", `${put("k")}\n\n \r\n`, NDJSON],
    ["encoded transactions", Buffer.from(prefixed(transaction("k"))), "application/octet-stream"],
  ])("of too many %s none is taken", async (_, item, type) => {
    const node = new FakeNode();
    const body = Buffer.concat(Array(BATCH_TRANSACTIONS + 1).fill(Buffer.from(item)) as Buffer[]);
    const refused = await batch(node, body, type);
    expect([refused.statusCode, refused.json().error.code]).toEqual([413, "TOO_MANY_TRANSACTIONS"]);
    expect(node.submissions).toEqual([]);
  });

  test.each([
    [2, "a\nb\n", false],
    [2, "a\n\n \t\r\nb", false],
    [1, "a\nb", true],
    [0, "", false],
  ])("more than %i lines in %j: %s", (most, text, expected) => {
    expect(hasMoreThan(most, lineRanges(Buffer.from(text)))).toBe(expected);
  });

  test("an empty batch has an empty answer", async () => {
    expect((await batch(new FakeNode(), "")).body).toBe("");
  });

  test("JSON is a 415 here, and so are lines where the application is another", async () => {
    expect((await batch(new FakeNode(), put("a"), "application/json")).statusCode).toBe(415);
    expect((await batch(new FakeNode(testGenesis({ application: { name: "x" } })), put("a"))).statusCode).toBe(415);
  });
});

describe("a put straight into its bytes", () => {
  const nonce = new Uint8Array(16).map((_, i) => i + 1);
  const text = fc.string({ unit: "binary", maxLength: 200 });

  test("is byte for byte what the general encoder writes", () => {
    fc.assert(
      fc.property(text, text, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (key, value, expiresAt) => {
        fc.pre(key !== "");
        const payload = encodeKvPayload([{ kind: "put", key: utf8(key), value: utf8(value) }]);
        const expected = encodeTransaction({ payload, nonce, expiresAt });
        expect(toHex(encodePutTransaction(key, value, nonce, expiresAt) ?? new Uint8Array())).toBe(toHex(expected));
      }),
    );
  });

  test.each([
    ["an empty key", "", "v"],
    ["a key that is too long", "k".repeat(1025), "v"],
    ["a lone surrogate", "k", "\ud800"],
    ["a value that is too long", "k", "v".repeat(1024 * 1024 + 1)],
  ])("%s is left to the general way", (_, key, value) => {
    expect(encodePutTransaction(key, value, nonce, 1)).toBeUndefined();
  });
});
