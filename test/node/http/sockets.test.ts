import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type HttpOptions, type HttpServer, startHttp } from "../../../src/node/http/server.ts";
import { BATCH_BODY_BYTES, BATCH_SLICE, REQUESTS_MAX, SINGLE_BODY_BYTES } from "../../../src/node/http/limits.ts";
import { SILENT } from "../../../src/node/logging.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { FakeNode, JSON_HEADERS } from "./fakeNode.ts";

const PUT = JSON.stringify({ put: { key: "a", value: "b" } });
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function serve(node = new FakeNode(), options: Partial<HttpOptions> = {}): Promise<HttpServer> {
  const server = await startHttp(node, { host: "127.0.0.1", port: 0, token: undefined, log: SILENT, ...options });
  open.push(server);
  return server;
}

async function dial(server: HttpServer): Promise<Socket> {
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  socket.on("error", () => undefined); // a reset is one of the ways to be refused
  await once(socket, "connect");
  return socket;
}

async function answerOf(socket: Socket): Promise<string> {
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  await closeOf(socket);
  return text;
}

/** Unlike `once`, whatever error comes before it. */
function closeOf(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once("close", resolve));
}

async function expectServing(server: HttpServer): Promise<void> {
  expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
}

describe("the HTTP port serves on", () => {
  test("after random bytes, which are answered with a 400 in JSON or not at all", async () => {
    const server = await serve();
    for (let round = 0; round < 50; round++) {
      const socket = await dial(server);
      const answer = answerOf(socket);
      socket.end(randomBytes(1 + round * 40));
      const text = await answer;
      if (text !== "") expect(text).toMatch(/^HTTP\/1\.1 400 [\s\S]*\r\n\r\n\{"error":\{"code":"INVALID_REQUEST"/);
    }
    await expectServing(server);
  });

  test("beside half-open connections, which it closes after their time with a 408", async () => {
    const server = await serve(new FakeNode(), { timeouts: { headersMs: 100, requestMs: 200, checkMs: 20 } });
    const silent = await dial(server);
    const slow = await dial(server);
    const body = await dial(server);
    const answers = [silent, slow, body].map(answerOf);
    slow.write("GET /v1/status HT");
    body.write(
      `POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
    );
    await expectServing(server);
    const texts = await Promise.all(answers);
    expect(texts[1]).toMatch(/^HTTP\/1\.1 408 [\s\S]*"REQUEST_TIMEOUT"/);
    expect(texts[2]).toMatch(/^HTTP\/1\.1 408 /);
    await expectServing(server);
  });

  test("after a head that is too large, answered with a 431", async () => {
    const server = await serve();
    const socket = await dial(server);
    const answer = answerOf(socket);
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(64 * 1024)}\r\n\r\n`);
    expect(await answer).toMatch(/^HTTP\/1\.1 431 [\s\S]*"HEADERS_TOO_LARGE"/);
    await expectServing(server);
  });

  test("after a body without end, answered with a 413 when it is too long, and not read any further", async () => {
    const server = await serve();
    const socket = await dial(server);
    const answer = answerOf(socket);
    socket.write(`POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`);
    socket.write("Transfer-Encoding: chunked\r\n\r\n");
    const chunk = `10000\r\n${" ".repeat(0x10000)}\r\n`;
    for (let sent = 0; sent < 4 * SINGLE_BODY_BYTES && !socket.destroyed; sent += chunk.length) {
      if (!socket.write(chunk)) await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), answer]);
    }
    expect(await answer).toMatch(/^(?:HTTP\/1\.1 413 [\s\S]*"BODY_TOO_LARGE"|$)/); // a reset may overtake the answer
    await expectServing(server);
  });

  test("after clients that go away while they wait", async () => {
    const node = new FakeNode();
    node.answer = () => new Promise(() => undefined);
    const server = await serve(node);
    const controller = new AbortController();
    const request = fetch(`${server.url}/v1/transactions`, {
      method: "POST",
      headers: JSON_HEADERS,
      body: PUT,
      signal: controller.signal,
    });
    await expect.poll(() => node.submissions.length).toBe(1);
    controller.abort();
    await expect(request).rejects.toThrow();
    await expectServing(server);
  });
});

