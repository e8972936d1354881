/** What a node answers about its chain: blocks, forks, transactions; from memory, chain.db, state.db and index.db. */
import { type Block, BLOCK_MAX_BYTES } from "../../chain/block.ts";
import { type ByteList, decodeList, elementAt } from "../../chain/byteList.ts";
import { HARD_LIMITS } from "../../chain/constants.ts";
import { ancestorAt, type BlockNode, isAncestorOrEqual } from "../../chain/forkDatabase.ts";
import { equalBytes, fromHex } from "../base/bytes.ts";
import type { BlockProof } from "../../consensus/blockProof.ts";
import type { HeadProof } from "../../consensus/headProof.ts";
import type { TransactionProof } from "../../consensus/transactionProof.ts";
import type { Replica } from "../replica/replica.ts";
import type { TransactionPlace } from "../replica/types.ts";
import type { BlockView, ForkView, TransactionState } from "./api.ts";
import type { ProducersProof } from "../../consensus/producersProof.ts";
import { changesOf, decodeStored, idsFrom } from "./storedBlocks.ts";
import { type ProofAnswer, Proofs } from "./proofs.ts";
import type { ChainStore } from "./storage/chainStore.ts";
import type { DerivedStore } from "./storage/derivedStore.ts";

const ID_DIGITS = 64;
const PREFIX_MIN_DIGITS = 8;

export class NodeReads {
  readonly #replica: Replica;
  readonly #chainStore: ChainStore;
  readonly #derived: DerivedStore;
  readonly #genesis: Block;
  readonly #proofs: Proofs;

