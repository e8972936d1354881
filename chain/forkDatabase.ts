/**
 * Every known block at or above the irreversible one, by id, with children. Blocks are ordered by (view, height, id)
 * among the descendants of a root; blocks found invalid take their subtree out of the running.
 */
import { type Block, blockBytes } from "./block.ts";
import { compareRefs } from "./header.ts";
import type { Frontier } from "./merkle.ts";
import type { BlockUndo } from "./state.ts";
import type { ByteList } from "./byteList.ts";
import type { Configuration } from "./configuration.ts";
import {
  configurationsOf,
  isMember,
  type ProducerSets,
  setsAfter,
  setsAt,
  type SetsFrom,
  singleSet,
} from "./producerSets.ts";

/** What executing a block gave; present while the block is on the executed branch or waits to be flushed. */
export interface Execution {
  readonly undo: BlockUndo;
  readonly receipts: ByteList;
}

export interface BlockNode {
  readonly block: Block;
  /** As in the block; here so that a node is a `BlockRef`. */
  readonly id: string;
  readonly height: number;
  readonly view: number;
  /** Absent at the bottom of the database. */
  parent: BlockNode | undefined;
  readonly children: Set<BlockNode>;
  /** The history tree over the ids of all blocks up to and including this one. */
  readonly frontier: Frontier;
  /** Who decides about this block, and about its children; one object as long as nothing changes. */
  readonly sets: ProducerSets;
  readonly setsAfter: ProducerSets;
  invalid: InvalidReason | undefined;
  execution: Execution | undefined;
}

/** Why a block, or its ancestor, is not valid. Determined by its id and matching body alone. */
export interface InvalidReason {
  readonly code: string;
  readonly detail: string;
}

/** What a database begins with: an irreversible block. */
export interface Bottom {
  readonly block: Block;
  /** The history tree up to and including it. */
  readonly frontier: Frontier;
  /** The producer sets of its chain, ascending: those that judge it and its children, and some before them. */
  readonly producerSets: readonly SetsFrom[];
}

/** Producer sets of the irreversible chain that are remembered: certificates of blocks that they judged still come. */
const PAST_SETS_MAX = 8;

export class ForkDatabase {
  readonly #nodes = new Map<string, BlockNode>();
  /** Ids that the operator rejected, known or not; whoever adds to it keeps it bounded. */
  readonly #rejected: Set<string>;
  /** Known to be irreversible. */
  #root: BlockNode;
  /** Candidates must descend from it: the root, or what the engine chose above it. */
  #start: BlockNode;
  /** Lowest block kept: the last one that is irreversible, executed and persisted. */
  #bottom: BlockNode;
  #best: BlockNode;
  /** The branch from the bottom (place 0) to the best block: finding a place on it costs no walk. */
  #bestBranch: BlockNode[];
  /** Bytes of all bodies and headers kept. */
  #bytes: number;
  /** Of the irreversible chain, up to the bottom's children; ascending. */
  #pastSets: readonly SetsFrom[];
  /** Of the blocks that are here and of their children, by hash. */
  #sets: Map<string, ProducerSets>;

