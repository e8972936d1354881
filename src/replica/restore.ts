/**
 * From what is on disk to what a replica starts from: the state database may lag behind the irreversible block, so the
 * blocks between are executed again; the duplicate window is filled from the last blocks. Deterministic; the driver
 * carries each yielded flush to the state database before it asks for the next.
 */
import type { Application } from "../../chain/application.ts";
import type { Block } from "../../chain/block.ts";
import { elementAt } from "../../chain/byteList.ts";
import type { DuplicateWindow } from "../../chain/duplicateWindow.ts";
import { BlockExecution, type ExecutionSetting } from "../../chain/execution.ts";
import type { Genesis } from "../../chain/genesis.ts";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { type ProducerSets, setsAt, type SetsFrom } from "../../chain/producerSets.ts";
import { type BlockUndo, State, type StateReader } from "../../chain/state.ts";
import type { StateFlush } from "./types.ts";

/** Transactions executed again between two flushes: bounds the memory of a long replay. */
const REPLAY_FLUSH_TRANSACTIONS = 20_000;

export interface RestoreSource {
  readonly genesis: Genesis;
  readonly application: Application;
  readonly reader: StateReader;
  /** Height that the state database holds; -1: it is new. */
  readonly appliedHeight: number;
  readonly irreversibleHeight: number;
  /** An irreversible block by its height, 0 included. Throws when the disk is damaged. */
  blockAt(height: number): Block;
  readonly duplicates: DuplicateWindow;
  /** The producer sets of the irreversible chain, ascending, from block 0 on. */
  readonly producerSets: readonly SetsFrom[];
}

/** The state database and the blocks do not fit together. */
export class RestoreError extends Error {
  override readonly name = "RestoreError";
  readonly code: "STATE_AHEAD" | "REPLAY_DIFFERS";
  readonly height: number;
  constructor(code: RestoreError["code"], height: number, message: string) {
    super(message);
    this.code = code;
    this.height = height;
  }
}

/**
 * Yields flushes until the state database holds the irreversible block, then returns what blocks are executed with.
 * @throws RestoreError
 */
export function* restore(source: RestoreSource): Generator<StateFlush, ExecutionSetting, void> {
  const { genesis, application, irreversibleHeight } = source;
  let applied = source.appliedHeight;
  if (applied > irreversibleHeight) {
    const message = `state.db is at height ${applied}, chain.db at ${irreversibleHeight}: delete state.db, it is rebuilt`;
    throw new RestoreError("STATE_AHEAD", applied, message);
  }
  if (applied < 0) {
    const { block, changes } = makeGenesisBlock(genesis, application);
    yield { height: 0, id: block.id, changes, blocks: [] };
    applied = 0;
  }
  const state = new State(source.reader, applied);
  const { engine, limits } = genesis;
  const setting: ExecutionSetting = { application, engine, limits, state, duplicates: source.duplicates };
  fillWindow(source, applied);
  yield* replay(source, setting, applied);
  return setting;
}

/** Ids of the blocks up to `applied` that a later transaction could repeat. */
function fillWindow(source: RestoreSource, applied: number): void {
  if (applied === 0) return;
  let block = source.blockAt(applied);
  const horizon = block.header.time - source.genesis.limits.expiryAheadMs;
  // The ids only: the blocks themselves may be more than memory holds.
  const newestFirst: { height: number; time: number; ids: Uint8Array }[] = [];
  while (block.header.height > 0 && block.header.time >= horizon) {
    const { height, time } = block.header;
    newestFirst.push({ height, time, ids: block.transactionIds });
    block = source.blockAt(height - 1);
  }
  for (const each of newestFirst.reverse()) source.duplicates.push(each);
}

function* replay(source: RestoreSource, setting: ExecutionSetting, applied: number): Generator<StateFlush, void, void> {
  let parent = source.blockAt(applied);
  let run: { block: Block; undo: BlockUndo; receipts: Uint8Array }[] = [];
  let transactions = 0;
  for (let height = applied + 1; height <= source.irreversibleHeight; height++) {
    const block = source.blockAt(height);
    run.push({ block, ...executeAgain(setting, block, parent, setsAt(source.producerSets, height)) });
    transactions += block.transactions.count;
    parent = block;
    if (transactions < REPLAY_FLUSH_TRANSACTIONS && height < source.irreversibleHeight) continue;
    const undos = run.map((each) => each.undo);
    yield {
      height,
      id: block.id,
      changes: setting.state.netChanges(undos, [], height),
      blocks: run.map((each) => ({
        height: each.block.header.height,
        receipts: each.receipts,
        transactionIds: each.block.transactionIds,
      })),
    };
    setting.state.flushed(height, undos);
    setting.duplicates.expireBelow(block.header.time - source.genesis.limits.expiryAheadMs, height);
    run = [];
    transactions = 0;
  }
}

function executeAgain(
  setting: ExecutionSetting,
  block: Block,
  parent: Block,
  sets: ProducerSets,
): { undo: BlockUndo; receipts: Uint8Array } {
  const { height, time, view } = block.header;
  const differs = (detail: string): RestoreError =>
    new RestoreError(
      "REPLAY_DIFFERS",
      height,
      `block ${height} executed again differs: ${detail}. Delete state.db, it is rebuilt; if this comes again, the application or chain.db is another one`,
    );
  const execution = new BlockExecution(setting, { height, time, view, sets });
  for (let i = 0; i < block.transactions.count; i++) {
    const applied = execution.apply(elementAt(block.transactions, i), block.transactionIds, 32 * i);
    if (!applied.ok) throw differs(`transaction ${i}: ${applied.error.code}`);
  }
  const outcome = execution.finish(parent.header.stateHash);
  if (outcome.stateHash !== block.header.stateHash) throw differs("state hash");
  if (outcome.receiptRoot !== block.header.receiptRoot) throw differs("receipt root");
  if (outcome.proposed?.hash !== block.header.nextConfiguration) throw differs("proposed producer set");
  return { undo: outcome.undo, receipts: outcome.receipts.buffer };
}
