// Strangers that keep to no rule: each costs its own connection and nothing else.

import { connect } from "node:net";
import type { Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { FRAME } from "../../../net/link/frame.ts";
import { encodeCredit } from "../../../net/link/control.ts";
import { encodeInit, readClose } from "../../../net/link/init.ts";
import { DEFAULT_LIMITS } from "../../../net/link/index.ts";
import type { LinkLimits } from "../../../net/link/index.ts";
import { initOf, RawClient, RawHost, startNode, stopAll } from "./nodes.ts";
import type { Node } from "./nodes.ts";

afterEach(stopAll);

/** Reproducible noise (xorshift32). */
function noiseBytes(length: number, seed: number): Uint8Array {
  let x = seed * 2_654_435_761 || 1;
  return new Uint8Array(length).map(() => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x & 0xff;
  });
}

function tcpTo(node: Node): Promise<{ socket: Socket; closed: Promise<void> }> {
  const socket = connect({ host: "127.0.0.1", port: Number(node.address.split("/")[4]) });
  socket.on("error", () => undefined); // a reset is how it should end
  socket.resume();
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return new Promise((resolve) => socket.once("connect", () => resolve({ socket, closed })));
}

async function expectServing(node: Node): Promise<void> {
  const friend = await startNode({ seed: 200 });
  friend.links.setTarget(node.address);
  await friend.seen.first("up");
  friend.links.send(node.links.key, "chain", [new Uint8Array([42])]);
  await node.seen.first("message", (m) => m.peer === friend.links.key && m.payload[0] === 42);
}

describe("on the TCP port", () => {
  test("random bytes cost only their connection", async () => {
    const node = await startNode({ seed: 1 });
    const sockets = await Promise.all(Array.from({ length: 20 }, () => tcpTo(node)));
    sockets.forEach(({ socket }, i) => socket.write(noiseBytes(1 + i * 500, i + 1)));
    // Also noise behind a correct beginning.
    for (const { socket } of sockets.slice(0, 5)) socket.write("\x13/multistream/1.0.0\n\x07/noise\n");
    for (const { socket } of sockets) socket.end();
    await Promise.all(sockets.map(({ closed }) => closed));
    await expectServing(node);
  });

  test("connections that say nothing are bounded in number and in time", async () => {
    const limits: Partial<LinkLimits> = { handshakeTimeoutMs: 2_000, maxHandshakes: 4 };
    const node = await startNode({ seed: 1, limits });
    const sockets = await Promise.all(Array.from({ length: 12 }, () => tcpTo(node)));
    let open = sockets.length;
    for (const { closed } of sockets) void closed.then(() => (open -= 1));
    // Eight are cut off at once, before anything could time out; the others when their time is over.
    await expect.poll(() => open, { interval: 5, timeout: 1_700 }).toBe(4);
    await Promise.all(sockets.map(({ closed }) => closed));
    await expectServing(node);
  });
});

