/**
 * The chain whole: fork database, state and execution behind one face. Blocks go in, the head follows the best valid
 * branch in slices of work, an irreversible block becomes the root. Nothing here knows who produces or who decides.
 *
 * Four places on one line of blocks: `bottom` (irreversible, and the disk knows) <= `root` (known to be irreversible;
 * candidates descend from it) <= `head` (best executed block, as last told); `tip` is where the state stands, which is
 * the head except during a switch.
 */
import { err, ok, type Result } from "../src/base/result.ts";
import { equalBytes, hexBytes } from "../src/base/bytes.ts";
import type { Block } from "./block.ts";
import { elementAt } from "./byteList.ts";
import type { Configuration } from "./configuration.ts";
import { ORPHAN_MAX_BYTES, ORPHANS_MAX, UNFLUSHED_MAX_TRANSACTIONS } from "./constants.ts";
import { BlockExecution, type BlockPlace, type ExecutionSetting } from "./execution.ts";
import {
  ancestorAt,
  type BlockNode,
  type Bottom,
  branch,
  commonAncestor,
  ForkDatabase,
  type InvalidReason,
  isAncestorOrEqual,
} from "./forkDatabase.ts";
import { headerFault, type HeaderRule, type RuleChain } from "./headerRules.ts";
import { append, leafHash } from "./merkle.ts";
import { Orphans } from "./orphans.ts";
import type { ProducerSets } from "./producerSets.ts";
import { FIRST_APPLICATION_KEY, PRODUCER_SET_KEY } from "./producerChange.ts";
import { Production, type ProductionPlace } from "./production.ts";
import type { BlockUndo, StateChange } from "./state.ts";

export type LedgerEvent =
  /** The head moved. `undone` newest first, `applied` oldest first. */
  | {
      readonly kind: "head";
      readonly from: BlockNode;
      readonly to: BlockNode;
      readonly undone: readonly BlockNode[];
      readonly applied: readonly BlockNode[];
    }
  | { readonly kind: "invalid"; readonly node: BlockNode; readonly reason: InvalidReason }
  /** Blocks that are irreversible and executed, oldest first; not yet promised on disk. */
  | { readonly kind: "final"; readonly nodes: readonly BlockNode[] };

export type AddOutcome =
  /** `nodes`: the block and any orphans that waited for it, parents first. */
  | { readonly kind: "added"; readonly nodes: readonly BlockNode[] }
  | { readonly kind: "known"; readonly node: BlockNode }
  | { readonly kind: "orphan" }
  /** At or below the irreversible block and not of its branch, or long since pruned. */
  | { readonly kind: "stale" }
  | { readonly kind: "rejected"; readonly reason: InvalidReason };

/** A run of irreversible blocks for the state database. */
export interface Flush {
  readonly nodes: readonly BlockNode[];
  readonly changes: readonly StateChange[];
}

/** A block being executed; `next` is the index of its next transaction. */
interface Running {
  readonly node: BlockNode;
  readonly execution: BlockExecution;
  next: number;
}

export class Ledger {
  readonly #setting: ExecutionSetting;
  readonly #forks: ForkDatabase;
  readonly #orphans = new Orphans(ORPHAN_MAX_BYTES, ORPHANS_MAX);
  readonly #headerRule: HeaderRule;
  #head: BlockNode;
  #tip: BlockNode;
  #final: BlockNode;
  #running: Running | undefined;
  #production: Production | undefined;
  /** Irreversible on disk, not yet flushed to the state database; oldest first. */
  #unflushed: BlockNode[] = [];
  #unflushedTransactions = 0;
  #flushing: readonly BlockNode[] | undefined;

  /** @param bottom the irreversible block that `setting.state` is the state of */
  constructor(setting: ExecutionSetting, bottom: Bottom, headerRule: HeaderRule, rejected: readonly string[] = []) {
    this.#setting = setting;
    this.#headerRule = headerRule;
    this.#forks = new ForkDatabase(bottom, rejected);
    this.#head = this.#tip = this.#final = this.#forks.bottom;
  }