describe("what is no ordinary request is answered in JSON, too", () => {
  test.each([
    ["an unknown method", "FOO /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", 501, "METHOD_UNKNOWN"],
    ["CONNECT", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 405, "METHOD_NOT_ALLOWED"],
    [
      "an unknown expectation",
      "GET /v1/status HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nConnection: close\r\n\r\n",
      417,
      "EXPECTATION_FAILED",
    ],
    ["no host", "GET /v1/status HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "INVALID_REQUEST"],
    [
      "a part of the path that is too long",
      `GET /v1/blocks/${"1".repeat(500)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      414,
      "URL_TOO_LONG",
    ],
    [
      "a method with a body that is not possible here, which is not read",
      "PUT /v1/transactions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n",
      405,
      "METHOD_NOT_ALLOWED",
    ],
    [
      "a body of another content type, which is not read",
      "POST /v1/transactions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 99999999999\r\n\r\n",
      415,
      "UNSUPPORTED_MEDIA_TYPE",
    ],
    [
      "two lengths",
      "POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
      "INVALID_REQUEST",
    ],
  ])("%s", async (_, request, status, code) => {
    const socket = await dial(await serve());
    const answer = answerOf(socket);
    socket.write(request);
    const text = await answer;
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4))).toMatchObject({ error: { code } });
  });

  test("also behind an answered request of the same connection, and not into an answer that is due", async () => {
    const server = await serve();
    const socket = await dial(server);
    const answer = answerOf(socket);
    socket.write("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "data");
    socket.write("FOO / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(await answer).toMatch(/"live"\}HTTP\/1\.1 501 /);

    const node = new FakeNode();
    node.answer = () => new Promise(() => undefined);
    const waiting = await dial(await serve(node));
    const none = answerOf(waiting);
    waiting.write(
      `POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${PUT.length}\r\n\r\n${PUT}`,
    );
    await expect.poll(() => node.submissions.length).toBe(1);
    waiting.write("rubbish\r\n\r\n");
    expect(await none).toBe("");
  });
});

test("requests in work have a bound, pipelined ones, too; the next are told to come again", async () => {
  const node = new FakeNode();
  node.answer = () => new Promise(() => undefined);
  const server = await serve(node);
  const one = `POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${PUT.length}\r\n\r\n${PUT}`;
  const sockets = await Promise.all(Array.from({ length: 50 }, () => dial(server)));
  for (const socket of sockets) socket.write(one.repeat(1 + REQUESTS_MAX / sockets.length));
  const live = () => fetch(`${server.url}/health/live`);
  await expect.poll(async () => (await live()).status, { timeout: 60_000 }).toBe(503);
  const refused = await live();
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(await refused.json()).toMatchObject({ error: { code: "BUSY" } });
  expect(node.submissions.length).toBeLessThanOrEqual(REQUESTS_MAX);
  for (const socket of sockets) socket.destroy();
  await expect.poll(async () => (await live()).status, { timeout: 60_000 }).toBe(200);
});

describe("a reader of an answer", () => {
  const slowReaders = { forMs: 400, checkMs: 50 };

  /** Far more than the kernel's buffers hold. */
  function largeNode(): FakeNode {
    const node = new FakeNode();
    for (let i = 0; i < 10; i++) node.put(utf8(`k${i}`), new Uint8Array(1024 * 1024));
    return node;
  }

  test("that takes nothing is cut off", async () => {
    const lines: string[] = [];
    const log = { ...SILENT, write: (_level: unknown, _layer: unknown, message: string) => void lines.push(message) };
    const server = await serve(largeNode(), { slowReaders, log });
    const socket = await dial(server);
    socket.write("GET /v1/kv?prefix=k HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "readable");
    await expect.poll(() => lines, { timeout: 60_000 }).toEqual(["cuts off a slow reader"]);
    const closed = closeOf(socket);
    socket.resume();
    await closed;
    await expectServing(server);
  });

  test("that comes on, however long it takes, is not", async () => {
    const server = await serve(largeNode(), { slowReaders });
    const socket = await dial(server);
    socket.write("GET /v1/kv?prefix=k HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let bytes = 0;
    const started = performance.now();
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      const due = started + (bytes / (50 * 1024 * 1024)) * 1_500;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
    }
    expect(bytes).toBeGreaterThan(50 * 1024 * 1024);
    expect(performance.now() - started).toBeGreaterThan(2 * slowReaders.forMs);
  });
});

test("bodies that are announced beyond what all may hold together are told to come again", async () => {
  const server = await serve();
  const head = `POST /v1/transactions/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: ${BATCH_BODY_BYTES}\r\n\r\n`;
  const holders = await Promise.all(Array.from({ length: 16 }, () => dial(server)));
  for (const socket of holders) socket.write(head);
  const batch = () =>
    fetch(`${server.url}/v1/transactions/batch`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: PUT,
    });
  await expect.poll(async () => (await batch()).status).toBe(503);
  expect((await batch()).headers.get("retry-after")).toBe("1");
  await expectServing(server);
  for (const socket of holders) socket.destroy();
  await expect.poll(async () => (await batch()).status).toBe(200);
});

test("the largest value that fits a transaction is taken", async () => {
  const server = await serve();
  const body = JSON.stringify({
    put: { key: "a", value: { base64url: Buffer.alloc(1024 * 1024 - 64).toString("base64url") } },
  });
  expect(body.length).toBeLessThan(SINGLE_BODY_BYTES);
  expect((await fetch(`${server.url}/v1/transactions`, { method: "POST", headers: JSON_HEADERS, body })).status).toBe(
    200,
  );
});

describe("closing", () => {
  test("what still comes on a connection that is open is told so in JSON", async () => {
    const node = new FakeNode();
    node.answer = () => new Promise(() => undefined);
    const server = await serve(node);
    const socket = await dial(server);
    const answer = answerOf(socket);
    const head = "Host: x\r\nContent-Type: application/json\r\n";
    socket.write(`POST /v1/transactions HTTP/1.1\r\n${head}Content-Length: ${PUT.length}\r\n\r\n${PUT}`);
    await expect.poll(() => node.submissions.length).toBe(1);
    const closed = server.close();
    socket.write("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
    await closed;
    expect((await answer).match(/"code":"STOPPING"/g)?.length).toBeGreaterThanOrEqual(1);
    expect(await answer).not.toContain("FST_");
    expect(await answer).not.toContain('"statusCode"');
  });

  test("ends waits with a 503, frees the port, and takes no longer than a moment", async () => {
    const node = new FakeNode();
    node.answer = () => new Promise(() => undefined);
    const server = await serve(node);
    const idle = await dial(server);
    const idleClosed = closeOf(idle.resume());
    idle.write("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"); // and keeps its connection
    const single = fetch(`${server.url}/v1/transactions?timeout=60000`, {
      method: "POST",
      headers: JSON_HEADERS,
      body: PUT,
    });
    const batch = fetch(`${server.url}/v1/transactions/batch?timeout=60000`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: PUT,
    });
    await expect.poll(() => node.submissions.length).toBe(2);
    const started = performance.now();
    await server.close();
    expect(performance.now() - started).toBeLessThan(5_000);
    for (const answer of [await single, await batch]) {
      expect(answer.status).toBe(503);
      expect(((await answer.json()) as { error: { code: string } }).error.code).toBe("STOPPING");
    }
    await idleClosed;
    const port = Number(new URL(server.url).port);
    const again = await startHttp(new FakeNode(), { host: "127.0.0.1", port, token: undefined, log: SILENT });
    await again.close();
  });

  test("in the middle of a large batch ends that, too", async () => {
    const node = new FakeNode();
    node.answer = () => new Promise(() => undefined);
    const server = await serve(node);
    const batch = fetch(`${server.url}/v1/transactions/batch`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: `${PUT}\n`.repeat(50 * BATCH_SLICE),
    });
    const slices = Promise.withResolvers<void>();
    const submit = node.submit.bind(node);
    node.submit = (...given) => {
      if (node.submissions.length === 3) slices.resolve();
      return submit(...given);
    };
    await slices.promise;
    const closed = server.close();
    expect((await batch).status).toBe(503);
    await closed;
    expect(node.submissions.length).toBeLessThan(50);
  });

  test("does not wait for a client that sends no more", async () => {
    const server = await serve();
    const socket = await dial(server);
    const closed = closeOf(socket.resume());
    socket.write(
      "POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nContent-Type: application/json\r\n\r\n{",
    );
    await expectServing(server);
    await server.close();
    await closed;
  });
});

test("a port that is taken is the caller's error, with the system's code", async () => {
  const server = await serve();
  const port = Number(new URL(server.url).port);
  const second = startHttp(new FakeNode(), { host: "127.0.0.1", port, token: undefined, log: SILENT });
  await expect(second).rejects.toMatchObject({ code: "EADDRINUSE" });
});
