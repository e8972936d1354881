/** Routing by itself (docs/protocol.md, section 2; RFC 8966): no loop at any moment, ways to all in bounded time. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../src/base/random.ts";
import { type LinkFaults, RoutingNetwork } from "./routingNetwork.ts";

const DELAY_MS = 5;
const STEADY: LinkFaults = { delayMs: [DELAY_MS, DELAY_MS], loss: 0 };
const WILD: LinkFaults = { delayMs: [1, 400], loss: 0.2 };
/** Nothing lost: a request for a newer seqno waits for its turn at most once at each end. */
const TURNS_MS = 2 * 200;

type Edge = readonly [number, number];

const line = (n: number): Edge[] => Array.from({ length: n - 1 }, (_, i) => [i, i + 1]);
const ring = (n: number): Edge[] => [...line(n), [0, n - 1]];
const star = (n: number): Edge[] => Array.from({ length: n - 1 }, (_, i) => [0, i + 1]);
const tree = (n: number): Edge[] => Array.from({ length: n - 1 }, (_, i) => [Math.floor(i / 2), i + 1]);
const mesh = (n: number): Edge[] =>
  Array.from({ length: n }, (_, b) => line(b + 1).map(([a]) => [a, b] as Edge)).flat();

function build(nodes: number, producers: number, edges: readonly Edge[], faults = STEADY, seed = 1): RoutingNetwork {
  const network = new RoutingNetwork(nodes, producers, faults, seededRandom(seed));
  for (const [a, b] of edges) network.link(a, b);
  return network;
}

/** Links in a row that anything crosses. */
function diameter(network: RoutingNetwork): number {
  let most = 0;
  for (let a = 0; a < network.keys.length; a++)
    for (let b = 0; b < a; b++) most = Math.max(most, network.distance(a, b) ?? 0);
  return most;
}

/** Round trips of the longest way, and turns of requests: what convergence may take after the last change. */
function boundMs(network: RoutingNetwork): number {
  return 3 * 2 * DELAY_MS * diameter(network) + TURNS_MS;
}

describe("ways to all producers", () => {
  it.each([
    ["line", 12, line(12)],
    ["ring", 12, ring(12)],
    ["star", 12, star(12)],
    ["tree", 31, tree(31)],
    ["mesh", 8, mesh(8)],
    [
      "two clusters with one bridge",
      10,
      [...mesh(5), ...mesh(5).map(([a, b]): Edge => [a + 5, b + 5]), [4, 5] as Edge],
    ],
  ])("%s: are found within one round trip of its length, and are the shortest", (_, nodes, edges) => {
    const network = build(nodes, nodes, edges);
    network.advance(2 * DELAY_MS * diameter(network));
    expect(network.unreached).toEqual([]);
    for (let from = 0; from < nodes; from++)
      for (let to = 0; to < nodes; to++)
        if (from !== to) expect(network.hops(from, to)).toBe(network.distance(from, to));
  });

  it("a follower is a relay and no destination", () => {
    const network = build(3, 1, line(3));
    network.advance(100);
    expect([network.hops(2, 0), network.router(0).nextHop(network.keys[2] as string)]).toEqual([2, undefined]);
  });

  it("who joins the producers becomes one, who leaves them is one no more, and may come back", () => {
    const network = build(4, 2, line(4));
    network.advance(100);
    expect(network.hops(0, 3)).toBeUndefined();
    network.changeProducers([1, 2, 3]);
    network.advance(100);
    expect([network.hops(0, 3), network.hops(0, 2)]).toEqual([3, 2]);
    network.advance(60_000);
    expect([network.hops(3, 0), network.router(3).sizes.routes]).toEqual([undefined, 2]);
    network.changeProducers([0, 3]);
    network.advance(100);
    expect([network.hops(3, 0), network.hops(0, 3)]).toEqual([3, 3]);
  });

  it("who has become a producer by a block that moves no head says so, too", () => {
    const network = build(4, 2, line(4));
    network.advance(100);
    network.changeProducers([1, 2, 3], false);
    network.advance(100);
    expect(network.hops(0, 3)).toBe(3);
  });

  it("a path is left for one that is clearly faster, and not for one that is so by a whim", () => {
    const network = build(3, 3, ring(3));
    network.advance(100);
    for (const [a, b] of ring(3)) {
      network.measured(a, b, 20);
      network.measured(b, a, 20);
    }
    network.advance(100);
    expect(network.hops(0, 2)).toBe(1);
    // 10 ms a hop: 55 direct, 60 around.
    network.measured(0, 2, 45);
    network.advance(10_000);
    expect(network.hops(0, 2)).toBe(1);
    network.measured(0, 2, 300);
    network.advance(10_000);
    expect(network.hops(0, 2)).toBe(2);
  });
});

