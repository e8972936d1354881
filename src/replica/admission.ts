/** What is taken into the ledger: live blocks once their time has come, proven blocks, certificates, what the operator rejects. */
import type { Block } from "../../chain/block.ts";
import type { BlockNode, InvalidReason } from "../../chain/forkDatabase.ts";
import type { AddOutcome, Ledger } from "../../chain/ledger.ts";
import type { Certificate } from "../../consensus/certificate.ts";
import type { Engine } from "../../consensus/engine.ts";
import type { Finality } from "../../consensus/finality.ts";
import type { PeerKey } from "../base/key.ts";
import type { Result } from "../base/result.ts";
import { BlockSenders } from "./blockSenders.ts";
import { HeldBlocks } from "./heldBlocks.ts";
import { type Outbox, persistedBlock } from "./outbox.ts";
import type { LogLevel } from "./types.ts";

/** `surplus`: there are enough blocks of its place, and nobody asked for this one. */
export type Admitted = AddOutcome | { readonly kind: "held" | "surplus" };

export interface AdmissionHost {
  /** Height of the highest block on disk: of those below, some came by a pull, and which is not written down. */
  readonly uncheckedUpTo: number;
  readonly ledger: Ledger;
  readonly finality: Finality;
  readonly outbox: Outbox;
  /** A live block's time may be so far ahead of this node's clock, ms. */
  readonly clockToleranceMs: number;
  readonly now: () => number;
  readonly engine: () => Engine;
  /** Id of the irreversible block at a height at or below the root. */
  readonly irreversibleIdAt: (height: number) => string | undefined;
  /** The certificate by which a block proves an ancestor irreversible. */
  readonly proofOf: (block: Block) => Certificate | undefined;
  /** The time of a block has come that was held; `from`: who sent it first. */
  readonly released: (from: PeerKey, block: Block, outcome: Admitted) => void;
  /** The block is in the ledger now, and these peers sent it before. */
  readonly sentBefore: (peers: readonly PeerKey[], block: Block) => void;
  readonly log: (level: LogLevel, layer: string, message: string, fields?: Record<string, unknown>) => void;
  readonly halt: (why: string, certificates?: readonly Uint8Array[]) => void;
}

export class Admission {
  readonly #host: AdmissionHost;
  readonly #held = new HeldBlocks();
  readonly #senders = new BlockSenders();
  #uncheckedUpTo: number;

  constructor(host: AdmissionHost) {
    this.#host = host;
    this.#uncheckedUpTo = host.uncheckedUpTo;
  }

  /** No producer's signature may be taken for checked up to this height; above, all were when the block came. */
  get uncheckedUpTo(): number {
    return this.#uncheckedUpTo;
  }

  /** Blocks that wait for their time. */
  get held(): number {
    return this.#held.size;
  }

  /** When the next held block's time has come, ms; Infinity: nothing is held. */
  get deadline(): number {
    return this.#held.earliestTime - this.#host.clockToleranceMs;
  }

  isKnown(id: string): boolean {
    const { ledger } = this.#host;
    return ledger.get(id) !== undefined || ledger.isOrphan(id) || this.#held.has(id);
  }

  /** Blocks of this node's own disk: checked and persisted before. */
  restore(blocks: readonly Block[]): void {
    const { ledger, log } = this.#host;
    for (const block of blocks) {
      const outcome = ledger.add(block);
      if (outcome.kind === "rejected") log("error", "storage", "a block on disk is not valid", { ...outcome.reason });
    }
    for (let more = true; more;) more = ledger.work(Number.POSITIVE_INFINITY).more;
  }

  /** @param requested was it asked for? */
  accept(from: PeerKey, block: Block, requested = false): Admitted {
    const outcome = this.#admit(from, block, requested);
    if (isAside(outcome)) this.#senders.note(block.id, from);
    return outcome;
  }

  peerDown(peer: PeerKey): void {
    this.#senders.peerDown(peer);
  }

