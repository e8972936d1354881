/** The index of transactions is filled behind what is running already. */
import type { NodeReads } from "./nodeReads.ts";
import type { DerivedStore } from "./storage/derivedStore.ts";

/**
 * Blocks that the index lacks, read from chain.db a few at a time.
 * @param isStopped asked before each of those
 */
export async function fillIndex(derived: DerivedStore, reads: NodeReads, isStopped: () => boolean): Promise<void> {
  const target = derived.appliedHeight() ?? 0;
  for (let height = derived.indexedHeight(); height !== undefined && height < target && !isStopped();) {
    const blocks = reads.blocks(height + 1, Math.min(100, target - height)).map((view) => view.block);
    if (blocks.length === 0) return;
    derived.fillIndex(blocks.map((block) => ({ height: block.header.height, transactionIds: block.transactionIds })));
    height = (blocks.at(-1) as (typeof blocks)[number]).header.height;
    await new Promise((resolve) => setTimeout(resolve, derived.hasRoom ? 0 : 100));
  }
}
