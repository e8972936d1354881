/** Who may have a link with whom: networks without a full mesh. */
import type { Dice } from "./dice.ts";

export type Wired = (a: number, b: number) => boolean;

export const TOPOLOGIES = ["mesh", "line", "ring", "star", "tree", "clusters", "random"] as const;
export type Topology = (typeof TOPOLOGIES)[number];

/** @param dice places nodes at random, and draws the random one, which is connected and has twice as many links as a tree */
export function wiredAs(topology: Topology, nodes: number, dice: Dice): Wired {
  if (topology === "mesh") return () => true;
  const places = dice.shuffled(Array.from({ length: nodes }, (_, index) => index));
  const links = new Set(linksOf(topology, nodes, dice).map(([a, b]) => name(places[a] as number, places[b] as number)));
  return (a, b) => links.has(name(a, b));
}

/** Does a way of links lead from each of these to each? */
export function isConnected(nodes: readonly number[], wired: Wired): boolean {
  const reached = nodes.slice(0, 1);
  for (const at of reached) reached.push(...nodes.filter((node) => wired(at, node) && !reached.includes(node)));
  return reached.length === nodes.length;
}

function linksOf(topology: Exclude<Topology, "mesh">, nodes: number, dice: Dice): (readonly [number, number])[] {
  const others = Array.from({ length: nodes - 1 }, (_, index) => index + 1);
  switch (topology) {
    case "line":
      return others.map((node) => [node - 1, node]);
    case "ring":
      return [...others.map((node) => [node - 1, node] as const), [0, nodes - 1]];
    case "star":
      return others.map((node) => [0, node]);
    case "tree":
      return others.map((node) => [Math.floor((node - 1) / 2), node]);
    case "clusters": {
      const half = Math.ceil(nodes / 2);
      const within = others.flatMap((b) =>
        Array.from({ length: b }, (_, a) => [a, b] as const).filter(([a]) => a < half === b < half),
      );
      return nodes > half ? [...within, [half - 1, half]] : within;
    }
    case "random": {
      const tree = others.map((node) => [dice.below(node), node] as const);
      return [...tree, ...others.map((node) => [dice.below(node), node] as const)];
    }
  }
}

function name(a: number, b: number): string {
  return `${Math.min(a, b)}-${Math.max(a, b)}`;
}
