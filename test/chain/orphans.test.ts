import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Block, blockBytes } from "../../chain/block.ts";
import { ORPHANS_MAX } from "../../chain/constants.ts";
import { Orphans } from "../../chain/orphans.ts";
import { makeLedger } from "../fixtures/memoryLedger.ts";
import { makeTransaction, type NaiveBlock, naiveChild, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const root = naiveGenesis(genesis);
/** A few forks of a few blocks of different sizes. */
const blocks: Block[] = [];
const parents: NaiveBlock[] = [root];
for (let i = 0; i < 12; i++) {
  const payload = `put k ${"x".repeat(40 * (i % 4))}`;
  const made = naiveChild(genesis, parents[i >> 1] as NaiveBlock, {
    view: 1 + i,
    transactions: [makeTransaction(payload, i)],
  });
  parents.push(made);
  blocks.push(made.block);
}

const MAX_BYTES = 2_600;
const operation = fc.record({ kind: fc.constantFrom("add", "add", "add", "take", "drop"), n: fc.nat(11) });

describe("blocks whose parent is unknown (DESIGN section 8)", () => {
  it("wait within a bound of bytes and one of their number, the oldest leave first; children are given out once, and dropped at decided heights", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), fc.constantFrom(3, 12), (operations, maxCount) => {
        const orphans = new Orphans(MAX_BYTES, maxCount);
        let model: Block[] = [];
        const bytes = (): number => model.reduce((sum, each) => sum + blockBytes(each), 0);
        for (const { kind, n } of operations) {
          const block = blocks[n] as Block;
          if (kind === "add") {
            orphans.add(block);
            if (!model.includes(block)) model.push(block);
            while (bytes() > MAX_BYTES || model.length > maxCount) model.shift();
          } else if (kind === "take") {
            const { parent } = block.header;
            const expected = model.filter((each) => each.header.parent === parent);
            expect(new Set(orphans.takeChildrenOf(parent))).toEqual(new Set(expected));
            model = model.filter((each) => !expected.includes(each));
          } else {
            orphans.dropUpTo(n >> 1);
            model = model.filter((each) => each.header.height > n >> 1);
          }
          expect(orphans.size).toBe(model.length);
          expect(orphans.bytes).toBe(bytes());
          for (const each of blocks) expect(orphans.has(each.id)).toBe(model.includes(each));
        }
      }),
      { numRuns: 200 },
    );
  });

  it("the bounds may be met exactly", () => {
    const orphans = new Orphans(blockBytes(blocks[0] as Block), 1);
    orphans.add(blocks[0] as Block);
    expect(orphans.size).toBe(1);
  });

  it("in the ledger, a stranger's small ones on each other stay few: all of them may be walked through for each that comes", () => {
    const { ledger } = makeLedger(genesis);
    let parent = naiveChild(genesis, root);
    const ids: string[] = [];
    for (let i = 0; i < ORPHANS_MAX + 2; i++) {
      parent = naiveChild(genesis, parent);
      ids.push(parent.id);
      expect(ledger.add(parent.block).kind).toBe("orphan");
    }
    expect([ledger.sizes.orphans, ledger.lowestMissing(parent.block)]).toEqual([ORPHANS_MAX, ids[1]]);
  });

  it("a block larger than the bound is not kept", () => {
    const orphans = new Orphans(10, 12);
    orphans.add(blocks[0] as Block);
    expect([orphans.size, orphans.bytes]).toEqual([0, 0]);
    expect(orphans.takeChildrenOf((blocks[0] as Block).header.parent)).toEqual([]);
  });
});
