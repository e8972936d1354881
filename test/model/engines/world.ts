/**
 * An engine gives way to another (docs/protocol.md, section 4, "Engine change"), as far as voting goes: the change C is
 * decided, D is the first block of its chain that says so, the old engine goes on with carriers until somebody can show D
 * irreversible, and the new engine starts from D. Both sets have to agree from C to D. Each engine is Raft-like (elections, acks of one view) or BFT (the product's own rules).
 *
 * Messages are never lost and never have to arrive: whatever was said may be used at any time. Who crashes is one that does
 * nothing more; records are durable. A liar, where there is one, signs everything.
 */
import * as bft from "../../../consensus/bft/rules.ts";
import type { Opening, Promises } from "../../../consensus/bft/rules.ts";
import type { Step } from "../worlds.ts";
import { type Era, GENESIS, isJoint, isQuorum, type ModelBlock, nearest, precedes } from "./blocks.ts";

export interface Bounds {
  readonly eras: readonly [Era, Era];
  readonly processes: number;
  /** Of a BFT set; no Raft set may have it. */
  readonly liar: number | undefined;
  /** Views from 1 to this one. */
  readonly views: number;
  /** Blocks above the first one. */
  readonly blocks: number;
}

/** What the change rests on; a mutation replaces some. */
export interface Rules {
  /** From C to D both sets have to agree in elections and decisions [S10]. */
  readonly isJoint: boolean;
  /** What the old engine makes on top of D is never irreversible [E1]. */
  readonly carriersDecide: boolean;
  /** The first block of the new engine shows that D is irreversible [E2]: by signatures that satisfy these. */
  readonly anchor: "both" | "old" | "new" | "none";
  /** Acks of several views together [E2]. */
  readonly anchorMixesViews: boolean;
  /** A chain that the new engine goes on with outranks carriers [E2]. */
  readonly anchoredOutranks: boolean;
  /** One view for all engines: whoever enters the new one is past every view that it took part in [E3]. */
  readonly keepsView: boolean;
}

export const RULES: Rules = {
  isJoint: true,
  carriersDecide: false,
  anchor: "both",
  anchorMixesViews: false,
  anchoredOutranks: true,
  keepsView: true,
};

interface Process {
  /** Raft: in which it votes for one at most. */
  readonly view: number;
  readonly votedFor: number | undefined;
  /** Raft: the best block that it acknowledged. */
  readonly head: ModelBlock;
  /** BFT. */
  readonly promises: Promises;
  /** The D from which it runs the new engine. */
  readonly entered: ModelBlock | undefined;
}

type Signers = Readonly<Record<string, number>>;

export interface World {
  /** By id. */
  readonly blocks: readonly ModelBlock[];
  readonly acks: Signers;
  readonly prepares: Signers;
  readonly commits: Signers;
  /** By view and candidate. */
  readonly votes: Signers;
  readonly candidacies: Readonly<Record<string, ModelBlock>>;
  /** By process, then view: what its view change reports. */
  readonly reports: readonly Readonly<Record<number, ModelBlock>>[];
  readonly processes: readonly Process[];
}

export class Model {
  readonly #bounds: Bounds;
  readonly #rules: Rules;
  readonly #honest: readonly number[];
  /** Bits of those that sign everything. */
  readonly #lying: number;

  constructor(bounds: Bounds, changed: Partial<Rules> = {}) {
    this.#bounds = bounds;
    this.#rules = { ...RULES, ...changed };
    this.#honest = Array.from({ length: bounds.processes }, (_, i) => i).filter((i) => i !== bounds.liar);
    this.#lying = bounds.liar === undefined ? 0 : 1 << bounds.liar;
  }

