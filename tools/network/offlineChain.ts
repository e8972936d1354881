/**
 * Fills the directories of a network with a chain that its producers could have made: their keys sign blocks and acks, the
 * product's ledger executes, the product's stores write. What consensus would take hours for takes minutes, and whoever
 * checks it finds a genuine chain.
 */
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { readNodeDirectory, type NodeDirectory } from "../../src/node/directory.ts";
import { ChainFiller } from "./chainFiller.ts";
import { makeTransaction } from "./load.ts";

export interface OfflineChainOptions {
  /** Directories of all producers, in their order, and of followers that get the same chain. */
  readonly producers: readonly string[];
  readonly followers: readonly string[];
  readonly blocks: number;
  readonly transactionsPerBlock: number;
  readonly transactionBytes: number;
  readonly note: (text: string) => void;
}

/** Header times are this far apart, ms; the genesis must be old enough for all of them. */
export const BLOCK_INTERVAL_MS = 2;
/** Blocks that become irreversible, and are written, together. */
const RUN_BLOCKS = 250;

/** Leaves every directory as if its node had been stopped at height `blocks`. */
export async function fillOffline(options: OfflineChainOptions): Promise<void> {
  const directories = options.producers.map(openDirectory);
  const [first] = directories as [NodeDirectory, ...NodeDirectory[]];
  const { blocks, transactionsPerBlock, transactionBytes: bytes, note } = options;
  const filler = await ChainFiller.open({
    dir: first.dir,
    genesis: first.genesis,
    keys: directories.map(({ key }) => key),
    view: 1,
    blockIntervalMs: BLOCK_INTERVAL_MS,
    transaction: (_, time) => makeTransaction({ bytes, keys: "sequential" }, time).bytes,
  });
  const began = performance.now();
  for (let made = 0; made < blocks;) {
    const run: BlockNode[] = [];
    for (; run.length < RUN_BLOCKS && made < blocks; made++) run.push(filler.make(transactionsPerBlock));
    await filler.finish(run, made === blocks);
    if (made % (RUN_BLOCKS * 40) === 0)
      note(`${made} blocks, ${Math.round((made * transactionsPerBlock * 1000) / (performance.now() - began))} tx/s`);
  }
  await filler.close();
  for (const dir of [...options.producers.slice(1), ...options.followers]) {
    for (const name of ["chain.db", "state.db", "index.db"]) {
      if (existsSync(join(first.dir, name))) copyFileSync(join(first.dir, name), join(dir, name));
    }
  }
}

function openDirectory(dir: string): NodeDirectory {
  const read = readNodeDirectory(dir, {});
  if (!read.ok) throw new Error(read.error.messages.join("; "));
  return read.value;
}
