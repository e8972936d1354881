/**
 * Makes a chain that its producers could have made, in one process without a network: their keys sign blocks and acks, the product's
 * ledger executes, the product's stores write. Whoever checks it finds a genuine chain.
 */
import { DuplicateWindow } from "../../chain/duplicateWindow.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { Ledger } from "../../chain/ledger.ts";
import { encodeFrontier } from "../../chain/merkle.ts";
import { firstSets, type ProducerLookup } from "../../chain/producerSets.ts";
import { signingDigest } from "../../chain/signing.ts";
import { transactionId } from "../../chain/transaction.ts";
import { engineKit } from "../../consensus/engines.ts";
import { hexBytes } from "../../src/base/bytes.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { type GenesisFile, toGenesis } from "../../src/node/genesisFile.ts";
import type { NodeKey } from "../../src/node/keys.ts";
import { derivedWriteOf, stateReader } from "../../src/node/restoreFromDisk.ts";
import { ChainStore } from "../../src/node/storage/chainStore.ts";
import { DerivedStore } from "../../src/node/storage/derivedStore.ts";
import { genesisFrontier } from "../../src/node/storedBlocks.ts";
import { persistedBlock, persistedSets } from "../../src/replica/outbox.ts";
import { restore } from "../../src/replica/restore.ts";
import { StateFlusher } from "../../src/replica/stateFlusher.ts";
import { type ProducerKeys, producerKeys } from "./producerKeys.ts";

export interface Filling {
  /** Of a node that never ran: its chain.db is there, with the genesis' vote record alone. */
  readonly dir: string;
  readonly genesis: GenesisFile;
  /** Of all producers in their order, then of those that a change brings. */
  readonly keys: readonly NodeKey[];
  /** The first one, and the only one where the producer set is not changed. */
  readonly view: number;
  /** From one header's time to the next, ms. */
  readonly blockIntervalMs: number;
  /** An encoded transaction for a block of this time; `name` is its own. */
  readonly transaction: (name: string, time: number) => Uint8Array;
}

export class ChainFiller {
  readonly #filling: Filling;
  readonly #chain: ChainStore;
  readonly #derived: DerivedStore;
  readonly #ledger: Ledger;
  readonly #flusher: StateFlusher;
  readonly #applied: Applied;
  readonly #producers: ProducerKeys;
  #token = 0;

  private constructor(
    filling: Filling,
    stores: { chain: ChainStore; derived: DerivedStore; applied: Applied },
    ledger: Ledger,
  ) {
    this.#filling = filling;
    this.#chain = stores.chain;
    this.#derived = stores.derived;
    this.#applied = stores.applied;
    this.#ledger = ledger;
    this.#flusher = new StateFlusher(ledger);
    this.#producers = producerKeys(toGenesis(filling.genesis), filling.keys, filling.view);
  }

  static async open(filling: Filling): Promise<ChainFiller> {
    const { dir, genesis: file } = filling;
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
      producerSets: firstSets(genesis.configuration),
    });
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) {
      derived.apply(derivedWriteOf(step.value));
      await applied.at(step.value.height);
    }
    const bottom = { block, frontier: genesisFrontier(block), producerSets: firstSets(genesis.configuration) };
    const lookup: ProducerLookup = {
      setsNamed: (hash, height) => ledger.setsNamed(hash, height),
      isProducer: (key) => ledger.isProducer(key),
      inForce: () => ledger.setsInForce,
    };
    const ledger: Ledger = new Ledger(step.value, bottom, engineKit(genesis, block.id, lookup).headerRule);
    return new ChainFiller(filling, { chain, derived, applied }, ledger);
  }

  /**
   * Makes and executes the next block; nothing of it is written yet.
   * @param more transactions besides, encoded, for a block of a time
   */
  make(transactions: number, more: (time: number, head: BlockNode) => readonly Uint8Array[] = () => []): BlockNode {
    const { genesis, blockIntervalMs, transaction } = this.#filling;
    const { head } = this.#ledger;
    const time = head.block.header.time + blockIntervalMs;
    const { leader, ...place } = this.#producers.place(head);
    this.#ledger.startBlock({ ...place, time, producer: leader.publicKey, closing: false });
    const names = Array.from({ length: transactions }, (_, index) => `${head.height + 1}.${index}`);
    for (const bytes of [...names.map((name) => transaction(name, time)), ...more(time, head)]) {
      const pushed = this.#ledger.production?.pushTransaction(bytes, transactionId(bytes));
      if (pushed?.ok !== true)
        throw new Error(`a transaction of block ${head.height + 1} is refused: ${pushed?.error.code}`);
    }
    const node = this.#ledger.finishBlock((id) => leader.sign(signingDigest("block", genesis.chainId, hexBytes(id))));
    this.#ledger.work(Number.POSITIVE_INFINITY);
    return node;
  }

  /** The run becomes irreversible and is written; flushed when much has come together, and with the last one. */
  async finish(run: readonly BlockNode[], isLast: boolean): Promise<void> {
    const last = run.at(-1) as BlockNode;
    const made = this.#ledger.setIrreversible(last);
    if (!made.ok) throw new Error(made.error.detail);
    this.#ledger.work(Number.POSITIVE_INFINITY);
    const { height, id, frontier } = last;
    const certificate = this.#producers.certificate(last);
    const producerSets = run.filter((each) => each.setsAfter !== each.sets).map(persistedSets);
    this.#persist(run, { height, id, certificate, frontier: encodeFrontier(frontier), producerSets });
    this.#ledger.release(last);
    if (isLast) this.#flusher.stopping(0);
    this.#flusher.changed(0);
    const flush = this.#flusher.take(isLast ? Number.MAX_SAFE_INTEGER : 0);
    if (flush === undefined) return;
    this.#derived.apply(derivedWriteOf(flush));
    await this.#applied.at(flush.height);
    this.#ledger.flushed();
  }

  /** The run is written, above what is irreversible. */
  leaveReversible(run: readonly BlockNode[]): void {
    this.#persist(run);
  }

  async close(): Promise<void> {
    await this.#derived.flushIndex();
    await this.#derived.close();
    await this.#chain.close();
  }

  #persist(run: readonly BlockNode[], irreversible?: Parameters<ChainStore["persist"]>[0]["irreversible"]): void {
    this.#chain.persist({
      token: ++this.#token,
      blocks: run.map(({ block }) => persistedBlock(block)),
      record: this.#producers.record(run.at(-1) as BlockNode),
      ...(irreversible !== undefined && { irreversible }),
    });
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
