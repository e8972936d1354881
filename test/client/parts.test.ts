/** The client's parts by themselves: events out of pieces, the breaker, backoff, reads, the hash of the browser build. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as nodeHash from "../../src/base/hash.ts";
import { Breaker } from "../../src/client/breaker.ts";
import * as browserHash from "../../src/client/browser/hash.ts";
import { CairnClient, ClientError } from "../../src/client/index.ts";
import { backoffMs } from "../../src/client/platform.ts";
import { EventParser, EventTooLargeError } from "../../src/client/sse.ts";
import { failure, type Handler, json, START, VirtualNodes } from "./virtual.ts";

describe("server-sent events", () => {
  const text =
    'retry: 5\n\nid: 1\ndata: {"a":1}\n\n: keep-alive\n\nid:2\r\ndata:x\r\ndata: y\r\n\r\nid: 3\n\ndata: half';
  const whole = [
    { id: "1", data: '{"a":1}' },
    { id: "2", data: "x\ny" },
    { id: "3", data: undefined },
  ];

  test("are the same however the text is cut", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(text.length), { maxLength: 20 }), (cuts) => {
        const parser = new EventParser(100);
        const places = [0, ...cuts.sort((a, b) => a - b), text.length];
        const pieces = places.slice(1).map((end, i) => text.slice(places[i], end));
        expect(pieces.flatMap((piece) => [...parser.push(piece)])).toEqual(whole);
      }),
    );
  });

  test("have a bound, in one piece or in many, and it is of one event", () => {
    const parser = new EventParser(50);
    for (let i = 0; i < 10; i++) expect([...parser.push("id: 1\ndata: 0123456789\n\n")]).toHaveLength(1);
    expect(() => {
      for (let i = 0; i < 10; i++) expect([...parser.push("data: 0123456789\n")]).toEqual([]);
    }).toThrow(EventTooLargeError);
    expect(() => [...new EventParser(50).push("x".repeat(51))]).toThrow(EventTooLargeError);
  });
});

describe("circuit breaker", () => {
  const clock = { time: 0, now: () => clock.time, random: () => 0.5 };

  test("closed until three failures in a row, then open, half-open for one, closed again by its success", () => {
    const breaker = new Breaker(clock);
    breaker.failed();
    breaker.failed();
    breaker.succeeded();
    breaker.failed();
    breaker.failed();
    expect([breaker.state, breaker.enter()]).toEqual(["closed", true]);
    breaker.failed();
    expect([breaker.state, breaker.enter()]).toEqual(["open", false]);
    clock.time = breaker.opensAt ?? Number.NaN;
    expect([breaker.enter(), breaker.state, breaker.enter()]).toEqual([true, "half-open", false]);
    breaker.succeeded();
    expect([breaker.state, breaker.enter()]).toEqual(["closed", true]);
  });

  test("opens for longer each time the one fails, up to a bound; given up, the next one may try at once", () => {
    const breaker = new Breaker(clock);
    const openMs: number[] = [];
    for (let i = 0; i < 3; i++) breaker.failed();
    for (let i = 0; i < 8; i++) {
      openMs.push((breaker.opensAt ?? 0) - clock.time);
      clock.time = breaker.opensAt ?? 0;
      expect(breaker.enter()).toBe(true);
      breaker.failed();
    }
    expect(openMs).toEqual([...openMs].sort((a, b) => a - b));
    expect([openMs[0], openMs.at(-1)]).toEqual([375, 7_500]);
    clock.time = breaker.opensAt ?? 0;
    breaker.enter();
    breaker.abandoned();
    expect(breaker.enter()).toBe(true);
  });
});

test("backoff is any time up to a bound that doubles, to two seconds at most", () => {
  const longest = [0, 1, 2, 5, 6, 100].map((attempt) => backoffMs(attempt, { random: () => 1 }));
  expect(longest).toEqual([50, 100, 200, 1_600, 2_000, 2_000]);
  expect(backoffMs(5, { random: () => 0 })).toBe(0);
});

describe("reads", () => {
  const value: Handler = () => json({ key: "a", value: "Yg", text: "b", version: 3, height: 9 });

  test("go to the next node where one is down, lies or answers too much", async () => {
    const nodes = new VirtualNodes({
      a: () => "lost",
      b: () => json({ key: 1 }),
      c: () => new Response("{"),
      d: value,
    });
    expect((await nodes.run(nodes.client().kvGet("a")))?.text).toBe("b");
    expect(nodes.asked).toHaveLength(4);
  });

  test("of a node that is behind are not taken", async () => {
    const absent: Handler = () => failure(404, "KEY_NOT_FOUND", { height: 8 });
    const nodes = new VirtualNodes({ a: absent, b: value });
    expect((await nodes.run(nodes.client().kvGet("a", { minHeight: 9 })))?.version).toBe(3);
    expect(await nodes.run(new VirtualNodes({ a: absent }).client().kvGet("a"))).toBeUndefined();
    const behind = new VirtualNodes({ a: absent, b: absent });
    await expect(behind.run(behind.client().kvGet("a", { minHeight: 9 }))).rejects.toMatchObject({ code: "BEHIND" });
  });

  test("fail soon when nobody is there, and say which nodes", async () => {
    const nodes = new VirtualNodes({ a: () => "lost", b: () => "lost" });
    const error = await nodes.run(
      nodes
        .client()
        .status()
        .catch((thrown: unknown) => thrown as ClientError),
    );
    expect(error).toMatchObject({ code: "UNREACHABLE" });
    expect((error as ClientError).details.causes).toHaveLength(4);
  });

  test("of what a node cannot do (501) are refused: it is not asked again, and its breaker stays closed", async () => {
    const nodes = new VirtualNodes({ a: () => failure(501, "NOT_IMPLEMENTED") });
    const client = nodes.client();
    for (let i = 0; i < 4; i++) {
      await expect(nodes.run(client.kvGet("a", { linearizable: true }))).rejects.toMatchObject({
        code: "REFUSED",
        details: { httpStatus: 501, nodeCode: "NOT_IMPLEMENTED" },
      });
    }
    expect([nodes.asked.length, nodes.time.now]).toEqual([4, START]);
  });

  test("end at the deadline, which names the nodes, and when the signal aborts", async () => {
    const nodes = new VirtualNodes({ a: () => "hang" });
    await expect(nodes.run(nodes.client().status({ timeoutMs: 500 }))).rejects.toMatchObject({
      code: "TIMEOUT",
      message: "http://a: no answer within 500 ms",
    });
    await expect(nodes.run(nodes.client().status({ signal: AbortSignal.abort() }))).rejects.toMatchObject({
      code: "ABORTED",
    });
  });

  test("a transaction is looked for at every node; the furthest search counts", async () => {
    const absent =
      (height: number): Handler =>
      () =>
        failure(404, "TRANSACTION_NOT_FOUND", { absentThrough: { height, time: height } });
    const id = "ab".repeat(32);
    const pending: Handler = () => json({ id, status: "pending" });
    const all = (handlers: Record<string, Handler>) => {
      const nodes = new VirtualNodes(handlers);
      return nodes.run(nodes.client().transaction(id));
    };
    expect(await all({ a: absent(3), b: absent(9), c: absent(5) })).toMatchObject({ absentThrough: { height: 9 } });
    expect(await all({ a: absent(3), b: pending, c: absent(5) })).toEqual({ id, status: "pending" });
    const place = { id, status: "included", height: 1, index: 0, blockId: id, transaction: { bytes: "AA" } };
    expect(await all({ a: pending, b: () => "lost", c: () => json(place) })).toEqual(place);
    await expect(all({ a: () => "lost" })).rejects.toMatchObject({ code: "UNREACHABLE" });
  });

  test("URLs are checked, and a token never follows a redirect", async () => {
    expect(() => new CairnClient("localhost")).toThrow(/must be a URL/);
    expect(() => new CairnClient([])).toThrow(ClientError);
    const nodes = new VirtualNodes({ a: value });
    let redirect: unknown;
    const client = new CairnClient("http://a/", {
      platform: { fetch: (_, init) => ((redirect = init.redirect), Promise.resolve(json({}))) },
    });
    await client.status().catch(() => undefined);
    expect([redirect, nodes.asked]).toEqual(["error", []]);
  });
});

describe("the browser's SHA-256", () => {
  test("is Node's, of any bytes in any parts", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }), (parts) => {
        const whole = Buffer.concat(parts);
        expect(browserHash.sha256Of(parts)).toEqual(new Uint8Array(nodeHash.sha256(whole)));
        expect(browserHash.sha256Hex(whole)).toBe(nodeHash.sha256Hex(whole));
        const [a, b] = [new Uint8Array(40), new Uint8Array(40)];
        browserHash.sha256Into(whole, a, 8);
        nodeHash.sha256Into(whole, b, 8);
        expect(a).toEqual(b);
      }),
    );
    expect(browserHash.sha256(new Uint8Array(1_000_000).fill(0x61))).toEqual(
      nodeHash.sha256(new Uint8Array(1_000_000).fill(0x61)),
    );
  });

  test("has the same face", () => {
    expect(Object.keys(browserHash).sort()).toEqual(Object.keys(nodeHash).sort());
  });
});
