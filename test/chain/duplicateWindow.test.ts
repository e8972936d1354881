import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DuplicateIdError, DuplicateWindow } from "../../chain/duplicateWindow.ts";
import { concatBytes, toHex } from "../../src/base/bytes.ts";
import { sha256 } from "../../src/base/hash.ts";

const SEEDS = [0, 1, -1, 123_456_789, 2 ** 53 - 1, 0x9e3779b97f4a];

/** The id of number `n`: what a hash looks like, or, `crowded`, one of many ids that share their first 8 bytes. */
function idOf(n: number, crowded = false): Uint8Array {
  const id = sha256(Uint8Array.of(n, n >> 8, n >> 16, n >> 24));
  if (crowded) id.fill(n % 3, 0, 8);
  return id;
}
function idsOf(from: number, count: number, crowded = false): Uint8Array {
  return concatBytes(...Array.from({ length: count }, (_, i) => idOf(from + i, crowded)));
}

/** The rule itself: a list of blocks. Slow and obvious. */
class Model {
  blocks: { height: number; time: number; ids: string[] }[] = [];
  get size(): number {
    return this.blocks.reduce((sum, block) => sum + block.ids.length, 0);
  }
  has(id: string): boolean {
    return this.blocks.some((block) => block.ids.includes(id));
  }
  countSince(time: number): number {
    return this.blocks.reduce((sum, block) => sum + (block.time >= time ? block.ids.length : 0), 0);
  }
  expireBelow(time: number, maxHeight: number): void {
    while (this.blocks[0] !== undefined && this.blocks[0].time < time && this.blocks[0].height <= maxHeight) {
      this.blocks.shift();
    }
  }
}

type Command =
  | { readonly kind: "push"; readonly count: number; readonly step: number; readonly oneByOne: boolean }
  | { readonly kind: "pushDuplicate"; readonly count: number; readonly of: number }
  | { readonly kind: "pop" }
  | { readonly kind: "expire"; readonly part: number; readonly keep: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("push" as const),
      count: fc.oneof(fc.nat(5), fc.nat(700)),
      step: fc.integer({ min: 1, max: 50 }),
      oneByOne: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("pushDuplicate" as const), count: fc.nat(30), of: fc.nat() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("pop" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("expire" as const),
      part: fc.double({ min: 0, max: 1.1, noNaN: true }),
      keep: fc.nat(3),
    }),
  },
);

/** Runs commands on the window and on the model; compares every answer after every command. */
function runAgainstModel(commands: readonly Command[], seed: number, crowded: boolean): void {
  const window = new DuplicateWindow(seed);
  const model = new Model();
  let height = 0;
  let time = 0;
  let nextId = 0;
  for (const step of commands) {
    switch (step.kind) {
      case "push": {
        const ids = idsOf(nextId, step.count, crowded);
        height++;
        time += step.step;
        if (step.oneByOne) {
          window.beginBlock(height, time);
          for (let i = 0; i < step.count; i++) {
            expect(window.add(ids, 32 * i)).toBe(true);
            if (i % 3 > 0) continue;
            window.removeLast();
            expect([window.has(ids, 32 * i), window.add(ids, 32 * i)]).toEqual([false, true]);
          }
        } else window.push({ height, time, ids });
        const list = Array.from({ length: step.count }, (_, i) => toHex(idOf(nextId + i, crowded)));
        model.blocks.push({ height, time, ids: list });
        nextId += step.count;
        break;
      }
      case "pushDuplicate": {
        if (nextId === 0) break;
        const old = step.of % nextId;
        const ids = concatBytes(idsOf(nextId, step.count, crowded), idOf(old, crowded), idOf(nextId + 999, crowded));
        if (model.has(toHex(idOf(old, crowded)))) {
          expect(window.tryPush({ height: height + 1, time: time + 1, ids })).toBe(step.count);
        }
        break;
      }
      case "pop": {
        const expected = model.blocks.pop();
        if (expected === undefined) {
          expect(() => window.pop()).toThrow(RangeError);
          break;
        }
        const { height: popped, ids } = window.pop();
        expect(popped).toBe(expected.height);
        expect(toHex(ids)).toBe(expected.ids.join(""));
        height = popped - 1;
        time = model.blocks.at(-1)?.time ?? time;
        break;
      }
      case "expire": {
        const limit = Math.floor(time * step.part);
        window.expireBelow(limit, height - step.keep);
        model.expireBelow(limit, height - step.keep);
        break;
      }
    }
    compare(window, model, nextId, time, crowded);
  }
}

