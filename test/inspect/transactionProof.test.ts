/** Proofs of transactions (docs/proofs.md), over the chain that `makeChain` makes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeList, decodeList } from "../../chain/byteList.ts";
import { leafHashesOf, rootOfLeafHashes } from "../../chain/merkle.ts";
import { provenTreeSize, treeSizeProof } from "../../chain/treeSize.ts";
import { checkTransactionProof, type TransactionProof } from "../../consensus/transactionProof.ts";
import { fromBase64Url, toBase64Url } from "../../src/base/base64url.ts";
import type { BlockView } from "../../src/node/api.ts";
import { toGenesis } from "../../src/node/genesisFile.ts";
import { verifySignatures } from "../../src/node/signatures.ts";
import { ChainReader } from "../../src/node/storage/chainReader.ts";
import { StateReader } from "../../src/node/storage/stateReader.ts";
import { decodeStored, idsFrom } from "../../src/node/storedBlocks.ts";
import { Proofs } from "../../src/node/proofs.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { chainGenesis, makeChain, SMALL_CHAIN } from "../../tools/inspect/makeChain.ts";

const root = mkdtempSync(join(tmpdir(), "cairn-proof-"));
const dir = join(root, "chain");
const genesis = toGenesis(chainGenesis());
const { chainId } = genesis;
const genesisBlock = makeGenesisBlock(genesis, createKvApplication()).block;
let chain: ChainReader;
let state: StateReader;
let proofs: Proofs;

beforeAll(async () => {
  await makeChain(dir, { ...SMALL_CHAIN, transactionsPerBlock: 7 });
  chain = ChainReader.open(dir);
  state = StateReader.open(dir);
  const ids = (height: number, count: number) => idsFrom(chain, genesisBlock, height, count);
  proofs = new Proofs(chainId, {
    idsFrom: ids,
    certificateFor: (height) => chain.certificateFor(height),
    newestCertificate: () => chain.newestCertificate(),
    changes: () => [],
    block: () => undefined,
  });
});
afterAll(() => {
  chain.close();
  state.close();
  rmSync(root, { recursive: true, force: true });
});

function viewAt(height: number): BlockView {
  const list = decodeList(state.receipts(height)!, { maxCount: 100, maxElementBytes: 1000 });
  if (!list.ok) throw new Error("receipts");
  const { buffer, offsets, count } = list.value;
  const receipts = Array.from({ length: count }, (_, i) => buffer.subarray(offsets[2 * i], offsets[2 * i + 1]));
  return { block: decodeStored("", chain.byHeight(height)!), status: "irreversible", receipts, certificate: undefined };
}

async function proofOf(height: number, index: number): Promise<TransactionProof> {
  const answer = await proofs.transaction(viewAt(height), index);
  if (!("proof" in answer)) throw new Error(answer.refused);
  return answer.proof;
}

/** Through JSON, as a file holds it. */
async function isProven(proof: unknown): Promise<boolean> {
  const checked = checkTransactionProof(JSON.parse(JSON.stringify(proof)), genesis);
  return checked.ok && (await verifySignatures(checked.value.claims)).every((valid) => valid);
}

