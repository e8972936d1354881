// Links between honest nodes, over real sockets on loopback (docs/protocol.md, section 1).

import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { LANES, LinkError, LinkLayer } from "../../../net/link/index.ts";
import { toHex } from "../../../src/base/bytes.ts";
import { FRAME } from "../../../net/link/frame.ts";
import { encodeInit, readClose } from "../../../net/link/init.ts";
import { initOf, linkedPair, RawHost, startNode, stopAll } from "./nodes.ts";
import type { Node, RawClient } from "./nodes.ts";

afterEach(stopAll);

/** The public key of the seed of 32 nines. */
const OTHER_KEY = "fd1724385aa0c75b64fb78cd602fa1d991fdebf76b13c58ed702eac835e9f618";

const downsOf = (...nodes: Node[]): unknown[] => nodes.flatMap(({ seen }) => seen.of("down"));

describe("a link", () => {
  test("comes up on both sides with the other's key and Init", async () => {
    const [a, b] = await linkedPair({ seed: 1 }, { seed: 2, init: { irreversibleHeight: 77 } });
    expect(a.seen.of("up")).toMatchObject([{ peer: b.links.key, init: { name: "node2", irreversibleHeight: 77 } }]);
    expect(b.seen.of("up")).toMatchObject([{ peer: a.links.key, init: { name: "node1" } }]);
    expect(a.links.peers()).toMatchObject([{ key: b.links.key, direction: "outbound", address: b.address }]);
    expect(b.links.peers()).toMatchObject([{ key: a.links.key, direction: "inbound" }]);
  });

  test("carries messages of every size on every lane, in order, both ways", async () => {
    const [a, b] = await linkedPair({ seed: 1 }, { seed: 2 });
    const sizes = { urgent: [0, 1, 200, 256 * 1024], chain: [0, 70_000, 6 << 20], bulk: [5, 1 << 20, 3] };
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      for (const lane of LANES) {
        for (const size of sizes[lane]) {
          const half = new Uint8Array(size >> 1).fill(size & 0xff);
          expect(from.links.send(to.links.key, lane, [half, new Uint8Array(size - half.length).fill(7)])).toBe(true);
        }
      }
      for (const lane of LANES) {
        await to.seen.first("message", (m) => m.lane === lane, 0);
        const wanted = sizes[lane];
        while (to.seen.of("message").filter((m) => m.lane === lane).length < wanted.length) await to.seen.change();
        const got = to.seen.of("message").filter((m) => m.lane === lane);
        expect(got.map((m) => m.payload.length)).toEqual(wanted);
        for (const { payload } of got) {
          const half = payload.length >> 1;
          expect(payload.subarray(0, half).every((byte) => byte === (payload.length & 0xff))).toBe(true);
          expect(payload.subarray(half).every((byte) => byte === 7)).toBe(true);
        }
      }
    }
  });

  test("tells by `drained` how many payload bytes left, and counts them", async () => {
    const [a, b] = await linkedPair({ seed: 1 }, { seed: 2 });
    for (let i = 0; i < 50; i++) a.links.send(b.links.key, "bulk", [new Uint8Array(100_000)]);
    const drained = (): number => a.seen.of("drained").reduce((sum, event) => sum + event.bytes, 0);
    while (drained() < 5_000_000) await a.seen.change();
    expect(drained()).toBe(5_000_000);
    expect(a.links.peers()[0]?.lanes.bulk).toMatchObject({ queuedBytes: 0, framesOut: 50, bytesOut: 50 * 100_005 });
    while (b.seen.of("message").length < 50) await b.seen.change();
    expect(b.links.stats().lanes.bulk).toMatchObject({ framesIn: 50, bytesIn: 50 * 100_005 });
  });

  test("carries a flood of small messages both ways", async () => {
    const [a, b] = await linkedPair({ seed: 1 }, { seed: 2 });
    const total = 20_000;
    let sent = 0;
    const burst = (): void => {
      for (let i = 0; i < 2_000 && sent < total; i++, sent++) {
        for (const [from, to] of [
          [a, b],
          [b, a],
        ] as const)
          from.links.send(to.links.key, "urgent", [new Uint8Array(200)]);
      }
      if (sent < total) setImmediate(burst);
    };
    burst();
    const got = ({ links }: Node): number => links.peers()[0]?.lanes.urgent.framesIn ?? 0;
    await expect.poll(() => Math.min(got(a), got(b)), { timeout: 60_000 }).toBeGreaterThanOrEqual(total);
    expect(downsOf(a, b)).toEqual([]);
  });

  test("measures its round trip", async () => {
    const [a] = await linkedPair({ seed: 1, limits: { pingIntervalMs: 10 } }, { seed: 2 });
    await expect.poll(() => a.links.peers()[0]?.rttMs).toBeGreaterThan(0);
    expect(a.links.peers()[0]?.rttMs).toBeLessThan(1000);
  });

  test("closed by one side goes down on both, with that side's reason and words", async () => {
    const [a, b] = await linkedPair({ seed: 1 }, { seed: 2 });
    a.links.removeTarget(b.address);
    a.links.close(b.links.key, "finalityConflict", "block 7 differs");
    expect(a.links.send(b.links.key, "urgent", [new Uint8Array(1)])).toBe(false);
    expect(downsOf(a)).toEqual([]); // told outside the call
    const expected = { reason: "finalityConflict", detail: "block 7 differs" };
    expect(await a.seen.first("down")).toMatchObject(expected);
    expect(await b.seen.first("down")).toMatchObject(expected);
    expect(a.links.stats().downs.finalityConflict).toBe(1);
  });

  test("closed in the middle of a large message still tells the reason", async () => {
    const [a, b] = await linkedPair({ seed: 1 }, { seed: 2 });
    for (const lane of LANES) a.links.send(b.links.key, lane, [new Uint8Array(256 * 1024)]);
    for (let i = 0; i < 3; i++) a.links.send(b.links.key, "bulk", [new Uint8Array(5 << 20)]);
    await a.seen.first("drained", (event) => event.lane === "urgent");
    a.links.close(b.links.key, "misbehaviour", "enough");
    expect(await b.seen.first("down")).toMatchObject({ reason: "misbehaviour", detail: "enough" });
  });

  test("ends with `shutdown` when a node stops", async () => {
    const [a, b] = await linkedPair({ seed: 1 }, { seed: 2 });
    await a.links.stop();
    expect(a.seen.of("down")).toMatchObject([{ reason: "shutdown" }]);
    expect(await b.seen.first("down")).toMatchObject({ peer: a.links.key, reason: "shutdown" });
  });

  test("sends nothing where there is no link, and throws on a frame that no link could carry", async () => {
    const a = await startNode({ seed: 1 });
    expect(a.links.send("00".repeat(32), "urgent", [new Uint8Array(1)])).toBe(false);
    expect(() => a.links.send("00".repeat(32), "urgent", [new Uint8Array(256 * 1024 + 1)])).toThrow(LinkError);
  });
});

