/**
 * `npm run make-chain -- DIR TRANSACTIONS [PER_BLOCK]`: a whole node's directory with a chain that three producers signed,
 * made in one process without a network: what inspection is measured and tested on.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DuplicateWindow } from "../../chain/duplicateWindow.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { Ledger } from "../../chain/ledger.ts";
import { append, EMPTY_FRONTIER, encodeFrontier, leafHash } from "../../chain/merkle.ts";
import { signingDigest } from "../../chain/signing.ts";
import { State } from "../../chain/state.ts";
import { encodeTransaction, transactionId } from "../../chain/transaction.ts";
import { raftRecordMessage } from "../../consensus/raft/messages.ts";
import { hexBytes, utf8 } from "../../src/base/bytes.ts";
import { sha256 } from "../../src/base/hash.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { encodeKvPayload } from "../../src/node/applications/kvPayload.ts";
import { type GenesisFile, parseGenesis, toGenesis } from "../../src/node/genesisFile.ts";
import { type NodeKey, nodeKeyFromSeed } from "../../src/node/keys.ts";
import { derivedWriteOf, stateReader } from "../../src/node/restoreFromDisk.ts";
import { createChainDatabase } from "../../src/node/storage/chainSchema.ts";
import { ChainStore } from "../../src/node/storage/chainStore.ts";
import { DerivedStore } from "../../src/node/storage/derivedStore.ts";
import { persistedBlock } from "../../src/replica/outbox.ts";
import { StateFlusher } from "../../src/replica/stateFlusher.ts";
import { certificateBy } from "../network/certificateBy.ts";

export interface ChainShape {
  readonly blocks: number;
  readonly transactionsPerBlock: number;
  /** Bytes of the value that each transaction writes. */
  readonly valueBytes: number;
  /** Blocks from one certificate and one flush to the next. */
  readonly blocksPerCertificate: number;
  /** Blocks above the irreversible one. */
  readonly reversible: number;
  /** Does each transaction have an author's signature? */
  readonly signed: boolean;
}

export const SMALL_CHAIN: ChainShape = {
  blocks: 20,
  transactionsPerBlock: 5,
  valueBytes: 20,
  blocksPerCertificate: 4,
  reversible: 2,
  signed: true,
};

const GENESIS_TIME = 1_767_225_600_000;
const VIEW = 3;

/** Keys of the producers: of the same shape, the same chain. */
export const PRODUCER_KEYS: readonly NodeKey[] = [1, 2, 3].map((seed) =>
  nodeKeyFromSeed(new Uint8Array(32).fill(seed)),
);
const AUTHOR = nodeKeyFromSeed(new Uint8Array(32).fill(9));

export function chainGenesis(): GenesisFile {
  const parsed = parseGenesis({
    name: "made",
    time: GENESIS_TIME,
    engine: "raft",
    producers: PRODUCER_KEYS.map((key, i) => ({
      name: `node${i}`,
      key: key.publicKey,
      address: `127.0.0.1:${26600 + i}`,
    })),
    application: { name: "kv", initialState: {} },
  });
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

/** Makes DIR, which must not exist, with genesis.json and the three databases. */
export async function makeChain(dir: string, shape: ChainShape): Promise<void> {
  const file = chainGenesis();
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "genesis.json"), JSON.stringify(file.value));
  createChainDatabase(dir, { chainId: file.chainId, record: recordOf({ view: 0, height: 0, id: file.chainId }) });
  const waiting = new Map<string, () => void>();
  const done = (what: string): void => waiting.get(what)?.();
  const onError = (error: Error): never => {
    throw error;
  };
  const options = { chainId: file.chainId };
  const chain = await ChainStore.open(dir, { onPersisted: (token) => done(`token ${token}`), onError }, options);
  const derived = await DerivedStore.open(
    dir,
    { onApplied: (h) => done(`height ${h}`), onError },
    { ...options, index: true },
  );
  const until = (what: string): Promise<void> => new Promise((resolve) => waiting.set(what, resolve));

  const genesis = toGenesis(file);
  const application = createKvApplication();
  const { block: genesisBlock, changes } = makeGenesisBlock(genesis, application);
  const first = until("height 0");
  derived.apply(derivedWriteOf({ height: 0, id: genesisBlock.id, changes, blocks: [] }));
  await first;
  const state = new State(stateReader(derived), 0);
  const setting = { application, limits: genesis.limits, state, duplicates: new DuplicateWindow(1) };
  const bottom = { block: genesisBlock, frontier: append(EMPTY_FRONTIER, leafHash(hexBytes(genesisBlock.id))) };
  const ledger = new Ledger(setting, bottom, () => undefined);
  const flusher = new StateFlusher(ledger);

  let fresh: BlockNode[] = [];
  for (let height = 1; height <= shape.blocks + shape.reversible; height++) {
    fresh.push(produce(ledger, shape, file.chainId, height));
    const isLast = height === shape.blocks + shape.reversible;
    if (!isLast && (height > shape.blocks || (height % shape.blocksPerCertificate !== 0 && height !== shape.blocks)))
      continue;
    const persisted = until(`token ${height}`);
    const node = fresh.at(-1) as BlockNode;
    const blocks = fresh.map(({ block }) => persistedBlock(block));
    const record = recordOf({ view: VIEW, height, id: node.id });
    if (height > shape.blocks) chain.persist({ token: height, blocks, record });
    else {
      const certificate = certificateBy(PRODUCER_KEYS, genesis, node);
      const irreversible = { height, id: node.id, certificate, frontier: encodeFrontier(node.frontier) };
      chain.persist({ token: height, blocks, record, irreversible });
      ledger.setIrreversible(node);
      ledger.work(1);
      ledger.release(node);
      await flush(flusher, ledger, derived, until);
    }
    await persisted;
    fresh = [];
  }
  await derived.flushIndex();
  await derived.close();
  await chain.close();
}