describe("a proof of a transaction", () => {
  test("holds for every place of the chain, certified there or above, and tells the place", async () => {
    for (const [height, index] of [
      [1, 0],
      [3, 6],
      [4, 5],
      [11, 2],
      [20, 6],
    ] as const) {
      const proof = await proofOf(height, index);
      expect(proof).toMatchObject({ height, index, count: 7 });
      expect(await isProven(proof)).toBe(true);
      expect(proof.historyPath.length === 0).toBe(height % 4 === 0);
    }
  });

  test("fails when any bit of any member is flipped", async () => {
    const proof = await proofOf(6, 3);
    const places = leavesOf(proof);
    // Every place at least once, then random bits of random places.
    for (const place of places) expect([place, await isProven(flipped(proof, place, 0))]).toEqual([place, false]);
    const flips = fc.tuple(fc.constantFrom(...places), fc.nat(1_000_000));
    await fc.assert(
      fc.asyncProperty(flips, async ([place, bit]) => !(await isProven(flipped(proof, place, bit)))),
      { numRuns: 400 },
    );
  });

  test("fails with a member more or less, in another text of the same bytes, under another genesis", async () => {
    const proof = await proofOf(6, 3);
    expect(await isProven({ ...proof, note: "x" })).toBe(false);
    for (const name of Object.keys(proof)) {
      const { [name as "id"]: _, ...rest } = proof;
      expect(await isProven(rest)).toBe(false);
    }
    expect(await isProven({ ...proof, id: proof.id.toUpperCase() })).toBe(false);
    expect(await isProven({ ...proof, header: `${proof.header}=` })).toBe(false);
    expect(await isProven(null)).toBe(false);
    const other = checkTransactionProof(proof, { ...genesis, chainId: "00".repeat(32) });
    expect(other).toMatchObject({ ok: false, error: { field: "chainId" } });
  });

  test("fails when it claims another place with a count that would fit the path", async () => {
    // In trees of 7 and 8 leaves the path of leaf 0 has the same sides: without the count's proof both would hold.
    const proof = await proofOf(6, 0);
    expect(await isProven({ ...proof, count: 8 })).toBe(false);
    expect(await isProven({ ...proof, count: 5 })).toBe(false);
  });

  test("is refused for a block that is not irreversible or whose receipts are gone", async () => {
    expect(await proofs.transaction({ ...viewAt(3), status: "pending" }, 0)).toMatchObject({ lasting: false });
    expect(await proofs.transaction({ ...viewAt(3), receipts: undefined }, 0)).toMatchObject({ lasting: true });
  });
});

test("the size of a tree is proven for every count, and no other", () => {
  for (let count = 1; count <= 40; count++) {
    const list = encodeList(Array.from({ length: count }, (_, i) => new Uint8Array([i, count])));
    const treeRoot = rootOfLeafHashes(leafHashesOf(list.buffer, list.offsets));
    const peaks = treeSizeProof(list);
    expect(provenTreeSize(peaks, treeRoot)).toBe(count);
    expect(provenTreeSize(peaks.slice(1), treeRoot)).toBeUndefined();
    const [first, ...rest] = peaks;
    if (first === undefined || first.path.length === 0) continue;
    expect(provenTreeSize([{ ...first, path: first.path.slice(1) }, ...rest], treeRoot)).toBeUndefined();
  }
  expect(provenTreeSize([], new Uint8Array(32))).toBeUndefined();
});

type Path = readonly (string | number)[];

/** Paths of all texts and numbers in a value. */
function leavesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([name, each]) => leavesOf(each, [...path, name]));
}

function flipped(proof: TransactionProof, path: Path, bit: number): unknown {
  const copy = structuredClone(proof) as unknown as Record<string, unknown>;
  let holder = copy;
  for (const name of path.slice(0, -1)) holder = holder[name] as Record<string, unknown>;
  const last = path.at(-1) as string;
  holder[last] = flippedValue(holder[last] as string | number, bit, last);
  return copy;
}

const HEX = /^[0-9a-f]{64}$/;

function flippedValue(value: string | number, bit: number, name: string): string | number {
  if (typeof value === "number") return value ^ (1 << (bit % 20));
  const bytes = HEX.test(value)
    ? Buffer.from(value, "hex")
    : name === "format"
      ? Buffer.from(value)
      : fromBase64Url(value)!;
  const copy = Uint8Array.from(bytes);
  const at = bit % (8 * copy.length);
  copy[at >> 3]! ^= 1 << (at & 7);
  if (name === "format") return Buffer.from(copy).toString("latin1");
  return HEX.test(value) ? Buffer.from(copy).toString("hex") : toBase64Url(copy);
}
