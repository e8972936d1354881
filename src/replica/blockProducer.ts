/**
 * When and how this node produces (DESIGN section 8, "Producing"): at once when nothing of its own is in flight, else
 * when the block is full or the batching delay is over; none when there is nothing to say.
 */
import type { Ledger } from "../../chain/ledger.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { TransactionRefusal } from "../../chain/execution.ts";
import type { ConsensusSettings } from "../../consensus/constants.ts";
import type { Engine, ProductionPermit } from "../../consensus/engine.ts";
import type { Mempool, PoolEntry } from "../../consensus/mempool/mempool.ts";
import { EXECUTION_SLICE_TRANSACTIONS } from "./constants.ts";

export interface ProducerHost {
  readonly self: string;
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly engine: Engine;
  readonly settings: ConsensusSettings;
  now(): number;
  /** The disk does not take what it is given: nothing more is made for it. */
  isDiskBehind(): boolean;
  signBlock(id: string): Uint8Array;
  produced(node: BlockNode): void;
  /** Execution refused these on the state of `on`. */
  refused(on: BlockNode, refusals: readonly Refused[]): void;
}

interface Refused {
  readonly entry: PoolEntry;
  readonly refusal: TransactionRefusal;
}

export class BlockProducer {
  readonly #host: ProducerHost;
  #deadline = Number.POSITIVE_INFINITY;
  /** Refused after transactions of the block being produced: on its state, should it ever be done. */
  #refusals: Refused[] = [];

  constructor(host: ProducerHost) {
    this.#host = host;
  }

  /** When the batching delay is over. */
  get deadline(): number {
    return this.#deadline;
  }

  /** Produces as far as one slice goes. @returns true when there is more to do now */
  step(): boolean {
    this.#deadline = Number.POSITIVE_INFINITY;
    const { ledger, engine } = this.#host;
    const permit = this.#host.isDiskBehind() ? undefined : engine.lead.production();
    const current = ledger.production;
    const goesOn =
      current !== undefined &&
      current.place.view === permit?.view &&
      current.place.closing === (permit.closing ?? false) &&
      ledger.settled;
    // Also where the ledger gave the block up for a better one: what was taken for it waits again.
    if (!goesOn) this.#abort();
    if (permit === undefined) return false;
    if (ledger.production === undefined) {
      if (!ledger.settled || !this.#isDue(permit.opening)) return false;
      this.#start(permit);
    }
    return this.#fill(permit.opening);
  }

  #isDue(opening: boolean): boolean {
    if (opening) return true;
    const { ledger, mempool, settings } = this.#host;
    const { pendingCount, pendingBytes, pendingSince } = mempool;
    const proofDue = mempool.needsBlockAfter(ledger.head.block.header.time);
    if (pendingCount === 0) return proofDue;
    const inFlight = ledger.head.height > ledger.root.height;
    if (!inFlight || pendingBytes >= settings.blockBytes || pendingCount >= settings.blockTransactions) return true;
    const due = (pendingSince as number) + settings.batchDelayMs;
    if (this.#host.now() >= due) return true;
    this.#deadline = due;
    return false;
  }

  #start({ view, closing = false, entry, irreversible }: ProductionPermit): void {
    const { ledger, self } = this.#host;
    const { head, bottom } = ledger;
    const { header } = head.block;
    ledger.startBlock({
      view,
      time: Math.max(header.time + 1, this.#host.now()),
      producer: self,
      // What a node says is irreversible it has persisted as such.
      irreversibleHeight: irreversible?.height ?? Math.max(header.irreversibleHeight, bottom.height),
      closing,
      entry,
      proof: irreversible?.proof,
    });
  }

  #fill(opening: boolean): boolean {
    const { ledger, mempool, settings } = this.#host;
    const production = ledger.production as NonNullable<Ledger["production"]>;
    const refusals: Refused[] = [];
    let full = false;
    for (let i = 0; i < EXECUTION_SLICE_TRANSACTIONS && !full; i++) {
      if (production.bytes >= settings.blockBytes || production.count >= settings.blockTransactions) full = true;
      const entry = full ? undefined : mempool.take();
      if (entry === undefined) {
        full = true;
        break;
      }
      const pushed = production.pushTransaction(entry.bytes, entry.idBytes);
      if (pushed.ok) continue;
      switch (pushed.error.code) {
        case "BLOCK_FULL":
          if (production.count === 0) {
            // Alone in a block it does not fit: it never will.
            refusals.push({ entry, refusal: { code: "TRANSACTION_TOO_LARGE", detail: "larger than a block" } });
            break;
          }
          mempool.putBack(entry, this.#host.now());
          full = true;
          break;
        case "DUPLICATE_WINDOW_FULL":
          mempool.putBack(entry, this.#host.now());
          full = true;
          break;
        case "TRANSACTION_EXPIRED":
          mempool.doom(entry);
          break;
        case "EXPIRES_TOO_LATE":
          // By the time of this block. A later one may hold it, and whoever was told no would have been told wrong.
          mempool.postpone(entry);
          break;
        case "DUPLICATE":
          refusals.push({ entry, refusal: pushed.error });
          break;
        default:
          // What came before it in the block may be why, and goes with the block if another takes its place.
          (production.count === 0 ? refusals : this.#refusals).push({ entry, refusal: pushed.error });
      }
    }
    if (refusals.length > 0) this.#host.refused(production.parent, refusals);
    if (!full) return true;
    this.#finish(opening);
    return false;
  }

  #finish(opening: boolean): void {
    const { ledger, mempool } = this.#host;
    const production = ledger.production as NonNullable<Ledger["production"]>;
    const proves = mempool.needsBlockAfter(production.parent.block.header.time);
    if (production.count === 0 && !opening && !proves) return this.#abort();
    const node = ledger.finishBlock((id) => this.#host.signBlock(id));
    mempool.taken(this.#host.now());
    const refusals = this.#refusals;
    this.#refusals = [];
    if (refusals.length > 0) this.#host.refused(node, refusals);
    this.#host.produced(node);
  }

  #abort(): void {
    this.#refusals = [];
    this.#host.ledger.abortBlock();
    this.#host.mempool.putAllBack(this.#host.now());
  }
}
