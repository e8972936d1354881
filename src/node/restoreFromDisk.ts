/** Start-up: from the files of a directory to what a replica starts with. */
import { randomInt } from "node:crypto";
import type { Application } from "../../chain/application.ts";
import type { Block } from "../../chain/block.ts";
import type { Bottom } from "../../chain/forkDatabase.ts";
import { DuplicateWindow } from "../../chain/duplicateWindow.ts";
import type { Genesis } from "../../chain/genesis.ts";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import type { StateReader } from "../../chain/state.ts";
import type { ExecutionSetting } from "../../chain/execution.ts";
import { fromBinaryString, toBinaryString } from "../base/bytes.ts";
import { restore } from "../replica/restore.ts";
import type { StateFlush } from "../replica/types.ts";
import type { Logger } from "./logging.ts";
import { decodeStored, decodeStoredFrontier, decodeStoredSets, genesisFrontier } from "./storedBlocks.ts";
import type { ChainStore } from "./storage/chainStore.ts";
import type { DerivedStore } from "./storage/derivedStore.ts";
import { type DerivedWrite, StorageError } from "./storage/types.ts";

export interface Restored {
  readonly genesisBlock: Block;
  readonly execution: ExecutionSetting;
  readonly bottom: Bottom;
  readonly certificate: Uint8Array;
  readonly blocks: readonly Block[];
  readonly record: Uint8Array | undefined;
  /** Against producers. */
  readonly evidence: readonly Uint8Array[];
}

/** Waits until the derived store has applied a height. */
export type WhenApplied = (height: number) => Promise<void>;

const PROGRESS_EVERY_MS = 2_000;

/** Throws StorageError or RestoreError, each saying what to do. */
export async function restoreFromDisk(
  genesis: Genesis,
  application: Application,
  chainStore: ChainStore,
  derived: DerivedStore,
  whenApplied: WhenApplied,
  log: Logger,
): Promise<Restored> {
  const { file } = chainStore;
  const { irreversible, record } = chainStore.meta();
  const genesisBlock = makeGenesisBlock(genesis, application).block;
  const irreversibleHeight = irreversible?.height ?? 0;
  const blockAt = (height: number): Block => {
    if (height === 0) return genesisBlock;
    const stored = chainStore.byHeight(height);
    if (stored !== undefined) return decodeStored(file, stored);
    throw new StorageError(
      "DAMAGED",
      file,
      `${file}: irreversible block ${height} is missing; restore a backup, or start again from an empty directory`,
    );
  };
  const producerSets = decodeStoredSets(file, genesis, chainStore.producerSets());
  const steps = restore({
    genesis,
    application,
    reader: stateReader(derived),
    appliedHeight: derived.appliedHeight() ?? -1,
    irreversibleHeight,
    blockAt,
    duplicates: new DuplicateWindow(randomInt(2 ** 47)),
    producerSets,
  });
  const execution = await carryOut(steps, derived, whenApplied, irreversibleHeight, log);
  const bottomBlock = blockAt(irreversibleHeight);
  const frontier = irreversible ? decodeStoredFrontier(file, irreversible.frontier) : genesisFrontier(genesisBlock);
  return {
    genesisBlock,
    execution,
    bottom: { block: bottomBlock, frontier, producerSets },
    certificate: irreversible?.certificate ?? new Uint8Array(0),
    blocks: readAbove(chainStore, irreversibleHeight, log),
    record: record.verdict === "ok" ? record.bytes : undefined,
    evidence: chainStore.evidence((error) => log.write("error", "storage", error.message)).map(({ bytes }) => bytes),
  };
}

/** The state database as the core reads it. */
export function stateReader(derived: DerivedStore): StateReader {
  return {
    get: (key) => derived.get(fromBinaryString(key)),
    range: (start, end, limit) =>
      derived
        .range(fromBinaryString(start), end === undefined ? undefined : fromBinaryString(end), limit)
        .map(({ key, value }) => ({ key: toBinaryString(key), value })),
  };
}

export function derivedWriteOf(flush: StateFlush): DerivedWrite {
  const changes = flush.changes.map(({ key, value }) => ({ key: fromBinaryString(key), value }));
  return { height: flush.height, id: flush.id, changes, blocks: flush.blocks };
}

async function carryOut(
  steps: ReturnType<typeof restore>,
  derived: DerivedStore,
  whenApplied: WhenApplied,
  target: number,
  log: Logger,
): Promise<ExecutionSetting> {
  let toldAt = Date.now();
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value;
    const applied = whenApplied(step.value.height);
    derived.apply(derivedWriteOf(step.value));
    await applied;
    if (Date.now() < toldAt + PROGRESS_EVERY_MS) continue;
    toldAt = Date.now();
    log.write("info", "storage", "executes blocks again to rebuild the state", {
      height: step.value.height,
      of: target,
    });
  }
}

/** A damaged block above the irreversible one is left out: peers have it, and nothing is acked until it is back. */
function readAbove(chainStore: ChainStore, height: number, log: Logger): Block[] {
  const blocks: Block[] = [];
  const tell = (error: StorageError): void =>
    log.write(
      "error",
      "storage",
      `${error.message}; it is asked for from peers, this node does not vote until it has it`,
    );
  for (const stored of chainStore.blocksAbove(height, tell)) {
    try {
      blocks.push(decodeStored(chainStore.file, stored));
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      tell(error);
    }
  }
  return blocks;
}
