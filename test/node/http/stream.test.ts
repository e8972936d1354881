import { afterEach, describe, expect, test } from "vitest";
import { encodeTransaction } from "../../../chain/transaction.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { encodeKvPayload } from "../../../src/node/applications/kvPayload.ts";
import { STREAM_PROGRESS_BLOCKS, STREAMS_MAX } from "../../../src/node/http/limits.ts";
import { type HttpServer, startHttp } from "../../../src/node/http/server.ts";
import { SILENT } from "../../../src/node/logging.ts";
import { appOf, FakeNode, NOW, testGenesis } from "./fakeNode.ts";
import { SseReader } from "./sse.ts";

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close();
});

async function serve(node: FakeNode): Promise<HttpServer> {
  const server = await startHttp(node, { host: "127.0.0.1", port: 0, token: undefined, log: SILENT });
  open.push(server);
  return server;
}

async function read(server: HttpServer, query = "", headers: Record<string, string> = {}): Promise<SseReader> {
  const reader = await SseReader.open(`${server.url}/v1/stream${query}`, headers);
  open.push(reader);
  return reader;
}

function chainOf(blocks: number): FakeNode {
  const node = new FakeNode();
  for (let i = 0; i < blocks; i++) node.add(put(`k${i}`));
  node.decide();
  return node;
}

function put(...keys: string[]): Uint8Array {
  const operations = keys.map((key) => ({ kind: "put" as const, key: utf8(key), value: utf8("v") }));
  return encodeTransaction({
    payload: encodeKvPayload(operations),
    nonce: new Uint8Array(16).fill(1),
    expiresAt: NOW,
  });
}

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

describe("GET /v1/stream", () => {
  test("tells blocks from a height on, then each as it becomes irreversible, in order, id = height", async () => {
    const node = chainOf(5);
    const reader = await read(await serve(node), "?from=2");
    expect(reader.response.headers.get("content-type")).toBe("text/event-stream");
    expect(reader.response.headers.get("cache-control")).toBe("no-store");
    await expect.poll(() => reader.heights).toEqual([2, 3, 4, 5]);
    node.add(put("x"));
    node.add(put("y"));
    node.add(put("z"));
    node.decide(7); // two at once; the third is pending
    await expect.poll(() => reader.heights).toEqual([2, 3, 4, 5, 6, 7]);
    expect(reader.events.map(({ id }) => Number(id))).toEqual(reader.heights);
  });

  test("an event holds what /v1/blocks/{height} answers", async () => {
    const node = chainOf(2);
    const server = await serve(node);
    const reader = await read(server, "?from=0");
    await expect.poll(() => reader.heights).toEqual([0, 1, 2]);
    for (const height of [0, 1, 2]) {
      expect(reader.blocks[height]).toEqual(await (await fetch(`${server.url}/v1/blocks/${height}`)).json());
    }
  });

  test("Last-Event-ID resumes behind it and wins over from", async () => {
    const server = await serve(chainOf(5));
    const reader = await read(server, "?from=1", { "last-event-id": "3" });
    await expect.poll(() => reader.heights).toEqual([4, 5]);
  });

  test("from above the head waits for that block", async () => {
    const node = chainOf(2);
    const reader = await read(await serve(node), "?from=4");
    for (const _ of [3, 4, 5]) {
      node.add();
      node.decide();
    }
    await expect.poll(() => reader.heights).toEqual([4, 5]);
  });

  test("without from it begins with the next block", async () => {
    const node = chainOf(3);
    const reader = await read(await serve(node));
    await expect.poll(() => reader.text).toContain("retry: ");
    node.add();
    node.decide();
    await expect.poll(() => reader.heights).toEqual([4]);
  });

  test("below the first block kept it is a 410 that names the first", async () => {
    const node = chainOf(5);
    node.first = 3;
    const app = await appOf(node);
    for (const request of [{ url: "/v1/stream?from=2" }, { url: "/v1/stream", headers: { "last-event-id": "1" } }]) {
      const answer = await app.inject(request);
      expect([answer.statusCode, answer.json().error]).toMatchObject([
        410,
        { code: "BLOCKS_GONE", details: { first: 3 } },
      ]);
    }
    const reader = await read(await serve(node), "", { "last-event-id": "2" });
    await expect.poll(() => reader.heights).toEqual([3, 4, 5]);
  });

  test.each([
    ["?from=x", {}],
    ["?from=-1", {}],
    ["?from=1.5", {}],
    ["?from=", {}],
    ["?from=1&from=2", {}],
    ["?height=1", {}],
    ["?topic=", {}],
    ["?topic=_w=&encoding=base64url", {}],
    ["", { "last-event-id": "x" }],
    ["", { "last-event-id": "-1" }],
    ["?from=1", { "last-event-id": "1e3" }],
  ])("%s %o is a 400", async (query, headers) => {
    const answer = await (await appOf(chainOf(1))).inject({ url: `/v1/stream${query}`, headers });
    expect([answer.statusCode, answer.json().error.code]).toEqual([400, "INVALID_REQUEST"]);
  });

  test("a block that cannot be read breaks the connection: nothing is left out", async () => {
    const node = chainOf(5);
    const blocks = node.blocks.bind(node);
    node.blocks = (from, limit) => (from === 3 ? [] : blocks(from, limit));
    const reader = await read(await serve(node), "?from=1");
    await expect.poll(() => reader.hasEnded).toBe(true);
    expect(reader.heights).toEqual([1, 2]);
  });

  test("a reader that goes away leaves nothing behind, and a bound holds for those that stay", async () => {
    const node = chainOf(1);
    const server = await serve(node);
    const readers = await Promise.all(range(1, STREAMS_MAX).map(() => read(server, "?from=1")));
    const refused = await fetch(`${server.url}/v1/stream`);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await refused.json()).toMatchObject({ error: { code: "TOO_MANY_STREAMS" } });
    readers[0]?.close();
    await expect
      .poll(async () => {
        const reader = await read(server, "?from=1");
        return reader.response.status;
      })
      .toBe(200);
    await Promise.all(readers.slice(1).map((reader) => expect.poll(() => reader.heights).toEqual([1])));
  });

  test("a stop ends it between two events", async () => {
    const node = chainOf(3);
    const server = await serve(node);
    const reader = await read(server, "?from=1");
    await expect.poll(() => reader.heights).toEqual([1, 2, 3]);
    const started = performance.now();
    await server.close();
    await expect.poll(() => reader.hasEnded).toBe(true);
    expect(performance.now() - started).toBeLessThan(900); // not by force, which comes after a second
    expect(node.listeners.size).toBe(0);
  });
});