describe("behind noise", () => {
  test("connections that never open a lane are bounded in number and in time", async () => {
    const node = await startNode({ seed: 1, limits: { handshakeTimeoutMs: 1_500, maxHandshakes: 3 } });
    const clients: RawClient[] = [];
    // One after the other: noise is done, so that libp2p's own bound does not count them any more.
    for (const seed of [11, 12, 13, 14, 15]) clients.push(await RawClient.dial(seed, node.address));
    await expect.poll(() => node.links.stats().connectionsShed, { interval: 5 }).toBe(2);
    expect(node.links.stats().handshakes).toBe(3);
    for (const client of clients) await client.closed();
    expect(node.seen.of("refused").map(({ reason }) => reason)).toContain("handshakeTimeout");
    await expect.poll(() => node.links.stats().handshakes).toBe(0);
    await expectServing(node);
  });

  test("a connection that ends before it opened a lane is told as lost", async () => {
    const node = await startNode({ seed: 1 });
    const client = await RawClient.dial(11, node.address);
    await client.connection.close();
    expect(await node.seen.first("refused")).toMatchObject({ reason: "connectionLost" });
  });

  test("an Init without the other lanes times out, told to the peer", async () => {
    const node = await startNode({ seed: 1, limits: { handshakeTimeoutMs: 300 } });
    const client = await RawClient.dial(11, node.address);
    await client.open("urgent");
    client.send("urgent", FRAME.init, encodeInit(initOf()));
    expect(readClose(await client.frame(FRAME.close))).toMatchObject({ value: { reason: "handshakeTimeout" } });
    await node.seen.first("refused", ({ reason }) => reason === "handshakeTimeout");
  });

  const badHandshakes: readonly (readonly [string, string, (client: RawClient) => void])[] = [
    ["data before Init", "undecodable", (c) => c.send("chain", FRAME.data, new Uint8Array(3))],
    ["ping before Init", "undecodable", (c) => c.send("urgent", FRAME.ping, new Uint8Array(4))],
    ["Init that is noise", "badInit", (c) => c.send("urgent", FRAME.init, noiseBytes(300, 7))],
    ["Init above its bound", "frameTooLarge", (c) => c.send("urgent", FRAME.init, new Uint8Array(0), 16 * 1024 + 1)],
    ["Init on another lane", "undecodable", (c) => c.send("bulk", FRAME.init, encodeInit(initOf()))],
    ["unknown frame type", "undecodable", (c) => c.send("urgent", 99, new Uint8Array(0))],
  ];
  test.each(badHandshakes)("%s: refused with a typed reason, told to the peer", async (_what, reason, act) => {
    const node = await startNode({ seed: 1 });
    const client = await RawClient.dial(11, node.address);
    await client.openAll();
    act(client);
    await node.seen.first("refused", (refused) => refused.reason === reason);
    const close = readClose(await client.frame(FRAME.close));
    expect(close).toMatchObject({ value: { reason } });
    expect(node.seen.of("up")).toEqual([]);
  });

  test("data after Init but before `ready` is refused", async () => {
    const node = await startNode({ seed: 1 });
    const client = await RawClient.dial(11, node.address);
    await client.open("urgent");
    await client.open("chain");
    client.send("urgent", FRAME.init, encodeInit(initOf()));
    await client.frame(FRAME.init);
    client.send("chain", FRAME.data, new Uint8Array(3));
    await node.seen.first("refused", ({ reason }) => reason === "undecodable" || reason === "handshakeTimeout");
    expect(node.seen.of("message")).toEqual([]);
    expect(node.seen.of("refused")).toMatchObject([{ reason: "undecodable" }]);
  });
});

