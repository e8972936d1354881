/**
 * Compares what stopped nodes hold, one with another. The network was idle and equal before its nodes were ended, but they
 * do not end in one instant: a leader that leaves hands over, and whoever takes over may decide the empty block that opens
 * its view among those that still run. So one chain may be longer than another, by blocks without transactions.
 */
import { type ChainContents, readChain, stateDigest } from "./chainFiles.ts";

export interface StoppedNode {
  readonly name: string;
  readonly chain: Pick<ChainContents, "blockIds" | "transactionCounts">;
  readonly state: { readonly height: number; readonly digest: string };
}

/** Reads a stopped node's files. Throws StorageError where they are damaged. */
export function readStopped(name: string, dir: string): StoppedNode {
  return { name, chain: readChain(dir), state: stateDigest(dir) };
}

/** @returns where chains or states differ; empty: nowhere */
export function differences(nodes: readonly StoppedNode[]): string[] {
  const faults: string[] = [];
  const longest = nodes.reduce((a, b) => (b.chain.blockIds.length > a.chain.blockIds.length ? b : a));
  for (const each of nodes) {
    const parts = each.chain.blockIds.findIndex((id, i) => id !== longest.chain.blockIds[i]);
    if (parts >= 0) {
      faults.push(`${each.name}: parts from ${longest.name} at block ${parts + 1}`);
    } else if (each.chain.transactionCounts.size !== longest.chain.transactionCounts.size) {
      const [own, other] = [each, longest].map(({ chain }) => `${chain.transactionCounts.size}`);
      faults.push(
        `${each.name}: ends at block ${each.chain.blockIds.length} with ${own} transactions, ${other} decided`,
      );
    }
    if (each.state.height !== each.chain.blockIds.length)
      faults.push(`${each.name}: state of block ${each.state.height}, chain of ${each.chain.blockIds.length}`);
  }
  return [...faults, ...stateDifferences(nodes)];
}

/** @returns where states of one block differ; empty: nowhere */
export function stateDifferences(nodes: readonly Pick<StoppedNode, "name" | "state">[]): string[] {
  return nodes.flatMap(({ name, state: { height, digest } }) => {
    const twin = nodes.find(({ state }) => state.height === height);
    return twin === undefined || twin.state.digest === digest
      ? []
      : [`${name}: another state at block ${height} than ${twin.name}`];
  });
}
