import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AWAITED_MAX, KEPT_BYTES_MAX, KEPT_MAX } from "../../net/transport/broadcastTree.ts";
import { encodeEnvelope } from "../../net/transport/envelope.ts";
import { LinkStates, PRUNE_SETTLES_MS } from "../../net/transport/linkStates.ts";
import { ANNOUNCED_MAX, encodeAnnouncement, type TreeMessage } from "../../net/transport/treeMessages.ts";
import { concatBytes, utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { keyOf, PRESENCE, TreeNetwork } from "./treeNetwork.ts";

/** Longer than any timer of the tree. */
const SETTLED_MS = 2_000;
const TRIANGLE = [
  [0, 1],
  [0, 2],
  [1, 2],
] as const;

type TreeKind = TreeMessage["kind"];
const losing = (network: TreeNetwork, kind: TreeKind | "broadcast", times: number): void => {
  let left = times;
  network.lost = ({ tree }) => (tree?.kind ?? "broadcast") === kind && left-- > 0;
};

/** Broadcasts until the tree has had occasion to become one. */
function settle(network: TreeNetwork, from: number, name = "settling"): void {
  for (let i = 0; i < 3; i++) {
    network.broadcast(from, `${name} ${i}`);
    network.run(SETTLED_MS);
  }
}

/** @returns copies that crossed links */
function copiesOf(network: TreeNetwork, from: number, text: string): number {
  network.copies = 0;
  network.broadcast(from, text);
  network.run(SETTLED_MS);
  expect(network.lacking(text)).toEqual([]);
  return network.copies;
}

describe("the tree of links (docs/protocol.md, section 2, Broadcast)", () => {
  it("a duplicate prunes its link, on both ends, also when two cross; then each node gets one copy", () => {
    const network = new TreeNetwork(3, TRIANGLE);
    expect(copiesOf(network, 0, "first")).toBe(4);
    expect([network.state(1, 2), network.state(2, 1)]).toEqual(["backup", "backup"]);
    expect([network.state(0, 1), network.state(0, 2), network.state(1, 0)]).toEqual(["active", "active", "active"]);
    for (let i = 0; i < 5; i++) expect(copiesOf(network, 0, `then ${i}`)).toBe(2);
    // The tree has no root: who broadcasts next uses the same one.
    expect(copiesOf(network, 2, "of another")).toBe(2);
  });

  it("what says nothing of the way of blocks prunes nothing, however often it comes", () => {
    const network = new TreeNetwork(3, TRIANGLE);
    expect(copiesOf(network, 1, `${PRESENCE} 0`)).toBe(4);
    for (const [a, b] of TRIANGLE) expect(network.state(a, b)).toBe("active");
    settle(network, 0);
    // The tree is there, and presence goes over it: 1 and 2 are leaves of 0.
    expect(copiesOf(network, 1, `${PRESENCE} 1`)).toBe(2);
    expect([network.state(0, 1), network.state(0, 2), network.state(1, 2)]).toEqual(["active", "active", "backup"]);
  });

  it("the same copy twice from one neighbour prunes nothing: there is no better way", () => {
    const network = new TreeNetwork(2, [[0, 1]]);
    const frame = concatBytes(
      ...encodeEnvelope({ source: keyOf(0), destinations: [], ttl: 16, broadcast: true }, utf8("x")),
    );
    expect(network.transport(1).receive(keyOf(0), frame)).toMatchObject({ broadcast: true });
    expect(network.transport(1).receive(keyOf(0), frame)).toBe("duplicate");
    expect(network.state(1, 0)).toBe("active");
  });

  it("who has just lost a link prunes no other for what was under way by the lost one", () => {
    let now = 1_000;
    const pruned: string[] = [];
    const links = new LinkStates({
      now: () => now,
      sendPrune: (to) => void pruned.push(to),
      sendGraft: () => undefined,
      changed: () => undefined,
    });
    for (const peer of ["a", "b"]) links.up(peer);
    links.own("first");
    links.down("b");
    links.arrived("first", "a");
    expect([pruned, links.state("a")]).toEqual([[], "active"]);
    now += PRUNE_SETTLES_MS;
    links.own("second");
    links.arrived("second", "a");
    expect([pruned, links.state("a")]).toEqual([["a"], "backup"]);
  });

  it("an announcement that is not followed grafts its link, and the broadcast comes", () => {
    const network = new TreeNetwork(3, TRIANGLE);
    settle(network, 0);
    network.lost = ({ from, to, tree }) => from === 0 && to === 2 && tree === undefined;
    network.broadcast(0, "by another way");
    network.run(SETTLED_MS);
    expect(network.hasGot(2, "by another way")).toBe(true);
    expect([network.state(2, 1), network.state(1, 2)]).toEqual(["active", "active"]);
  });

  it.each(["prune", "graft", "announcement", "broadcast"] as const)("a lost %s mends itself", (kind) => {
    const network = new TreeNetwork(3, TRIANGLE);
    losing(network, kind, 1);
    network.lost = (
      (lose) => (frame) =>
        frame.from !== 1 && lose(frame)
    )(network.lost);
    settle(network, 0);
    network.disconnect(0, 2);
    settle(network, 0, "without a link");
    network.connect(0, 2);
    settle(network, 0, "with it again");
    for (const source of [0, 1, 2]) expect(copiesOf(network, source, `from ${source}`)).toBe(2);
  });

  it("who loses its last active link grafts another at once, without waiting for an announcement", () => {
    const network = new TreeNetwork(4, [...TRIANGLE, [0, 3], [1, 3], [2, 3]]);
    settle(network, 0);
    for (const node of [1, 2, 3]) network.disconnect(0, node);
    network.broadcast(1, "of the next leader");
    network.run(10);
    expect(network.lacking("of the next leader")).toEqual([0]);
  });

  it("who loses the link by which all came grafts another at once, although it has links to those behind it", () => {
    const network = new TreeNetwork(4, [
      [0, 1],
      [0, 2],
      [1, 2],
      [2, 3],
    ]);
    settle(network, 0);
    expect([network.state(2, 1), network.state(2, 3)]).toEqual(["backup", "active"]);
    network.disconnect(0, 2);
    network.run(5);
    network.broadcast(0, "by the other way");
    network.run(5);
    expect(network.lacking("by the other way")).toEqual([]);
  });

  it("a neighbour that announces what it never sends delays by its turns and no more", () => {
    const network = new TreeNetwork(4, [
      [0, 1],
      [1, 2],
      [2, 3],
      [0, 3],
      [1, 3],
    ]);
    settle(network, 0);
    // From now on 1 only announces.
    network.lost = ({ from, tree }) => from === 1 && tree?.kind !== "announcement";
    for (const node of [2, 3]) {
      const announcement = encodeAnnouncement([sha256Hex(utf8("withheld"))]);
      const envelope = { source: keyOf(1), destinations: [keyOf(node)], ttl: 1, broadcast: false };
      if (network.isLinked(1, node))
        network.transport(node).receive(keyOf(1), concatBytes(...encodeEnvelope(envelope, announcement)));
    }
    network.broadcast(0, "withheld");
    network.run(SETTLED_MS);
    expect(network.lacking("withheld")).toEqual([]);
    expect(network.sizes(2)["broadcastsAwaited"]).toBe(0);
  });

  it("a new leader's links carry its broadcasts at once, and the old tree is pruned where they are one too many", () => {
    const mesh = [...TRIANGLE, [0, 3], [1, 3], [2, 3]] as const;
    const network = new TreeNetwork(4, mesh);
    settle(network, 0);
    network.transport(1).links.activateAll();
    network.copies = 0;
    network.broadcast(1, "opens its view");
    network.run(1);
    expect(network.lacking("opens its view")).toEqual([]);
    network.run(SETTLED_MS);
    for (const node of [0, 2, 3]) expect(network.state(node, 1)).toBe("active");
    expect(copiesOf(network, 1, "goes on")).toBe(3);
  });
});

describe("bounds", () => {
  it("of what is announced and never comes, and of what is kept", () => {
    const network = new TreeNetwork(2, [[0, 1]]);
    const envelope = { source: keyOf(1), destinations: [keyOf(0)], ttl: 1, broadcast: false };
    for (let i = 0; i < 2 * AWAITED_MAX; i += ANNOUNCED_MAX) {
      const ids = Array.from({ length: ANNOUNCED_MAX }, (_, j) => sha256Hex(utf8(`announced ${i + j}`)));
      network.transport(0).receive(keyOf(1), concatBytes(...encodeEnvelope(envelope, encodeAnnouncement(ids))));
    }
    expect(network.sizes(0)["broadcastsAwaited"]).toBe(AWAITED_MAX);
    for (let i = 0; i < 2 * KEPT_MAX; i++) network.transport(0).broadcast("urgent", utf8(`own ${i}`));
    expect(network.sizes(0)["broadcastsKept"]).toBe(KEPT_MAX);
    for (let i = 0; i < 4; i++) network.transport(0).broadcast("urgent", new Uint8Array(KEPT_BYTES_MAX / 2 + i));
    expect(network.sizes(0)["broadcastBytesKept"]).toBeLessThanOrEqual(KEPT_BYTES_MAX);
  });
});

describe("any connected network, whatever is lost for a time", () => {
  const graphs = fc
    .record({
      nodes: fc.integer({ min: 3, max: 12 }),
      parents: fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
      extra: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 16 }),
      latencies: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 32, maxLength: 32 }),
    })
    .map(({ nodes, parents, extra, latencies }) => {
      const pairs = new Map<string, [number, number]>();
      const add = (a: number, b: number): void =>
        void (a !== b && pairs.set(`${Math.min(a, b)}-${Math.max(a, b)}`, [a, b]));
      for (let node = 1; node < nodes; node++) add(node, (parents[node] as number) % node);
      for (const [a, b] of extra) add(a % nodes, b % nodes);
      return { nodes, links: [...pairs.values()].map(([a, b], i) => [a, b, latencies[i % 32] as number] as const) };
    });

  it("everybody gets everything, and then each node gets each once", () => {
    fc.assert(
      fc.property(graphs, fc.array(fc.nat(3), { maxLength: 200 }), fc.nat(), ({ nodes, links }, losses, seed) => {
        const network = new TreeNetwork(nodes, links);
        let at = 0;
        network.lost = () => losses[at++] === 0;
        const source = seed % nodes;
        for (let i = 0; i < 10; i++) {
          network.broadcast(source, `while frames are lost ${i}`);
          network.run(7);
        }
        at = losses.length;
        network.run(SETTLED_MS);
        network.restart((seed + 1) % nodes);
        const [a, b, latency] = links[seed % links.length] as readonly [number, number, number];
        network.disconnect(a, b);
        network.broadcast(source, "in between");
        network.run(SETTLED_MS);
        network.connect(a, b, latency);
        settle(network, source);
        expect(copiesOf(network, source, "in the end")).toBe(nodes - 1);
      }),
      { numRuns: 100 },
    );
  });
});
