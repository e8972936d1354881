/**
 * Four producers, one of them a liar, as far as voting goes: which blocks exist, who has voted for what, what each honest
 * one has promised. Messages are never lost and never have to arrive: whatever was said may be used at any time, so every
 * order of delivery is covered. All decisions are those of the product's own rules.
 */
import * as product from "../../../consensus/bft/rules.ts";
import type { Opening, Promises } from "../../../consensus/bft/rules.ts";
import { makeConfiguration } from "../../../chain/configuration.ts";
import type { Step } from "../worlds.ts";

/** The rules of `consensus/bft/rules.ts`; a mutation replaces some. */
export type Rules = typeof product;

/** Faults of the engine around the rules. */
export interface Wiring {
  /** A vote or view change leaves before the record is on disk, and a crash forgets it [B5]. */
  readonly sendsBeforePersist?: boolean;
  /** A producer's own vote counts before it is on disk [S5]. */
  readonly countsOwnEarly?: boolean;
}

export interface Bounds {
  /** Views from 1 to this one. */
  readonly views: number;
  /** Blocks above block 0. */
  readonly blocks: number;
  /** Index of the liar: the leader of the views that are congruent to it. */
  readonly liar: number;
  /** Blocks may say that their parent is irreversible. */
  readonly claims?: boolean;
}

export interface ModelBlock {
  readonly id: string;
  readonly height: number;
  readonly view: number;
  readonly closing: boolean;
  readonly parent: ModelBlock | undefined;
  /** Height up to which it says that blocks are irreversible. */
  readonly irreversibleHeight: number;
}

export interface World {
  /** By id, block 0 first. */
  readonly blocks: readonly ModelBlock[];
  /** Of honest producers, by block: a bit for each. */
  readonly prepares: Readonly<Record<string, number>>;
  readonly commits: Readonly<Record<string, number>>;
  /** By producer, then view: the block reported. */
  readonly reports: readonly Readonly<Record<number, ModelBlock>>[];
  readonly promises: readonly Promises[];
  /** What an honest producer takes to be irreversible otherwise than by a quorum of commits that were sent. */
  readonly believed: readonly ModelBlock[];
}

const PRODUCERS = 4;
/** Above all blocks. */
const FORGED_HEIGHT = 1_000;
const GENESIS: ModelBlock = { id: "0", height: 0, view: 0, closing: true, parent: undefined, irreversibleHeight: 0 };
const CONFIGURATION = makeConfiguration([0, 1, 2, 3].map((i) => `${i}`.repeat(64)));
const QUORUM = product.quorumOf(CONFIGURATION);

function firstWorld(): World {
  const promises = { view: 0, viewChangeSent: 0, lastPrepared: undefined, lastCommitted: undefined, highQc: GENESIS };
  return {
    blocks: [GENESIS],
    prepares: {},
    commits: {},
    reports: Array.from({ length: PRODUCERS }, () => ({})),
    promises: Array.from({ length: PRODUCERS }, () => promises),
    believed: [],
  };
}

export class Model {
  readonly first = firstWorld();
  readonly #rules: Rules;
  readonly #wiring: Wiring;
  readonly #bounds: Bounds;
  readonly #honest: readonly number[];

  constructor(bounds: Bounds, changed: Partial<Rules> = {}, wiring: Wiring = {}) {
    this.#bounds = bounds;
    this.#rules = { ...product, ...changed };
    this.#wiring = wiring;
    this.#honest = [0, 1, 2, 3].filter((i) => i !== bounds.liar);
  }

