/**
 * `npm run make-chain -- DIR TRANSACTIONS [PER_BLOCK] [ENGINE]`: a whole node's directory with a chain that three producers
 * signed, four under BFT, made in one process without a network: what inspection is measured and tested on.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { approvalDigest, encodeProducerChange } from "../../chain/producerChange.ts";
import { signingDigest } from "../../chain/signing.ts";
import { encodeTransaction } from "../../chain/transaction.ts";
import { evidenceOfVotes } from "../../consensus/bft/evidence.ts";
import { type SignedVote, voteDigest } from "../../consensus/bft/messages.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { sha256, sha256Hex } from "../../src/base/hash.ts";
import { encodeKvPayload } from "../../src/node/applications/kvPayload.ts";
import { initialRecord } from "../../src/node/directory.ts";
import { type GenesisFile, parseGenesis } from "../../src/node/genesisFile.ts";
import { type NodeKey, nodeKeyFromSeed } from "../../src/node/keys.ts";
import { ChainStore } from "../../src/node/storage/chainStore.ts";
import { createChainDatabase } from "../../src/node/storage/chainSchema.ts";
import type { StorageError } from "../../src/node/storage/types.ts";
import { ChainFiller } from "../network/chainFiller.ts";
import { runAsScript } from "../script.ts";

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
  /** Default raft. */
  readonly engine?: "raft" | "bft";
  /** Changes of the producer set, each in the first block of a run of `blocksPerCertificate`. */
  readonly changes?: readonly SetChange[];
}

/** Keys of the new set, by their place in {@link ALL_KEYS}; the height has to be that of a run's first block. */
export interface SetChange {
  readonly height: number;
  readonly producers: readonly number[];
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
const BLOCK_INTERVAL_MS = 100;
/** Under BFT block 0 hands over to view 1. */
const VIEW = { raft: 3, bft: 1 } as const;

/** Of all who are ever producers. */
export const ALL_KEYS: readonly NodeKey[] = [1, 2, 3, 4, 5, 6].map((seed) =>
  nodeKeyFromSeed(new Uint8Array(32).fill(seed)),
);
/** Keys of the first producers: of the same shape, the same chain. */
export const PRODUCER_KEYS = { raft: ALL_KEYS.slice(0, 3), bft: ALL_KEYS.slice(0, 4) } as const;
const AUTHOR = nodeKeyFromSeed(new Uint8Array(32).fill(9));

export function chainGenesis(engine: "raft" | "bft" = "raft"): GenesisFile {
  const parsed = parseGenesis({
    name: "made",
    time: GENESIS_TIME,
    engine,
    producers: PRODUCER_KEYS[engine].map((key, i) => ({
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
  const { engine = "raft" } = shape;
  const file = chainGenesis(engine);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "genesis.json"), JSON.stringify(file.value));
  const record = initialRecord(file);
  if (!record.ok) throw new Error(record.error.messages.join());
  createChainDatabase(dir, { chainId: file.chainId, record: record.value });
  const filler = await ChainFiller.open({
    dir,
    genesis: file,
    keys: shape.changes === undefined ? PRODUCER_KEYS[engine] : ALL_KEYS,
    view: VIEW[engine],
    blockIntervalMs: BLOCK_INTERVAL_MS,
    transaction: (name, time) => transactionOf(name, shape, file.chainId, time),
  });
  const makeRun = (blocks: number): BlockNode[] =>
    Array.from({ length: blocks }, () => filler.make(shape.transactionsPerBlock, changesAt(shape, file.chainId)));
  for (let made = 0; made < shape.blocks;) {
    const run = makeRun(Math.min(shape.blocksPerCertificate, shape.blocks - made));
    made += run.length;
    await filler.finish(run, made === shape.blocks);
  }
  if (shape.reversible > 0) filler.leaveReversible(makeRun(shape.reversible));
  await filler.close();
  if (engine === "bft") await leaveEvidence(dir, file.chainId);
}

/** The last producer has committed two blocks at one place. */
async function leaveEvidence(dir: string, chainId: string): Promise<void> {
  const liar = PRODUCER_KEYS.bft.at(-1) as NodeKey;
  const [first, second] = ["a", "b"].map((name) => {
    const vote = { view: 1, height: 1, id: sha256Hex(utf8(name)) };
    return { commit: true, vote, signature: liar.sign(voteDigest(chainId, true, vote)) };
  }) as [SignedVote, SignedVote];
  const bytes = evidenceOfVotes(liar.publicKey, first, second, []);
  const onError = (error: StorageError): never => {
    throw error;
  };
  const store = await ChainStore.open(dir, { onPersisted: () => undefined, onError }, { chainId });
  store.persist({ token: 0, blocks: [], evidence: [{ producer: liar.publicKey, kind: "twoVotes", bytes }] });
  await store.close();
}

/** The transaction that begins a change, where the shape has one, approved by all of the set in force. */
function changesAt({ changes = [], signed }: ChainShape, chainId: string) {
  return (time: number, head: BlockNode): Uint8Array[] => {
    const index = changes.findIndex(({ height }) => height === head.height + 1);
    const change = changes[index];
    if (change === undefined) return [];
    const { current } = head.setsAfter;
    const producers = change.producers.map((at) => ({
      key: ALL_KEYS[at]?.publicKey ?? "",
      name: `node${at}`,
      address: "",
    }));
    const proposal = { base: current.hash, changesBefore: index, producers };
    const approvers = ALL_KEYS.filter(({ publicKey }) => current.producers.includes(publicKey));
    const payload = encodeProducerChange({
      proposal,
      approvals: approvers.map((key) => ({
        producer: key.publicKey,
        signature: Uint8Array.from(key.sign(approvalDigest(chainId, proposal))),
      })),
    });
    return [signedTransaction(payload, sha256(utf8(`change ${index}`)), time, signed, chainId)];
  };
}

function transactionOf(name: string, { valueBytes, signed }: ChainShape, chainId: string, time: number): Uint8Array {
  const key = utf8(`key ${name}`);
  const payload = encodeKvPayload([{ kind: "put", key, value: new Uint8Array(valueBytes).fill(name.length) }]);
  return signedTransaction(payload, sha256(key), time, signed, chainId);
}

function signedTransaction(
  payload: Uint8Array,
  seed: Uint8Array,
  time: number,
  signed: boolean,
  chainId: string,
): Uint8Array {
  const unsigned = { payload, nonce: seed.subarray(0, 16), expiresAt: time + 30_000 };
  if (!signed) return encodeTransaction(unsigned);
  const author = AUTHOR.publicKey;
  // The signature is the last field; what it covers is the encoding without it.
  const draft = encodeTransaction({ ...unsigned, author, signature: new Uint8Array(64) });
  const digest = signingDigest("transaction", chainId, draft.subarray(0, draft.length - 66));
  return encodeTransaction({ ...unsigned, author, signature: AUTHOR.sign(digest) });
}

async function main(): Promise<void> {
  const [dir, count = "1000000", perBlock = "100", engine = "raft"] = process.argv.slice(2);
  if (dir === undefined) throw new Error("usage: npm run make-chain -- DIR TRANSACTIONS [PER_BLOCK] [ENGINE]");
  const transactionsPerBlock = Number(perBlock);
  const blocks = Math.ceil(Number(count) / transactionsPerBlock);
  const shape = {
    blocks,
    transactionsPerBlock,
    valueBytes: 180,
    blocksPerCertificate: 20,
    reversible: 0,
    signed: false,
    engine: engine === "bft" ? ("bft" as const) : ("raft" as const),
  };
  await makeChain(dir, shape);
}

await runAsScript(import.meta.url, main);