describe("a topic", () => {
  test("leaves transactions on other keys out, and blocks that hold nothing else", async () => {
    const node = new FakeNode();
    node.add(put("a/1"), put("b/1"), put("c", "a/2"));
    node.add(put("b/2"));
    node.add();
    node.add(put("a"), put("a/3"));
    node.decide();
    const reader = await read(await serve(node), "?from=0&topic=a/");
    await expect.poll(() => reader.heights).toEqual([1, 4]);
    const [first, second] = reader.blocks;
    expect(first).toMatchObject({ transactionCount: 3, transactions: [{ index: 0 }, { index: 2 }] });
    expect(first?.receipts).toHaveLength(2);
    expect(second).toMatchObject({ transactionCount: 2, transactions: [{ index: 1 }] });
  });

  test("may be bytes", async () => {
    const node = new FakeNode();
    const key = new Uint8Array([0xff, 0x01]);
    const payload = encodeKvPayload([{ kind: "delete", key }]);
    node.add(encodeTransaction({ payload, nonce: new Uint8Array(16), expiresAt: NOW }), put("a"));
    node.decide();
    const reader = await read(await serve(node), "?from=0&topic=_w&encoding=base64url");
    await expect.poll(() => reader.heights).toEqual([1]);
    expect(reader.blocks[0]?.transactions).toHaveLength(1);
  });

  test("a reader of blocks without it is told how far it is, so that it resumes there", async () => {
    const node = chainOf(STREAM_PROGRESS_BLOCKS + 5);
    const server = await serve(node);
    const reader = await read(server, "?from=1&topic=none");
    await expect.poll(() => reader.events).toEqual([{ id: String(STREAM_PROGRESS_BLOCKS), data: undefined }]);
    const last = `k${STREAM_PROGRESS_BLOCKS + 2}`;
    const resumed = await read(server, `?topic=${last}`, { "last-event-id": String(STREAM_PROGRESS_BLOCKS) });
    await expect.poll(() => resumed.heights).toEqual([STREAM_PROGRESS_BLOCKS + 3]);
  });

  test("is a 400 where the application has none", async () => {
    const node = new FakeNode(testGenesis());
    Object.assign(node.genesis.application, { name: "other" });
    const answer = await (await appOf(node)).inject("/v1/stream?topic=a");
    expect([answer.statusCode, answer.json().error.code]).toEqual([400, "NO_TOPICS"]);
  });
});
