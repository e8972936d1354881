import { describe, expect, it } from "vitest";
import { append, encodeFrontier, frontierRoot, leafHash } from "../../chain/merkle.ts";
import { decodeStored, decodeStoredFrontier, genesisFrontier, makeBlockLog } from "../../src/node/storedBlocks.ts";
import { StorageError, type StoredBlock } from "../../src/node/storage/types.ts";
import { hexBytes, toHex } from "../../src/base/bytes.ts";
import { makeTransaction, type NaiveBlock, naiveChild, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const root = naiveGenesis(genesis);
const one = naiveChild(genesis, root, { transactions: [makeTransaction("put a 1", 1)] });
const two = naiveChild(genesis, one, { view: 5 });
/** Not irreversible. */
const stray = naiveChild(genesis, one, { view: 4 });

function storedOf({ block, height, id }: NaiveBlock): StoredBlock {
  const { header, headerBytes, signature, body } = block;
  return { height, id, parent: header.parent, header: headerBytes, signature, body };
}
const damagedBy = (run: () => unknown): StorageError => {
  try {
    run();
  } catch (error) {
    if (error instanceof StorageError) return error;
    throw error;
  }
  throw new Error("nothing was wrong");
};

describe("a stored block", () => {
  it("comes back whole", () => {
    expect(decodeStored("chain.db", storedOf(one))).toEqual(one.block);
  });

  it.each([
    ["another body", { ...storedOf(one), body: storedOf(two).body }],
    ["a damaged header", { ...storedOf(one), header: storedOf(one).header.subarray(1) }],
    ["another id", { ...storedOf(one), id: two.id }],
  ])("with %s is damaged, and named", (_, stored) => {
    expect(damagedBy(() => decodeStored("chain.db", stored))).toMatchObject({
      code: "DAMAGED",
      file: "chain.db",
      height: 1,
      id: stored.id,
    });
  });
});

describe("the block log of the sync machine", () => {
  function makeLog(change: (stored: StoredBlock) => StoredBlock | never = (stored) => stored) {
    const told: StorageError[] = [];
    const line = [one, two];
    const all = [one, two, stray];
    const found = (block: NaiveBlock | undefined): StoredBlock | undefined => block && change(storedOf(block));
    const reader = {
      file: "chain.db",
      changeProving: () => undefined,
      byId: (id: string) => found(all.find((each) => each.id === id)),
      byHeight: (height: number) => found(line.find((each) => each.height === height)),
      idAt: (height: number) => found(line.find((each) => each.height === height))?.id,
      idsFrom: (height: number, count: number) =>
        line.filter((each) => each.height >= height && each.height < height + count).map((each) => storedOf(each).id),
      heightOf: (id: string) => found(line.find((each) => each.id === id))?.height,
      range: (from: number, limit: number) =>
        line.filter(({ height }) => height >= from && height < from + limit).flatMap((each) => found(each) ?? []),
    };
    return { log: makeBlockLog(reader, root.block, (error) => void told.push(error)), told };
  }
  const rawOf = ({ block, id, height, view }: NaiveBlock): unknown => ({
    id,
    height,
    view,
    headerBytes: block.headerBytes,
    signature: block.signature,
    body: block.body,
  });

  it("finds irreversible blocks by height, any block by id, verbatim", () => {
    const { log } = makeLog();
    expect(log.blockAt(1)).toEqual(rawOf(one));
    expect(log.blockAt(2)).toEqual(rawOf(two));
    expect([log.idAt(2), log.heightOf(two.id), log.heightOf(stray.id)]).toEqual([two.id, 2, undefined]);
    expect(log.byId(stray.id)).toEqual(rawOf(stray));
    expect([log.blockAt(3), log.idAt(3), log.byId("00")]).toEqual([undefined, undefined, undefined]);
  });

  it("knows block 0, which is in no database, and never hands it out by id: every node makes its own", () => {
    const { log } = makeLog();
    expect([log.idAt(0), log.heightOf(root.id), log.blockAt(0)?.id, log.byId(root.id)]).toEqual([
      root.id,
      0,
      root.id,
      undefined,
    ]);
  });

  it("what cannot be read counts as not held, and is told", () => {
    const { log, told } = makeLog(() => {
      throw new StorageError("DAMAGED", "chain.db", "bit rot");
    });
    expect([log.blockAt(1), log.idAt(1), log.heightOf(one.id), log.byId(one.id)]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(told).toHaveLength(4);
  });

  it("so is a header that does not decode", () => {
    const { log, told } = makeLog((stored) => ({ ...stored, header: stored.header.subarray(1) }));
    expect([log.blockAt(1), log.byId(one.id)]).toEqual([undefined, undefined]);
    expect(told.map(({ code, height }) => [code, height])).toEqual([
      ["DAMAGED", 1],
      ["DAMAGED", 1],
    ]);
  });

  it("a bug is not taken for damage", () => {
    const { log } = makeLog(() => {
      throw new TypeError("a bug");
    });
    expect(() => log.blockAt(1)).toThrow(TypeError);
  });
});

describe("the history tree's frontier", () => {
  it("starts with block 0 and comes back from disk", () => {
    const frontier = append(genesisFrontier(root.block), leafHash(hexBytes(one.id)));
    expect(toHex(frontierRoot(frontier))).toBe(two.block.header.historyRoot);
    expect(decodeStoredFrontier("chain.db", encodeFrontier(frontier))).toEqual(frontier);
  });

  it("damaged, it is named", () => {
    expect(damagedBy(() => decodeStoredFrontier("chain.db", Uint8Array.of(1, 2, 3)))).toMatchObject({
      code: "DAMAGED",
      file: "chain.db",
    });
  });
});