function produce(ledger: Ledger, shape: ChainShape, chainId: string, height: number): BlockNode {
  const key = PRODUCER_KEYS[0] as NodeKey;
  const time = GENESIS_TIME + 100 * height;
  const irreversibleHeight = ledger.root.height;
  ledger.startBlock({ view: VIEW, time, producer: key.publicKey, irreversibleHeight, closing: false });
  for (let index = 0; index < shape.transactionsPerBlock; index++) {
    const bytes = transactionOf(`${height}.${index}`, shape, chainId, time);
    const pushed = ledger.production?.pushTransaction(bytes, transactionId(bytes));
    if (pushed?.ok !== true) throw new Error(`transaction ${index} of block ${height}: ${pushed?.error.code}`);
  }
  const node = ledger.finishBlock((id) => key.sign(signingDigest("block", chainId, hexBytes(id))));
  ledger.work(1);
  return node;
}

function transactionOf(name: string, { valueBytes, signed }: ChainShape, chainId: string, time: number): Uint8Array {
  const key = utf8(`key ${name}`);
  const payload = encodeKvPayload([{ kind: "put", key, value: new Uint8Array(valueBytes).fill(name.length) }]);
  const unsigned = { payload, nonce: sha256(key).subarray(0, 16), expiresAt: time + 30_000 };
  if (!signed) return encodeTransaction(unsigned);
  const author = AUTHOR.publicKey;
  // The signature is the last field; what it covers is the encoding without it.
  const draft = encodeTransaction({ ...unsigned, author, signature: new Uint8Array(64) });
  const digest = signingDigest("transaction", chainId, draft.subarray(0, draft.length - 66));
  return encodeTransaction({ ...unsigned, author, signature: AUTHOR.sign(digest) });
}

function recordOf(ackedHead: { view: number; height: number; id: string }): Uint8Array {
  return raftRecordMessage.encode({ view: VIEW, votedFor: PRODUCER_KEYS[0]?.publicKey, ackedHead });
}

async function flush(
  flusher: StateFlusher,
  ledger: Ledger,
  derived: DerivedStore,
  until: (what: string) => Promise<void>,
): Promise<void> {
  flusher.stopping(0);
  const taken = flusher.take(0);
  if (taken === undefined) return;
  const applied = until(`height ${taken.height}`);
  derived.apply(derivedWriteOf(taken));
  await applied;
  ledger.flushed();
}

async function main(): Promise<void> {
  const [dir, count = "1000000", perBlock = "100"] = process.argv.slice(2);
  if (dir === undefined) throw new Error("usage: npm run make-chain -- DIR TRANSACTIONS [PER_BLOCK]");
  const transactionsPerBlock = Number(perBlock);
  const blocks = Math.ceil(Number(count) / transactionsPerBlock);
  const shape = {
    blocks,
    transactionsPerBlock,
    valueBytes: 180,
    blocksPerCertificate: 20,
    reversible: 0,
    signed: false,
  };
  await makeChain(dir, shape);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
