/**
 * My best chain as the sync machine sees it: the branch up to the head in the fork database, and below its bottom the
 * block log, which holds irreversible blocks only.
 */
import type { Configuration } from "../../chain/configuration.ts";
import { ancestorAt, type BlockNode } from "../../chain/forkDatabase.ts";
import type { BlockRef } from "../../chain/header.ts";
import type { Ledger } from "../../chain/ledger.ts";
import { SYNC_LIMITS, type SyncLimits } from "./constants.ts";

/** A block as it goes over a link: verbatim parts. */
export interface RawBlock {
  readonly id: string;
  readonly height: number;
  readonly view: number;
  readonly headerBytes: Uint8Array;
  readonly signature: Uint8Array;
  readonly body: Uint8Array;
}

/** Reads persisted blocks, synchronously, some microseconds each. Irreversible blocks unless found by id. */
export interface BlockLog {
  /** Id of the irreversible block at a height. */
  idAt(height: number): string | undefined;
  /** Height of an irreversible block. */
  heightOf(id: string): number | undefined;
  blockAt(height: number): RawBlock | undefined;
  /** Any block held, irreversible or not. */
  byId(id: string): RawBlock | undefined;
  /** The first change of the producer set whose end proves a block above this height. */
  changeProving(height: number): ProvenChange | undefined;
}

/** What the block that ended a change of the producer set tells somebody who knows the old set only. */
export interface ProvenChange {
  /** Of an irreversible block by which the change was begun: judged by the old set, or by both. */
  readonly certificate: Uint8Array;
  readonly producers: Configuration;
}

/** What the engine says of the roots by which chains are compared. */
export interface RootRules {
  /** The greatest prepare-certified block that is here, above the irreversible one. */
  certifiedRoot(): BlockRef | undefined;
  readonly areRootsFinal: boolean;
}

const FINAL_ROOTS: RootRules = { certifiedRoot: () => undefined, areRootsFinal: true };

export class BestChain {
  readonly #ledger: Ledger;
  readonly #log: BlockLog;
  readonly #certifiedHeight: () => number;
  readonly #limits: SyncLimits;
  readonly #roots: RootRules;

  /** @param certifiedHeight of the newest certificate known; 0: none */
  constructor(
    ledger: Ledger,
    log: BlockLog,
    certifiedHeight: () => number = () => 0,
    limits = SYNC_LIMITS,
    roots: RootRules = FINAL_ROOTS,
  ) {
    this.#ledger = ledger;
    this.#log = log;
    this.#certifiedHeight = certifiedHeight;
    this.#limits = limits;
    this.#roots = roots;
  }

  get head(): BlockNode {
    return this.#ledger.head;
  }
  /** With it chains are compared first: irreversible, or prepare-certified above that. */
  get root(): BlockRef {
    return this.#roots.certifiedRoot() ?? this.#ledger.root;
  }
  /** Of two chains whose roots differ at one height, somebody is broken. */
  get areRootsFinal(): boolean {
    return this.#roots.areRootsFinal;
  }
  /** Height up to which blocks are known irreversible, on the disk or not yet. */
  get decidedHeight(): number {
    return this.#ledger.root.height;
  }
  /** Height up to which the disk knows blocks irreversible. */
  get irreversibleHeight(): number {
    return this.#ledger.bottom.height;
  }

  /** Who has my chain up to this height pulls ranges of it; without a certificate there would be no anchor for them. */
  isFarBehind(height: number): boolean {
    const anchorHeight = Math.min(this.irreversibleHeight, this.#certifiedHeight());
    return height + this.#limits.farBehindBlocks < anchorHeight;
  }

  /** Once a pull has reached this anchor, blocks from this height on are streamed; those below are pulled. */
  streamedFrom(anchorHeight: number): number {
    return anchorHeight - this.#limits.farBehindBlocks;
  }

  /** A chain whose root is so far above mine is pulled, not streamed. */
  isFarAhead(root: BlockRef, mine: BlockRef = this.#ledger.root): boolean {
    return root.height > mine.height + this.#limits.farBehindBlocks;
  }

  /**
   * For a peer whose irreversible block is far below mine: what it can judge by the producer sets that it knows, and needs
   * to judge anything newer. Undefined: whatever I show.
   */
  changeFor(irreversibleHeight: number): ProvenChange | undefined {
    return this.isFarBehind(irreversibleHeight) ? this.#log.changeProving(irreversibleHeight) : undefined;
  }

  /** The set that decides with the one in force about my irreversible block, while the one is changed for the other. */
  get proposed(): Configuration | undefined {
    return this.#ledger.root.sets.next?.configuration;
  }

  idAt(height: number): string | undefined {
    if (height > this.head.height) return undefined;
    if (height < this.#ledger.bottom.height) return this.#log.idAt(height);
    return this.#ledger.onHeadBranch(height)?.id;
  }

  has(height: number, id: string): boolean {
    return this.idAt(height) === id;
  }

  /** Whether the head descends from, or is, this block. */
  extends(block: BlockRef): boolean {
    return this.has(block.height, block.id);
  }

  /** Whether the fork database holds this block above the irreversible one. */
  isReversible({ id }: BlockRef): boolean {
    const node = this.#ledger.get(id);
    return node !== undefined && node !== this.#ledger.bottom;
  }

  /** Whether `block` of the fork database is `ancestor` or descends from it. */
  precedes(ancestor: BlockRef, block: BlockRef): boolean {
    if (ancestor.height > block.height) return false;
    // Without a walk where both are on this chain, as they mostly are.
    if (this.has(block.height, block.id)) return this.has(ancestor.height, ancestor.id);
    const node = this.#ledger.get(block.id);
    return node !== undefined && ancestorAt(node, ancestor.height)?.id === ancestor.id;
  }

  /** The reversible block of this chain at a height. */
  refAt(height: number): BlockRef | undefined {
    return this.#ledger.onHeadBranch(height);
  }

  /** Height of the highest block of this chain that is an ancestor of, or equal to, a block; undefined: not known. */
  highestAncestorOf(id: string): number | undefined {
    let node = this.#ledger.get(id);
    if (node === undefined) return this.#log.heightOf(id);
    while (!this.has(node.height, node.id)) {
      if (node.parent === undefined) return undefined;
      node = node.parent;
    }
    return node.height;
  }

  blockAt(height: number): RawBlock | undefined {
    if (height > this.head.height) return undefined;
    if (height < this.#ledger.bottom.height) return this.#log.blockAt(height);
    const node = this.#ledger.onHeadBranch(height);
    return node && { ...node.block, height: node.height, view: node.view };
  }

  byId(id: string): RawBlock | undefined {
    const node = this.#ledger.get(id);
    if (node === undefined) return this.#log.byId(id);
    return node.invalid === undefined ? { ...node.block, height: node.height, view: node.view } : undefined;
  }
}