describe("no link comes up", () => {
  test.each([
    ["wrongChain", { chainId: "d".repeat(64) }, ["c".repeat(64), "d".repeat(64)]],
    ["wrongVersion", { versionMajor: 2 }, ["1", "2"]],
  ] as const)("with %s, and both sides learn why", async (reason, init, names) => {
    const logs: string[] = [];
    const a = await startNode({
      seed: 1,
      log: (_level, message, fields) => logs.push(`${message} ${JSON.stringify(fields)}`),
    });
    const b = await startNode({ seed: 2, init });
    a.links.setTarget(b.address);
    for (const [node, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const refused = await node.seen.first("refused");
      expect(refused).toMatchObject({ peer: other.links.key, reason });
      for (const name of names) expect(refused.detail).toContain(name);
      expect(node.seen.of("up")).toEqual([]);
      expect(node.links.stats().refused[reason]).toBe(1);
    }
    expect(logs.some((line) => line.includes(reason))).toBe(true);
    expect(a.links.stats().targets).toMatchObject([{ breaker: "open", failures: 1 }]);
  });

  test("to oneself", async () => {
    const a = await startNode({ seed: 1 });
    a.links.setTarget(a.address);
    expect(await a.seen.first("refused")).toMatchObject({ peer: a.links.key, reason: "selfLink" });
    expect(a.links.peers()).toEqual([]);
  });

  test("to a peer that is switched off, from either side, until it is switched on", async () => {
    const [a, b] = await linkedPair({ seed: 1, limits: { breakerOpenMs: 20 } }, { seed: 2 });
    b.links.setOff(a.links.key, true);
    for (const { seen } of [a, b]) expect(await seen.first("down")).toMatchObject({ reason: "switchedOff" });
    expect(await a.seen.first("refused")).toMatchObject({ reason: "switchedOff" });
    b.links.setTarget(a.address, a.links.key);
    a.links.removeTarget(b.address);
    b.links.setOff(a.links.key, false);
    await b.seen.first("up", () => true, 1);
  });

  test("to a peer that was switched off before the start", async () => {
    const a = await startNode({ seed: 1 });
    const b = await startNode({ seed: 2, off: [a.links.key] });
    expect(b.links.stats().off).toBe(1);
    a.links.setTarget(b.address);
    expect(await a.seen.first("refused")).toMatchObject({ reason: "switchedOff" });
    expect(b.seen.of("up")).toEqual([]);
  });

  test("above maxPeers, and both sides learn why", async () => {
    const hub = await startNode({ seed: 1, maxPeers: 1 });
    const first = await startNode({ seed: 2 });
    first.links.setTarget(hub.address);
    await hub.seen.first("up");
    const second = await startNode({ seed: 3 });
    second.links.setTarget(hub.address);
    expect(await second.seen.first("refused")).toMatchObject({ peer: hub.links.key, reason: "tooManyPeers" });
    expect(await hub.seen.first("refused")).toMatchObject({ peer: second.links.key, reason: "tooManyPeers" });
    expect(hub.links.peers().map(({ key }) => key)).toEqual([first.links.key]);
    expect(downsOf(hub, first)).toEqual([]);
  });

  test("where another identity answers than the one asked for", async () => {
    const [a, b] = await Promise.all([startNode({ seed: 1 }), startNode({ seed: 2 })]);
    a.links.setTarget(b.address, OTHER_KEY);
    await expect.poll(() => a.links.stats().targets[0]?.failures).toBeGreaterThan(0);
    expect(a.seen.of("up")).toEqual([]);
  });

  test("with settings that cannot work: each is told by a code", async () => {
    const base = {
      privateKeySeed: new Uint8Array(32),
      listen: "127.0.0.1:0",
      init: () => initOf(),
      maxPeers: 1,
      log: () => undefined,
    };
    const { events } = (await startNode({ seed: 1 })).seen;
    const codeOf = async (over: object): Promise<unknown> => {
      const started = LinkLayer.start({ ...base, ...over }, events);
      return started.then(
        async (links) => links.stop(),
        (error: unknown) => (error instanceof LinkError ? error.code : error),
      );
    };
    const taken = await startNode({ seed: 2 });
    expect(await codeOf({ listen: "nowhere" })).toBe("BAD_ADDRESS");
    expect(await codeOf({ listen: taken.address })).toBe("LISTEN_FAILED");
    expect(await codeOf({ privateKeySeed: new Uint8Array(31) })).toBe("BAD_OPTIONS");
    expect(await codeOf({ init: () => initOf({ name: "a\nb" }) })).toBe("BAD_OPTIONS");
    expect(await codeOf({ limits: { queueBytes: { urgent: 1, chain: 1, bulk: 1 } } })).toBe("BAD_OPTIONS");
    expect(() => taken.links.setTarget("/ip4/127.0.0.1/udp/1")).toThrow(LinkError);
  });
});

describe("of two connections between two nodes", () => {
  test("dialed at once, one becomes the link, the same on both sides, with nothing going up and down", async () => {
    for (let round = 0; round < 6; round++) {
      const [a, b] = await Promise.all([startNode({ seed: 2 * round + 1 }), startNode({ seed: 2 * round + 2 })]);
      a.links.setTarget(b.address);
      b.links.setTarget(a.address);
      await Promise.all([a, b].map(({ seen }) => seen.first("refused", (r) => r.reason === "duplicateLink")));
      await Promise.all([a, b].map(({ seen }) => seen.first("up")));
      expect([a.seen.of("up").length, b.seen.of("up").length]).toEqual([1, 1]);
      expect(downsOf(a, b)).toEqual([]);
      const directions = [a, b].map(({ links }) => links.peers().map(({ direction }) => direction));
      expect(directions.flat().sort()).toEqual(["inbound", "outbound"]);
      a.links.send(b.links.key, "chain", [new Uint8Array([round])]);
      await b.seen.first("message");
      await stopAll();
    }
  });

  describe("both in the handshake", () => {
    /** Both ends of a pair that dial each other: a node and a raw host. Whose key is smaller decides. */
    async function crossing(nodeDecides = true): Promise<{ node: Node; dialed: RawClient; dialing: RawClient }> {
      const [seed, rawSeed] = nodeDecides ? [1, 9] : [9, 1];
      const [node, raw] = await Promise.all([startNode({ seed }), RawHost.start(rawSeed)]);
      const key = toHex(raw.host.peerId.publicKey!.raw);
      expect(node.links.key < key).toBe(nodeDecides);
      const dialing = await raw.dial(node.address);
      const accepted = raw.accept();
      node.links.setTarget(raw.address, key);
      const dialed = await accepted;
      await dialed.until(() => LANES.every((lane) => dialed.lanes[lane] !== undefined));
      await dialing.openAll();
      return { node, dialed, dialing };
    }
    const init = initOf({ name: "raw" });

    test("the one that the smaller key dialed is preferred, even where the other is ready first", async () => {
      const { node, dialed, dialing } = await crossing();
      dialing.greet(init);
      await dialing.frame(FRAME.init);
      // Its answer to a ping shows that the node has read all that came before.
      dialing.send("urgent", FRAME.ping, new Uint8Array(4));
      await dialing.frame(FRAME.pong);
      expect(dialing.has(FRAME.ready)).toBe(false);
      dialed.greet(init);
      await dialed.frame(FRAME.ready);
      expect(readClose(await dialing.frame(FRAME.close))).toMatchObject({ value: { reason: "duplicateLink" } });
      expect(node.links.peers()).toMatchObject([{ direction: "outbound" }]);
      expect(node.seen.of("up")).toHaveLength(1);
      expect(downsOf(node)).toEqual([]);
    });

    test("whose key is greater waits for the other's choice", async () => {
      const { dialed, dialing } = await crossing(false);
      for (const each of [dialed, dialing]) each.send("urgent", FRAME.init, encodeInit(init));
      for (const each of [dialed, dialing]) {
        each.send("urgent", FRAME.ping, new Uint8Array(4));
        await each.frame(FRAME.pong);
      }
      expect([dialed, dialing].map((each) => each.has(FRAME.ready))).toEqual([false, false]);
      dialing.send("urgent", FRAME.ready, new Uint8Array(0));
      await dialing.frame(FRAME.ready);
    });

    test("the other is taken when the preferred one fails", async () => {
      const { node, dialed, dialing } = await crossing();
      dialing.greet(init);
      await dialing.frame(FRAME.init);
      await dialed.connection.close();
      await dialing.frame(FRAME.ready);
      await node.seen.first("up");
      expect(node.links.peers()).toMatchObject([{ direction: "inbound" }]);
    });

    test("lanes are the dialer's to open: the dialed side cannot put its own in their place", async () => {
      const [node, raw] = await Promise.all([startNode({ seed: 1 }), RawHost.start(9)]);
      const accepted = raw.accept();
      node.links.setTarget(raw.address);
      const dialed = await accepted;
      const own = await dialed.connection.newStream("/cairn/1/bulk").catch(() => undefined);
      if (own?.status === "open") await new Promise<void>((resolve) => own.addEventListener("close", () => resolve()));
      await dialed.until(() => LANES.every((lane) => dialed.lanes[lane] !== undefined));
      dialed.greet(init);
      await node.seen.first("up");
    });
  });

  test("the second of one process is refused, and the first stays", async () => {
    const [a, b] = await linkedPair({ seed: 1 }, { seed: 2 });
    b.links.setTarget(a.address);
    for (const { seen } of [a, b]) expect(await seen.first("refused")).toMatchObject({ reason: "duplicateLink" });
    expect(downsOf(a, b)).toEqual([]);
    expect([...a.links.peers(), ...b.links.peers()]).toHaveLength(2);
  });

  // Both orders of keys: the rule must not depend on which side decides between connections of one process.
  test.each([[1], [2]])("a second process with a copied key is refused while the first lives (%i)", async (seed) => {
    const [a, first] = await linkedPair({ seed: 3 - seed }, { seed });
    const copy = await startNode({ seed });
    copy.links.setTarget(a.address);
    for (const { seen } of [a, copy])
      expect(await seen.first("refused")).toMatchObject({ reason: "duplicateIdentity" });
    expect(copy.seen.of("up")).toEqual([]);
    expect(downsOf(a, first)).toEqual([]);
  });
});

describe("a target", () => {
  test("is dialed again after the peer restarted", async () => {
    const [a, b] = await linkedPair({ seed: 1 }, { seed: 2 });
    await b.links.stop();
    expect(await a.seen.first("down")).toMatchObject({ reason: "shutdown" });
    const again = await startNode({ seed: 2, listen: b.address });
    await Promise.all([a.seen.first("up", () => true, 1), again.seen.first("up")]);
  });

  test("that keeps failing opens its breaker, and is found again by the probes of half-open", async () => {
    const gone = await startNode({ seed: 2 });
    await gone.links.stop();
    const a = await startNode({ seed: 1, limits: { redialMinMs: 1, breakerFailures: 3, breakerOpenMs: 30 } });
    a.links.setTarget(gone.address, gone.links.key);
    await expect.poll(() => a.links.stats().targets[0]?.breaker, { interval: 1 }).toBe("open");
    expect(a.links.stats().targets[0]?.failures).toBeGreaterThanOrEqual(3);
    await startNode({ seed: 2, listen: gone.address });
    await a.seen.first("up");
    expect(a.links.stats().targets).toMatchObject([{ breaker: "closed", lastError: undefined }]);
  });

  test("is asked by one dial at a time when its breaker is half-open", async () => {
    // Takes connections and says nothing.
    const silent = createServer((socket) => socket.resume().on("error", () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const limits = { redialMinMs: 1, breakerFailures: 1, breakerOpenMs: 10, handshakeTimeoutMs: 60 };
    const a = await startNode({ seed: 1, limits });
    a.links.setTarget(`127.0.0.1:${port}`);
    for (const breaker of ["open", "halfOpen", "open", "halfOpen"]) {
      await expect.poll(() => a.links.stats().targets[0]?.breaker, { interval: 1 }).toBe(breaker);
    }
    await a.links.stop();
    await new Promise((resolve) => silent.close(resolve));
  });

  test("is not dialed while its peer is linked by a connection that the peer dialed", async () => {
    const [a, b] = await linkedPair({ seed: 1 }, { seed: 2 });
    b.links.setTarget(a.address, a.links.key);
    b.links.setTarget(a.address, a.links.key);
    await new Promise((resolve) => setTimeout(resolve, 10)); // a later timer than that of the first dial
    expect(b.links.stats().dials).toBe(0);
    // ... but once that link is gone, and a does not dial any more, b does.
    a.links.removeTarget(b.address);
    a.links.close(b.links.key, "misbehaviour");
    await b.seen.first("up", () => true, 1);
    expect(b.links.peers()[0]?.direction).toBe("outbound");
  });
});
