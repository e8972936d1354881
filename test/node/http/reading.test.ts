import { describe, expect, test } from "vitest";
import { decodeBlock } from "../../../chain/block.ts";
import { encodeTransaction, transactionId } from "../../../chain/transaction.ts";
import { toHex, utf8 } from "../../../src/base/bytes.ts";
import { encodeKvPayload } from "../../../src/node/applications/kvPayload.ts";
import type { BlockView } from "../../../src/node/api.ts";
import { JSON_SLICE, LIST_BYTES } from "../../../src/node/http/limits.ts";
import { appOf, FakeNode, NOW, PRODUCER } from "./fakeNode.ts";

function transaction(key: string, value = "v"): Uint8Array {
  const payload = encodeKvPayload([{ kind: "put", key: utf8(key), value: utf8(value) }]);
  return encodeTransaction({ payload, nonce: new Uint8Array(16).fill(1), expiresAt: NOW });
}

async function get(node: FakeNode, url: string, headers: Record<string, string> = {}) {
  return (await appOf(node)).inject({ url, headers });
}

describe("GET /v1/blocks/{ref}", () => {
  test("tells everything of a block, under the documented names", async () => {
    const node = new FakeNode();
    const bytes = transaction("a", "b");
    const block = node.add(bytes);
    node.irreversibleHeight = 1;
    const { configuration, ...header } = block.header;
    expect((await get(node, "/v1/blocks/1")).json()).toEqual({
      height: 1,
      id: block.id,
      status: "irreversible",
      header: { ...header, config: configuration },
      signature: Buffer.from(block.signature).toString("base64url"),
      certificate: "AQID",
      transactionCount: 1,
      transactions: [
        {
          id: toHex(transactionId(bytes)),
          index: 0,
          bytes: Buffer.from(bytes).toString("base64url"),
          nonce: "01".repeat(16),
          expiresAt: NOW,
          payload: expect.any(String),
          operations: [{ put: { key: "a", value: "b" } }],
        },
      ],
      receipts: [{ ok: true, version: 5 }],
    });
  });

  test("takes height, id, prefix, head and irreversible", async () => {
    const node = new FakeNode();
    const first = node.add();
    const second = node.add();
    node.irreversibleHeight = 1;
    const app = await appOf(node);
    const refs = { "1": first, [first.id]: first, [first.id.slice(0, 8)]: first, irreversible: first, head: second };
    for (const [ref, { id }] of Object.entries(refs)) {
      expect((await app.inject(`/v1/blocks/${ref}`)).json().id, ref).toBe(id);
    }
    expect((await app.inject("/v1/blocks/head")).json()).toMatchObject({ status: "pending", certificate: null });
  });

  test("an unknown one is a 404, an ambiguous or malformed one a 400", async () => {
    const app = await appOf(new FakeNode());
    expect((await app.inject("/v1/blocks/99")).json().error.code).toBe("BLOCK_NOT_FOUND");
    expect((await app.inject(`/v1/blocks/${"0".repeat(63)}1`)).statusCode).toBe(404);
    expect((await app.inject("/v1/blocks/abcdef01")).json().error.code).toBe("AMBIGUOUS_ID");
    for (const ref of ["abc", "ABCDEF0123", "-1", "1.5", "tail", "%00"]) {
      const answer = await app.inject(`/v1/blocks/${ref}`);
      expect([answer.statusCode, answer.json().error.code], ref).toEqual([400, "INVALID_REQUEST"]);
    }
  });

  test("its bytes, to whoever asks for them", async () => {
    const node = new FakeNode();
    const block = node.add(transaction("a"));
    const answer = await get(node, "/v1/blocks/1", { accept: "application/octet-stream" });
    expect(answer.headers["content-type"]).toBe("application/octet-stream");
    const decoded = decodeBlock(answer.rawPayload);
    expect(decoded.ok && decoded.value.id).toBe(block.id);
  });

  test("an irreversible one may be kept: by its id for ever, by height or name after asking", async () => {
    const node = new FakeNode();
    const { id } = node.add(transaction("a"));
    node.add();
    node.irreversibleHeight = 1;
    const app = await appOf(node);
    const headersOf = async (ref: string, headers: Record<string, string> = {}) => {
      const answer = await app.inject({ url: `/v1/blocks/${ref}`, headers });
      return [answer.statusCode, answer.headers.etag, answer.headers["cache-control"]];
    };
    expect(await headersOf(id)).toEqual([200, `W/"${id}"`, "public, max-age=31536000, immutable"]);
    for (const ref of ["1", "irreversible", id.slice(0, 8)]) {
      expect(await headersOf(ref), ref).toEqual([200, `W/"${id}"`, "no-cache"]);
      expect(await headersOf(ref, { "if-none-match": `"x", W/"${id}"` }), ref).toEqual([304, `W/"${id}"`, "no-cache"]);
    }
    const bytes = { accept: "application/octet-stream", "if-none-match": `"${id}"` };
    expect(await headersOf("1", bytes)).toEqual([304, `"${id}"`, "no-cache"]);
    expect(await headersOf("head")).toEqual([200, undefined, "no-store"]);
    const without = node.blocks.bind(node);
    node.block = (ref) => ({ ...(without(Number(ref), 1)[0] as BlockView), receipts: undefined });
    expect(await headersOf("1"), "its receipts are to come").toEqual([200, undefined, "no-store"]);
  });

  test("a block of many transactions comes whole", async () => {
    const node = new FakeNode();
    const count = 3 * JSON_SLICE + 1;
    node.add(...Array.from({ length: count }, (_, i) => transaction(`k${i}`)));
    const { transactions, receipts } = (await get(node, "/v1/blocks/head")).json();
    expect(transactions.map(({ index }: { index: number }) => index)).toEqual(
      Array.from({ length: count }, (_, i) => i),
    );
    expect(receipts).toHaveLength(count);
  });
});