describe("after the last change", () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])("ways are there again within the bound, nothing lost: seed %i", (seed) => {
    const random = seededRandom(seed);
    const nodes = 6 + Math.floor(random.next() * 14);
    const edges = [...tree(nodes), ...randomEdges(nodes, nodes, random)];
    const network = build(nodes, Math.min(nodes, 7), edges, STEADY, seed);
    network.advance(5_000);
    for (let i = 0; i < 30; i++) {
      flip(network, edges, random);
      network.advance(random.next() * 60);
    }
    network.advance(boundMs(network));
    expect(network.unreached).toEqual([]);
  });

  it("with messages lost and late, within some periods of the updates", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = seededRandom(seed);
        const nodes = 3 + Math.floor(random.next() * 8);
        const edges = [...tree(nodes), ...randomEdges(nodes, nodes, random)];
        const network = build(nodes, Math.min(nodes, 4), edges, WILD, seed);
        for (let i = 0; i < 25; i++) {
          flip(network, edges, random);
          network.advance(random.next() * 1_500);
        }
        // Ended by luck alone where a fifth is lost: 12 periods make that sure enough.
        let periods = 0;
        for (; network.unreached.length > 0 && periods < 12; periods++) network.advance(5_000);
        expect(network.unreached).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});

describe("destinations are the producers of the configuration", () => {
  it("what is told of anybody else is not taken in, passed on, asked for or answered, however well it is signed", () => {
    const network = new RoutingNetwork(3, 1, STEADY, seededRandom(1));
    for (const [a, b] of line(3)) network.link(a, b);
    network.advance(1_000);
    const [, relay, follower] = network.keys as [string, string, string];
    const router = network.router(1);
    const seqno = 1n << 60n;
    const signed = { producer: follower, seqno, signature: new Uint8Array(64) };
    const before = network.messages;
    for (const message of [
      { kind: "updates", updates: [{ producer: follower, route: { ...signed, metric: 0 } }] },
      { kind: "seqnoRequest", request: { ...signed, hops: 3 } },
      { kind: "routeRequest", producer: follower },
    ] as const) {
      // A signature of no use is not worth a check.
      expect(router.unproven(message)).toEqual([]);
      router.receive(follower, message);
      router.finish();
    }
    network.advance(1_000);
    expect(network.messages).toBe(before);
    expect([router.candidates(follower), network.router(0).nextHop(follower)]).toEqual([[], undefined]);
    expect(network.router(0).nextHop(relay)).toBe(relay);
  });
});

