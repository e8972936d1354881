/**
 * A chain as it lies in a node's directory, read-only, whether the node runs or not: for inspection. The head is the best
 * block that was stored; only a running node knows which blocks its application refused.
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Block } from "../../chain/block.ts";
import { BLOCK_MAX_BYTES } from "../../chain/block.ts";
import { decodeList, elementAt } from "../../chain/byteList.ts";
import { HARD_LIMITS } from "../../chain/constants.ts";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { type BlockRef, compareRefs } from "../../chain/header.ts";
import { PRODUCER_SET_KEY, type ProducerEntry, readProducerSetRecord } from "../../chain/producerChange.ts";
import { isMember, type ProducerSets, setsAt, type SetsFrom } from "../../chain/producerSets.ts";
import { type EngineKit, engineKit, type EngineRecord } from "../../consensus/engines.ts";
import { PRODUCER_EVIDENCE_FORMAT, type ProducerEvidence, producerEvidence } from "../../consensus/producerEvidence.ts";
import { toBase64Url } from "../base/base64url.ts";
import { equalBytes, fromBinaryString, hexBytes } from "../base/bytes.ts";
import type { BlockView, ForkView } from "./api.ts";
import { applicationByName } from "./applicationByName.ts";
import { NODE_FILES } from "./directory.ts";
import { type GenesisFile, readGenesisFile, toGenesis } from "./genesisFile.ts";
import { producerEntryOf } from "./nodeProducers.ts";
import { ChainReader } from "./storage/chainReader.ts";
import { IndexReader } from "./storage/indexReader.ts";
import { StateReader } from "./storage/stateReader.ts";
import { ifThere, whatToDo } from "./storage/errors.ts";
import { type AppliedBlock, StorageError, type StoredBlock } from "./storage/types.ts";
import { changesOf, decodeStored, decodeStoredSets } from "./storedBlocks.ts";

/** A block above the irreversible one, or that one itself, without its transactions. */
interface TreeNode {
  readonly block: Omit<ForkView, "isHead" | "onBestChain" | "children">;
  readonly children: TreeNode[];
}

interface Tree {
  readonly root: TreeNode;
  readonly byId: ReadonlyMap<string, TreeNode>;
  readonly head: TreeNode;
  /** From the head down to the root. */
  readonly bestIds: ReadonlySet<string>;
}

export type VoteRecord =
  | { readonly verdict: "ok"; readonly record: EngineRecord }
  | { readonly verdict: "missing" | "damaged" | "undecodable" };

export class ChainDirectory {
  readonly dir: string;
  readonly genesis: GenesisFile;
  readonly #kit: EngineKit;
  readonly #genesisBlock: Block;
  readonly #chain: ChainReader;
  readonly #state: StateReader | undefined;

