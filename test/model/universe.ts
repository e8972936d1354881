/** All blocks that may exist in one search: a trunk on the genesis, and one or two forks on its end. */
import type { Block } from "../../chain/block.ts";
import { compareRefs } from "../../chain/header.ts";
import { type NaiveBlock, naiveChild, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

/** Views of the blocks of each part, lowest block first. Along a branch they never decrease. */
export interface Shape {
  readonly trunk: readonly number[];
  readonly left: readonly number[];
  readonly right: readonly number[];
  /** The highest block of each fork says in its header that the trunk is irreversible. */
  readonly tells?: boolean;
}

export interface UniverseBlock {
  /** `t1`: the trunk's block of height 1; `l2`, `r2`: blocks of the forks. */
  readonly name: string;
  readonly block: Block;
  readonly parent: UniverseBlock | undefined;
}

export const GENESIS = testGenesis();
export const GENESIS_BLOCK = naiveGenesis(GENESIS);

export class Universe {
  readonly name: string;
  /** The genesis first, parents before children. */
  readonly blocks: readonly UniverseBlock[];
  /** Height of a block that is irreversible from the start, because headers say so; 0: none. */
  readonly decidedHeight: number;
  readonly #byId = new Map<string, UniverseBlock>();

  constructor(shape: Shape) {
    this.name = nameOf(shape);
    const genesis = { name: "g", block: GENESIS_BLOCK.block, parent: undefined };
    const blocks: UniverseBlock[] = [genesis];
    const naive = new Map<UniverseBlock, NaiveBlock>([[genesis, GENESIS_BLOCK]]);
    this.decidedHeight = shape.tells === true ? shape.trunk.length : 0;
    const grow = (letter: string, from: UniverseBlock, views: readonly number[], tells: boolean): UniverseBlock => {
      let parent = from;
      for (const [index, view] of views.entries()) {
        const above = naive.get(parent) as NaiveBlock;
        // Another time makes another block where two forks have one view.
        const time = above.block.header.time + (letter === "r" ? 2 : 1);
        const told = tells && index === views.length - 1 ? { irreversibleHeight: this.decidedHeight } : {};
        const made = naiveChild(GENESIS, above, { view, time, ...told });
        parent = { name: `${letter}${made.height}`, block: made.block, parent };
        naive.set(parent, made);
        blocks.push(parent);
      }
      return parent;
    };
    const trunk = grow("t", genesis, shape.trunk, false);
    grow("l", trunk, shape.left, shape.tells === true);
    grow("r", trunk, shape.right, shape.tells === true);
    this.blocks = blocks;
    for (const each of blocks) this.#byId.set(each.block.id, each);
  }

  of(id: string): UniverseBlock {
    const found = this.#byId.get(id);
    if (found === undefined) throw new Error(`no block ${id} in this search`);
    return found;
  }

  /** Name of a block; "-": none. */
  nameOf(id: string | undefined): string {
    return id === undefined ? "-" : this.of(id).name;
  }
}

/** Whether `block` is `ancestor` or descends from it. */
export function descends(block: UniverseBlock, ancestor: UniverseBlock): boolean {
  for (let at: UniverseBlock | undefined = block; at !== undefined; at = at.parent) if (at === ancestor) return true;
  return false;
}

export function onOneBranch(a: UniverseBlock, b: UniverseBlock): boolean {
  return descends(a, b) || descends(b, a);
}

function nameOf({ trunk, left, right, tells }: Shape): string {
  return `trunk [${trunk.join(" ")}] forks [${left.join(" ")}] [${right.join(" ")}]${tells === true ? " told" : ""}`;
}

/**
 * Every shape of so many blocks; what fewer blocks do is among what these do, as no block needs to come. Of shapes
 * whose blocks rank in the same order there is one: nothing else of views and ids is looked at.
 */
export function shapes(blocks: number): Shape[] {
  const found = new Map<string, Shape>();
  for (let trunk = 0; trunk <= blocks; trunk++) {
    for (let right = 0; right <= (blocks - trunk) / 2; right++) {
      // One fork alone is a longer trunk.
      if (right === 0 && trunk < blocks) continue;
      for (const shape of viewings(trunk, blocks - trunk - right, right)) {
        const order = rankOrder(shape);
        if (!found.has(order) && !found.has(mirrored(order, shape))) found.set(order, shape);
      }
    }
  }
  return [...found.values()];
}

function rankOrder(shape: Shape): string {
  const { blocks } = new Universe(shape);
  const refs = blocks.map(({ name, block }) => ({
    name,
    id: block.id,
    view: block.header.view,
    height: block.header.height,
  }));
  return refs
    .sort(compareRefs)
    .map(({ name }) => name)
    .join(" ");
}

/** The same with the forks' names exchanged, where they are of one length. */
function mirrored(order: string, { left, right }: Shape): string {
  if (left.length !== right.length) return order;
  return order.replaceAll("l", "_").replaceAll("r", "l").replaceAll("_", "r");
}

function viewings(trunk: number, left: number, right: number): Shape[] {
  const result: Shape[] = [];
  const total = trunk + left + right;
  const choose = (views: readonly number[]): void => {
    if (views.length === total) {
      if (new Set(views).size === Math.max(...views)) {
        result.push({
          trunk: views.slice(0, trunk),
          left: views.slice(trunk, trunk + left),
          right: views.slice(trunk + left),
        });
      }
      return;
    }
    const at = views.length;
    const parent = at === 0 ? undefined : at === trunk + left ? views[trunk - 1] : views[at - 1];
    for (let view = parent ?? 1; view <= total; view++) choose([...views, view]);
  };
  choose([]);
  return result;
}
