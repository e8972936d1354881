/** A node in memory behind the HTTP interface: a chain that tests write, submissions that they answer. */
import type { ReadVerdict } from "../../../src/node/readDesk.ts";
import type { FastifyInstance } from "fastify";
import { assembleBlock, type Block } from "../../../chain/block.ts";
import { elementAt, encodeList } from "../../../chain/byteList.ts";
import { makeGenesisBlock } from "../../../chain/genesisBlock.ts";
import { headerMessage } from "../../../chain/header.ts";
import { leafHashesOf, rootOfLeafHashes } from "../../../chain/merkle.ts";
import { transactionId } from "../../../chain/transaction.ts";
import { toBinaryString, toHex } from "../../../src/base/bytes.ts";
import type {
  BlockView,
  ForkView,
  NodeApi,
  NodeStatus,
  RouteJson,
  SubmitResult,
  WaitFor,
  ProducerSetView,
  ProducerView,
} from "../../../src/node/api.ts";
import { createKvApplication } from "../../../src/node/applications/kv.ts";
import { encodeKvReceipt, encodeKvValue } from "../../../src/node/applications/kvPayload.ts";
import { type GenesisFile, parseGenesis, toGenesis } from "../../../src/node/genesisFile.ts";
import { makeHttpApp } from "../../../src/node/http/server.ts";
import { nodeKeyFromSeed } from "../../../src/node/keys.ts";
import { SILENT } from "../../../src/node/logging.ts";

export const NOW = 1_767_225_600_000;
export const PRODUCER = nodeKeyFromSeed(new Uint8Array(32).fill(7)).publicKey;

export function testGenesis(changes: Record<string, unknown> = {}): GenesisFile {
  const genesis = parseGenesis({
    name: "test",
    time: NOW - 1000,
    engine: "raft",
    producers: [{ name: "node0", key: PRODUCER, address: "127.0.0.1:26600" }],
    application: { name: "kv", initialState: {} },
    ...changes,
  });
  if (!genesis.ok) throw new Error(genesis.error.message);
  return genesis.value;
}

/** A block with these transactions; its other roots are not right, which nobody here checks. */
export function makeBlock(parent: Block, transactions: readonly Uint8Array[], view = 1): Block {
  const list = encodeList(transactions);
  const header = headerMessage.encode({
    ...parent.header,
    height: parent.header.height + 1,
    parent: parent.id,
    view,
    producer: PRODUCER,
    time: parent.header.time + 100,
    transactionRoot: toHex(rootOfLeafHashes(leafHashesOf(list.buffer, list.offsets))),
    closing: false,
  });
  const block = assembleBlock(header, new Uint8Array(64).fill(9), list.buffer);
  if (!block.ok) throw new Error(block.error.code);
  return block.value;
}

export interface Submission {
  readonly transactions: readonly Uint8Array[];
  readonly wait: WaitFor;
  readonly timeoutMs: number;
}

export class FakeNode implements NodeApi {
  readonly genesis: GenesisFile;
  readonly chain: Block[];
  irreversibleHeight = 0;
  readonly state = new Map<string, { key: Uint8Array; value: Uint8Array }>();
  readonly submissions: Submission[] = [];
  notReady: string | undefined;
  readonly metricsContentType = "text/plain; version=0.0.4";
  /** What becomes of a transaction. */
  answer: (id: string, index: number) => SubmitResult | Promise<SubmitResult> = (id, index) => ({
    status: "irreversible",
    id,
    place: { height: 5, index },
    receipt: encodeKvReceipt({ ok: true, version: 5 }),
  });

  constructor(genesis: GenesisFile = testGenesis()) {
    this.genesis = genesis;
    this.chain = [makeGenesisBlock(toGenesis(genesis), createKvApplication()).block];
  }

  get chainId(): string {
    return this.genesis.chainId;
  }

  get head(): Block {
    return this.chain.at(-1) as Block;
  }

  add(...transactions: readonly Uint8Array[]): Block {
    this.chain.push(makeBlock(this.head, transactions));
    return this.head;
  }

  put(key: Uint8Array, value: Uint8Array, version = 3): void {
    this.state.set(toBinaryString(key), { key, value: encodeKvValue(version, value) });
  }

  status(): NodeStatus {
    const irreversible = this.chain[this.irreversibleHeight] as Block;
    const { id, header } = this.head;
    return {
      chainId: this.chainId,
      name: this.genesis.name,
      node: { id: PRODUCER, key: PRODUCER, name: "node0", role: "producer", version: "0.1.0" },
      consensus: {
        engine: "raft",
        view: 1,
        leader: PRODUCER,
        producers: [{ name: "node0", key: PRODUCER }],
        faulty: [],
        status: "leader",
      },
      head: { height: header.height, id, view: header.view, time: header.time },
      irreversible: { height: irreversible.header.height, id: irreversible.id, time: irreversible.header.time },
      sync: { state: "synced", target: header.height, rate: 0 },
      peers: 0,
      mempool: { count: 0, bytes: 0 },
    };
  }

  block(ref: string): BlockView | "ambiguous" | undefined {
    if (ref === "head") return this.#view(this.head);
    if (ref === "irreversible") return this.#view(this.chain[this.irreversibleHeight]);
    if (/^\d+$/.test(ref)) return this.#view(this.chain[Number(ref)]);
    if (ref === "abcdef01") return "ambiguous";
    return this.#view(this.chain.find(({ id }) => id.startsWith(ref)));
  }

