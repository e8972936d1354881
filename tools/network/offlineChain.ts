/**
 * Fills the directories of a network with a chain that its producers could have made: their keys sign blocks and acks, the
 * product's ledger executes, the product's stores write. What consensus would take hours for takes minutes, and whoever
 * checks it finds a genuine chain.
 */
import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { DuplicateWindow } from "../../chain/duplicateWindow.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { Ledger } from "../../chain/ledger.ts";
import { encodeFrontier } from "../../chain/merkle.ts";
import { signingDigest } from "../../chain/signing.ts";
import { transactionId } from "../../chain/transaction.ts";
import { raftHeaderRule } from "../../consensus/raft/headerRule.ts";
import { raftRecordMessage } from "../../consensus/raft/messages.ts";
import { hexBytes } from "../../src/base/bytes.ts";
import { persistedBlock } from "../../src/replica/outbox.ts";
import { StateFlusher } from "../../src/replica/stateFlusher.ts";
import { restore } from "../../src/replica/restore.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { readNodeDirectory, type NodeDirectory } from "../../src/node/directory.ts";
import { toGenesis } from "../../src/node/genesisFile.ts";
import { derivedWriteOf, stateReader } from "../../src/node/restoreFromDisk.ts";
import { genesisFrontier } from "../../src/node/storedBlocks.ts";
import { ChainStore } from "../../src/node/storage/chainStore.ts";
import { DerivedStore } from "../../src/node/storage/derivedStore.ts";
import { certificateBy } from "./certificateBy.ts";
import { makeTransaction } from "./load.ts";

export interface OfflineChainOptions {
  /** Directories of all producers, the first of which leads view 1, and of followers that get the same chain. */
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
  const filler = await Filler.open(first, directories);
  await filler.fill(options);
  await filler.close();
  for (const dir of [...options.producers.slice(1), ...options.followers]) {
    for (const name of ["chain.db", "state.db", "index.db"]) {
      if (existsSync(join(first.dir, name))) copyFileSync(join(first.dir, name), join(dir, name));
    }
  }
}

class Filler {
  readonly #producers: readonly NodeDirectory[];
  readonly #chain: ChainStore;
  readonly #derived: DerivedStore;
  readonly #ledger: Ledger;
  readonly #flusher: StateFlusher;
  readonly #applied: Applied;
  #token = 0;

  private constructor(
    producers: readonly NodeDirectory[],
    stores: { chain: ChainStore; derived: DerivedStore; applied: Applied },
    ledger: Ledger,
  ) {
    this.#producers = producers;
    this.#chain = stores.chain;
    this.#derived = stores.derived;
    this.#applied = stores.applied;
    this.#ledger = ledger;
    this.#flusher = new StateFlusher(ledger);
  }