  get head(): BlockNode {
    return this.#head;
  }
  get root(): BlockNode {
    return this.#forks.root;
  }
  get bottom(): BlockNode {
    return this.#forks.bottom;
  }
  get best(): BlockNode {
    return this.#forks.best;
  }
  get producing(): boolean {
    return this.#production !== undefined;
  }
  /** True when the head is the best block and nothing is being executed. */
  get settled(): boolean {
    return this.#running === undefined && this.#tip === this.#forks.best && this.#tip === this.#head;
  }
  /** The root was executed: what is to become irreversible next may come. */
  get isRootExecuted(): boolean {
    return this.#running === undefined && isAncestorOrEqual(this.root, this.#tip);
  }
  /** Execution waits for the state database. */
  get isPaused(): boolean {
    return this.#paused();
  }
  /** Sizes of everything bounded here, for metrics and oracles. */
  get sizes(): {
    blocks: number;
    blockBytes: number;
    orphans: number;
    orphanBytes: number;
    unflushedTransactions: number;
    overlayKeys: number;
    windowCount: number;
  } {
    return {
      blocks: this.#forks.size,
      blockBytes: this.#forks.bytes,
      orphans: this.#orphans.size,
      orphanBytes: this.#orphans.bytes,
      unflushedTransactions: this.#unflushedTransactions,
      overlayKeys: this.#setting.state.overlayKeys,
      windowCount: this.#setting.duplicates.size,
    };
  }

