import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Block } from "../../chain/block.ts";
import { DuplicateWindow } from "../../chain/duplicateWindow.ts";
import { BlockExecution } from "../../chain/execution.ts";
import { firstSets, singleSet } from "../../chain/producerSets.ts";
import { transactionId } from "../../chain/transaction.ts";
import { restore, RestoreError, type RestoreSource } from "../../src/replica/restore.ts";
import type { StateFlush } from "../../src/replica/types.ts";
import { MemoryState } from "../fixtures/memoryLedger.ts";
import {
  KEYS,
  makeTransaction,
  type NaiveBlock,
  naiveChild,
  naiveGenesis,
  naiveTransactionIds,
  rangeOf,
  testGenesis,
} from "../fixtures/naiveChain.ts";
import { toyApplication } from "../fixtures/toyApplication.ts";
import { hexBytes } from "../../src/base/bytes.ts";

const AHEAD = 30;
const genesis = testGenesis({ expiryAheadMs: AHEAD });
const SETS = singleSet(genesis.configuration);
const chain: NaiveBlock[] = [naiveGenesis(genesis)];
for (let i = 1; i <= 12; i++) {
  const parent = chain.at(-1) as NaiveBlock;
  const time = parent.block.header.time + 7;
  const transactions = Array.from({ length: i % 3 }, (_, n) =>
    makeTransaction(`put ${"abc"[n]} ${i};copy a copied`, 10 * i + n, time + AHEAD - n),
  );
  chain.push(naiveChild(genesis, parent, { time, transactions }));
}
const at = (height: number): NaiveBlock => chain[height] as NaiveBlock;

/** A disk whose state database is at `applied` (-1: new) and whose chain is irreversible up to `irreversible`. */
function diskOf(
  applied: number,
  irreversible: number,
  blockAt: (height: number) => Block = (height) => at(height).block,
): RestoreSource & { reader: MemoryState } {
  const reader = new MemoryState();
  if (applied >= 0) reader.apply([...at(applied).state].map(([key, value]) => ({ key, value })));
  return {
    genesis,
    application: toyApplication,
    reader,
    appliedHeight: applied,
    irreversibleHeight: irreversible,
    blockAt,
    duplicates: new DuplicateWindow(1),
    producerSets: firstSets(genesis.configuration),
  };
}
function run(source: RestoreSource & { reader: MemoryState }): {
  flushes: StateFlush[];
  setting: Extract<ReturnType<ReturnType<typeof restore>["next"]>, { done: true }>["value"];
} {
  const steps = restore(source);
  const flushes: StateFlush[] = [];
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return { flushes, setting: step.value };
    flushes.push(step.value);
    source.reader.apply(step.value.changes);
  }
}

