/** Random graphs in which every node has the same number of links, and the producers are each other's neighbours. */
import { seededRandom } from "../../../src/base/random.ts";

const TRIES = 100_000;

/** @returns pairs of nodes, connected; the first `producers` nodes are linked pairwise */
export function regularGraph(
  nodes: number,
  degree: number,
  producers: number,
  seed: number,
): readonly (readonly [number, number])[] {
  const random = seededRandom(seed);
  for (let i = 0; i < TRIES; i++) {
    const pairs = tryGraph(nodes, degree, producers, () => random.next());
    if (pairs !== undefined && isConnected(nodes, pairs)) return pairs;
  }
  throw new RangeError(`no graph of ${nodes} nodes of degree ${degree} in ${TRIES} tries`);
}

/** Ends of links are drawn in pairs; no link twice, none to oneself. */
function tryGraph(
  nodes: number,
  degree: number,
  producers: number,
  random: () => number,
): [number, number][] | undefined {
  const pairs: [number, number][] = [];
  for (let a = 0; a < producers; a++) for (let b = 0; b < a; b++) pairs.push([b, a]);
  const ends = Array.from({ length: nodes }, (_, node) =>
    Array.from({ length: node < producers ? degree - producers + 1 : degree }, () => node),
  ).flat();
  const taken = new Set(pairs.map(([a, b]) => a * nodes + b));
  while (ends.length > 1) {
    const [a, b] = [drawn(ends, random), drawn(ends, random)].sort((x, y) => x - y) as [number, number];
    if (a === b || taken.has(a * nodes + b)) return undefined;
    taken.add(a * nodes + b);
    pairs.push([a, b]);
  }
  return ends.length === 0 ? pairs : undefined;
}

function drawn(ends: number[], random: () => number): number {
  const index = Math.floor(random() * ends.length);
  const end = ends[index] as number;
  ends[index] = ends.at(-1) as number;
  ends.pop();
  return end;
}

function isConnected(nodes: number, pairs: readonly (readonly [number, number])[]): boolean {
  const reached = new Set([0]);
  for (const node of reached) {
    for (const [a, b] of pairs) {
      if (a === node) reached.add(b);
      if (b === node) reached.add(a);
    }
  }
  return reached.size === nodes;
}