  get(id: string): BlockNode | undefined {
    return this.#forks.get(id);
  }
  /** Bytes of blocks that are not on their way out of memory yet; whoever takes blocks in keeps it bounded. */
  get blockBytes(): number {
    return this.#forks.bytes;
  }
  /** The ancestor of the head, or itself, at a height; undefined above it and below the fork database. */
  onHeadBranch(height: number): BlockNode | undefined {
    if (height > this.#head.height) return undefined;
    return this.#forks.isOnBestBranch(this.#head) ? this.#forks.bestAt(height) : ancestorAt(this.#head, height);
  }
  /** The producer sets of this hash that a block at a height may be judged by; undefined: none that is known here. */
  setsNamed(hash: string, height: number): ProducerSets | undefined {
    return this.#forks.setsNamed(hash, height);
  }
  get setsInForce(): readonly Configuration[] {
    return this.#forks.inForce;
  }
  /** Is, or was lately, or may soon be a producer, as far as this node knows the chain. */
  isProducer(key: string): boolean {
    return this.#forks.isProducer(key);
  }
  isOrphan(id: string): boolean {
    return this.#orphans.has(id);
  }
  /** The first ancestor of an orphan that is not here, not even as an orphan. */
  lowestMissing(orphan: Block): string {
    let missing = orphan.header.parent;
    for (let parent = this.#orphans.get(missing); parent !== undefined; parent = this.#orphans.get(missing)) {
      missing = parent.header.parent;
    }
    return missing;
  }
  nodes(): IterableIterator<BlockNode> {
    return this.#forks.all();
  }
  /**
   * Where a transaction is at or below the head, as far back as the duplicate window reaches. The window also holds the
   * block being executed or produced and branches that are only being tried: nobody is told of those.
   */
  findTransaction(id: Uint8Array): { height: number; index: number } | undefined {
    const place = this.#setting.duplicates.find(id, 0);
    if (place === undefined || place.height <= this.bottom.height) return place;
    const ids = ancestorAt(this.#head, place.height)?.block.transactionIds;
    const at = 32 * place.index;
    return ids !== undefined && equalBytes(ids.subarray(at, at + 32), id) ? place : undefined;
  }

  /** Every transaction of the current branch from this height on is found by {@link findTransaction}. */
  get duplicatesFrom(): number {
    return this.#setting.duplicates.firstHeight ?? this.#head.height + 1;
  }

  /** Adds a block whose signature was checked. Orphans that waited for it follow it in. */
  add(block: Block): AddOutcome {
    const known = this.#forks.get(block.id);
    if (known !== undefined) return { kind: "known", node: known };
    if (block.header.height <= this.#forks.bottom.height) return { kind: "stale" };
    const parent = this.#forks.get(block.header.parent);
    if (parent === undefined) {
      this.#orphans.add(block);
      return { kind: "orphan" };
    }
    const first = this.#attach(block, parent);
    if (!first.ok) return { kind: "rejected", reason: first.error };
    const nodes = [first.value];
    for (const node of nodes) {
      for (const orphan of this.#orphans.takeChildrenOf(node.id)) {
        const attached = this.#attach(orphan, node);
        if (attached.ok) nodes.push(attached.value);
      }
    }
    return { kind: "added", nodes };
  }

  /**
   * Takes a block as irreversible: it becomes the root of the fork choice.
   * @returns an error when it contradicts what is irreversible here or is invalid: somebody is broken, halt
   */
  setIrreversible(node: BlockNode): Result<undefined, InvalidReason> {
    if (isAncestorOrEqual(node, this.root)) return ok(undefined);
    if (!isAncestorOrEqual(this.root, node)) {
      return invalid("FINALITY_CONFLICT", `block ${node.id} does not descend from irreversible ${this.root.id}`);
    }
    if (node.invalid !== undefined) {
      return invalid("IRREVERSIBLE_INVALID", `block ${node.id}: ${node.invalid.code} ${node.invalid.detail}`);
    }
    this.#forks.setRoot(node);
    return ok(undefined);
  }

  /** The engine would have the head descend from `node`, or be it; one that is not valid or below the root counts for nothing. */
  choose(node: BlockNode): void {
    this.#forks.choose(node);
  }

  /**
   * The operator rejects a block: with the next {@link work} the head leaves it. One that is not here yet is not taken
   * when it comes.
   * @returns the block that was marked, if it is here; an error when it is irreversible
   */
  reject(id: string): Result<BlockNode | undefined, InvalidReason> {
    const known = this.#forks.get(id);
    if (known !== undefined && isAncestorOrEqual(known, this.root)) {
      return invalid("IRREVERSIBLE", `block ${known.height} ${id} is irreversible`);
    }
    const node = this.#forks.reject(id);
    if (this.#running?.node.invalid !== undefined) {
      this.#running.execution.abort();
      this.#running = undefined;
    }
    return ok(node);
  }

  accept(id: string): void {
    this.#forks.accept(id);
  }

  /**
   * Executes up to `budget` transactions towards the best branch.
   * @returns what happened, and whether there is more to do now
   */
  work(budget: number): { readonly events: readonly LedgerEvent[]; readonly more: boolean } {
    const events: LedgerEvent[] = [];
    let left = budget;
    while (left > 0 && !this.#paused()) {
      if (this.#running !== undefined) left -= this.#runSlice(left, events);
      else if (this.#tip === this.#forks.best || this.#isBroken()) break;
      else if (this.#production !== undefined) this.abortBlock();
      else if (this.#forks.isOnBestBranch(this.#tip)) this.#beginNext();
      else left -= this.#undoTip();
    }
    this.#tellProgress(events);
    const arrived = this.#tip === this.#forks.best || this.#isBroken();
    return { events, more: !this.#paused() && (this.#running !== undefined || !arrived) };
  }

  startBlock(place: ProductionPlace): void {
    if (!this.settled || this.#production !== undefined) throw new Error("not settled, or already producing");
    this.#production = new Production(this.#setting, this.#head, place);
  }

  get production(): Production | undefined {
    return this.#production;
  }

  abortBlock(): void {
    this.#production?.abort();
    this.#production = undefined;
  }

  /** Ends the block being produced; it becomes the tip, and the head with the next {@link work}. */
  finishBlock(sign: (id: string) => Uint8Array): BlockNode {
    if (this.#production === undefined) throw new Error("not producing");
    const { block, execution } = this.#production.finish(sign);
    this.#production = undefined;
    const parent = this.#tip;
    const node = this.#forks.add(block, parent, append(parent.frontier, hexLeaf(block.id)));
    node.execution = execution;
    this.#tip = node;
    return node;
  }

  /**
   * The disk knows that everything up to `node` is irreversible: forget what does not descend from it.
   * @returns blocks of abandoned branches
   */
  release(node: BlockNode): readonly BlockNode[] {
    if (node === this.bottom) return [];
    const released = branch(this.bottom, node);
    const abandoned = this.#forks.prune(node);
    this.#orphans.dropUpTo(node.height);
    this.#unflushed.push(...released);
    for (const each of released) this.#unflushedTransactions += each.block.transactions.count;
    this.#setting.duplicates.expireBelow(node.block.header.time - this.#setting.limits.expiryAheadMs, node.height);
    return abandoned;
  }

  /** Irreversible transactions that the state database does not hold yet. */
  get unflushedTransactions(): number {
    return this.#unflushedTransactions;
  }
  get isFlushing(): boolean {
    return this.#flushing !== undefined;
  }
  /** Are there irreversible blocks that no flush has taken yet? */
  get hasUnflushed(): boolean {
    return this.#unflushed.length > 0;
  }

  /** The irreversible block of a height while the state database does not hold what its execution gave. */
  unflushedAt(height: number): BlockNode | undefined {
    const flushing = this.#flushing ?? [];
    const index = height - (flushing[0] ?? this.#unflushed[0] ?? this.bottom).height;
    return flushing[index] ?? this.#unflushed[index - flushing.length];
  }

  /** Everything releasable to the state database, once the flush before is done; undefined when there is nothing. */
  takeFlush(): Flush | undefined {
    if (this.#flushing !== undefined || this.#unflushed.length === 0) return undefined;
    const nodes = this.#unflushed;
    this.#flushing = nodes;
    this.#unflushed = [];
    const { state } = this.#setting;
    const last = nodes.at(-1) as BlockNode;
    return { nodes, changes: state.netChanges(nodes.map(undoOf), this.#undosAbove(), last.height) };
  }

  /** The flush taken last is readable from the state database. */
  flushed(): void {
    if (this.#flushing === undefined) throw new Error("no flush is under way");
    const nodes = this.#flushing;
    this.#flushing = undefined;
    this.#setting.state.flushed((nodes.at(-1) as BlockNode).height, nodes.map(undoOf));
    for (const node of nodes) {
      this.#unflushedTransactions -= node.block.transactions.count;
      // The bottom stays in the fork database without its undo: nobody goes below it.
      node.execution = node === this.bottom ? node.execution : undefined;
    }
  }

  /** Reads the state as of the irreversible block that the disk knows, or as of the tip. */
  read(key: string, at: "irreversible" | "head"): Uint8Array | undefined {
    return this.#setting.state.getBelow(key, at === "head" ? [] : this.#undosAbove());
  }

  /** As {@link read}, for keys with `start <= key < end`. */
  readRange(
    start: string,
    end: string | undefined,
    limit: number,
    at: "irreversible" | "head",
  ): { key: string; value: Uint8Array }[] {
    // The chain's own key is read by its name only.
    const from = start === PRODUCER_SET_KEY ? FIRST_APPLICATION_KEY : start;
    return this.#setting.state.rangeBelow(from, end, limit, at === "head" ? [] : this.#undosAbove());
  }

  #undosAbove(): BlockUndo[] {
    return branch(this.bottom, this.#tip).map(undoOf);
  }

  /** What was said to be irreversible is not valid here: there is nowhere to go, and whoever is told halts. */
  #isBroken(): boolean {
    return this.#forks.best.invalid !== undefined;
  }

  #paused(): boolean {
    return this.#unflushedTransactions > UNFLUSHED_MAX_TRANSACTIONS;
  }

  #attach(block: Block, parent: BlockNode): Result<BlockNode, InvalidReason> {
    const chain: RuleChain = {
      idAt: (height) => ancestorAt(parent, height)?.id,
      setsNamed: (hash, height) => this.#forks.setsNamed(hash, height),
    };
    const reason = headerFault(block, parent, this.#setting) ?? this.#headerRule(block, parent, chain);
    if (reason !== undefined) return err(reason);
    return ok(this.#forks.add(block, parent, append(parent.frontier, hexLeaf(block.id))));
  }

  #beginNext(): void {
    const node = this.#forks.bestAt(this.#tip.height + 1) as BlockNode;
    this.#running = { node, execution: new BlockExecution(this.#setting, placeOf(node)), next: 0 };
  }

  /** @returns transactions executed, at least 1 so that empty blocks use up the budget, too */
  #runSlice(budget: number, events: LedgerEvent[]): number {
    const running = this.#running as Running;
    const { node, execution } = running;
    const { transactions, transactionIds } = node.block;
    const end = Math.min(transactions.count, running.next + budget);
    const started = running.next;
    for (; running.next < end; running.next++) {
      const applied = execution.apply(elementAt(transactions, running.next), transactionIds, 32 * running.next);
      if (!applied.ok) {
        const detail = `transaction ${running.next}: ${applied.error.code} ${applied.error.detail}`;
        this.#rejectRunning({ code: applied.error.code, detail }, events);
        return Math.max(1, running.next - started);
      }
    }
    if (running.next === transactions.count) this.#finishRunning(events);
    return Math.max(1, end - started);
  }

  #finishRunning(events: LedgerEvent[]): void {
    const { node, execution } = this.#running as Running;
    this.#running = undefined;
    const parent = node.parent as BlockNode;
    const outcome = execution.finish(parent.block.header.stateHash);
    const { header } = node.block;
    this.#tip = node;
    node.execution = outcome;
    const wrong =
      outcome.receiptRoot !== header.receiptRoot
        ? "receiptRoot"
        : outcome.stateHash !== header.stateHash
          ? "stateHash"
          : outcome.proposed?.hash !== header.nextConfiguration
            ? "nextConfiguration"
            : undefined;
    if (wrong === undefined) return;
    this.#undoTip();
    const reason = { code: "EXECUTION_DIFFERS", detail: `${wrong} of block ${node.height} ${node.id}` };
    this.#markInvalid(node, reason, events);
  }

  #rejectRunning(reason: InvalidReason, events: LedgerEvent[]): void {
    const { node, execution } = this.#running as Running;
    execution.abort();
    this.#running = undefined;
    this.#markInvalid(node, reason, events);
  }

  #markInvalid(node: BlockNode, reason: InvalidReason, events: LedgerEvent[]): void {
    this.#forks.markInvalid(node, reason);
    events.push({ kind: "invalid", node, reason });
  }

  /** @returns the cost in transactions */
  #undoTip(): number {
    const node = this.#tip;
    if (node.execution === undefined || node.parent === undefined) throw new Error(`block ${node.id} cannot be undone`);
    this.#setting.state.undoBlock(node.execution.undo);
    this.#setting.duplicates.pop();
    node.execution = undefined;
    this.#tip = node.parent;
    return 1 + Math.floor(node.block.transactions.count / 4);
  }

  #tellProgress(events: LedgerEvent[]): void {
    const executedRoot = this.#running === undefined && isAncestorOrEqual(this.root, this.#tip);
    const arrived = this.#running === undefined && this.#tip === this.#forks.best;
    const headLeft = executedRoot && !isAncestorOrEqual(this.root, this.#head);
    if (this.#tip !== this.#head && (arrived || headLeft)) {
      const from = this.#head;
      const fork = commonAncestor(from, this.#tip);
      this.#head = this.#tip;
      events.push({
        kind: "head",
        from,
        to: this.#tip,
        undone: branch(fork, from).reverse(),
        applied: branch(fork, this.#tip),
      });
    }
    if (
      this.root !== this.#final &&
      isAncestorOrEqual(this.root, this.#tip) &&
      isAncestorOrEqual(this.root, this.#head)
    ) {
      events.push({ kind: "final", nodes: branch(this.#final, this.root) });
      this.#final = this.root;
    }
  }
}

function placeOf(node: BlockNode): BlockPlace {
  const { height, time, view } = node.block.header;
  return { height, time, view, sets: node.sets };
}

function undoOf(node: BlockNode): BlockUndo {
  if (node.execution === undefined) throw new Error(`block ${node.height} ${node.id} was not executed`);
  return node.execution.undo;
}

function hexLeaf(id: string): Uint8Array {
  return leafHash(hexBytes(id));
}

function invalid(code: string, detail: string): Result<undefined, InvalidReason> {
  return err({ code, detail });
}