  /** Everything that can happen next. */
  *steps(world: World): Generator<Step<World>> {
    if (world.blocks.length <= this.#bounds.blocks) yield* this.#productions(world);
    for (const i of this.#honest) {
      for (const block of world.blocks) {
        if (block === GENESIS) continue;
        yield* this.#prepare(world, i, block);
        yield* this.#commit(world, i, block);
      }
      yield* this.#viewChange(world, i);
    }
  }

  /** Two blocks that are decided and on different branches; undefined: there are none. */
  conflict(world: World): readonly [ModelBlock, ModelBlock] | undefined {
    const decided = [...world.blocks.filter((block) => this.#isDecided(world, block)), ...world.believed];
    for (const a of decided) for (const b of decided) if (!precedes(a, b) && !precedes(b, a)) return [a, b];
    return undefined;
  }

  /** Names a world: two of one name go on alike. Honest producers that lead no view are interchangeable. */
  nameOf(world: World): string {
    const leading: string[] = [];
    const others: string[] = [];
    for (const i of this.#honest) {
      const votes = world.blocks.map(({ id }) => hasBit(world.prepares, id, i) + 2 * hasBit(world.commits, id, i));
      const reports = Object.entries(world.reports[i] ?? {}).map(([view, { id }]) => `${view}:${id}`);
      const { view, viewChangeSent, lastPrepared, lastCommitted, highQc } = world.promises[i] as Promises;
      const promises = [view, viewChangeSent, lastPrepared?.id, lastCommitted?.id, highQc.id];
      const leads = Array.from({ length: this.#bounds.views }, (_, at) => (at + 1) % PRODUCERS).includes(i);
      (leads ? leading : others).push(`${votes.join("")} ${promises.join(" ")} ${reports.join(" ")}`);
    }
    const blocks = world.blocks.map(({ id }) => id);
    const believed = world.believed.map(({ id }) => id).sort();
    return [blocks.join(" "), ...leading, ...others.sort(), believed.join(" ")].join("|");
  }

  *#prepare(world: World, i: number, block: ModelBlock): Generator<Step<World>> {
    if (((world.prepares[block.id] ?? 0) & (1 << i)) !== 0) return;
    const entered = this.#rules.afterEntering(world.promises[i] as Promises, block.view);
    if (!this.#rules.mayPrepare(entered, block, isBefore)) return;
    const said = { ...world, prepares: withBit(world.prepares, block, i) };
    yield { name: `${i} prepares ${block.id}`, world: promising(said, i, this.#rules.afterPrepare(entered, block)) };
    if (this.#wiring.sendsBeforePersist) yield { name: `${i} prepares ${block.id} and forgets it`, world: said };
  }

  *#commit(world: World, i: number, block: ModelBlock): Generator<Step<World>> {
    if (((world.commits[block.id] ?? 0) & (1 << i)) !== 0 || !this.#isCertified(world, block)) return;
    const promises = world.promises[i] as Promises;
    if (!this.#rules.mayCommit(promises, block, isBefore)) return;
    const said = { ...world, commits: withBit(world.commits, block, i) };
    yield { name: `${i} commits ${block.id}`, world: promising(said, i, this.#rules.afterCommit(promises, block)) };
    if (this.#wiring.sendsBeforePersist) yield { name: `${i} commits ${block.id} and forgets it`, world: said };
    if (this.#wiring.countsOwnEarly && this.#isDecided(said, block) && !world.believed.includes(block)) {
      yield {
        name: `${i} decides ${block.id} and forgets it`,
        world: { ...world, believed: [...world.believed, block] },
      };
    }
  }

  *#viewChange(world: World, i: number): Generator<Step<World>> {
    const promises = world.promises[i] as Promises;
    for (let view = promises.view + 1; view <= this.#bounds.views; view++) {
      const next = this.#rules.afterViewChange(promises, view);
      const report = this.#rules.reportOf(next) as ModelBlock;
      const reports = world.reports.map((each, at) => (at === i ? { ...each, [view]: report } : each));
      const said = { ...world, reports };
      yield { name: `${i} asks for view ${view} with ${report.id}`, world: promising(said, i, next) };
      if (this.#wiring.sendsBeforePersist) {
        if (world.reports[i]?.[view] === undefined)
          yield { name: `${i} asks for view ${view} with ${report.id} and forgets it`, world: said };
      }
    }
  }

  *#productions(world: World): Generator<Step<World>> {
    for (const parent of world.blocks) {
      for (let view = Math.max(1, parent.view); view <= this.#bounds.views; view++) {
        const leader = view % PRODUCERS;
        if (!this.#mayLead(world, leader, view, parent)) continue;
        if (!this.#openings(world, view, parent).some((each) => this.#isValid(view, parent, each))) continue;
        yield* this.#children(world, parent, view, leader === this.#bounds.liar);
      }
    }
  }

  /** An honest leader makes one chain a view, unless it has left the view; the liar does as it likes. */
  #mayLead(world: World, leader: number, view: number, parent: ModelBlock): boolean {
    if (leader === this.#bounds.liar) return true;
    const { view: own, viewChangeSent } = world.promises[leader] as Promises;
    if (own > view || viewChangeSent > view) return false;
    const made = world.blocks.filter((block) => block.view === view);
    return made.every((block) => precedes(block, parent));
  }

  *#children(world: World, parent: ModelBlock, view: number, isLiar: boolean): Generator<Step<World>> {
    // The liar makes two of a kind, which differ in nothing else: the second comes after the first.
    for (const variant of isLiar ? ["a", "b"] : ["a"]) {
      for (const closing of [false, true]) {
        for (const claims of this.#bounds.claims ? [false, true] : [false]) {
          const irreversibleHeight = claims ? parent.height : parent.irreversibleHeight;
          const id = `${parent.id}.${view}${variant}${closing ? "c" : ""}${claims ? "!" : ""}`;
          if (world.blocks.some((block) => block.id === id)) continue;
          if (variant === "b" && !world.blocks.some((block) => block.id === id.replace(/b(?=c?!?$)/, "a"))) continue;
          if (!this.#isProven(world, parent, irreversibleHeight)) continue;
          const block = { id, height: parent.height + 1, view, closing, parent, irreversibleHeight };
          const blocks = [...world.blocks, block].sort((a, b) => (a.id < b.id ? -1 : 1));
          const believed = claims && !world.believed.includes(parent) ? [...world.believed, parent] : world.believed;
          yield { name: `block ${id}`, world: { ...world, blocks, believed } };
        }
      }
    }
  }

  #isValid(view: number, parent: ModelBlock, opening: Opening | undefined): boolean {
    return this.#rules.openingFault(view, parent, opening, isBefore) === undefined;
  }

  #isProven(world: World, parent: ModelBlock, irreversibleHeight: number): boolean {
    const proven = ancestorAt(parent, irreversibleHeight);
    const proof = proven !== undefined && this.#isDecided(world, proven) ? proven : undefined;
    const idAt = (height: number) => ancestorAt(parent, height)?.id;
    const needed = irreversibleHeight === parent.irreversibleHeight ? undefined : proof;
    return this.#rules.proofFault(irreversibleHeight, parent.irreversibleHeight, needed, idAt) === undefined;
  }

  /** Whatever a block of `view` on `parent` could show. */
  #openings(world: World, view: number, parent: ModelBlock): (Opening | undefined)[] {
    if (view === parent.view) return [undefined];
    const openings: Opening[] = [{ kind: "handoff", certified: GENESIS }];
    if (parent === GENESIS || this.#isCertified(world, parent)) openings.push({ kind: "handoff", certified: parent });
    for (const highest of this.#highests(world, view)) openings.push({ kind: "timeout", view, highest });
    return openings;
  }

  /** The blocks that a timeout certificate for `view` could show. */
  #highests(world: World, view: number): Set<ModelBlock> {
    const found = new Set<ModelBlock>();
    const told = this.#honest.flatMap((i) => world.reports[i]?.[view] ?? []);
    const certified = (block: ModelBlock) => (block === GENESIS || this.#isCertified(world, block) ? block : undefined);
    // The liar reports whatever passes, or an honest one is in its place; when it leads, also what nobody but it looks at.
    const lies = world.blocks.filter((block) => this.#rules.isReport({ view, highQc: block }, certified(block)));
    const forged = world.blocks.map((block) => ({ ...block, view: view - 1, height: FORGED_HEIGHT }));
    const shown = world.blocks.filter((block) => certified(block) !== undefined || lies.includes(block));
    for (const reports of quorums(told, [...lies, ...forged]))
      for (const each of shown) if (this.#rules.showsGreatest(each, reports)) found.add(each);
    return found;
  }

  #isCertified(world: World, block: ModelBlock): boolean {
    return bitCount(world.prepares[block.id] ?? 0) + 1 >= QUORUM;
  }

  #isDecided(world: World, block: ModelBlock): boolean {
    return bitCount(world.commits[block.id] ?? 0) + 1 >= QUORUM;
  }
}

/** Every quorum of reports: of honest ones, and of one less with a lie. */
function* quorums(told: readonly ModelBlock[], lies: readonly ModelBlock[]): Generator<ModelBlock[]> {
  if (told.length >= QUORUM) yield [...told];
  for (const chosen of subsets(told, QUORUM - 1)) for (const lie of lies) yield [...chosen, lie];
}

function subsets<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, at) => subsets(items.slice(at + 1), size - 1).map((rest) => [item, ...rest]));
}

function promising(world: World, i: number, promises: Promises): World {
  return { ...world, promises: world.promises.map((each, at) => (at === i ? promises : each)) };
}

function withBit(votes: Readonly<Record<string, number>>, block: ModelBlock, i: number): Record<string, number> {
  return { ...votes, [block.id]: (votes[block.id] ?? 0) | (1 << i) };
}

function ancestorAt(block: ModelBlock, height: number): ModelBlock | undefined {
  let at: ModelBlock | undefined = block;
  while (at !== undefined && at.height > height) at = at.parent;
  return at?.height === height ? at : undefined;
}

function precedes(ancestor: ModelBlock, block: ModelBlock): boolean {
  return ancestorAt(block, ancestor.height) === ancestor;
}

const isBefore: product.Precedes = (ancestor, block) => precedes(ancestor as ModelBlock, block as ModelBlock);

function hasBit(votes: Readonly<Record<string, number>>, id: string, i: number): number {
  return ((votes[id] ?? 0) >> i) & 1;
}

function bitCount(bits: number): number {
  return (bits & 1) + ((bits >> 1) & 1) + ((bits >> 2) & 1) + ((bits >> 3) & 1);
}