  constructor(replica: Replica, chainStore: ChainStore, derived: DerivedStore, genesis: Block) {
    this.#replica = replica;
    this.#chainStore = chainStore;
    this.#derived = derived;
    this.#genesis = genesis;
    this.#proofs = new Proofs(genesis.header.parent, {
      idsFrom: (height, count) => idsFrom(chainStore, genesis, height, count),
      certificateFor: (height) => chainStore.certificateFor(height),
      newestCertificate: () => chainStore.newestCertificate(),
      changes: () => changesOf(chainStore.producerSets()),
      block: (height) => {
        const stored = chainStore.byHeight(height);
        return stored && decodeStored(chainStore.file, stored);
      },
    });
  }

  block(ref: string): BlockView | "ambiguous" | undefined {
    const { ledger } = this.#replica;
    if (ref === "head") return this.#viewOfNode(ledger.head);
    if (ref === "irreversible") return this.#viewOfNode(ledger.bottom);
    if (/^\d{1,16}$/.test(ref)) return this.#viewAt(Number(ref));
    if (!/^[0-9a-f]+$/.test(ref) || ref.length < PREFIX_MIN_DIGITS || ref.length > ID_DIGITS) return undefined;
    const ids = this.#idsWithPrefix(ref);
    return ids.length > 1 ? "ambiguous" : ids[0] === undefined ? undefined : this.#viewOfId(ids[0]);
  }

  blocks(from: number, limit: number): BlockView[] {
    const views: BlockView[] = [];
    for (let height = from; views.length < limit; height++) {
      const view = this.#viewAt(height);
      if (view === undefined) break;
      views.push(view);
    }
    return views;
  }

  /** The lowest height from which on every irreversible block is held. */
  firstHeight(): number {
    const first = this.#chainStore.firstHeight() ?? 1;
    return first === 1 ? 0 : first;
  }

  forks(): ForkView {
    const { ledger } = this.#replica;
    const viewOf = (node: BlockNode): ForkView => {
      const { header, transactions } = node.block;
      return {
        height: node.height,
        id: node.id,
        parent: header.parent,
        view: node.view,
        producer: header.producer,
        time: header.time,
        transactions: transactions.count,
        isHead: node === ledger.head,
        onBestChain: isAncestorOrEqual(node, ledger.head),
        ...(node.invalid && { invalid: `${node.invalid.code}: ${node.invalid.detail}` }),
        children: [...node.children].map(viewOf),
      };
    };
    return viewOf(ledger.bottom);
  }

  /** Proof of the transaction at a place that {@link transaction} gave. */
  async proof({ height, index }: TransactionPlace): Promise<ProofAnswer<TransactionProof>> {
    const view = this.#viewAt(height);
    if (view === undefined) return { refused: "this node does not hold its block any more", lasting: true };
    return this.#proofs.transaction(view, index);
  }

  blockProof(view: BlockView): Promise<ProofAnswer<BlockProof>> {
    return this.#proofs.block(view);
  }

  producersProof(above: number): Promise<ProofAnswer<ProducersProof>> {
    return this.#proofs.producers(above);
  }

  headProof(from: BlockView): Promise<ProofAnswer<HeadProof>> {
    return this.#proofs.head(from);
  }

  async transaction(id: string): Promise<TransactionState> {
    const idBytes = fromHex(id);
    if (idBytes?.length !== 32) return { status: "unknown" };
    const { ledger, mempool } = this.#replica;
    const recent = ledger.findTransaction(idBytes);
    const found = recent && this.#stateAt(recent, idBytes);
    if (found !== undefined) return found;
    const pooled = mempool.get(id);
    if (pooled !== undefined) return { status: "pending", transaction: pooled.bytes };
    // As of now: while the index is asked, blocks leave the window that `findTransaction` looked into.
    const { height, time } = ledger.bottom.block.header;
    const isSearchedWhole = recent === undefined && this.#indexReaches(ledger.duplicatesFrom - 1);
    const places = await this.#derived.lookup(id);
    for (const place of places) {
      const state = this.#stateAt(place, idBytes);
      if (state !== undefined) return state;
    }
    const isHeld = places.every((place) => this.#viewAt(place.height) !== undefined);
    return isSearchedWhole && isHeld ? { status: "unknown", absentThrough: { height, time } } : { status: "unknown" };
  }

  /** Does the index hold every transaction up to this height? */
  #indexReaches(height: number): boolean {
    return height <= Math.min(this.#derived.indexedHeight() ?? 0, this.#derived.appliedHeight() ?? 0);
  }

  /** The transaction at a place, if it is the one with this id. */
  #stateAt(place: TransactionPlace, id: Uint8Array): TransactionState | undefined {
    const view = this.#viewAt(place.height);
    if (view === undefined || place.index >= view.block.transactions.count) return undefined;
    const { block, receipts } = view;
    if (!equalBytes(block.transactionIds.subarray(32 * place.index, 32 * place.index + 32), id)) return undefined;
    return {
      status: view.status === "irreversible" ? "irreversible" : "included",
      place,
      blockId: block.id,
      transaction: elementAt(block.transactions, place.index),
      receipt: receipts?.[place.index],
    };
  }

  #idsWithPrefix(prefix: string): string[] {
    const ids = new Set(this.#chainStore.idsWithPrefix(prefix, 2));
    for (const node of this.#replica.ledger.nodes()) if (node.id.startsWith(prefix)) ids.add(node.id);
    if (this.#genesis.id.startsWith(prefix)) ids.add(this.#genesis.id);
    return [...ids];
  }

  #viewOfId(id: string): BlockView | undefined {
    const node = this.#replica.ledger.get(id);
    if (node !== undefined) return this.#viewOfNode(node);
    if (id === this.#genesis.id) return this.#viewAt(0);
    const stored = this.#chainStore.byId(id);
    const view = stored && this.#viewAt(stored.height);
    // A stored block that the ledger does not know may be of an abandoned branch: another one has its height.
    return view?.block.id === id ? view : undefined;
  }

  #viewAt(height: number): BlockView | undefined {
    const { ledger } = this.#replica;
    if (height > ledger.head.height) return undefined;
    if (height >= ledger.bottom.height) {
      const node = ancestorAt(ledger.head, height);
      return node && this.#viewOfNode(node);
    }
    if (height === 0) return this.#view(this.#genesis, "irreversible", undefined);
    const unflushed = ledger.unflushedAt(height);
    if (unflushed !== undefined) return this.#viewOfNode(unflushed);
    const stored = this.#chainStore.byHeight(height);
    return stored && this.#view(decodeStored(this.#chainStore.file, stored), "irreversible", undefined);
  }

  #viewOfNode(node: BlockNode): BlockView {
    const status = node.height <= this.#replica.ledger.bottom.height ? "irreversible" : "pending";
    return this.#view(node.block, status, node.execution?.receipts);
  }

  #view(block: Block, status: BlockView["status"], receipts: ByteList | undefined): BlockView {
    const { height } = block.header;
    const isEmpty = block.transactions.count === 0;
    const list = receipts ?? (status === "irreversible" && !isEmpty ? this.#storedReceipts(height) : undefined);
    const certificate = status === "irreversible" ? this.#chainStore.certificateFor(height)?.certificate : undefined;
    return { block, status, receipts: isEmpty ? [] : list && elementsOf(list), certificate };
  }

  #storedReceipts(height: number): ByteList | undefined {
    const bytes = this.#derived.receipts(height);
    if (bytes === undefined) return undefined;
    const list = decodeList(bytes, { maxCount: HARD_LIMITS.blockTransactions, maxElementBytes: BLOCK_MAX_BYTES });
    return list.ok ? list.value : undefined;
  }
}

function elementsOf(list: ByteList): Uint8Array[] {
  return Array.from({ length: list.count }, (_, index) => elementAt(list, index));
}
