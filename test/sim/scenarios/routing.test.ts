/** Whole replicas where producers are not each other's neighbours (docs/testing.md, "Routing"). */
import { describe, expect, it } from "vitest";
import { Dice } from "../../../tools/sim/dice.ts";
import { assertNoLoop } from "../../../tools/sim/oracles/routes.ts";
import { NO_FAULTS } from "../../../tools/sim/profile.ts";
import { Stage, type StageOptions } from "../../../tools/sim/scenarios/stage.ts";
import { TOPOLOGIES, wiredAs } from "../../../tools/sim/topologies.ts";

type Edge = readonly [number, number];

function wiredBy(...edges: readonly Edge[]): StageOptions {
  const names = new Set(edges.map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`));
  return { wired: (a, b) => names.has(`${Math.min(a, b)}-${Math.max(a, b)}`) };
}

/** Looks for a loop after every step of every node. */
function watched(stage: Stage): Stage {
  const { simulation } = stage;
  const routers = {
    nodes: simulation.nodes,
    indexOf: (key: string) => simulation.indexOf(key),
    isLinked: (a: number, b: number) => simulation.network.isLinked(a, b),
  };
  simulation.onlookers.push({ stepped: () => assertNoLoop(routers) });
  return stage;
}

/** There and back over a link at most, without faults, ms. */
const ROUND_TRIP_MS = 2 * 1.2;
/** A request for a newer seqno waits so long for its turn, at each end. */
const TURN_MS = 200;

/** Once all links are up, every node has a way to every producer within three round trips of the longest line and two turns of requests. */
function converges(stage: Stage): void {
  const { nodes, network } = stage.simulation;
  stage.until("all links are up", () => network.isWhole(nodes), 5_000);
  stage.advance(3 * ROUND_TRIP_MS * (nodes.length - 1) + 2 * TURN_MS);
  for (const node of nodes)
    for (const { producer, via } of node.replica.routes())
      expect(via, `way from ${node.index} to ${stage.simulation.indexOf(producer)}`).toBeDefined();
}

describe("producers that are no neighbours", () => {
  it("a leader reachable through two followers alone: commits, reads, elects another", () => {
    // 0 - 3 - 4 - 1 and 0 - 3 - 4 - 2: every way between 0 and the others crosses both followers.
    const stage = watched(Stage.open(3, { followers: 2, ...wiredBy([0, 3], [3, 4], [4, 1], [4, 2]) }));
    for (let i = 0; i < 3; i++) {
      for (const index of stage.others()) stage.commit(index, 2);
      for (const index of stage.others()) stage.read(index);
      stage.advance(1_000);
      const { leader } = stage;
      stage.crash(leader);
      stage.elect(leader);
      stage.start(leader);
      stage.advance(3_000);
    }
    expect(stage.reads).toEqual({ seen: 15, refused: 0 });
    stage.settle();
  });

  it.each(TOPOLOGIES)("%s: commits from everywhere, a link flips, a router restarts", (topology) => {
    const wired = wiredAs(topology, 8, new Dice(3));
    const links = Array.from({ length: 64 }, (_, at) => [at >> 3, at & 7] as const).filter(
      ([a, b]) => a < b && wired(a, b),
    );
    const stage = watched(Stage.open(5, { followers: 3, wired }));
    converges(stage);
    for (const index of stage.others()) stage.commit(index);
    for (let i = 0; i < 4; i++) {
      const [a, b] = links[(i * 3) % links.length] as Edge;
      expect(stage.simulation.network.isLinked(a, b)).toBe(true);
      stage.simulation.network.breakLink(a, b);
      stage.crash(5 + (i % 3));
      stage.advance(500);
      stage.startAll();
      converges(stage);
      stage.advance(2_000);
    }
    for (const index of stage.others()) stage.commit(index);
    stage.settle();
  });

  it("a relay whose machine dies is gone around at once, not when its pings have run out", () => {
    // 0 reaches 1 and 2 by either of two followers.
    const stage = watched(
      Stage.open(3, {
        followers: 2,
        faults: { ...NO_FAULTS, pingTimeoutMs: 20_000 },
        ...wiredBy([0, 3], [3, 1], [0, 4], [4, 1], [1, 2]),
      }),
    );
    stage.advance(1_000);
    const used = (from: number, to: number): number | undefined => {
      const route = stage
        .node(from)
        .replica.routes()
        .find(({ producer }) => producer === stage.node(to).key);
      return route?.via === undefined ? undefined : stage.simulation.indexOf(route.via);
    };
    const relay = used(0, 1) as number;
    stage.crash(relay, true);
    stage.until("the other way is taken", () => used(0, 1) === 7 - relay && used(1, 0) === 7 - relay, 2_500);
    stage.elect();
    for (const index of [0, 1, 2]) stage.commit(index);
    stage.start(relay);
    stage.settle();
  });

  it("two clusters, the bridge cut: the greater goes on, the smaller catches up when it is mended", () => {
    const edges: Edge[] = [
      [0, 1],
      [1, 2],
      [0, 2],
      [2, 5],
      [5, 3],
      [3, 4],
    ];
    const stage = watched(Stage.open(5, { followers: 1, ...wiredBy(...edges) }));
    stage.commit(4);
    stage.part([2], [5]);
    // The smaller side's leader, if it was one, has no quorum and gives up.
    stage.advance(15_000);
    expect(stage.leader).toBeLessThan(3);
    stage.commit(0, 3);
    stage.heal();
    stage.settle();
    stage.commit(4);
  });

  it("fifty nodes at random: every producer is reached from everywhere, and a transaction commits", () => {
    const wired = wiredAs("random", 50, new Dice(5));
    const stage = Stage.open(7, { followers: 43, wired });
    stage.advance(1_000);
    for (const { replica } of stage.simulation.nodes)
      for (const route of replica.routes()) expect(route.via).toBeDefined();
    stage.commit(49);
    stage.settle();
  });
});