describe("what is gone", () => {
  it("is known to be gone at once: nobody counts to infinity", () => {
    const network = build(8, 8, ring(8));
    network.advance(1_000);
    network.unlink(0, 1);
    network.unlink(0, 7);
    const before = network.messages;
    network.advance(2 * DELAY_MS * 8 + TURNS_MS);
    for (let from = 1; from < 8; from++)
      expect(network.router(from).nextHop(network.keys[0] as string)).toBeUndefined();
    // Each node retracts once; it asks for a newer seqno or a route some times.
    expect(network.messages - before).toBeLessThan(8 * 16);
    // Those whose own link broke know it by that.
    expect(network.lost.filter((key) => key === network.keys[0]).length).toBe(5);
  });

  it("comes back with its next start, whatever its clock says then", () => {
    const network = build(4, 4, line(4));
    network.advance(1_000);
    network.clockOffset = (index) => (index === 0 ? -900_000 : 0);
    network.restart(0);
    network.advance(300);
    network.link(0, 1);
    network.advance(2 * 2 * DELAY_MS * 4 + TURNS_MS);
    expect(network.unreached).toEqual([]);
    const seqno = network.router(3).route(network.keys[0] as string)?.seqno as bigint;
    // Ahead of what it signed before, by one: its clock is not.
    expect(seqno).toBe((1_000_000n << 16n) + 1n);
  });

  it("a producer's counter goes on above 16 bits: nothing wraps", () => {
    const network = build(2, 2, []);
    const own = network.router(0);
    const [self] = network.keys as [string];
    network.link(0, 1);
    network.advance(100);
    let known = network.router(1).route(self) as NonNullable<ReturnType<typeof own.route>>;
    for (let i = 0; i < 3; i++) {
      const { seqno, signature } = known;
      own.receive(network.keys[1] as string, {
        kind: "seqnoRequest",
        request: { producer: self, seqno, signature, hops: 1 },
      });
      own.finish();
      network.advance(1_000);
      known = network.router(1).route(self) as typeof known;
      expect(known.seqno).toBe(seqno + 1n);
    }
  });
});

describe("a seqno request", () => {
  it("is served once in a while: the newest waits for its turn and is not dropped", () => {
    const network = build(2, 2, line(2));
    network.advance(1_000);
    const [self, peer] = network.keys as [string, string];
    const seqnoHere = (): bigint => network.router(1).route(self)?.seqno as bigint;
    const ask = (): void => {
      const { seqno, signature } = network.router(1).route(self) as NonNullable<ReturnType<(typeof own)["route"]>>;
      own.receive(peer, { kind: "seqnoRequest", request: { producer: self, seqno, signature, hops: 3 } });
      own.finish();
    };
    const own = network.router(0);
    const first = seqnoHere();
    ask();
    network.advance(2 * DELAY_MS);
    expect(seqnoHere()).toBe(first + 1n);
    ask();
    network.advance(2 * DELAY_MS);
    expect(seqnoHere()).toBe(first + 1n);
    network.advance(200);
    expect(seqnoHere()).toBe(first + 2n);
  });

  it("that shows an old seqno is answered by what is newer, and moves nobody", () => {
    const network = build(3, 3, line(3));
    network.advance(1_000);
    const [self, relay] = network.keys as [string, string];
    const { seqno, signature } = network.router(1).route(self) as NonNullable<
      ReturnType<RoutingNetwork["router"]> extends { route: (k: string) => infer R } ? R : never
    >;
    network.router(0).receive(relay, {
      kind: "seqnoRequest",
      request: { producer: self, seqno: seqno - 1n, signature, hops: 3 },
    });
    network.router(0).finish();
    network.advance(1_000);
    expect(network.router(2).route(self)?.seqno).toBe(seqno);
  });
});

function randomEdges(nodes: number, count: number, random: { next(): number }): Edge[] {
  return Array.from({ length: count }, () => {
    const a = Math.floor(random.next() * nodes);
    const b = Math.floor(random.next() * nodes);
    return [Math.min(a, b), Math.max(a, b)] as Edge;
  }).filter(([a, b]) => a !== b);
}

/** A link goes or comes, is measured anew, or a node restarts. */
function flip(network: RoutingNetwork, edges: readonly Edge[], random: { next(): number }): void {
  const [a, b] = edges[Math.floor(random.next() * edges.length)] as Edge;
  const what = random.next();
  if (what < 0.15) network.restart(a);
  else if (network.isLinked(a, b)) {
    if (what < 0.4) {
      const ms = Math.floor(random.next() * 200);
      network.measured(a, b, ms);
      network.measured(b, a, ms);
    } else network.unlink(a, b);
  } else network.link(a, b);
}
