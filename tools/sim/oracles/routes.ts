/** Next hops never make a loop, at no moment: RFC 8966's promise, over the links that are up. */
import type { RouteView } from "../../../net/transport/types.ts";
import { RuleBroken } from "../violation.ts";

/** A node as this oracle sees it. */
export interface Router {
  readonly index: number;
  readonly key: string;
  readonly isProducer: boolean;
  readonly isUp: boolean;
  readonly replica: { routes(): readonly RouteView[] };
}

export interface Routers {
  readonly nodes: readonly Router[];
  readonly indexOf: (key: string) => number;
  readonly isLinked: (a: number, b: number) => boolean;
}

export function assertNoLoop({ nodes, indexOf, isLinked }: Routers): void {
  // By producer: each node's next hop.
  const hops = new Map<string, (number | undefined)[]>();
  for (const node of nodes) {
    if (!node.isUp) continue;
    for (const { producer, via } of node.replica.routes()) {
      const next = via === undefined ? undefined : indexOf(via);
      if (next === undefined || !isLinked(node.index, next)) continue;
      const of = hops.get(producer) ?? [];
      of[node.index] = next;
      hops.set(producer, of);
    }
  }
  for (const [producer, next] of hops) {
    const end = indexOf(producer);
    for (const { index } of nodes) {
      const seen: number[] = [];
      for (let at: number | undefined = index; at !== undefined && at !== end; at = next[at]) {
        if (seen.includes(at))
          throw new RuleBroken("routes", "next hops never make a loop", `to ${end}: ${[...seen, at].join(" ")}`, seen);
        seen.push(at);
      }
    }
  }
}