  blocks(from: number, limit: number): BlockView[] {
    return this.chain.slice(from, from + limit).map((block) => this.#view(block) as BlockView);
  }

  first = 0;
  readonly listeners = new Set<(height: number) => void>();

  firstHeight(): number {
    return this.first;
  }

  onIrreversible(listener: (height: number) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Makes everything up to `height` irreversible and says so. */
  decide(height = this.head.header.height): void {
    this.irreversibleHeight = height;
    for (const listener of this.listeners) listener(height);
  }

  #view(block: Block | undefined): BlockView | undefined {
    if (block === undefined) return undefined;
    const receipts = Array.from({ length: block.transactions.count }, () => encodeKvReceipt({ ok: true, version: 5 }));
    const isIrreversible = block.header.height <= this.irreversibleHeight;
    const certificate = isIrreversible && block.header.height > 0 ? new Uint8Array([1, 2, 3]) : undefined;
    return { block, status: isIrreversible ? "irreversible" : "pending", receipts, certificate };
  }

  forks(): ForkView {
    const { id, header } = this.chain[this.irreversibleHeight] as Block;
    const { height, parent, view, producer, time } = header;
    const flags = { transactions: 0, isHead: true, onBestChain: true, children: [] };
    return { height, id, parent, view, producer, time, ...flags };
  }

  async submit(transactions: readonly Uint8Array[], wait: WaitFor, timeoutMs: number): Promise<SubmitResult[]> {
    this.submissions.push({ transactions, wait, timeoutMs });
    return Promise.all(transactions.map(async (bytes, index) => this.answer(toHex(transactionId(bytes)), index)));
  }

  async transaction(id: string): Promise<Awaited<ReturnType<NodeApi["transaction"]>>> {
    for (const block of this.chain) {
      for (let index = 0; index < block.transactions.count; index++) {
        const transaction = elementAt(block.transactions, index);
        if (toHex(transactionId(transaction)) !== id) continue;
        const place = { height: block.header.height, index };
        const receipt = encodeKvReceipt({ ok: true, version: place.height });
        return { status: "irreversible", place, blockId: block.id, transaction, receipt };
      }
    }
    return id === "11".repeat(32) ? { status: "pending", transaction: new Uint8Array([1, 2]) } : { status: "unknown" };
  }

  proof: NodeApi["proof"] = async () => ({ refused: "its block is not irreversible yet", lasting: false });
  blockProof: NodeApi["blockProof"] = async () => ({ refused: "its block is not irreversible yet", lasting: false });
  headProof: NodeApi["headProof"] = async () => ({
    refused: "this node does not hold all earlier blocks",
    lasting: true,
  });

  producersProof: NodeApi["producersProof"] = async () => ({
    refused: "this node does not hold all earlier blocks",
    lasting: true,
  });

  read(key: Uint8Array): Uint8Array | undefined {
    return this.state.get(toBinaryString(key))?.value;
  }

  verdict: ReadVerdict = "readable";
  async linearizable(): Promise<ReadVerdict> {
    return this.verdict;
  }
  readRange(start: Uint8Array, end: Uint8Array | undefined, limit: number): { key: Uint8Array; value: Uint8Array }[] {
    return [...this.state.values()]
      .filter(({ key }) => Buffer.compare(key, start) >= 0 && (end === undefined || Buffer.compare(key, end) < 0))
      .sort((a, b) => Buffer.compare(a.key, b.key))
      .slice(0, limit);
  }

  readonly rejected = new Set<string>();

  rejectBlock(id: string): "rejected" | "irreversible" | "full" {
    if (this.chain.some((block) => block.id === id && block.header.height <= this.irreversibleHeight)) {
      return "irreversible";
    }
    this.rejected.add(id);
    return "rejected";
  }

  acceptBlock(id: string): void {
    this.rejected.delete(id);
  }

  rejectedBlocks(): readonly string[] {
    return [...this.rejected];
  }

  producerSet(): ProducerSetView {
    const { config, change } = { config: PRODUCER, change: null };
    return { config, activeFrom: 0, changes: 0, approval: { rule: "quorum", needed: 1 }, change };
  }
  producers(): ProducerView[] {
    return [{ key: PRODUCER, name: "node0", address: "127.0.0.1:26600", state: "self" }];
  }
  evidence(): [] {
    return [];
  }
  peers(): [] {
    return [];
  }

  routes(): RouteJson[] {
    const via = "cd".repeat(32);
    const candidates = [{ via, metric: 103, feasible: true }];
    return [{ producer: "ab".repeat(32), name: "node1", via, metric: 103, seqno: "00".repeat(8), candidates }];
  }

  readonly off = new Set<string>();

  setPeerOff(key: string, off: boolean): "done" | "self" | "full" {
    if (key === PRODUCER) return "self";
    if (off) this.off.add(key);
    else this.off.delete(key);
    return "done";
  }

  offPeers(): { key: string }[] {
    return [...this.off].map((key) => ({ key }));
  }

  async metrics(): Promise<string> {
    return "cairn_consensus_height 5\n";
  }

  notReadyBecause(): string | undefined {
    return this.notReady;
  }

  now(): number {
    return NOW;
  }
}

export async function appOf(node: FakeNode, token?: string): Promise<FastifyInstance> {
  return makeHttpApp(node, { token, log: SILENT });
}

export const JSON_HEADERS = { "content-type": "application/json" };
