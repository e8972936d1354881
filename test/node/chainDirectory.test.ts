import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Block } from "../../chain/block.ts";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { raftRecordMessage } from "../../consensus/raft/messages.ts";
import type { BlockView, ForkView } from "../../src/node/api.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { ChainDirectory } from "../../src/node/chainDirectory.ts";
import { drawForks } from "../../src/node/cli/forkTree.ts";
import { toGenesis } from "../../src/node/genesisFile.ts";
import { createChainDatabase } from "../../src/node/storage/chainSchema.ts";
import type { StoredBlock } from "../../src/node/storage/types.ts";
import { makeBlock, testGenesis } from "./http/fakeNode.ts";

const root = mkdtempSync(join(tmpdir(), "cairn-inspect-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const genesis = testGenesis();
const genesisBlock = makeGenesisBlock(toGenesis(genesis), createKvApplication()).block;
const one = makeBlock(genesisBlock, []);
const two = makeBlock(one, []);
const three = makeBlock(two, []);
const four = makeBlock(three, []);
/** A lower block of a higher view: the better one. */
const other = makeBlock(two, [], 2);
const record = raftRecordMessage.encode({ view: 3, ackedHead: { view: 2, height: 3, id: other.id } });

function stored({ id, header, headerBytes, signature, body }: Block): StoredBlock {
  return { height: header.height, id, parent: header.parent, header: headerBytes, signature, body };
}

function make(name: string, blocks: readonly Block[], irreversible?: Block): string {
  const dir = join(root, name);
  const value = { height: irreversible?.header.height ?? 0, id: irreversible?.id ?? "" };
  const pointer = { ...value, certificate: new Uint8Array([1]), frontier: new Uint8Array([2]) };
  rmSync(dir, { recursive: true, force: true });
  mkdirWithGenesis(dir);
  createChainDatabase(dir, {
    chainId: genesis.chainId,
    record,
    blocks: blocks.map(stored),
    ...(irreversible === undefined ? {} : { irreversible: pointer }),
  });
  return dir;
}

function mkdirWithGenesis(dir: string): void {
  mkdirSync(dir);
  writeFileSync(join(dir, "genesis.json"), JSON.stringify(genesis.value));
}

describe("a chain that forks above its irreversible block", () => {
  let chain: ChainDirectory;
  beforeAll(() => {
    chain = ChainDirectory.open(make("forked", [one, two, three, four, other], two));
  });
  afterAll(() => chain.close());

  const idOf = (view: BlockView | "ambiguous" | undefined) => (typeof view === "object" ? view.block.id : view);

  test("has the block of the highest view as its head, and the heights lead there", () => {
    expect(idOf(chain.block("head"))).toBe(other.id);
    expect(idOf(chain.block("irreversible"))).toBe(two.id);
    expect(["0", "1", "2", "3", "4"].map((height) => idOf(chain.block(height)))).toEqual([
      genesisBlock.id,
      one.id,
      two.id,
      other.id,
      undefined,
    ]);
  });

  test("gives any block by its id or the beginning of it", () => {
    expect(idOf(chain.block(four.id))).toBe(four.id);
    expect(idOf(chain.block(four.id.slice(0, 10)))).toBe(four.id);
    expect(idOf(chain.block(genesisBlock.id.slice(0, 10)))).toBe(genesisBlock.id);
    expect(chain.block("ab".repeat(32))).toBeUndefined();
  });

  test("says what is irreversible", () => {
    const statuses = ["2", "3"].map((height) => {
      const view = chain.block(height) as BlockView;
      return [view.status, view.certificate?.length];
    });
    expect(statuses).toEqual([
      ["irreversible", 1],
      ["pending", undefined],
    ]);
    expect([...chain.blocks(1, 10)].map(({ block }) => block.id)).toEqual([one.id, two.id, other.id]);
  });

  test("is a tree with the irreversible block at its root", () => {
    const shape = ({ id, isHead, onBestChain, children }: ForkView): unknown => [
      id,
      isHead,
      onBestChain,
      children.map(shape),
    ];
    expect(shape(chain.forks())).toEqual([
      two.id,
      false,
      true,
      [
        [three.id, false, false, [[four.id, false, false, []]]],
        [other.id, true, true, []],
      ],
    ]);
  });

  test("shows its vote record and what is missing beside it", () => {
    expect(chain.voteRecord()).toMatchObject({ verdict: "ok", record: { engine: "raft", content: { view: 3 } } });
    expect([chain.applied(), chain.indexedHeight(), chain.firstHeight()]).toEqual([undefined, undefined, 0]);
    expect(chain.files().map(({ name }) => name)).toEqual(["chain.db"]);
  });
});

test("a new chain is its genesis block, which no database holds", () => {
  const chain = ChainDirectory.open(make("new", []));
  expect(chain.block("head")).toMatchObject({ status: "irreversible", block: { id: genesisBlock.id } });
  expect(chain.forks()).toMatchObject({ height: 0, isHead: true, children: [] });
  chain.close();
});

test("a directory with another chain's genesis cannot be opened", () => {
  const dir = make("foreign", [one], one);
  writeFileSync(join(dir, "genesis.json"), JSON.stringify(testGenesis({ name: "another" }).value));
  expect(() => ChainDirectory.open(dir)).toThrow(expect.objectContaining({ code: "WRONG_FORMAT" }));
});

test("the tree is drawn with a column for each branch, the best one last", () => {
  const node = (height: number, changes: Partial<ForkView> = {}): ForkView => ({
    height,
    id: String(height).repeat(64).slice(0, 64),
    parent: "",
    view: 1,
    producer: "f".repeat(64),
    time: 0,
    transactions: 2,
    isHead: false,
    onBestChain: false,
    children: [],
    ...changes,
  });
  const best = node(2, { onBestChain: true, children: [node(3, { onBestChain: true, isHead: true })] });
  const bad = node(2, { children: [node(3, { invalid: "BAD_ROOT", children: [node(4)] }), node(3)] });
  expect(drawForks(node(1, { onBestChain: true, children: [best, bad] })).split("\n")).toEqual([
    "1  111111111111  view 1  by ffffffffffff  2 tx  irreversible",
    "├─ 2  222222222222  view 1  by ffffffffffff  2 tx",
    "│  ├─ 3  333333333333  view 1  by ffffffffffff  2 tx  invalid: BAD_ROOT",
    "│  │  4  444444444444  view 1  by ffffffffffff  2 tx",
    "│  └─ 3  333333333333  view 1  by ffffffffffff  2 tx",
    "└─ 2  222222222222  view 1  by ffffffffffff  2 tx",
    "   3  333333333333  view 1  by ffffffffffff  2 tx  head",
  ]);
});
