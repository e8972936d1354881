import { describe, expect, it } from "vitest";
import type { Block } from "../../chain/block.ts";
import { HELD_BLOCKS_MAX } from "../../consensus/constants.ts";
import { BlockSenders } from "../../src/replica/blockSenders.ts";
import { SENDERS_OF_BLOCKS_MAX } from "../../src/replica/constants.ts";
import { HeldBlocks } from "../../src/replica/heldBlocks.ts";
import { fakeSignature, KEYS, naiveChild, naiveGenesis, START_TIME, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const [A, B] = KEYS as [string, string];
/** A block of some header time after the start. */
const blockAt = (ms: number): Block => naiveChild(genesis, naiveGenesis(genesis), { time: START_TIME + ms }).block;
/** Ahead of a clock that shows this time. */
const aheadOf =
  (ms: number) =>
  ({ header }: Block): boolean =>
    header.time > START_TIME + ms;

describe("blocks whose time is ahead of this node's clock (docs/protocol.md, section 4, time)", () => {
  it("wait until their time has come, and come out once, with who sent them", () => {
    const held = new HeldBlocks();
    const [early, late] = [blockAt(10), blockAt(30)];
    held.hold(late, B);
    held.hold(early, A);
    expect([held.size, held.has(early.id), held.earliestTime]).toEqual([2, true, START_TIME + 10]);
    expect(held.takeDue(aheadOf(9))).toEqual([]);
    expect(held.takeDue(aheadOf(10))).toEqual([{ block: early, from: A }]);
    expect(held.takeDue(aheadOf(10))).toEqual([]);
    expect([held.size, held.has(early.id), held.earliestTime]).toEqual([1, false, START_TIME + 30]);
    expect(held.takeDue(aheadOf(50))).toEqual([{ block: late, from: B }]);
    expect([held.size, held.earliestTime]).toEqual([0, Number.POSITIVE_INFINITY]);
  });

  it("come out parents first, in whatever order they came", () => {
    const held = new HeldBlocks();
    const parent = naiveChild(genesis, naiveGenesis(genesis), { time: START_TIME + 10 });
    const child = naiveChild(genesis, parent, { time: START_TIME + 20 });
    for (const { block } of [child, parent]) held.hold(block, A);
    expect(held.takeDue(() => false).map(({ block }) => block.id)).toEqual([parent.id, child.id]);
  });

  it("the first copy stays: its signature was checked, and a later one of the same id may bear another", () => {
    const held = new HeldBlocks();
    const first = blockAt(10);
    held.hold(first, A);
    held.hold({ ...first, signature: fakeSignature("forged") }, B);
    expect(held.size).toBe(1);
    const [due] = held.takeDue(() => false);
    expect(due?.block).toBe(first);
    expect(due?.from).toBe(A);
  });

  it("are bounded: what comes above the bound is dropped when its time is the latest, and room is made by those that come out", () => {
    const held = new HeldBlocks();
    const blocks = Array.from({ length: HELD_BLOCKS_MAX + 1 }, (_, i) => blockAt(i + 1));
    for (const block of blocks) held.hold(block, A);
    const last = blocks.at(-1) as Block;
    expect([held.size, held.has(last.id), held.has((blocks[0] as Block).id)]).toEqual([HELD_BLOCKS_MAX, false, true]);
    expect(held.takeDue(aheadOf(1))).toHaveLength(1);
    held.hold(last, B);
    expect([held.size, held.has(last.id)]).toEqual([HELD_BLOCKS_MAX, true]);
  });

  it("at the bound the latest gives way to an earlier one: times that never come take no place for good", () => {
    const held = new HeldBlocks();
    const never = Array.from({ length: HELD_BLOCKS_MAX }, (_, i) => blockAt(1e12 + i));
    for (const block of never.toReversed()) held.hold(block, A);
    const soon = blockAt(10);
    held.hold(soon, B);
    const [first, second] = [never.at(-1), never.at(-2)] as [Block, Block];
    expect([held.size, held.has(soon.id), held.has(first.id), held.has(second.id)]).toEqual([
      HELD_BLOCKS_MAX,
      true,
      false,
      true,
    ]);
    // Of equal times the first stays.
    held.hold(naiveChild(genesis, naiveGenesis(genesis), { time: second.header.time, view: 7 }).block, B);
    expect(held.has(second.id)).toBe(true);
    expect(held.takeDue(aheadOf(10))).toEqual([{ block: soon, from: B }]);
  });

  it("who sent what is not taken in is remembered, each once, and the oldest is forgotten at the bound [H3]", () => {
    const senders = new BlockSenders();
    for (const from of [A, B, A]) senders.note("first", from);
    for (let i = 1; i < SENDERS_OF_BLOCKS_MAX; i++) senders.note(`${i}`, A);
    expect([senders.take("first"), senders.take("first")]).toEqual([[A, B], []]);
    for (let i = 0; i < 2; i++) senders.note(`more ${i}`, B);
    expect([senders.take("1"), senders.take("2")]).toEqual([[], [A]]);
  });

  it("who sent it is forgotten with the link over which it came [H3]", () => {
    const senders = new BlockSenders();
    for (const from of [A, B]) senders.note("both", from);
    senders.note("one", A);
    senders.peerDown(A);
    expect([senders.take("both"), senders.take("one")]).toEqual([[B], []]);
  });
});