describe("GET /v1/blocks", () => {
  test("lists from a height on and says what to ask for next", async () => {
    const node = new FakeNode();
    for (let i = 0; i < 5; i++) node.add(transaction(`k${i}`));
    const app = await appOf(node);
    const list = async (query: string) => {
      const { blocks, next } = (await app.inject(`/v1/blocks${query}`)).json();
      return [blocks.map(({ height }: { height: number }) => height), next];
    };
    expect(await list("?from=1&limit=2")).toEqual([[1, 2], 3]);
    expect(await list("?from=4&limit=2")).toEqual([[4, 5], null]);
    expect(await list("?from=5")).toEqual([[5], null]);
    expect(await list("?from=9")).toEqual([[], null]);
    expect(await list("")).toEqual([[0, 1, 2, 3, 4, 5], null]);
    const bare = (await app.inject("/v1/blocks?from=1&limit=1&transactions=false")).json().blocks[0];
    expect(bare).toMatchObject({ height: 1, transactionCount: 1 });
    expect(bare).not.toHaveProperty("transactions");
  });

  test("names no next block where this node holds none, so nobody asks for ever", async () => {
    const node = new FakeNode();
    node.add();
    node.blocks = () => [];
    expect((await get(node, "/v1/blocks?from=0")).json()).toEqual({ blocks: [], next: null });
  });

  test("ends early, and says so, where blocks are large", async () => {
    const node = new FakeNode();
    const large = transaction("k", "v".repeat(1024 * 1023));
    for (let i = 0; i < 4; i++) node.add(large, large, large, large);
    const { blocks, next } = (await get(node, "/v1/blocks?from=1&limit=4&transactions=false")).json();
    expect(blocks).toHaveLength(Math.ceil(LIST_BYTES / (4 * large.length)));
    expect(next).toBe(1 + blocks.length);
  });

  test.each(["?limit=101", "?limit=0", "?from=x", "?form=1"])("%s is a 400", async (query) => {
    expect((await get(new FakeNode(), `/v1/blocks${query}`)).statusCode).toBe(400);
  });
});