describe("start from disk (DESIGN section 8, state)", () => {
  it("from any state database at or below the irreversible block: the same state, window and stored receipts", () => {
    const heights = fc
      .tuple(fc.integer({ min: -1, max: 12 }), fc.integer({ min: 0, max: 12 }))
      .filter(([applied, to]) => applied <= to);
    fc.assert(
      fc.property(heights, ([applied, to]) => {
        const disk = diskOf(applied, to);
        const { flushes, setting } = run(disk);
        expect(rangeOf(disk.reader.entries, "", undefined, 99)).toEqual(rangeOf(at(to).state, "", undefined, 99));
        expect(setting.state.overlayKeys).toBe(0);

        const written = flushes.flatMap((flush) => flush.blocks);
        expect(written.map((each) => each.height)).toEqual(
          chain.slice(Math.max(0, applied) + 1, to + 1).map((each) => each.height),
        );
        for (const each of written) expect(each.transactionIds).toEqual(at(each.height).block.transactionIds);
        if (applied < to) expect(flushes.at(-1)).toMatchObject({ height: to, id: at(to).id });

        // Every id that a later block could repeat is known, with its place.
        for (const block of chain.slice(1, to + 1)) {
          const mayRepeat = block.block.header.time >= at(to).block.header.time - AHEAD;
          naiveTransactionIds(block).forEach((id, index) => {
            const place = setting.duplicates.find(hexBytes(id), 0);
            if (mayRepeat) expect(place).toEqual({ height: block.height, index });
          });
        }
      }),
      { numRuns: 100 },
    );
  });

  it("goes on where it stopped: the next block executes as on a node that never stopped", () => {
    for (const to of [0, 5, 11]) {
      const { setting } = run(diskOf(-1, to));
      const next = at(to + 1);
      const { height, time, view, stateHash } = next.block.header;
      const execution = new BlockExecution(setting, { height, time, view, sets: SETS });
      const { transactions, transactionIds } = next.block;
      for (let i = 0; i < transactions.count; i++) {
        const bytes = transactions.buffer.subarray(transactions.offsets[2 * i], transactions.offsets[2 * i + 1]);
        expect(execution.apply(bytes, transactionIds, 32 * i).ok).toBe(true);
      }
      expect(execution.finish(at(to).block.header.stateHash).stateHash).toBe(stateHash);
    }
  });

  it("a transaction of the last blocks cannot be executed again after a restart (uniform integrity)", () => {
    const { setting } = run(diskOf(11, 11));
    const { header } = at(11).block;
    const repeated = makeTransaction("put a 11;copy a copied", 110, header.time + AHEAD);
    expect(naiveTransactionIds(at(11))).toContain(Buffer.from(transactionId(repeated)).toString("hex"));
    const execution = new BlockExecution(setting, { height: 12, time: header.time + 1, view: 1, sets: SETS });
    const applied = execution.apply(repeated, transactionId(repeated), 0);
    expect(!applied.ok && applied.error.code).toBe("DUPLICATE");
  });
});

describe("state and chain that do not fit together", () => {
  const codeOf = (source: ReturnType<typeof diskOf>): { code: string; height: number } => {
    try {
      run(source);
    } catch (error) {
      if (error instanceof RestoreError) return { code: error.code, height: error.height };
      throw error;
    }
    throw new Error("restored");
  };

  it("state.db above the irreversible block is refused: what it holds was never promised", () => {
    expect(codeOf(diskOf(7, 6))).toEqual({ code: "STATE_AHEAD", height: 7 });
  });

  it("a block that executes to another state than its header says is refused by name", () => {
    const wrong = naiveChild(genesis, at(4), { wrong: { stateHash: KEYS[0] as string } }).block;
    expect(codeOf(diskOf(2, 5, (height) => (height === 5 ? wrong : at(height).block)))).toEqual({
      code: "REPLAY_DIFFERS",
      height: 5,
    });
    const receipts = naiveChild(genesis, at(4), { wrong: { receiptRoot: KEYS[0] as string } }).block;
    expect(codeOf(diskOf(2, 5, (height) => (height === 5 ? receipts : at(height).block)))).toEqual({
      code: "REPLAY_DIFFERS",
      height: 5,
    });
  });

  it("a state database that differs from what the chain says is found by the first block that depends on it", () => {
    const disk = diskOf(6, 9);
    disk.reader.apply([{ key: "a", value: new Uint8Array(3) }]);
    const depends = naiveChild(genesis, at(6), {
      transactions: [makeTransaction("copy a x", 999, at(6).block.header.time + 5)],
    }).block;
    expect(
      codeOf({ ...disk, irreversibleHeight: 7, blockAt: (height) => (height === 7 ? depends : at(height).block) }),
    ).toEqual({ code: "REPLAY_DIFFERS", height: 7 });
  });

  it("a block with a transaction that may not be executed is refused", () => {
    const bad = naiveChild(genesis, at(4), { transactions: [makeTransaction("fail ODD", 1)] }).block;
    expect(codeOf(diskOf(4, 5, (height) => (height === 5 ? bad : at(height).block)))).toEqual({
      code: "REPLAY_DIFFERS",
      height: 5,
    });
  });
});
