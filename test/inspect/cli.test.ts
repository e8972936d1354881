/** `cairn inspect` and `cairn tx verify` as processes, on a chain that `makeChain` makes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { encodeList } from "../../chain/byteList.ts";
import { makeTransactionProof } from "../../consensus/transactionProof.ts";
import { toHex } from "../../src/base/bytes.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { ChainDirectory } from "../../src/node/chainDirectory.ts";
import type { BlockView } from "../../src/node/api.ts";
import { readExport } from "../../tools/inspect/exportChain.ts";
import { verifyBlocks } from "../../tools/inspect/verifyBlocks.ts";
import { makeChain, SMALL_CHAIN } from "../../tools/inspect/makeChain.ts";

const CLI = fileURLToPath(new URL("../../src/node/cli/run.ts", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "cairn-inspect-cli-"));
const dir = join(root, "chain");
const genesis = join(dir, "genesis.json");

// A dozen processes, each some seconds where the machine is busy.
vi.setConfig({ testTimeout: 120_000 });

beforeAll(() => makeChain(dir, SMALL_CHAIN));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function cairn(...args: readonly string[]) {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: root, env: { ...process.env, NO_COLOR: "1" } });
  child.stdin.end();
  const [out, err, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { status: status as number | null, out, err };
}

describe("inspect verify", () => {
  test("0 and what was checked", async () => {
    const { status, out } = await cairn("inspect", dir, "verify");
    expect([status, out]).toEqual([0, expect.stringContaining("ok: everything checked is right")]);
    expect(out).toMatch(/transactions +100/);
  });

  test("1, the first wrong thing, what was expected and found, as text and as JSON", async () => {
    const copy = join(root, "copy");
    cpSync(dir, copy, { recursive: true });
    const database = new Database(join(copy, "chain.db"));
    database.exec("UPDATE blocks SET body = zeroblob(length(body)) WHERE height = 7");
    database.close();
    const { status, out, err } = await cairn("inspect", copy, "verify");
    expect([status, err]).toEqual([1, ""]);
    expect(out).toMatch(/wrong: body at height 7, block [0-9a-f]{64}: /);
    const json = await cairn("inspect", copy, "verify", "--json");
    expect([json.status, JSON.parse(json.out)]).toMatchObject([
      1,
      { ok: false, blocks: 6, fault: { kind: "body", height: 7 } },
    ]);
    writeFileSync(join(copy, "chain.db"), "no database");
    expect((await cairn("inspect", copy, "verify")).status).toBe(3);
  });
});

describe("inspect export", () => {
  test.each(["jsonl", "protobuf"] as const)("%s is read back whole, block for block", async (format) => {
    const file = join(root, format);
    const { status, out, err } = await cairn("inspect", dir, "export", "--format", format, "--out", file);
    expect([status, out, err]).toEqual([0, "", expect.stringMatching(/^2[23] blocks/)]);
    const read = await Array.fromAsync(readExport(createReadStream(file), format));
    const chain = ChainDirectory.open(dir);
    const first = format === "jsonl" ? 0 : 1;
    const stored = [...chain.blocks(first, 100)];
    expect(read.map(({ block }) => block.id)).toEqual(stored.map(({ block }) => block.id));
    expect(read.map(({ block }) => toHex(block.body))).toEqual(stored.map(({ block }) => toHex(block.body)));
    const blocks = (async function* () {
      yield* read.filter(({ block }) => block.header.height <= 20);
    })();
    const report = await verifyBlocks(blocks, chain.genesis, createKvApplication(), 20, () => undefined);
    expect(report).toMatchObject({ ok: true, blocks: 20, transactions: 100, certificates: format === "jsonl" ? 5 : 0 });
    chain.close();
    // Any bit of a block that is flipped on the way is told by the reader.
    const bytes = readFileSync(file);
    const at = bytes.indexOf(Buffer.from(format === "jsonl" ? '"bytes":"' : "key 3.3")) + 12;
    bytes[at]! ^= 1;
    const damaged = Array.fromAsync(
      readExport(
        (async function* () {
          yield bytes;
        })(),
        format,
      ),
    );
    await expect(damaged).rejects.toThrow(format === "jsonl" ? /line \d+: / : /message \d+: /);
  });

  test("waits for a slow reader and ends quietly with one that goes away", async () => {
    const child = spawn(process.execPath, [CLI, "inspect", dir, "export"], { cwd: root });
    child.stdout.once("data", () => child.stdout.destroy());
    const [err, [status]] = await Promise.all([text(child.stderr), once(child, "exit")]);
    expect([status, err]).toEqual([0, ""]);
  });

  test("refuses to write over a file", async () => {
    const { status, err } = await cairn("inspect", dir, "export", "--out", genesis);
    expect([status, err]).toEqual([3, expect.stringContaining("genesis.json")]);
  });
});

test("inspect tx, certificates, votes", async () => {
  const chain = ChainDirectory.open(dir);
  const ids = ["9", "22"].map((ref) => toHex((chain.block(ref) as BlockView).block.transactionIds.subarray(32, 64)));
  chain.close();
  const [indexed, above] = await Promise.all(ids.map((id) => cairn("inspect", dir, "tx", id, "--json")));
  expect(JSON.parse(indexed!.out)).toMatchObject({ id: ids[0], status: "irreversible", height: 9, index: 1 });
  expect(JSON.parse(above!.out)).toMatchObject({ id: ids[1], status: "pending", height: 22, index: 1 });
  expect((await cairn("inspect", dir, "tx", "00".repeat(32))).status).toBe(1);
  const { certificates } = JSON.parse((await cairn("inspect", dir, "certificates", "--json")).out);
  expect(certificates.map(({ height }: { height: number }) => height)).toEqual([4, 8, 12, 16, 20]);
  const votes = await cairn("inspect", dir, "votes");
  expect([votes.status, votes.out]).toEqual([
    0,
    expect.stringMatching(/view +3\nvoted for +node0 [0-9a-f]{64}\nacknowledged +height 22/),
  ]);
});

test("tx verify: 0 and what is proven, 1 and which member is wrong, 3 without a genesis", async () => {
  const chain = ChainDirectory.open(dir);
  const { block, receipts, certificate } = chain.block("8") as BlockView;
  chain.close();
  const material = { chainId: chain.genesis.chainId, block, index: 2, historyPath: [] };
  const proof = makeTransactionProof({ ...material, receipts: encodeList(receipts!), certificate: certificate! });
  const file = join(root, "proof.json");
  writeFileSync(file, JSON.stringify({ status: "irreversible", proof }));
  const good = await cairn("tx", "verify", file, "--genesis", genesis);
  expect([good.status, good.out]).toEqual([0, expect.stringContaining(`proven: transaction ${proof.id}`)]);
  expect(good.out).toContain("at height 8 by node0, node1");
  const child = spawn(process.execPath, [CLI, "tx", "verify", "-", "--genesis", genesis], { cwd: root });
  setTimeout(() => child.stdin.end(JSON.stringify(proof)), 50);
  expect(await once(child, "exit")).toEqual([0, null]);
  writeFileSync(file, JSON.stringify({ ...proof, index: 3 }));
  const bad = await cairn("tx", "verify", file, "--genesis", genesis, "--json");
  expect([bad.status, JSON.parse(bad.out)]).toMatchObject([1, { ok: false, field: "transactionPath" }]);
  expect((await cairn("tx", "verify", file, "--genesis", join(root, "nowhere"))).status).toBe(3);
  expect((await cairn("tx", "verify", file)).status).toBe(2);
});