describe("GET /v1/kv", () => {
  test("a value with its version and the height of the state", async () => {
    const node = new FakeNode();
    node.put(utf8("greeting"), utf8("hello"), 3);
    node.put(utf8("raw"), new Uint8Array([0xff, 0xfe]), 4);
    node.add();
    node.irreversibleHeight = 0;
    const app = await appOf(node);
    expect((await app.inject("/v1/kv/greeting")).json()).toEqual({
      key: "greeting",
      value: "aGVsbG8",
      text: "hello",
      version: 3,
      height: 0,
    });
    expect((await app.inject("/v1/kv/raw?at=head")).json()).toEqual({
      key: "raw",
      value: "__4",
      version: 4,
      height: 1,
    });
  });

  test("keys are percent-encoded UTF-8, slashes or none", async () => {
    const node = new FakeNode();
    for (const key of ["a/b", "ü €", "100%", "a?b", "\ufeffx", "a b"]) node.put(utf8(key), utf8(key));
    const app = await appOf(node);
    for (const key of ["a/b", "ü €", "100%", "a?b", "\ufeffx", "a b"]) {
      expect((await app.inject(`/v1/kv/${encodeURIComponent(key)}`)).json(), key).toMatchObject({ key, text: key });
    }
    expect((await app.inject("/v1/kv/a/b")).json().key).toBe("a/b");
  });

  test("keys that are no text are read in base64url", async () => {
    const node = new FakeNode();
    node.put(new Uint8Array([0xff, 0x00]), utf8("x"));
    const app = await appOf(node);
    expect((await app.inject("/v1/kv/_wA?encoding=base64url")).json()).toMatchObject({
      key: { base64url: "_wA" },
      text: "x",
    });
    expect((await app.inject("/v1/kv/_w=?encoding=base64url")).statusCode).toBe(400);
  });

  test("a value's bytes, with version and height in the header, to whoever asks for them", async () => {
    const node = new FakeNode();
    node.put(utf8("raw"), new Uint8Array([0xff, 0xfe, 0]), 4);
    const answer = await get(node, "/v1/kv/raw", { accept: "application/octet-stream" });
    expect(answer.headers).toMatchObject({
      "content-type": "application/octet-stream",
      "cairn-version": "4",
      "cairn-height": "0",
    });
    expect([...answer.rawPayload]).toEqual([0xff, 0xfe, 0]);
  });

  test("absent is a 404, a broken escape a 400", async () => {
    const app = await appOf(new FakeNode());
    expect((await app.inject("/v1/kv/x")).json().error.code).toBe("KEY_NOT_FOUND");
    expect((await app.inject(`/v1/kv/${"k".repeat(1025)}`)).statusCode).toBe(404);
    const broken = await app.inject("/v1/kv/%ff");
    expect([broken.statusCode, broken.json().error.code]).toEqual([400, "INVALID_URL"]);
  });

  test.each([
    ["readable", 404, "KEY_NOT_FOUND", undefined],
    ["noLeader", 503, "NO_LEADER", "1"],
    ["behind", 503, "BEHIND", "1"],
    ["busy", 503, "BUSY", "1"],
  ] as const)("a linearizable read that is %s is a %i %s", async (verdict, status, code, retryAfter) => {
    const node = new FakeNode();
    node.verdict = verdict;
    const app = await appOf(node);
    const answer = await app.inject("/v1/kv/x?linearizable=true");
    expect([answer.statusCode, answer.json().error.code]).toEqual([status, code]);
    expect(answer.headers["retry-after"]).toBe(retryAfter);
    // Nobody is asked where the reader does not mind.
    expect((await app.inject("/v1/kv/x")).statusCode).toBe(404);
  });

  test("a linearizable read of the head is a 400: the head may be undone", async () => {
    const answer = await (await appOf(new FakeNode())).inject("/v1/kv/x?linearizable=true&at=head");
    expect([answer.statusCode, answer.json().error.code]).toEqual([400, "INVALID_REQUEST"]);
  });

  test("a prefix lists its keys in order, page after page, and no others", async () => {
    const node = new FakeNode();
    const keys = Array.from({ length: 60 }, (_, i) => `p/${String(i).padStart(2, "0")}`);
    for (const key of [...keys, "p", "p0", "q"]) node.put(utf8(key), utf8("v"));
    node.put(new Uint8Array([0x70, 0x2f, 0xff]), utf8("v"));
    const app = await appOf(node);
    const all: unknown[] = [];
    for (let after = ""; ;) {
      const { entries, more } = (await app.inject(`/v1/kv?prefix=p/&limit=25${after}`)).json();
      all.push(...entries.map(({ key }: { key: unknown }) => key));
      if (!more) break;
      after = `&after=${encodeURIComponent(String(all.at(-1)))}`;
    }
    expect(all).toEqual([...keys, { base64url: "cC__" }]);
    const pages: number[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const given: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const page = (await app.inject(`/v1/kv?prefix=p/&limit=25${given}`)).json();
      pages.push(page.entries.length);
      cursor = page.next;
    }
    expect(pages).toEqual([25, 25, 11]);
    const both = await app.inject("/v1/kv?after=a&cursor=YQ");
    expect([both.statusCode, both.json().error.code]).toEqual([400, "INVALID_REQUEST"]);
  });

  test("a list ends early where values are large", async () => {
    const node = new FakeNode();
    const value = new Uint8Array(1024 * 1024);
    for (let i = 0; i < 12; i++) node.put(utf8(`k${i}`), value);
    const { entries, more } = (await get(node, "/v1/kv?prefix=k")).json();
    expect([entries.length, more]).toEqual([LIST_BYTES / value.length, true]);
  });

  test("a prefix of ff bytes has no end", async () => {
    const node = new FakeNode();
    node.put(new Uint8Array([0xff, 0xff, 1]), utf8("v"));
    const { entries } = (await get(node, "/v1/kv?prefix=__8&encoding=base64url")).json();
    expect(entries).toHaveLength(1);
  });
});

