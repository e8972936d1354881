import { describe, expect, it } from "vitest";
import { regularGraph } from "../../../tools/bench/broadcast/graph.ts";
import { measure, type Row } from "../../../tools/bench/broadcast/measure.ts";

type Pairs = readonly (readonly [number, number])[];

const mesh = (nodes: number): Pairs =>
  Array.from({ length: nodes }, (_, a) => Array.from({ length: a }, (_, b) => [b, a] as const)).flat();
/** Everybody's neighbour is node 0, the only producer. */
const star = (nodes: number): Pairs => Array.from({ length: nodes - 1 }, (_, i) => [0, i + 1] as const);

const run = (nodes: number, producers: number, pairs: Pairs, floods = false): Row =>
  measure({ nodes, producers, pairs, floods, seed: 5, seconds: 1, transactionBytes: 500 });

/** The bound: of a hundred blocks one may cross one link too many. */
const COPIES_MAX = 1.01;

describe("each block crosses each link about once in a stable network (docs/protocol.md, section 2)", () => {
  it.each([
    ["a mesh of three producers", 3, 3, mesh(3)],
    ["a mesh of four producers", 4, 4, mesh(4)],
    ["followers with links to everybody", 8, 3, mesh(8)],
    ["twelve nodes of four links", 12, 3, regularGraph(12, 4, 3, 2)],
  ])("%s: one copy a node; soon again after the leader died and came back", (_name, nodes, producers, pairs) => {
    const { stable, afterChange, afterReturn } = run(nodes, producers, pairs);
    expect(stable.blocks).toBeGreaterThan(20);
    expect(stable.copiesANode).toBeLessThanOrEqual(COPIES_MAX);
    expect(stable.mostOnALink).toBe(1);
    expect(afterChange.blocksUntilStable).toBeLessThanOrEqual(2);
    // Its links come up one after the other, and each is one too many once.
    for (const { copiesANode } of [afterChange, afterReturn]) expect(copiesANode).toBeLessThanOrEqual(1.1);
  });

  it("a star, where there is nothing to prune", () => {
    const simulated = run(6, 1, star(6)).stable;
    expect([simulated.copiesANode, simulated.mostOnALink]).toEqual([1, 1]);
  });

  it("a small mesh decides as fast as when it flooded: the leader's blocks come by one or two links", () => {
    const [flooded, tree] = [run(4, 4, mesh(4), true), run(4, 4, mesh(4))];
    expect(flooded.stable.copiesANode).toBeGreaterThan(1.9);
    for (const phase of ["stable", "afterChange"] as const) {
      expect(tree[phase].irreversibleMs).toBeLessThanOrEqual(1.1 * flooded[phase].irreversibleMs);
      // Who floods sends to all at once. Two quick links may be a shorter way than a slow one.
      expect(tree[phase].everywhereMs).toBeLessThanOrEqual(1.1 * flooded[phase].everywhereMs + 1);
    }
  });
});
