/**
 * Executes a chain again from genesis through the ledger's own code. The state grows in a state.db of its own in a
 * temporary directory, so that memory does not grow with it; one run of blocks is written while the next is executed.
 */
import { randomInt } from "node:crypto";
import type { Application } from "../../chain/application.ts";
import type { Block } from "../../chain/block.ts";
import { elementAt } from "../../chain/byteList.ts";
import { DuplicateWindow } from "../../chain/duplicateWindow.ts";
import { BlockExecution, type ExecutionOutcome, type ExecutionSetting } from "../../chain/execution.ts";
import type { Genesis } from "../../chain/genesis.ts";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { type ProducerSets, setsAfter, singleSet } from "../../chain/producerSets.ts";
import { type BlockUndo, State } from "../../chain/state.ts";
import { derivedWriteOf, stateReader } from "../../src/node/restoreFromDisk.ts";
import { DerivedStore } from "../../src/node/storage/derivedStore.ts";
import { StateReader } from "../../src/node/storage/stateReader.ts";
import type { StorageError } from "../../src/node/storage/types.ts";
import { makeScratch, removeScratch } from "../scratch.ts";
import { type Fault, FaultFound, type FaultKind } from "./fault.ts";

/** Transactions and bytes of blocks after which a run is written. */
const RUN_TRANSACTIONS = 20_000;
const RUN_BYTES = 32 * 1024 * 1024;

interface Run {
  readonly height: number;
  readonly undos: readonly BlockUndo[];
}

export class Reexecution {
  readonly genesisBlock: Block;
  readonly #dir: string;
  readonly #store: DerivedStore;
  readonly #setting: ExecutionSetting;
  #parent: Block;
  /** Those that judge the next block. */
  #sets: ProducerSets;
  #undos: BlockUndo[] = [];
  #transactions = 0;
  #bytes = 0;
  #writing: Run | undefined;
  #applied = 0;
  #failure: StorageError | undefined;
  #wake: () => void = () => undefined;

  private constructor(
    dir: string,
    store: DerivedStore,
    genesis: Genesis,
    genesisBlock: Block,
    setting: ExecutionSetting,
  ) {
    this.#dir = dir;
    this.#store = store;
    this.genesisBlock = this.#parent = genesisBlock;
    this.#setting = setting;
    this.#sets = singleSet(genesis.configuration);
  }

  /** Rejects with a StorageError when the temporary directory cannot be written. */
  static async start(genesis: Genesis, application: Application): Promise<Reexecution> {
    const dir = makeScratch("cairn-verify-");
    try {
      const told: { whole?: Reexecution } = {};
      const store = await DerivedStore.open(
        dir,
        { onApplied: (height) => told.whole?.written(height), onError: (error) => told.whole?.failed(error) },
        { chainId: genesis.chainId, index: false },
      );
      const { block, changes } = makeGenesisBlock(genesis, application);
      const setting: ExecutionSetting = {
        application,
        engine: genesis.engine,
        limits: genesis.limits,
        state: new State(stateReader(store), 0),
        duplicates: new DuplicateWindow(randomInt(2 ** 47)),
      };
      const whole = new Reexecution(dir, store, genesis, block, setting);
      store.apply(derivedWriteOf({ height: 0, id: block.id, changes, blocks: [] }));
      told.whole = whole;
      whole.#writing = { height: 0, undos: [] };
      whole.#applied = -1;
      await whole.#awaitWritten();
      return whole;
    } catch (error) {
      removeScratch(dir);
      throw error;
    }
  }

  /** Told by the store's thread. */
  written(height: number): void {
    this.#applied = height;
    this.#wake();
  }

  failed(error: StorageError): void {
    this.#failure = error;
    this.#wake();
  }

  /** Executes the next block. @throws FaultFound when a transaction may not be in it or its header says otherwise */
  execute(block: Block): ExecutionOutcome {
    const { height, time, view } = block.header;
    const fail = (kind: FaultKind, detail: string, rest: Partial<Fault> = {}): never => {
      throw new FaultFound({ kind, detail, height, id: block.id, ...rest });
    };
    const execution = new BlockExecution(this.#setting, { height, time, view, sets: this.#sets });
    for (let index = 0; index < block.transactions.count; index++) {
      const applied = execution.apply(elementAt(block.transactions, index), block.transactionIds, 32 * index);
      if (applied.ok) continue;
      fail("transaction", `it may not be in this block: ${applied.error.code} ${applied.error.detail}`.trim(), {
        index,
      });
    }
    const outcome = execution.finish(this.#parent.header.stateHash);
    const { stateHash, receiptRoot } = block.header;
    const why = "executed again, the block has another one than its header";
    if (outcome.receiptRoot !== receiptRoot) {
      fail("receipt root", why, { expected: outcome.receiptRoot, found: receiptRoot });
    }
    if (outcome.stateHash !== stateHash) fail("state hash", why, { expected: outcome.stateHash, found: stateHash });
    if (outcome.proposed?.hash !== block.header.nextConfiguration)
      fail("header rule", "executed again, the block proposes another producer set than its header says");
    this.#sets = setsAfter(this.#sets, block.header, block.nextConfiguration);
    this.#parent = block;
    this.#undos.push(outcome.undo);
    this.#transactions += block.transactions.count;
    this.#bytes += block.body.length;
    return outcome;
  }

  get runIsFull(): boolean {
    return this.#transactions >= RUN_TRANSACTIONS || this.#bytes >= RUN_BYTES || this.#undos.length >= RUN_TRANSACTIONS;
  }

  /** Writes the run; waits only for the one before it. */
  async endRun(): Promise<void> {
    await this.#awaitWritten();
    if (this.#undos.length === 0) return;
    const { height, time } = this.#parent.header;
    const changes = this.#setting.state.netChanges(this.#undos, [], height);
    this.#store.apply(derivedWriteOf({ height, id: this.#parent.id, changes, blocks: [] }));
    this.#writing = { height, undos: this.#undos };
    this.#undos = [];
    this.#transactions = this.#bytes = 0;
    this.#setting.duplicates.expireBelow(time - this.#setting.limits.expiryAheadMs, height);
  }

  /** The state as of the last block, to be closed by the caller; after {@link settled}. */
  openState(): StateReader {
    return StateReader.open(this.#dir);
  }

  /** The whole state is in its database. */
  async settled(): Promise<void> {
    await this.endRun();
    await this.#awaitWritten();
  }

  async close(): Promise<void> {
    try {
      await this.#store.close();
    } finally {
      removeScratch(this.#dir);
    }
  }

  async #awaitWritten(): Promise<void> {
    const run = this.#writing;
    if (run === undefined) return;
    while (this.#applied < run.height && this.#failure === undefined) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#failure !== undefined) throw this.#failure;
    this.#setting.state.flushed(run.height, run.undos);
    this.#writing = undefined;
  }
}
