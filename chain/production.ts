/**
 * Building a block: `startBlock -> pushTransaction* -> finishBlock | abort` (DESIGN section 8). A transaction that is
 * refused leaves no trace and the block goes on without it.
 */
import { toHex } from "../src/base/bytes.ts";
import { sha256Hex } from "../src/base/hash.ts";
import { err, type Result } from "../src/base/result.ts";
import { type Block, encodeBody, hashOf } from "./block.ts";
import { encodeList } from "./byteList.ts";
import { BlockExecution, type ExecutionOutcome, type ExecutionSetting, type TransactionRefusal } from "./execution.ts";
import type { BlockNode } from "./forkDatabase.ts";
import { endsChange } from "./producerSets.ts";
import { type Header, headerMessage } from "./header.ts";
import { frontierRoot, rootOfLeafHashes } from "./merkle.ts";
import { lengthDelimitedBytes } from "./scan.ts";

/** What the producer decides of a block before its transactions. */
export interface ProductionPlace {
  readonly view: number;
  /** Must be greater than the parent's time. */
  readonly time: number;
  readonly producer: string;
  readonly irreversibleHeight: number;
  /** Also a block that ends a change of the producer set is closing. */
  readonly closing: boolean;
  /** What the engine attaches. */
  readonly entry?: Uint8Array | undefined;
  readonly proof?: Uint8Array | undefined;
}

export class Production {
  readonly parent: BlockNode;
  readonly place: ProductionPlace;
  readonly #setting: ExecutionSetting;
  readonly #execution: BlockExecution;
  readonly #transactions: Uint8Array[] = [];
  readonly #ids: Uint8Array[] = [];
  #bytes = 0;

  constructor(setting: ExecutionSetting, parent: BlockNode, place: ProductionPlace) {
    this.parent = parent;
    this.place = place;
    this.#setting = setting;
    const { time, view } = place;
    this.#execution = new BlockExecution(setting, {
      height: parent.height + 1,
      time,
      view,
      sets: parent.setsAfter,
    });
  }

  get count(): number {
    return this.#transactions.length;
  }
  /** Bytes of the body so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Executes a transaction and takes it into the block, unless it is refused or there is no room. */
  pushTransaction(
    bytes: Uint8Array,
    id: Uint8Array,
  ): Result<undefined, TransactionRefusal | { readonly code: "BLOCK_FULL" }> {
    const size = lengthDelimitedBytes(bytes.length);
    const { blockBytes, blockTransactions } = this.#setting.limits;
    if (this.#bytes + size > blockBytes || this.count === blockTransactions) return err({ code: "BLOCK_FULL" });
    const applied = this.#execution.apply(bytes, id, 0);
    if (!applied.ok) return applied;
    this.#transactions.push(bytes);
    this.#ids.push(id);
    this.#bytes += size;
    return applied;
  }

  abort(): void {
    this.#execution.abort();
  }

  finish(sign: (id: string) => Uint8Array): { block: Block; execution: ExecutionOutcome } {
    const { parent, place } = this;
    const execution = this.#execution.finish(parent.block.header.stateHash);
    const transactions = encodeList(this.#transactions);
    const transactionIds = new Uint8Array(32 * this.#ids.length);
    for (let i = 0; i < this.#ids.length; i++) transactionIds.set(this.#ids[i] as Uint8Array, 32 * i);
    const { entry, proof } = place;
    const { proposed } = execution;
    const entryHash = hashOf(entry);
    const proofHash = hashOf(proof);
    const header: Header = {
      height: parent.height + 1,
      parent: parent.id,
      view: place.view,
      producer: place.producer,
      time: place.time,
      transactionRoot: toHex(rootOfLeafHashes(transactionIds)),
      receiptRoot: execution.receiptRoot,
      stateHash: execution.stateHash,
      historyRoot: toHex(frontierRoot(parent.frontier)),
      irreversibleHeight: place.irreversibleHeight,
      configuration: parent.setsAfter.hash,
      ...(proposed && { nextConfiguration: proposed.hash }),
      closing: place.closing || endsChange(parent.setsAfter, place.irreversibleHeight),
      ...(entryHash !== undefined && { entryHash }),
      ...(proofHash !== undefined && { proofHash }),
    };
    const headerBytes = headerMessage.encode(header);
    const id = sha256Hex(headerBytes);
    const attachments = {
      ...(proposed && { nextConfiguration: proposed }),
      ...(entry && { entry }),
      ...(proof && { proof }),
    };
    const body = encodeBody(transactions.buffer, attachments);
    return {
      block: {
        id,
        header,
        headerBytes,
        signature: sign(id),
        body,
        transactions,
        transactionIds,
        ...attachments,
      },
      execution,
    };
  }
}
