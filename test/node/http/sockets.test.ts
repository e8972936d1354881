import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { startHttp, type HttpServer } from "../../../src/node/http/server.ts";
import { BATCH_BODY_BYTES, SINGLE_BODY_BYTES } from "../../../src/node/http/limits.ts";
import { SILENT } from "../../../src/node/logging.ts";
import { FakeNode, JSON_HEADERS } from "./fakeNode.ts";

const PUT = JSON.stringify({ put: { key: "a", value: "b" } });
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function serve(
  node = new FakeNode(),
  timeouts?: { headersMs: number; requestMs: number; checkMs: number },
): Promise<HttpServer> {
  const options = { host: "127.0.0.1", port: 0, token: undefined, log: SILENT, ...(timeouts && { timeouts }) };
  const server = await startHttp(node, options);
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
    const server = await serve(new FakeNode(), { headersMs: 100, requestMs: 200, checkMs: 20 });
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