describe("on a link", () => {
  const frames: readonly (readonly [string, string, (client: RawClient) => void])[] = [
    ["an oversized frame", "frameTooLarge", (c) => c.send("urgent", FRAME.data, new Uint8Array(0), 256 * 1024 + 1)],
    ["a frame of 4 GiB", "frameTooLarge", (c) => c.send("bulk", FRAME.data, new Uint8Array(0), 0xffff_ffff)],
    ["a second Init", "undecodable", (c) => c.send("urgent", FRAME.init, encodeInit(initOf()))],
    ["a ping of the wrong size", "undecodable", (c) => c.send("urgent", FRAME.ping, new Uint8Array(3))],
    ["a control frame on a data lane", "undecodable", (c) => c.send("chain", FRAME.pong, new Uint8Array(4))],
    ["an unknown frame type", "undecodable", (c) => c.send("bulk", 0, new Uint8Array(4))],
    ["a malformed close", "undecodable", (c) => c.send("urgent", FRAME.close, new Uint8Array(4))],
  ];
  test.each(frames)("%s closes it at once with a typed reason", async (_what, reason, act) => {
    const node = await startNode({ seed: 1 });
    const client = await RawClient.dial(11, node.address);
    await client.link();
    await node.seen.first("up");
    act(client);
    expect(await node.seen.first("down")).toMatchObject({ reason });
    await expectServing(node);
  });

  test("random bytes on any lane close it, and the node serves on", async () => {
    const node = await startNode({ seed: 1 });
    for (const [i, lane] of (["urgent", "chain", "bulk", "urgent", "chain", "bulk"] as const).entries()) {
      const client = await RawClient.dial(20 + i, node.address);
      await client.link();
      await node.seen.first("up", ({ peer }) => node.links.peers().some(({ key }) => key === peer), i);
      client.lanes[lane]!.send(noiseBytes(50_000, i + 1));
      await node.seen.first("down", () => true, i);
    }
    expect(node.seen.of("down").every(({ reason }) => ["frameTooLarge", "undecodable"].includes(reason))).toBe(true);
    await expectServing(node);
  });

  test("a lane that breaks takes the link down", async () => {
    const node = await startNode({ seed: 1 });
    const client = await RawClient.dial(11, node.address);
    await client.link();
    await node.seen.first("up");
    client.lanes.bulk!.abort(new Error("gone"));
    expect(await node.seen.first("down")).toMatchObject({ reason: "connectionLost" });
  });

  test("a stream too many is not served, and streams without end cost the connection", async () => {
    const node = await startNode({ seed: 1 });
    const client = await RawClient.dial(11, node.address);
    await client.link();
    await node.seen.first("up");
    const second = await client.connection.newStream("/cairn/1/urgent").catch(() => undefined);
    if (second !== undefined && second.status === "open") {
      await new Promise<void>((resolve) => second.addEventListener("close", () => resolve()));
    }
    expect(node.links.peers()).toHaveLength(1);
    for (let i = 0; i < 20; i++) await client.connection.newStream("/nothing").catch(() => undefined);
    await node.seen.first("down");
    await expectServing(node);
  });

  test("a reader that stops fills one lane up to its cap: then `send` says no, and the urgent lane still works", async () => {
    const queueBytes = { urgent: 1 << 20, chain: 32 << 20, bulk: 8 << 20 };
    const node = await startNode({ seed: 1, limits: { queueBytes } });
    const client = await RawClient.dial(11, node.address);
    await client.link();
    const { peer } = await node.seen.first("up");
    client.lanes.bulk!.pause();

    const block = new Uint8Array(1 << 20);
    let sent = 0;
    const fill = (): void => {
      while (node.links.send(peer, "bulk", [block])) sent += 1;
    };
    fill();
    // What fits besides the queue: the stream's window and one chunk.
    for (let bytes = -1; bytes !== node.links.peers()[0]?.lanes.bulk.bytesOut;) {
      bytes = node.links.peers()[0]!.lanes.bulk.bytesOut;
      client.frames.length = 0;
      node.links.send(peer, "urgent", [new Uint8Array([1])]);
      await client.frame(FRAME.data);
    }
    // Other lanes' traffic, during which the connection drains again and again, moves nothing into the stuck stream.
    for (let i = 0; i < 20; i++) node.links.send(peer, "chain", [block]);
    await client.until(() => client.frames.filter(({ lane }) => lane === "chain").length === 20);
    fill();
    const { queuedBytes, bytesOut } = node.links.peers()[0]!.lanes.bulk;
    expect(queuedBytes).toBeLessThanOrEqual(queueBytes.bulk);
    expect(bytesOut).toBeLessThanOrEqual((256 + 128) * 1024);
    expect(node.links.send(peer, "bulk", [block])).toBe(false);
    expect(node.links.stats().sendsRefused.bulk).toBeGreaterThan(0);

    client.lanes.bulk!.resume();
    const drained = (): number =>
      node.seen.of("drained").reduce((sum, { lane, bytes }) => sum + (lane === "bulk" ? bytes : 0), 0);
    while (drained() < sent * block.length) await node.seen.change();
    expect(drained()).toBe(sent * block.length);
    expect(node.links.send(peer, "bulk", [block])).toBe(true);
  });

  test("a reader that stopped on a full urgent lane still learns why it is closed, once it reads", async () => {
    const node = await startNode({ seed: 1 });
    const client = await RawClient.dial(11, node.address);
    await client.link();
    const { peer } = await node.seen.first("up");
    client.lanes.urgent!.pause();
    while (node.links.send(peer, "urgent", [new Uint8Array(200_000)]));
    node.links.close(peer, "misbehaviour", "does not read");
    client.lanes.urgent!.resume();
    expect(readClose(await client.frame(FRAME.close))).toMatchObject({ value: { detail: "does not read" } });
    // What waited behind the frame under way was dropped.
    expect(client.frames.filter(({ type }) => type === FRAME.data).length).toBeLessThan(10);
  });

  test("a peer that sends more of a lane than it was granted loses its link", async () => {
    // No lane but one that is read slower than it fills: the credit is not given back before it is overdrawn.
    const credit = { startBytes: 64 * 1024, floorBytes: 64 * 1024, maxBytes: 64 * 1024, refillBytes: 32 * 1024 };
    const node = await startNode({ seed: 1, limits: { credit } });
    const client = await RawClient.dial(11, node.address);
    await client.link();
    await node.seen.first("up");
    client.send("bulk", FRAME.data, new Uint8Array(100 * 1024));
    expect(await node.seen.first("down")).toMatchObject({
      reason: "misbehaviour",
      detail: expect.stringMatching(/above the lane's credit/),
    });
    await expectServing(node);
  });

  test.each([
    ["for bytes never sent", encodeCredit("bulk", { readBytes: 1 << 20, windowBytes: 5 }), "misbehaviour"],
    ["for the urgent lane", Uint8Array.of(0, ...new Uint8Array(12)), "undecodable"],
    ["cut short", new Uint8Array(3), "undecodable"],
  ])("credit %s costs the link", async (_what, payload, reason) => {
    const node = await startNode({ seed: 1 });
    const client = await RawClient.dial(11, node.address);
    await client.link();
    await node.seen.first("up");
    client.send("urgent", FRAME.credit, payload);
    expect(await node.seen.first("down")).toMatchObject({ reason });
  });

  test("a peer that grants nothing gets the starting credit, holds up no urgent message, and loses its link in time", async () => {
    const node = await startNode({ seed: 1, limits: { pingIntervalMs: 100, creditTimeoutMs: 400 } });
    const client = await RawClient.dial(11, node.address);
    await client.link();
    client.givesCredit = false;
    const { peer } = await node.seen.first("up");
    for (let i = 0; i < 4; i++) node.links.send(peer, "bulk", [new Uint8Array(1 << 20)]);
    for (let i = 0; i < 20; i++) {
      node.links.send(peer, "urgent", [new Uint8Array([i])]);
      await client.until(() => client.frames.filter(({ type }) => type === FRAME.data).length === i + 1);
    }
    const { bulk } = node.links.peers()[0]!.lanes;
    expect(bulk.bytesOut).toBeLessThanOrEqual(DEFAULT_LIMITS.credit.startBytes);
    expect(bulk.creditWaits).toBe(1);
    expect(await node.seen.first("down")).toMatchObject({ reason: "overloaded" });
  });

  test("a peer that falls silent is told why its link ends; what was on its way to it is not sent by the next one", async () => {
    const limits = { pingIntervalMs: 100, pingTimeoutsMs: [50, 75, 110] };
    const node = await startNode({ seed: 1, limits });
    const raw = await RawHost.start(11);
    const client = await raw.dial(node.address);
    await client.link();
    const { peer } = await node.seen.first("up");
    client.givesCredit = client.answersPings = false;
    for (let i = 0; i < 4; i++) node.links.send(peer, "bulk", [new Uint8Array(1 << 20).fill(i)]);
    expect(await node.seen.first("down")).toMatchObject({ peer, reason: "pingTimeout" });
    expect(readClose(await client.frame(FRAME.close))).toMatchObject({ value: { reason: "pingTimeout" } });
    const pings = client.frames.filter(({ type }) => type === FRAME.ping);
    expect(pings.length).toBeGreaterThanOrEqual(1 + limits.pingTimeoutsMs.length);
    const again = await raw.dial(node.address);
    await again.link();
    await node.seen.first("up", () => true, 1);
    node.links.send(peer, "bulk", [Uint8Array.of(9)]);
    await again.until(() => again.has(FRAME.data));
    expect(again.frames.filter(({ type }) => type === FRAME.data).map(({ payload }) => [...payload])).toEqual([[9]]);
  });

  test("yamux pings without end, their answers unread, cost the connection and not memory", async () => {
    const node = await startNode({ seed: 1 });
    const client = await RawClient.dial(11, node.address);
    await client.link();
    await node.seen.first("up");
    // No public call floods: reach for the connection's insides.
    const insides = client.connection as unknown as {
      maConn: { sendPause: () => void };
      muxer: { send: (data: Uint8Array) => boolean };
    };
    insides.maConn.sendPause();
    const pings = Buffer.alloc(12 * 5_000);
    for (let at = 0; at < pings.length; at += 12) pings.set([0, 2, 0, 1], at);
    const flood = (): void => {
      if (node.links.peers().length === 0) return;
      insides.muxer.send(pings);
      setImmediate(flood);
    };
    flood();
    expect(await node.seen.first("down")).toMatchObject({ reason: "connectionLost" });
  });

  test("pings that nobody reads the answers of do not pile up answers", async () => {
    const queueBytes = { urgent: 300 * 1024, chain: 8 << 20, bulk: 8 << 20 };
    const node = await startNode({ seed: 1, limits: { queueBytes } });
    const client = await RawClient.dial(11, node.address);
    await client.link();
    await node.seen.first("up");
    client.lanes.urgent!.pause();
    const pings = Buffer.alloc(9 * 5_000);
    for (let at = 0; at < pings.length; at += 9) pings.set([0, 0, 0, 4, FRAME.ping], at);
    for (let sent = 0; sent <= 100_000; sent += 5_000) {
      const stream = client.lanes.urgent!;
      stream.send(pings);
      await expect.poll(() => stream.writeBufferLength, { timeout: 60_000, interval: 1 }).toBe(0);
    }
    await expect.poll(() => node.links.peers()[0]?.lanes.urgent.framesIn, { timeout: 60_000 }).toBeGreaterThan(100_000);
    expect(node.links.peers()[0]!.lanes.urgent.queuedBytes).toBeLessThanOrEqual(queueBytes.urgent);
  });
});