  #admit(from: PeerKey, block: Block, requested: boolean): Admitted {
    const outcome = this.#place(from, block, requested);
    if (outcome.kind === "added") this.#addedAll(outcome.nodes);
    else if (outcome.kind === "rejected") this.#senders.take(block.id);
    else if (!isAside(outcome)) this.#tellSenders(block);
    return outcome;
  }

  #place(from: PeerKey, block: Block, requested: boolean): Admitted {
    if (!requested && this.#isSurplus(block)) return { kind: "surplus" };
    if (this.#isAhead(block)) {
      this.#held.hold(block, from);
      return { kind: "held" };
    }
    // The held copy of a block is the one whose signature was checked.
    this.releaseHeld();
    return this.#host.ledger.add(block);
  }

  /** Orphans that waited for the first of them are among them, and so are who sent those. */
  #addedAll(nodes: readonly BlockNode[]): void {
    for (const node of nodes) this.added(node);
    for (const { block } of nodes) this.#tellSenders(block);
  }

  #tellSenders(block: Block): void {
    const before = this.#senders.take(block.id);
    if (before.length > 0) this.#host.sentBefore(before, block);
  }

  /** Blocks that a certified block proves by hash: no signature is checked, they are irreversible as they come. */
  acceptProven(blocks: readonly Block[]): void {
    const { ledger, halt } = this.#host;
    for (const block of blocks) {
      const outcome = ledger.add(block);
      if (outcome.kind === "added") this.#addedAll(outcome.nodes);
      else if (outcome.kind !== "known") {
        const why = outcome.kind === "rejected" ? `${outcome.reason.code}: ${outcome.reason.detail}` : outcome.kind;
        return halt(`block ${block.header.height} ${block.id} is certified and does not fit what is here: ${why}`);
      }
    }
    const top = blocks.at(-1) as Block;
    this.#uncheckedUpTo = Math.max(this.#uncheckedUpTo, top.header.height);
    const last = ledger.get(top.id);
    if (last !== undefined) this.haltUnless(ledger.setIrreversible(last));
  }

  /** The ledger holds a new block, a peer's or this node's own. */
  added(node: BlockNode): void {
    this.#host.outbox.persistBlock(persistedBlock(node.block));
    this.#host.engine().headerSeen(node.block.header, node);
    const proof = this.#host.proofOf(node.block);
    if (proof !== undefined) this.adopt(proof);
    this.haltUnless(this.#host.finality.blockAdded(node));
  }

  releaseHeld(): void {
    for (const { block, from } of this.#held.takeDue((each) => this.#isAhead(each))) {
      // Who sent it was noted when it came: by now that link may be gone.
      this.#host.released(from, block, this.#admit(from, block, false));
    }
  }

  /** @returns whether it was news */
  adopt(certificate: Certificate): boolean {
    const { height, id, header, bytes, isFinal } = certificate;
    const { finality } = this.#host;
    if (!isFinal) return this.#host.engine().certificateSeen?.({ ...certificate, bytes: bytes.slice() }) === true;
    if (this.contradicts(certificate)) {
      const why = `block ${height} is ${this.#host.irreversibleIdAt(height)} here, and ${id} is proven irreversible, too`;
      this.#host.halt(`FINALITY_CONFLICT: ${why}`, [...finality.certificates, bytes.slice()]);
      return false;
    }
    if (!finality.isNews(height, id)) return false;
    // A copy: the frame it came in would be kept alive whole.
    this.haltUnless(finality.adopt({ height, id, historyRoot: header.historyRoot, bytes: bytes.slice() }));
    this.releaseHeld();
    return true;
  }

  /** The operator's word against a block. */
  reject(id: string): void {
    const { ledger, log } = this.#host;
    const rejected = ledger.reject(id);
    if (!rejected.ok) return log("error", "chain", "a block cannot be rejected", { ...rejected.error });
    const node = rejected.value;
    log("warn", "chain", "the operator rejected a block", { id, ...(node && { height: node.height }) });
    if (node !== undefined) this.#host.engine().rejected();
  }

  haltUnless(outcome: Result<undefined, InvalidReason>): void {
    if (outcome.ok) return;
    this.#host.halt(`${outcome.error.code}: ${outcome.error.detail}`, this.#host.finality.certificates);
  }

  /** Does it prove another block than is irreversible here? */
  contradicts({ height, id, isFinal }: Certificate): boolean {
    if (!isFinal || height > this.#host.ledger.root.height) return false;
    const mine = this.#host.irreversibleIdAt(height);
    return mine !== undefined && mine !== id;
  }

  #isSurplus(block: Block): boolean {
    return !this.isKnown(block.id) && this.#host.engine().isSurplus?.(block) === true;
  }

  /** A live block is taken in once its time is at most the tolerance ahead of my clock; a certified one always. */
  #isAhead(block: Block): boolean {
    const { ledger, finality, clockToleranceMs } = this.#host;
    // It is here, made by this node on a parent that was ahead: that its sender has it is not held back.
    if (ledger.get(block.id) !== undefined) return false;
    if (block.header.time <= this.#host.now() + clockToleranceMs) return false;
    // Not taken in at all, and its signature was not checked: it must not take the place of one that was.
    if (block.header.height <= ledger.bottom.height) return false;
    return block.header.height > (finality.newest?.height ?? 0);
  }
}

/** Not in the ledger, and may come in later. */
function isAside({ kind }: Admitted): boolean {
  return kind === "held" || kind === "surplus" || kind === "orphan";
}