function compare(window: DuplicateWindow, model: Model, nextId: number, time: number, crowded: boolean): void {
  expect(window.size).toBe(model.size);
  expect(window.blockCount).toBe(model.blocks.length);
  for (const at of [0, time / 2, time - 1, time, time + 1]) expect(window.countSince(at)).toBe(model.countSince(at));
  const where = new Map<string, string>();
  for (const block of model.blocks) {
    for (const [index, id] of block.ids.entries()) where.set(id, `${block.height}:${index}`);
  }
  for (let n = 0; n < nextId + 3; n++) {
    const id = idOf(n, crowded);
    const found = window.find(id, 0);
    const expected = where.get(toHex(id));
    if ((found === undefined ? undefined : `${found.height}:${found.index}`) !== expected) {
      throw new Error(`id ${n}: found ${JSON.stringify(found)}, expected ${expected}`);
    }
    if (window.has(id, 0) !== (expected !== undefined)) throw new Error(`has(${n}) disagrees with find`);
  }
}

describe("the duplicate window", () => {
  it.each(SEEDS)("answers as a list of blocks does after any pushes, pops and expiries (seed %d)", (seed) => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 25 }), (commands) => runAgainstModel(commands, seed, false)),
      { numRuns: 25 },
    );
  });

  it.each(SEEDS)("also when ids share all the bytes that choose the slot (seed %d)", (seed) => {
    const few = fc.array(command, { maxLength: 15 }).map((commands) => {
      return commands.map((step) => (step.kind === "push" ? { ...step, count: step.count % 120 } : step));
    });
    fc.assert(
      fc.property(few, (commands) => runAgainstModel(commands, seed, true)),
      { numRuns: 25 },
    );
  });

  it.each([1, 2, 3])("also when the ring has gone round: popping and growing across its end (seed %d)", (seed) => {
    // 1,024 places at first. Blocks in and out in turn move the start to every place; then undo, or grow.
    const move = fc.array(fc.integer({ min: 100, max: 450 }), { minLength: 3, maxLength: 12 });
    fc.assert(
      fc.property(move, fc.nat(2), fc.nat(700), (counts, pops, last) => {
        const commands: Command[] = counts.flatMap((count) => [
          { kind: "push", count, step: 10, oneByOne: count % 2 === 0 },
          { kind: "expire", part: 1, keep: 1 },
        ]);
        for (let i = 0; i < pops; i++) commands.push({ kind: "pop" });
        commands.push({ kind: "push", count: last, step: 1, oneByOne: false }, { kind: "pop" });
        commands.push({ kind: "push", count: 1_100, step: 1, oneByOne: true }, { kind: "pop" }, { kind: "pop" });
        runAgainstModel(commands, seed, false);
      }),
      { numRuns: 15 },
    );
  });

  it("is found by 32 bytes anywhere in a buffer, and an id that differs in any one byte is another", () => {
    const window = new DuplicateWindow(7);
    const ids = idsOf(0, 5);
    window.push({ height: 10, time: 100, ids });
    const shifted = concatBytes(Uint8Array.of(1, 2, 3), ids);
    expect(window.find(shifted, 3 + 32 * 4)).toEqual({ height: 10, index: 4 });
    for (let i = 0; i < 32; i++) {
      const other = idOf(2);
      other[i] = (other[i] as number) ^ 1;
      expect(window.has(other, 0)).toBe(false);
    }
  });

  it("keeps its own copy of what is pushed and gives its own copy of what is popped", () => {
    const window = new DuplicateWindow(7);
    const ids = idsOf(0, 3);
    window.push({ height: 1, time: 1, ids });
    ids.fill(0);
    expect(window.has(idOf(1), 0)).toBe(true);
    const popped = window.pop().ids;
    window.push({ height: 1, time: 1, ids: idsOf(10, 3) });
    expect(toHex(popped)).toBe(toHex(idsOf(0, 3)));
  });

  it("refuses an id of the window and one that comes twice in a block, says which, and stays as it was", () => {
    const window = new DuplicateWindow(7);
    window.push({ height: 1, time: 1, ids: idsOf(0, 4) });
    const twice = concatBytes(idOf(10), idOf(11), idOf(10), idOf(12));
    const again = concatBytes(idOf(10), idOf(3));
    expect(window.tryPush({ height: 2, time: 2, ids: twice })).toBe(2);
    expect(window.tryPush({ height: 2, time: 2, ids: again })).toBe(1);
    expect(() => window.push({ height: 2, time: 2, ids: again })).toThrow(DuplicateIdError);
    expect(window.size).toBe(4);
    expect(window.blockCount).toBe(1);
    for (const n of [10, 11, 12]) expect(window.has(idOf(n), 0)).toBe(false);
    for (let n = 0; n < 4; n++) expect(window.find(idOf(n), 0)).toEqual({ height: 1, index: n });
    window.push({ height: 2, time: 2, ids: idsOf(10, 3) });
    expect(window.find(idOf(12), 0)).toEqual({ height: 2, index: 2 });
  });

  it("a block filled one by one refuses what the window has and goes on", () => {
    const window = new DuplicateWindow(7);
    window.push({ height: 1, time: 1, ids: idsOf(0, 2) });
    window.beginBlock(2, 5);
    expect(window.add(idOf(5), 0)).toBe(true);
    expect(window.add(idOf(1), 0)).toBe(false);
    expect(window.add(idOf(5), 0)).toBe(false);
    expect(window.add(idOf(6), 0)).toBe(true);
    expect(window.countSince(2)).toBe(2);
    expect(window.find(idOf(6), 0)).toEqual({ height: 2, index: 1 });
    expect(() => window.add(new Uint8Array(40), 9)).toThrow(RangeError);
    expect(window.pop()).toEqual({ height: 2, ids: concatBytes(idOf(5), idOf(6)) });
    expect(window.size).toBe(2);
    expect(() => new DuplicateWindow(7).add(idOf(0), 0)).toThrow(RangeError);
  });

  it("refuses a block that does not follow the newest one in height and time", () => {
    const window = new DuplicateWindow(7);
    window.push({ height: 5, time: 50, ids: idsOf(0, 1) });
    for (const [height, time] of [
      [5, 60],
      [7, 60],
      [4, 40],
      [6, 50],
      [6, 49],
      [6, Number.NaN],
    ] as const) {
      expect(() => window.push({ height, time, ids: idsOf(1, 1) })).toThrow(RangeError);
      expect(() => window.beginBlock(height, time)).toThrow(RangeError);
    }
    expect(() => window.push({ height: 6, time: 60, ids: new Uint8Array(31) })).toThrow(RangeError);
    window.push({ height: 6, time: 51, ids: idsOf(1, 1) });
    expect(window.size).toBe(2);
  });

  it("expires only blocks that are both old and below the height that may still be undone", () => {
    const window = new DuplicateWindow(7);
    for (let height = 1; height <= 9; height++) window.push({ height, time: height * 10, ids: idsOf(10 * height, 2) });
    window.expireBelow(50, 3);
    expect(window.has(idOf(30), 0)).toBe(false);
    expect(window.find(idOf(40), 0)).toEqual({ height: 4, index: 0 });
    window.expireBelow(50, 9);
    expect(window.has(idOf(41), 0)).toBe(false);
    expect(window.find(idOf(50), 0)).toEqual({ height: 5, index: 0 });
    expect(window.size).toBe(10);
    window.expireBelow(1000, 9);
    expect([window.size, window.blockCount, window.countSince(0)]).toEqual([0, 0, 0]);
    window.push({ height: 10, time: 100, ids: idsOf(10, 2) });
    expect(window.find(idOf(11), 0)).toEqual({ height: 10, index: 1 });
  });

  it("grows to 300,000 ids at 40 to 80 bytes each, finds all of them, and gives the memory back", () => {
    const total = 300_000;
    const perBlock = 1_000;
    const all = new Uint8Array(32 * total);
    for (let n = 0; n < total; n++) all.set(idOf(n), 32 * n);
    const window = new DuplicateWindow(99);
    const empty = window.bytes;
    for (let block = 0; block < total / perBlock; block++) {
      const ids = all.subarray(32 * block * perBlock, 32 * (block + 1) * perBlock);
      window.push({ height: block + 1, time: 10 * block, ids });
    }
    expect(window.size).toBe(total);
    expect(window.bytes / total).toBeGreaterThanOrEqual(40);
    expect(window.bytes / total).toBeLessThanOrEqual(80);
    let wrong = 0;
    for (let n = 0; n < total; n++) {
      const found = window.find(all, 32 * n);
      if (found?.height !== 1 + Math.floor(n / perBlock) || found.index !== n % perBlock) wrong++;
    }
    expect(wrong).toBe(0);
    expect(window.countSince(10 * 100)).toBe(total - 100 * perBlock);
    for (let height = 1; height <= 300; height++) window.expireBelow(10 * height, height);
    expect(window.size).toBe(0);
    expect(window.bytes).toBeLessThanOrEqual(4 * empty);
  });

  it("a long steady run, one block in and one out, keeps answers and memory the same", () => {
    const window = new DuplicateWindow(3);
    const kept = 40;
    let bytes = 0;
    for (let height = 1; height <= 3_000; height++) {
      window.push({ height, time: height, ids: idsOf(20 * height, 20) });
      window.expireBelow(height - kept + 1, height);
      if (height === 100) bytes = window.bytes;
    }
    expect(window.bytes).toBe(bytes);
    expect(window.size).toBe(20 * kept);
    for (let height = 2_961; height <= 3_000; height++) {
      for (let i = 0; i < 20; i++) expect(window.find(idOf(20 * height + i), 0)).toEqual({ height, index: i });
    }
    expect(window.has(idOf(20 * 2_960), 0)).toBe(false);
  });

  it("ids ground to share their first 4 bytes are as cheap as others: the next 4 choose the slot, too", () => {
    const count = 20_000;
    const ground = idsOf(0, count);
    for (let n = 0; n < count; n++) ground.fill(0xab, 32 * n, 32 * n + 4);
    const window = new DuplicateWindow(5);
    const start = performance.now();
    window.push({ height: 1, time: 1, ids: ground });
    // Without the mixing every id would walk over all before it: 200 million steps, seconds.
    expect(performance.now() - start).toBeLessThan(500);
    expect(window.size).toBe(count);
  });
});