  private constructor(dir: string, genesis: GenesisFile, genesisBlock: Block, chain: ChainReader) {
    this.dir = dir;
    this.genesis = genesis;
    this.#kit = engineKit(toGenesis(genesis), genesisBlock.id, {
      setsNamed: (hash, height) => {
        const sets = setsAt(this.#sets(), height);
        return sets.hash === hash ? sets : undefined;
      },
      isProducer: (key) => this.wasProducer(key),
      inForce: () => [],
    });
    this.#genesisBlock = genesisBlock;
    this.#chain = chain;
    this.#state = ifThere(() => StateReader.open(dir, genesis.chainId));
  }

  /** Throws StorageError; CANNOT_OPEN also for what is no node's directory. */
  static open(dir: string): ChainDirectory {
    const file = join(dir, NODE_FILES.genesis);
    const genesis = readGenesisFile(file);
    if (!genesis.ok) throw new StorageError("CANNOT_OPEN", file, genesis.error.message);
    const application = applicationByName(genesis.value.application.name);
    if (application === undefined) {
      const message = `${file}: there is no application ${JSON.stringify(genesis.value.application.name)}`;
      throw new StorageError("CANNOT_OPEN", file, message);
    }
    refuseForeignFile(join(dir, "chain.db"));
    const chain = ChainReader.open(dir, genesis.value.chainId);
    return new ChainDirectory(dir, genesis.value, makeGenesisBlock(toGenesis(genesis.value), application).block, chain);
  }

  get genesisRef(): BlockRef {
    return { view: 0, height: 0, id: this.#genesisBlock.id };
  }

  close(): void {
    this.#chain.close();
    this.#state?.close();
  }

  /** A block of the best chain by its height, any block by its id. Throws DAMAGED. */
  block(ref: string): BlockView | "ambiguous" | undefined {
    const irreversible = this.#irreversible();
    if (ref === "irreversible") return this.#viewAt(irreversible.height, irreversible.height);
    if (ref === "head") return this.#viewOfId(this.tree().head.block.id, irreversible.height);
    if (/^\d{1,15}$/.test(ref)) {
      const height = Number(ref);
      if (height <= irreversible.height) return this.#viewAt(height, irreversible.height);
      const best = bestAt(this.tree(), height);
      return best && this.#viewOfId(best.block.id, irreversible.height);
    }
    const ids = new Set(this.#chain.idsWithPrefix(ref, 2));
    if (this.#genesisBlock.id.startsWith(ref)) ids.add(this.#genesisBlock.id);
    if (ids.size > 1) return "ambiguous";
    const [id] = ids;
    return id === undefined ? undefined : this.#viewOfId(id, irreversible.height);
  }

  /** Blocks of the best chain from a height upwards, one at a time. Throws DAMAGED. */
  *blocks(from: number, limit: number): Generator<BlockView, void, undefined> {
    const tree = this.tree();
    const bottom = tree.root.block.height;
    for (let height = from; height < from + limit; height++) {
      const best = height <= bottom ? undefined : bestAt(tree, height);
      const view = height <= bottom ? this.#viewAt(height, bottom) : best && this.#viewOfId(best.block.id, bottom);
      if (view === undefined) return;
      yield view;
    }
  }

  /** The irreversible block and everything above it. Throws DAMAGED. */
  tree(): Tree {
    const { height, id } = this.#irreversible();
    const bottom = height === 0 ? this.#genesisBlock : this.#decoded(this.#chain.byId(id));
    if (bottom === undefined) throw this.#damaged(`irreversible block ${id} at height ${height} is missing`);
    const root: TreeNode = { block: forkOf(bottom), children: [] };
    const byId = new Map([[root.block.id, root]]);
    let head = root;
    for (const stored of this.#chain.blocksAbove(height)) {
      const parent = byId.get(stored.parent);
      if (parent === undefined || byId.has(stored.id)) continue; // not above the irreversible block
      const node: TreeNode = { block: forkOf(this.#decode(stored)), children: [] };
      parent.children.push(node);
      byId.set(stored.id, node);
      if (compareRefs(node.block, head.block) > 0) head = node;
    }
    const bestIds = new Set<string>();
    for (let at: TreeNode | undefined = head; at !== undefined; at = byId.get(at.block.parent))
      bestIds.add(at.block.id);
    return { root, byId, head, bestIds };
  }

  forks(): ForkView {
    const { root, head, bestIds } = this.tree();
    const view = ({ block, children }: TreeNode): ForkView => ({
      ...block,
      isHead: block.id === head.block.id,
      onBestChain: bestIds.has(block.id),
      children: children.map(view),
    });
    return view(root);
  }

  /** Producer sets of the irreversible chain. Throws DAMAGED. */
  #sets(): readonly SetsFrom[] {
    return decodeStoredSets(this.#chain.file, toGenesis(this.genesis), this.#chain.producerSets());
  }

  /** Keys that decided about an irreversible block, in the order in which certificates name them. Throws DAMAGED. */
  membersAt(height: number): readonly string[] {
    return setsAt(this.#sets(), height).members;
  }

  /** Who decides after the irreversible block. Throws DAMAGED. */
  nextSets(): ProducerSets {
    return setsAt(this.#sets(), this.#irreversible().height + 1);
  }

  /** Who decides after the irreversible block, with the names that the state holds. Throws DAMAGED. */
  producers(): ProducerEntry[] {
    const record = readProducerSetRecord(this.#state?.get(fromBinaryString(PRODUCER_SET_KEY)));
    return this.membersAt(this.#irreversible().height + 1).map((key) => producerEntryOf(key, record, this.genesis));
  }

  /** Heights of the irreversible blocks that began to change the set, and of those that ended it. Throws DAMAGED. */
  changes(): ReturnType<typeof changesOf> {
    return changesOf(this.#chain.producerSets());
  }

  /** Height of the lowest block that is kept. */
  firstHeight(): number {
    return this.#chain.meta().firstHeight === 1 ? 0 : (this.#chain.meta().firstHeight ?? 0);
  }

  voteRecord(): VoteRecord {
    const { record } = this.#chain.meta();
    if (record.verdict !== "ok") return record;
    const decoded = this.#kit.decodeRecord(record.bytes);
    return decoded.ok ? { verdict: "ok", record: decoded.value } : { verdict: "undecodable" };
  }

  /** Is it, or was it ever, a producer of the irreversible chain? Throws DAMAGED. */
  wasProducer(key: string): boolean {
    return this.#sets().some(({ sets }) => isMember(sets, key));
  }

  /** Against producers, as their rows say. A piece that its bytes do not bear out is given, too: who checks it finds out. Throws DAMAGED. */
  evidence(): ProducerEvidence[] {
    const { chainId } = this.genesis;
    return this.#chain.evidence().map(({ producer, kind, bytes }) => {
      const decoded = this.#kit.decodeEvidence(bytes, () => true);
      const told = decoded.ok
        ? producerEvidence(chainId, decoded.value)
        : { format: PRODUCER_EVIDENCE_FORMAT, chainId, ...NOTHING_SAID, evidence: toBase64Url(bytes) };
      return { ...told, producer, kind } as ProducerEvidence;
    });
  }

  /** What the state holds; undefined when there is no state.db. */
  applied(): AppliedBlock | undefined {
    return this.#state?.applied();
  }

  /** Height up to which index.db finds transactions; undefined when there is none. */
  indexedHeight(): number | undefined {
    const index = ifThere(() => IndexReader.open(this.dir, this.genesis.chainId));
    try {
      return index?.height();
    } finally {
      index?.close();
    }
  }

  /** The certificate of the lowest height from one on that has any. Throws DAMAGED. */
  certificate(height: number): Uint8Array | undefined {
    return this.#chain.certificateFor(height)?.certificate;
  }

  /** A transaction by its whole id: found by the index, above its height block by block. Throws DAMAGED. */
  transaction(id: string): { readonly view: BlockView; readonly index: number } | undefined {
    const wanted = hexBytes(id);
    const index = ifThere(() => IndexReader.open(this.dir, this.genesis.chainId));
    try {
      for (const place of index?.lookup(id) ?? []) {
        const view = this.block(String(place.height));
        if (typeof view === "object" && indexIn(view.block, wanted) === place.index)
          return { view, index: place.index };
      }
      for (const view of this.blocks((index?.height() ?? 0) + 1, Number.MAX_SAFE_INTEGER)) {
        const at = indexIn(view.block, wanted);
        if (at >= 0) return { view, index: at };
      }
      return undefined;
    } finally {
      index?.close();
    }
  }

  files(): { readonly name: string; readonly bytes: number }[] {
    return ["chain.db", "state.db", "index.db"].flatMap((name) => {
      const sizes = ["", "-wal"].map(
        (suffix) => statSync(join(this.dir, name + suffix), { throwIfNoEntry: false })?.size,
      );
      return sizes[0] === undefined ? [] : [{ name, bytes: sizes[0] + (sizes[1] ?? 0) }];
    });
  }

  #irreversible(): { readonly height: number; readonly id: string } {
    return this.#chain.meta().irreversible ?? { height: 0, id: this.#genesisBlock.id };
  }

  #viewAt(height: number, irreversibleHeight: number): BlockView | undefined {
    const block = height === 0 ? this.#genesisBlock : this.#decoded(this.#chain.byHeight(height));
    return block && this.#view(block, height <= irreversibleHeight);
  }

  #viewOfId(id: string, irreversibleHeight: number): BlockView | undefined {
    const block = id === this.#genesisBlock.id ? this.#genesisBlock : this.#decoded(this.#chain.byId(id));
    return block && this.#view(block, block.header.height <= irreversibleHeight);
  }

  #view(block: Block, isIrreversible: boolean): BlockView {
    const { height } = block.header;
    return {
      block,
      status: isIrreversible ? "irreversible" : "pending",
      receipts: isIrreversible ? this.#receipts(height) : undefined,
      certificate: isIrreversible ? this.#chain.certificateFor(height)?.certificate : undefined,
    };
  }

  #receipts(height: number): Uint8Array[] | undefined {
    const bytes = this.#state?.receipts(height);
    if (bytes === undefined) return undefined;
    const bounds = { maxCount: HARD_LIMITS.blockTransactions, maxElementBytes: BLOCK_MAX_BYTES };
    const list = decodeList(bytes, bounds);
    if (!list.ok) throw this.#damaged(`the receipts of height ${height} are damaged`);
    return Array.from({ length: list.value.count }, (_, index) => elementAt(list.value, index));
  }

  #decoded(stored: StoredBlock | undefined): Block | undefined {
    return stored && this.#decode(stored);
  }

  #decode(stored: StoredBlock): Block {
    return decodeStored(this.#chain.file, stored);
  }

  #damaged(what: string): StorageError {
    return new StorageError("DAMAGED", this.#chain.file, `${this.#chain.file}: ${what}`);
  }
}

/** Of evidence that does not decode. */
const NOTHING_SAID = { view: 0, height: 0, first: {}, second: {} };

/** Place of a transaction in a block; -1: it is not there. */
function indexIn({ transactionIds }: Block, id: Uint8Array): number {
  for (let at = 0; at < transactionIds.length; at += id.length) {
    if (equalBytes(transactionIds.subarray(at, at + id.length), id)) return at / id.length;
  }
  return -1;
}

function forkOf({ id, header, transactions }: Block): TreeNode["block"] {
  const { height, parent, view, producer, time } = header;
  return { height, id, parent, view, producer, time, transactions: transactions.count };
}

function bestAt({ head, byId }: Tree, height: number): TreeNode | undefined {
  let node: TreeNode | undefined = head;
  while (node !== undefined && node.block.height > height) node = byId.get(node.block.parent);
  return node?.block.height === height ? node : undefined;
}

const SQLITE_MAGIC = "SQLite format 3\0";

/** A file that was never a database cannot be opened; one that was is damaged. */
export function refuseForeignFile(file: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return; // the reader tells that it is missing
  let start: Buffer;
  try {
    const descriptor = openSync(file, "r");
    try {
      start = Buffer.alloc(SQLITE_MAGIC.length);
      readSync(descriptor, start);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return; // the reader tells that it cannot be read
  }
  if (start.toString("latin1") === SQLITE_MAGIC) return;
  throw new StorageError("CANNOT_OPEN", file, `${file} is not a SQLite database; ${whatToDo("chain")}`);
}