  constructor(bottom: Bottom, rejected: readonly string[] = []) {
    this.#rejected = new Set(rejected);
    const { height } = bottom.block.header;
    this.#pastSets = bottom.producerSets.filter(({ from }) => from <= height + 1).slice(-PAST_SETS_MAX);
    const sets = setsAt(this.#pastSets, height);
    this.#bottom = newNode(bottom.block, undefined, bottom.frontier, sets, setsAt(this.#pastSets, height + 1));
    this.#sets = this.#collectSets([this.#bottom]);
    this.#root = this.#start = this.#bottom;
    this.#best = this.#bottom;
    this.#bestBranch = [this.#bottom];
    this.#bytes = blockBytes(bottom.block);
    this.#nodes.set(this.#bottom.id, this.#bottom);
  }

  get root(): BlockNode {
    return this.#root;
  }
  get bottom(): BlockNode {
    return this.#bottom;
  }
  /** The greatest valid block under the root, and under what was chosen above it. */
  get best(): BlockNode {
    return this.#best;
  }
  get size(): number {
    return this.#nodes.size;
  }
  get bytes(): number {
    return this.#bytes;
  }

  /** The block of the best branch at a height; undefined outside the database. */
  bestAt(height: number): BlockNode | undefined {
    return this.#bestBranch[height - this.#bottom.height];
  }

  isOnBestBranch(node: BlockNode): boolean {
    return this.bestAt(node.height) === node;
  }

  get(id: string): BlockNode | undefined {
    return this.#nodes.get(id);
  }

  all(): IterableIterator<BlockNode> {
    return this.#nodes.values();
  }

  /** Adds a block whose parent is here, unless it is here itself. It inherits an invalid parent's verdict. */
  add(block: Block, parent: BlockNode, frontier: Frontier): BlockNode {
    const known = this.#nodes.get(block.id);
    if (known !== undefined) return known;
    const sets = parent.setsAfter;
    const node = newNode(block, parent, frontier, sets, setsAfter(sets, block.header, block.nextConfiguration));
    if (node.setsAfter !== sets) this.#sets.set(node.setsAfter.hash, node.setsAfter);
    node.invalid = parent.invalid && { code: "ANCESTOR_INVALID", detail: parent.invalid.detail };
    if (this.#rejected.has(node.id)) node.invalid = rejection(node.id);
    parent.children.add(node);
    this.#nodes.set(node.id, node);
    this.#bytes += blockBytes(block);
    if (node.invalid === undefined && compareRefs(node, this.#best) > 0 && this.#descendsFromStart(node)) {
      this.#setBest(node);
    }
    return node;
  }

  /** Marks a block and all that descends from it. */
  markInvalid(node: BlockNode, reason: InvalidReason): void {
    for (const each of subtree(node)) {
      each.invalid ??= each === node ? reason : { code: "ANCESTOR_INVALID", detail: reason.detail };
    }
    if (this.#start.invalid !== undefined) this.#start = this.#root;
    if (this.#best.invalid !== undefined) this.#setBest(this.#findBest());
  }

  /** Candidates must descend from `node` from now on, or from the root alone where it is not valid or not above that. */
  choose(node: BlockNode): void {
    const start = node.invalid === undefined && isAncestorOrEqual(this.#root, node) ? node : this.#root;
    if (start === this.#start) return;
    const isWider = isAncestorOrEqual(start, this.#start);
    this.#start = start;
    if (isWider || !this.isOnBestBranch(start)) this.#setBest(this.#findBest());
  }

  /** The operator rejects a block, known or not. @returns it, when it is here and was valid */
  reject(id: string): BlockNode | undefined {
    this.#rejected.add(id);
    const node = this.#nodes.get(id);
    if (node === undefined || node.invalid !== undefined) return undefined;
    this.markInvalid(node, rejection(id));
    return node;
  }

  /** A block of this id that comes from now on is judged by the rules alone. */
  accept(id: string): void {
    this.#rejected.delete(id);
  }

  /** Candidates must descend from `node` from now on. It must itself descend from the present root. */
  setRoot(node: BlockNode): void {
    if (!isAncestorOrEqual(this.#root, node)) throw new Error(`root ${node.id} does not descend from ${this.#root.id}`);
    this.#root = node;
    if (isAncestorOrEqual(node, this.#start)) return;
    this.#start = node;
    if (!this.isOnBestBranch(node)) this.#setBest(this.#findBest());
  }

  /**
   * Forgets everything that does not descend from `node`, and its ancestors.
   * @returns the blocks removed that are not ancestors of `node`
   */
  prune(node: BlockNode): BlockNode[] {
    const removed: BlockNode[] = [];
    const changes: SetsFrom[] = [];
    for (const ancestor of branch(this.#bottom, node).reverse()) {
      const parent = ancestor.parent as BlockNode;
      if (ancestor.setsAfter !== ancestor.sets)
        changes.unshift({ from: ancestor.height + 1, sets: ancestor.setsAfter });
      for (const sibling of parent.children) {
        if (sibling !== ancestor) removed.push(...subtree(sibling));
      }
      this.#forget(parent);
    }
    for (const each of removed) this.#forget(each);
    this.#bestBranch = this.isOnBestBranch(node) ? this.#bestBranch.slice(node.height - this.#bottom.height) : [node];
    node.parent = undefined;
    this.#bottom = node;
    this.#pastSets = [...this.#pastSets, ...changes].slice(-PAST_SETS_MAX);
    if (changes.length > 0 || this.#sets.size > 1) this.#sets = this.#collectSets(this.#nodes.values());
    if (this.#bestBranch.at(-1) !== this.#best) this.#setBest(this.#best);
    return removed;
  }

  /**
   * The producer sets of this hash that a block at a height may be judged by: those of a block that is here or of its
   * children, those that were in force at that height, and a set that an irreversible block proposed.
   */
  setsNamed(hash: string, height: number): ProducerSets | undefined {
    const here = this.#sets.get(hash);
    if (here !== undefined) return here;
    const { next } = this.#root.setsAfter;
    if (next?.configuration.hash === hash && next.height <= this.#root.height) return singleSet(next.configuration);
    const past = this.#pastSets.findLast(({ from }) => from <= height)?.sets;
    return past?.hash === hash ? past : undefined;
  }

  /** Sets that an irreversible chain has brought, and of which quorums are to be believed: of two the one proposed, too. */
  get inForce(): readonly Configuration[] {
    const { setsAfter: sets } = this.#root;
    const isProposed = sets.next !== undefined && sets.next.height <= this.#root.height;
    return isProposed ? configurationsOf(sets) : [sets.current];
  }

  /** Is, or was lately, or may soon be a producer. */
  isProducer(key: string): boolean {
    for (const sets of this.#sets.values()) if (isMember(sets, key)) return true;
    return this.#pastSets.some(({ sets }) => isMember(sets, key));
  }

  #collectSets(nodes: Iterable<BlockNode>): Map<string, ProducerSets> {
    const sets = new Map<string, ProducerSets>();
    for (const node of nodes) {
      sets.set(node.sets.hash, node.sets);
      sets.set(node.setsAfter.hash, node.setsAfter);
    }
    return sets;
  }

  #forget(node: BlockNode): void {
    this.#nodes.delete(node.id);
    this.#bytes -= blockBytes(node.block);
  }

  /** New blocks mostly extend the best branch: only a switch rebuilds it. */
  #setBest(best: BlockNode): void {
    const extended = best.parent !== undefined && best.parent === this.#bestBranch.at(-1);
    this.#best = best;
    if (extended) this.#bestBranch.push(best);
    else this.#bestBranch = [this.#bottom, ...branch(this.#bottom, best)];
  }

  /** Without a walk where the parent is on the best branch, as it mostly is. */
  #descendsFromStart(node: BlockNode): boolean {
    const parentIsOnBest = node.parent !== undefined && this.isOnBestBranch(node.parent);
    if (parentIsOnBest && this.isOnBestBranch(this.#start)) return node.height > this.#start.height;
    return isAncestorOrEqual(this.#start, node);
  }

  #findBest(): BlockNode {
    let best = this.#start;
    for (const node of subtree(this.#start)) {
      if (node.invalid === undefined && compareRefs(node, best) > 0) best = node;
    }
    return best;
  }
}

function rejection(id: string): InvalidReason {
  return { code: "OPERATOR_REJECTED", detail: `the operator of this node rejected block ${id}` };
}

function newNode(
  block: Block,
  parent: BlockNode | undefined,
  frontier: Frontier,
  sets: ProducerSets,
  following: ProducerSets,
): BlockNode {
  const { id, header } = block;
  return {
    block,
    id,
    height: header.height,
    view: header.view,
    parent,
    children: new Set(),
    frontier,
    sets,
    setsAfter: following,
    invalid: undefined,
    execution: undefined,
  };
}

function* subtree(node: BlockNode): Generator<BlockNode> {
  const pending = [node];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    yield next;
    pending.push(...next.children);
  }
}

/** The ancestor of `node` (or itself) at `height`; undefined when that is below the database. */
export function ancestorAt(node: BlockNode, height: number): BlockNode | undefined {
  let at: BlockNode | undefined = node;
  while (at !== undefined && at.height > height) at = at.parent;
  return at?.height === height ? at : undefined;
}

export function isAncestorOrEqual(ancestor: BlockNode, node: BlockNode): boolean {
  return ancestorAt(node, ancestor.height) === ancestor;
}

/** The nearest common ancestor of two nodes of one database. */
export function commonAncestor(a: BlockNode, b: BlockNode): BlockNode {
  let left = a;
  let right = b;
  while (left !== right) {
    const lower = left.height >= right.height ? left : right;
    if (lower.parent === undefined) throw new Error("blocks of different databases");
    if (lower === left) left = lower.parent;
    else right = lower.parent;
  }
  return left;
}

/** Blocks from the child of `ancestor` up to `node`, oldest first. */
export function branch(ancestor: BlockNode, node: BlockNode): BlockNode[] {
  const path: BlockNode[] = [];
  for (let at: BlockNode | undefined = node; at !== ancestor; at = at.parent) {
    if (at === undefined) throw new Error("not an ancestor");
    path.push(at);
  }
  return path.reverse();
}
