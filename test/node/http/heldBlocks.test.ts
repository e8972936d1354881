import { expect, test } from "vitest";
import { blockBytes } from "../../../chain/block.ts";
import type { BlockView } from "../../../src/node/api.ts";
import { HeldBlocks } from "../../../src/node/http/heldBlocks.ts";
import { FakeNode } from "./fakeNode.ts";

const node = new FakeNode();
for (let i = 0; i < 5; i++) node.add(new Uint8Array(1000));
const BYTES = blockBytes((node.blocks(1, 1)[0] as BlockView).block);

function holder() {
  const self = { isCutOff: false, cutOff: () => void (self.isCutOff = true) };
  return self;
}

function heldBlocks(maxBytes: number) {
  const reads: number[] = [];
  const blocks = new HeldBlocks(maxBytes, (height) => {
    reads.push(height);
    return node.blocks(height, 1)[0] as BlockView;
  });
  return { blocks, reads };
}

test("a block is read once for all streams that tell it at a time, and forgotten after the last", () => {
  const { blocks, reads } = heldBlocks(10 * BYTES);
  const [a, b] = [holder(), holder()];
  expect(blocks.take(1, a)).toBe(blocks.take(1, b));
  expect(blocks.bytes).toBe(BYTES);
  blocks.giveBack(1, a);
  blocks.take(1, a);
  expect(reads).toEqual([1]);
  blocks.giveBack(1, a);
  blocks.giveBack(1, b);
  expect(blocks.bytes).toBe(0);
  blocks.take(1, a);
  expect(reads).toEqual([1, 1]);
});

test("above the bound those go that hold the block held longest", () => {
  const { blocks } = heldBlocks(2.5 * BYTES);
  const [slow, alsoSlow, middle, fast] = [holder(), holder(), holder(), holder()];
  blocks.take(1, slow);
  blocks.take(1, alsoSlow);
  blocks.take(2, middle);
  blocks.take(3, fast);
  expect([slow, alsoSlow, middle, fast].map(({ isCutOff }) => isCutOff)).toEqual([true, true, false, false]);
  expect(blocks.bytes).toBe(2 * BYTES);
  blocks.giveBack(1, slow); // as its stream does when it ends
  expect(blocks.bytes).toBe(2 * BYTES);
});

test("a block that cannot be read is held by nobody", () => {
  const blocks = new HeldBlocks(BYTES, () => {
    throw new Error("damaged");
  });
  expect(() => blocks.take(1, holder())).toThrow("damaged");
  expect(blocks.bytes).toBe(0);
});