  get first(): World {
    // C is decided, by all, in view 1; who leads it by votes is process 0.
    const change: ModelBlock = { id: "C", height: 1, view: 1, parent: GENESIS, era: 0, kind: "change" };
    const isBft = this.#engineOf(change) === "bft";
    const signers = { [change.id]: this.#honest.reduce((bits, i) => bits | (1 << i), 0) };
    const promises = { ...freshPromises(1, 0, change), lastPrepared: change, lastCommitted: change };
    const process: Process = { view: 1, votedFor: 0, head: change, promises, entered: undefined };
    const all = Array.from({ length: this.#bounds.processes }, () => process);
    return {
      blocks: [change],
      acks: isBft ? {} : signers,
      prepares: isBft ? signers : {},
      commits: isBft ? signers : {},
      votes: isBft ? {} : { "1:0": (signers[change.id] as number) | this.#lying },
      candidacies: isBft ? {} : { "1:0": change },
      reports: all.map(() => ({})),
      processes: all,
    };
  }

  /** Everything that can happen next. */
  *steps(world: World): Generator<Step<World>> {
    for (const i of this.#honest) {
      yield* this.#entry(world, i);
      for (const block of world.blocks) {
        if (!this.#isConcerned(world, i, block)) continue;
        if (this.#engineOf(block) === "raft") yield* this.#ack(world, i, block);
        else {
          yield* this.#prepare(world, i, block);
          yield* this.#commit(world, i, block);
        }
      }
      const engine = this.#engineAt(world, i);
      if (engine === "raft") yield* this.#elections(world, i);
      else yield* this.#viewChanges(world, i);
    }
    if (world.blocks.length > this.#bounds.blocks) return;
    yield* this.#raftBlocks(world);
    yield* this.#bftBlocks(world);
  }

  /** Two blocks that are irreversible and on different branches, whichever engine decided them. */
  conflict(world: World): readonly [ModelBlock, ModelBlock] | undefined {
    const decided = world.blocks.flatMap((block) => (this.#isDecidedAt(world, block) ? [this.#topOf(block)] : []));
    for (const a of decided) for (const b of decided) if (!precedes(a, b) && !precedes(b, a)) return [a, b];
    return undefined;
  }

  /** Has the new engine decided something? A run without that tells little. */
  hasSwitched(world: World): boolean {
    return world.blocks.some((block) => block.era === 1 && this.#isDecidedAt(world, block));
  }

  nameOf({ blocks, acks, prepares, commits, votes, candidacies, reports, processes }: World): string {
    const signed = blocks.map(({ id }) => `${id}:${acks[id] ?? 0}.${prepares[id] ?? 0}.${commits[id] ?? 0}`);
    const elected = Object.keys(votes)
      .sort()
      .map((key) => `${key}=${votes[key]}@${candidacies[key]?.id}`);
    const each = this.#honest.map((i) => {
      const { view, votedFor, head, promises, entered } = processes[i] as Process;
      const { viewChangeSent, lastPrepared, lastCommitted, highQc } = promises;
      const told = Object.entries(reports[i] ?? {}).map(([at, { id }]) => `${at}:${id}`);
      const own = [view, votedFor, head.id, promises.view, viewChangeSent, lastPrepared?.id, lastCommitted?.id];
      return [...own, highQc.id, entered?.id, ...told].join(" ");
    });
    return [...signed, ...elected, ...each].join("|");
  }

  // Who counts

  #engineOf({ era }: ModelBlock): Era["engine"] {
    return this.#bounds.eras[era].engine;
  }

  /** Of the engine that a process runs. */
  #engineAt({ processes }: World, i: number): Era["engine"] {
    return this.#bounds.eras[processes[i]?.entered === undefined ? 0 : 1].engine;
  }

  /** Whoever has entered the new engine has done with the old one. */
  #isConcerned({ processes }: World, i: number, block: ModelBlock): boolean {
    const { entered } = processes[i] as Process;
    return block.era === 0 ? entered === undefined : entered !== undefined && precedes(entered, block);
  }

  /** Whose signatures a block of an era needs on top of a parent. */
  #judges(parent: ModelBlock, era: 0 | 1, kind: ModelBlock["kind"]): readonly Era[] {
    const [old, next] = this.#bounds.eras;
    if (era === 1) return [next];
    return this.#rules.isJoint && (kind === "change" || isJoint(parent)) ? [old, next] : [old];
  }
  #judgesOf(block: ModelBlock): readonly Era[] {
    return this.#judges(block.parent ?? GENESIS, block.era, block.kind);
  }

  // What is decided

  /** Is this block decided, or D where it is a carrier, by signatures at it? */
  #isDecidedAt(world: World, block: ModelBlock): boolean {
    return isQuorum(this.#signersAt(world, block, false), this.#judgesOf(block));
  }

  /** Acks of one view at or above a block of that view [S3], or its commits. */
  #signersAt(world: World, block: ModelBlock, mixesViews: boolean): number {
    if (this.#engineOf(block) === "bft") return (world.commits[block.id] ?? 0) | this.#lying;
    const above = world.blocks.filter(
      (each) => each.era === block.era && precedes(block, each) && (mixesViews || each.view === block.view),
    );
    return above.reduce((signers, { id }) => signers | (world.acks[id] ?? 0), this.#lying);
  }

  /** What is irreversible with this block [E1]. */
  #topOf(block: ModelBlock): ModelBlock {
    if (block.kind !== "carrier" || this.#rules.carriersDecide) return block;
    return nearest(block, "switch") as ModelBlock;
  }

  /** Can D be shown to be irreversible to the new engine [E2]? */
  #isAnchored(world: World, switching: ModelBlock): boolean {
    const [old, next] = this.#bounds.eras;
    const { anchor, anchorMixesViews } = this.#rules;
    if (anchor === "none") return true;
    const judges = { both: [old, next], old: [old], new: [next] }[anchor];
    return world.blocks
      .filter((each) => each.era === 0 && precedes(switching, each))
      .some((each) => isQuorum(this.#signersAt(world, each, anchorMixesViews), judges));
  }

  // Entry

  *#entry(world: World, i: number): Generator<Step<World>> {
    const process = world.processes[i] as Process;
    if (process.entered !== undefined || !this.#bounds.eras[1].producers.includes(i)) return;
    for (const block of world.blocks) {
      if (block.kind !== "switch" || !this.#isAnchored(world, block)) continue;
      const past = Math.max(process.view, process.promises.view);
      // A record of the new engine's own starts where D stands [E3].
      const view = this.#rules.keepsView ? Math.max(past, block.view) : block.view;
      const votedFor = this.#rules.keepsView ? process.votedFor : undefined;
      const promises = freshPromises(view, this.#rules.keepsView ? view : 0, block);
      yield {
        name: `${i} enters at ${block.id}`,
        world: withProcess(world, i, { view, votedFor, head: block, promises, entered: block }),
      };
    }
  }

  // Raft

  #isAtLeast(a: ModelBlock, b: ModelBlock): boolean {
    if (this.#rules.anchoredOutranks && a.era !== b.era) return a.era > b.era;
    return a.view !== b.view ? a.view > b.view : a.height >= b.height;
  }

  *#ack(world: World, i: number, block: ModelBlock): Generator<Step<World>> {
    const process = world.processes[i] as Process;
    if (hasBit(world.acks, block.id, i) || block.view < process.view || !this.#isAtLeast(block, process.head)) return;
    const votedFor = block.view > process.view ? undefined : process.votedFor;
    yield {
      name: `${i} acks ${block.id}`,
      world: withProcess({ ...world, acks: withBit(world.acks, block.id, i) }, i, {
        ...process,
        view: block.view,
        votedFor,
        head: block,
      }),
    };
  }

  *#elections(world: World, i: number): Generator<Step<World>> {
    const process = world.processes[i] as Process;
    for (let view = process.view + 1; view <= this.#bounds.views; view++) {
      const key = `${view}:${i}`;
      const candidacies = { ...world.candidacies, [key]: process.head };
      const said = { ...world, candidacies, votes: withBit(world.votes, key, i) };
      yield { name: `${i} stands for view ${view}`, world: withProcess(said, i, { ...process, view, votedFor: i }) };
    }
    for (const [key, head] of Object.entries(world.candidacies)) {
      const [view, candidate] = key.split(":").map(Number) as [number, number];
      if (view < process.view || (view === process.view && process.votedFor !== undefined)) continue; // [R1]
      if (!this.#isAtLeast(head, process.head) || hasBit(world.votes, key, i)) continue; // [S1]
      const said = { ...world, votes: withBit(world.votes, key, i) };
      yield {
        name: `${i} votes for ${candidate} in view ${view}`,
        world: withProcess(said, i, { ...process, view, votedFor: candidate }),
      };
    }
  }

  *#raftBlocks(world: World): Generator<Step<World>> {
    for (const [key, head] of Object.entries(world.candidacies)) {
      const [view, leader] = key.split(":").map(Number) as [number, number];
      const { view: own, entered } = world.processes[leader] as Process;
      if (own !== view) continue;
      const made = world.blocks.filter((block) => block.view === view && block.id.includes(`.${view}r${leader}`));
      const parent = made.reduce((top, block) => (block.height > top.height ? block : top), head);
      for (const { block, judges } of this.#childrenOf(world, parent, view, `r${leader}`)) {
        if (this.#engineOf(block) !== "raft") continue;
        if ((block.era === 1) !== (entered !== undefined)) continue;
        // The view opens once: with a carrier, or with the new engine's first block.
        if (block.era === 1 && made.some(({ era }) => era === 0)) continue;
        if (!isQuorum((world.votes[key] ?? 0) | this.#lying, judges)) continue;
        yield withBlock(world, block);
      }
    }
  }

  // BFT

  *#prepare(world: World, i: number, block: ModelBlock): Generator<Step<World>> {
    if (hasBit(world.prepares, block.id, i)) return;
    const process = world.processes[i] as Process;
    const entered = bft.afterEntering(process.promises, block.view);
    if (!bft.mayPrepare(entered, block, isBefore)) return;
    const said = { ...world, prepares: withBit(world.prepares, block.id, i) };
    const promises = bft.afterPrepare(entered, block);
    yield { name: `${i} prepares ${block.id}`, world: withProcess(said, i, { ...process, promises }) };
  }

  *#commit(world: World, i: number, block: ModelBlock): Generator<Step<World>> {
    if (hasBit(world.commits, block.id, i) || !this.#isCertified(world, block)) return;
    const process = world.processes[i] as Process;
    if (!bft.mayCommit(process.promises, block, isBefore)) return;
    const said = { ...world, commits: withBit(world.commits, block.id, i) };
    const promises = bft.afterCommit(process.promises, block);
    yield { name: `${i} commits ${block.id}`, world: withProcess(said, i, { ...process, promises }) };
  }

  *#viewChanges(world: World, i: number): Generator<Step<World>> {
    const process = world.processes[i] as Process;
    for (let view = process.promises.view + 1; view <= this.#bounds.views; view++) {
      const promises = bft.afterViewChange(process.promises, view);
      const report = bft.reportOf(promises) as ModelBlock;
      const reports = world.reports.map((each, at) => (at === i ? { ...each, [view]: report } : each));
      yield {
        name: `${i} asks for view ${view} with ${report.id}`,
        world: withProcess({ ...world, reports }, i, { ...process, promises }),
      };
    }
  }

  *#bftBlocks(world: World): Generator<Step<World>> {
    for (const parent of world.blocks) {
      for (let view = Math.max(1, parent.view); view <= this.#bounds.views; view++) {
        for (const each of this.#childrenOf(world, parent, view, "b"))
          if (each.block.parent === parent) yield* this.#bftBlock(world, each, parent, view);
      }
    }
  }

  *#bftBlock(world: World, { block, judges }: Child, parent: ModelBlock, view: number): Generator<Step<World>> {
    if (this.#engineOf(block) !== "bft") return;
    const { producers } = this.#bounds.eras[block.era];
    const leader = producers[view % producers.length] as number;
    const isLiar = leader === this.#bounds.liar;
    if (!isLiar && !this.#mayLead(world, leader, block, parent)) return;
    // To the new engine D is certified by what shows it irreversible.
    const isCertified = block.era > parent.era || this.#isCertified(world, parent);
    const openings = this.#openings(world, view, parent, isCertified, judges);
    const above = { ...parent, closing: parent.kind === "switch" };
    if (!openings.some((each) => bft.openingFault(view, above, each, isBefore) === undefined)) return;
    if (!isLiar) return yield withBlock(world, block);
    // The liar makes two of a kind.
    for (const variant of ["", "'"]) {
      const twin = { ...block, id: `${block.id}${variant}` };
      if (!world.blocks.some(({ id }) => id === twin.id)) return yield withBlock(world, twin);
    }
  }

  /** An honest leader makes one chain a view, unless it has left the view. */
  #mayLead(world: World, leader: number, block: ModelBlock, parent: ModelBlock): boolean {
    const { promises, entered } = world.processes[leader] as Process;
    if ((block.era === 1) !== (entered !== undefined)) return false;
    if (promises.view > block.view || promises.viewChangeSent > block.view) return false;
    return world.blocks.filter(({ view }) => view === block.view).every((each) => precedes(each, parent));
  }

  /** Whatever a block of `view` on `parent` could show. */
  #openings(
    world: World,
    view: number,
    parent: ModelBlock,
    isCertified: boolean,
    judges: readonly Era[],
  ): (Opening | undefined)[] {
    if (view === parent.view) return [undefined];
    const openings: Opening[] = isCertified ? [{ kind: "handoff", certified: parent }] : [];
    for (const highest of this.#highests(world, view, judges)) openings.push({ kind: "timeout", view, highest });
    return openings;
  }

  /** The blocks that a timeout certificate for `view` could show: the greatest of a quorum's reports. */
  #highests(world: World, view: number, judges: readonly Era[]): Set<ModelBlock> {
    const found = new Set<ModelBlock>();
    const told = this.#honest.filter((i) => world.reports[i]?.[view] !== undefined);
    for (const chosen of subsets(told)) {
      const signers = chosen.reduce((bits, i) => bits | (1 << i), this.#lying);
      if (!isQuorum(signers, judges)) continue;
      const reports = chosen.map((i) => world.reports[i]?.[view] as ModelBlock);
      const greatest = bft.greatestReport(reports) as ModelBlock | undefined;
      // The liar reports the least there is, or as much as passes.
      if (greatest !== undefined) found.add(greatest);
    }
    return found;
  }

  #isCertified(world: World, block: ModelBlock): boolean {
    return isQuorum((world.prepares[block.id] ?? 0) | this.#lying, this.#judgesOf(block));
  }

  // Blocks

  /** What may follow a block, of any engine. */
  *#childrenOf(world: World, parent: ModelBlock, view: number, by: string): Generator<Child> {
    const switching = nearest(parent, "switch");
    if (parent.era === 1) return yield* this.#child(world, parent, view, by, 1, "plain");
    if (switching === undefined) {
      yield* this.#child(world, parent, view, by, 0, "plain");
      return yield* this.#child(world, parent, view, by, 0, "switch");
    }
    if (view > parent.view) yield* this.#child(world, parent, view, by, 0, "carrier");
    if (view > switching.view && this.#isAnchored(world, switching))
      yield* this.#child(world, switching, view, by, 1, "plain");
  }

  *#child(
    world: World,
    parent: ModelBlock,
    view: number,
    by: string,
    era: 0 | 1,
    kind: ModelBlock["kind"],
  ): Generator<Child> {
    const id = `${parent.id}.${view}${by}${{ plain: "", change: "C", switch: "D", carrier: "k" }[kind]}${era === 1 ? "+" : ""}`;
    const isThere = world.blocks.some((block) => block.id === id);
    if (isThere && by !== "b") return;
    const block: ModelBlock = { id, height: parent.height + 1, view, parent, era, kind };
    yield { block, judges: this.#judges(parent, era, kind) };
  }
}

interface Child {
  readonly block: ModelBlock;
  /** Whose votes, or view changes, its view needs. */
  readonly judges: readonly Era[];
}

function freshPromises(view: number, viewChangeSent: number, highQc: ModelBlock): Promises {
  return { view, viewChangeSent, lastPrepared: undefined, lastCommitted: undefined, highQc };
}

function withProcess(world: World, i: number, process: Process): World {
  return { ...world, processes: world.processes.map((each, at) => (at === i ? process : each)) };
}

function withBlock(world: World, block: ModelBlock): Step<World> {
  const blocks = [...world.blocks, block].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { name: `block ${block.id}`, world: { ...world, blocks } };
}

function withBit(signers: Signers, key: string, i: number): Signers {
  return { ...signers, [key]: (signers[key] ?? 0) | (1 << i) };
}

function hasBit(signers: Signers, key: string, i: number): boolean {
  return (((signers[key] ?? 0) >> i) & 1) === 1;
}

function subsets<T>(items: readonly T[]): T[][] {
  return items.reduce<T[][]>((all, item) => [...all, ...all.map((each) => [...each, item])], [[]]);
}

const isBefore: bft.Precedes = (ancestor, block) => precedes(ancestor as ModelBlock, block as ModelBlock);
