import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ancestorAt,
  type BlockNode,
  branch,
  commonAncestor,
  ForkDatabase,
  isAncestorOrEqual,
} from "../../chain/forkDatabase.ts";
import { compareRefs } from "../../chain/header.ts";
import { firstSets } from "../../chain/producerSets.ts";
import { lineOf, type NaiveBlock, naiveChild, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const root = naiveGenesis(genesis);
/** A tree: block i + 1 is a child of block `shape[i] mod (i + 1)`, and often of a higher view. */
const tree = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 20 }).map((shape) => {
  const blocks: NaiveBlock[] = [root];
  shape.forEach((n, i) => {
    const parent = blocks[n % (i + 1)] as NaiveBlock;
    blocks.push(
      naiveChild(genesis, parent, {
        view: Math.max(1, parent.view + (n % 3 === 0 ? n % 4 : 0)),
        time: parent.block.header.time + 1 + i,
      }),
    );
  });
  return blocks;
});

function databaseOf(blocks: readonly NaiveBlock[]): { forks: ForkDatabase; nodes: BlockNode[] } {
  const [bottom, ...others] = blocks as [NaiveBlock, ...NaiveBlock[]];
  const forks = new ForkDatabase({ ...bottom, producerSets: firstSets(genesis.configuration) });
  for (const { block, parent, frontier } of others)
    forks.add(block, forks.get((parent as NaiveBlock).id) as BlockNode, frontier);
  return { forks, nodes: blocks.map((each) => forks.get(each.id) as BlockNode) };
}

describe("fork database (DESIGN section 8)", () => {
  it("best = the greatest by (view, height, id) of the valid blocks under the root, after any marks and roots", () => {
    const step = fc.record({ mark: fc.boolean(), n: fc.nat(1_000) });
    fc.assert(
      fc.property(tree, fc.array(step, { maxLength: 8 }), (blocks, steps) => {
        const { forks, nodes } = databaseOf(blocks);
        const invalid = new Set<NaiveBlock>();
        let under = root;
        const isGood = (block: NaiveBlock): boolean => !lineOf(block).some((each) => invalid.has(each));
        const check = (): void => {
          const running = blocks.filter((each) => isGood(each) && lineOf(each).includes(under));
          expect(forks.best.id).toBe(
            running.reduce((best, each) => (compareRefs(each, best) > 0 ? each : best), under).id,
          );
          blocks.forEach((each, i) => expect(nodes[i]?.invalid === undefined).toBe(isGood(each)));
        };
        check();
        for (const { mark, n } of steps) {
          const at = n % blocks.length;
          const block = blocks[at] as NaiveBlock;
          if (mark && !lineOf(under).includes(block)) {
            forks.markInvalid(nodes[at] as BlockNode, { code: "ODD", detail: "" });
            invalid.add(block);
          } else if (!mark && isGood(block) && lineOf(block).includes(under)) {
            forks.setRoot(nodes[at] as BlockNode);
            under = block;
          } else if (!mark && !lineOf(block).includes(under))
            expect(() => forks.setRoot(nodes[at] as BlockNode)).toThrow();
          check();
        }
      }),
      { numRuns: 200 },
    );
  });

  it("ancestors, common ancestors and branches are those of the tree", () => {
    fc.assert(
      fc.property(tree, fc.nat(1_000), fc.nat(1_000), (blocks, m, n) => {
        const { forks, nodes } = databaseOf(blocks);
        const [i, j] = [m % blocks.length, n % blocks.length];
        const [left, right] = [blocks[i] as NaiveBlock, blocks[j] as NaiveBlock];
        const [a, b] = [nodes[i] as BlockNode, nodes[j] as BlockNode];
        const shared = lineOf(left).find((each) => lineOf(right).includes(each)) as NaiveBlock;
        expect(commonAncestor(a, b).id).toBe(shared.id);
        expect(isAncestorOrEqual(a, b)).toBe(lineOf(right).includes(left));
        expect(ancestorAt(a, right.height)?.id).toBe(lineOf(left).find((each) => each.height === right.height)?.id);
        const path = lineOf(left)
          .slice(0, left.height - shared.height)
          .reverse();
        expect(branch(forks.get(shared.id) as BlockNode, a).map((each) => each.id)).toEqual(
          path.map((each) => each.id),
        );
        if (shared !== left) expect(() => branch(a, b)).toThrow();
      }),
      { numRuns: 100 },
    );
  });

  it("pruning keeps what descends from the block, and gives back the abandoned but not its ancestors", () => {
    fc.assert(
      fc.property(tree, fc.nat(1_000), (blocks, n) => {
        const { forks } = databaseOf(blocks);
        const bottom = blocks[n % blocks.length] as NaiveBlock;
        const node = forks.get(bottom.id) as BlockNode;
        forks.setRoot(node);
        const removed = new Set(forks.prune(node).map((each) => each.id));
        for (const each of blocks) {
          const stays = lineOf(each).includes(bottom);
          expect(forks.get(each.id) !== undefined).toBe(stays);
          expect(removed.has(each.id)).toBe(!stays && !lineOf(bottom).includes(each));
        }
        expect(forks.size).toBe([...forks.all()].length);
        expect([forks.bottom, node.parent]).toEqual([node, undefined]);
        expect(ancestorAt(forks.best, bottom.height - 1)).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });

  it("a block added on an invalid one inherits the verdict and never becomes best", () => {
    const bad = naiveChild(genesis, root, { view: 1 });
    const above = naiveChild(genesis, bad, { view: 9 });
    const { forks, nodes } = databaseOf([root, bad]);
    forks.markInvalid(nodes[1] as BlockNode, { code: "ODD", detail: "why" });
    const node = forks.add(above.block, nodes[1] as BlockNode, above.frontier);
    expect(node.invalid).toEqual({ code: "ANCESTOR_INVALID", detail: "why" });
    expect(forks.best.id).toBe(root.id);
  });
});