  static async open(first: NodeDirectory, producers: readonly NodeDirectory[]): Promise<Filler> {
    const { dir, genesis: file } = first;
    const genesis = toGenesis(file);
    const application = createKvApplication();
    const onError = (error: Error): void => {
      throw error;
    };
    const { chainId } = file;
    const applied = new Applied();
    const chain = await ChainStore.open(dir, { onPersisted: () => undefined, onError }, { chainId });
    const events = { onApplied: (height: number) => applied.reached(height), onError };
    const derived = await DerivedStore.open(dir, events, { chainId, index: true });
    const block = makeGenesisBlock(genesis, application).block;
    const steps = restore({
      genesis,
      application,
      reader: stateReader(derived),
      appliedHeight: -1,
      irreversibleHeight: 0,
      blockAt: () => block,
      duplicates: new DuplicateWindow(1),
    });
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) {
      derived.apply(derivedWriteOf(step.value));
      await applied.at(step.value.height);
    }
    const bottom = { block, frontier: genesisFrontier(block) };
    const ledger = new Ledger(step.value, bottom, raftHeaderRule(genesis.configuration));
    return new Filler(producers, { chain, derived, applied }, ledger);
  }

  async fill({ blocks, transactionsPerBlock, transactionBytes, note }: OfflineChainOptions): Promise<void> {
    const began = performance.now();
    for (let made = 0; made < blocks;) {
      const run: BlockNode[] = [];
      for (; run.length < RUN_BLOCKS && made < blocks; made++)
        run.push(this.#make(transactionsPerBlock, transactionBytes));
      await this.#finish(run, made === blocks);
      if (made % (RUN_BLOCKS * 40) === 0)
        note(`${made} blocks, ${Math.round((made * transactionsPerBlock * 1000) / (performance.now() - began))} tx/s`);
    }
  }

  async close(): Promise<void> {
    await this.#derived.close();
    await this.#chain.close();
  }

  #make(transactions: number, bytes: number): BlockNode {
    const leader = this.#producers[0] as NodeDirectory;
    const { head } = this.#ledger;
    const time = head.block.header.time + BLOCK_INTERVAL_MS;
    const irreversibleHeight = Math.max(head.height - 1, 0);
    this.#ledger.startBlock({ view: 1, time, producer: leader.key.publicKey, irreversibleHeight, closing: false });
    for (let i = 0; i < transactions; i++) {
      const transaction = makeTransaction({ bytes, keys: "sequential" }, time);
      const pushed = this.#ledger.production?.pushTransaction(transaction.bytes, transactionId(transaction.bytes));
      if (pushed?.ok !== true) throw new Error(`a transaction is refused: ${pushed?.error.code}`);
    }
    const { chainId } = leader.genesis;
    const node = this.#ledger.finishBlock((id) => leader.key.sign(signingDigest("block", chainId, hexBytes(id))));
    this.#ledger.work(Number.POSITIVE_INFINITY);
    return node;
  }

  /** The run becomes irreversible, is written, and flushed when much has come together. */
  async #finish(run: readonly BlockNode[], isLast: boolean): Promise<void> {
    const last = run.at(-1) as BlockNode;
    const made = this.#ledger.setIrreversible(last);
    if (!made.ok) throw new Error(made.error.detail);
    this.#ledger.work(Number.POSITIVE_INFINITY);
    const { view, height, id } = last;
    this.#chain.persist({
      token: ++this.#token,
      blocks: run.map(({ block }) => persistedBlock(block)),
      irreversible: { height, id, certificate: this.#certificate(last), frontier: encodeFrontier(last.frontier) },
      record: raftRecordMessage.encode({ view, ackedHead: { view, height, id } }),
    });
    this.#ledger.release(last);
    if (isLast) this.#flusher.stopping(0);
    this.#flusher.changed(0);
    const flush = this.#flusher.take(isLast ? Number.MAX_SAFE_INTEGER : 0);
    if (flush === undefined) return;
    this.#derived.apply(derivedWriteOf(flush));
    await this.#applied.at(flush.height);
    this.#ledger.flushed();
  }

  #certificate(node: BlockNode): Uint8Array {
    const genesis = toGenesis((this.#producers[0] as NodeDirectory).genesis);
    return certificateBy(
      this.#producers.map(({ key }) => key),
      genesis,
      node,
    );
  }
}

/** Waits for the state database. */
class Applied {
  #height = -1;
  #waiter: { readonly height: number; readonly resolve: () => void } | undefined;

  reached(height: number): void {
    this.#height = height;
    if (this.#waiter !== undefined && this.#waiter.height <= height) this.#waiter.resolve();
  }

  at(height: number): Promise<void> {
    if (this.#height >= height) return Promise.resolve();
    return new Promise((resolve) => (this.#waiter = { height, resolve }));
  }
}

function openDirectory(dir: string): NodeDirectory {
  const read = readNodeDirectory(dir, {});
  if (!read.ok) throw new Error(read.error.messages.join("; "));
  return read.value;
}
