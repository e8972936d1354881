import { describe, expect, it } from "vitest";
import { Scratch, Slabs } from "../../src/base/memory.ts";

describe("slabs", () => {
  it("no two pieces share a byte, all are zeroed, however they are filled", () => {
    const slabs = new Slabs();
    const pieces = Array.from({ length: 2_000 }, (_, i) => slabs.take((i * 37) % 5_000));
    expect(pieces.every((piece) => piece.every((byte) => byte === 0))).toBe(true);
    for (const [i, piece] of pieces.entries()) piece.fill(i % 251);
    expect(
      pieces.every((piece, i) => piece.length === (i * 37) % 5_000 && piece.every((byte) => byte === i % 251)),
    ).toBe(true);
  });
});

describe("a scratch", () => {
  it("is as long as asked for, whatever was asked for before", () => {
    const scratch = new Scratch();
    for (const bytes of [0, 100, 10, 3_000_000, 1_000_000, 1]) {
      expect(scratch.take(bytes)).toHaveLength(bytes);
      expect(scratch.take(bytes).byteOffset).toBe(0);
    }
  });
});