describe("what a node says of itself", () => {
  test("status, peers, forks and the genesis as it was read", async () => {
    const node = new FakeNode();
    const app = await appOf(node);
    expect((await app.inject("/v1/status")).json()).toEqual(node.status());
    expect((await app.inject("/v1/peers")).json()).toEqual({ peers: [], off: [] });
    expect((await app.inject("/v1/forks")).json()).toMatchObject({ height: 0, isHead: true, children: [] });
    expect((await app.inject("/v1/genesis")).json()).toEqual(node.genesis.value);
  });

  test("metrics are Prometheus text", async () => {
    const answer = await get(new FakeNode(), "/metrics");
    expect(answer.headers["content-type"]).toBe("text/plain; version=0.0.4");
    expect(answer.body).toBe("cairn_consensus_height 5\n");
  });

  test("ready is a 503 with the reason until the node is synced; live always 200", async () => {
    const node = new FakeNode();
    const app = await appOf(node);
    expect((await app.inject("/health/ready")).statusCode).toBe(200);
    node.notReady = "300 blocks behind";
    const answer = await app.inject("/health/ready");
    expect([answer.statusCode, answer.json().error.message]).toEqual([503, "300 blocks behind"]);
    expect((await app.inject("/health/live")).statusCode).toBe(200);
  });

  test("a path that is not there is a 404, another method a 405 that names the right ones", async () => {
    const app = await appOf(new FakeNode());
    const missing = await app.inject("/v2/status");
    expect([missing.statusCode, missing.json().error.code]).toEqual([404, "NOT_FOUND"]);
    const wrong = await app.inject({ method: "DELETE", url: "/v1/kv/a" });
    expect([wrong.statusCode, wrong.json().error.code, wrong.headers.allow]).toEqual([
      405,
      "METHOD_NOT_ALLOWED",
      "GET, HEAD, OPTIONS",
    ]);
    const read = await app.inject({ method: "GET", url: "/v1/transactions/batch" });
    // The path of a transaction whose id is "batch": malformed rather than another method.
    expect(read.statusCode).toBe(400);
    expect((await app.inject({ method: "PUT", url: "/v1/transactions" })).headers.allow).toBe("POST, OPTIONS");
    const options = await app.inject({ method: "OPTIONS", url: "/v1/status" });
    expect([options.statusCode, options.headers.allow, options.body]).toEqual([204, "GET, HEAD, OPTIONS", ""]);
  });

  test("what fails inside is a 500 without its text", async () => {
    const node = new FakeNode();
    node.peers = () => {
      throw new Error("secret");
    };
    const answer = await get(node, "/v1/peers");
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toContain("secret");
  });
});

test("the OpenAPI document names every path and the bodies of submissions", async () => {
  const document = (await get(new FakeNode(), "/openapi.json")).json();
  expect(document.openapi).toBe("3.1.0");
  expect(Object.keys(document.paths).toSorted()).toEqual([
    "/health/live",
    "/health/ready",
    "/metrics",
    "/v1/blocks",
    "/v1/blocks/rejected",
    "/v1/blocks/{id}/accept",
    "/v1/blocks/{id}/reject",
    "/v1/blocks/{ref}",
    "/v1/blocks/{ref}/proof",
    "/v1/evidence",
    "/v1/forks",
    "/v1/genesis",
    "/v1/kv",
    "/v1/kv/{key}",
    "/v1/peers",
    "/v1/peers/{peer}/off",
    "/v1/peers/{peer}/on",
    "/v1/producers",
    "/v1/proofs/head",
    "/v1/proofs/producers",
    "/v1/routes",
    "/v1/status",
    "/v1/stream",
    "/v1/transactions",
    "/v1/transactions/batch",
    "/v1/transactions/{id}",
  ]);
  const { post } = document.paths["/v1/transactions"];
  expect(Object.keys(post.requestBody.content)).toEqual(["application/json", "application/octet-stream"]);
  expect(post.parameters.map(({ name }: { name: string }) => name)).toEqual(["wait", "timeout"]);
  expect(Object.keys(post.responses)).toEqual("200 400 401 403 408 409 413 414 415 429 431 500 503 504".split(" "));
  expect(PRODUCER).toHaveLength(64);
});
