/** An operator's confirmation that a vote record was lost, on real files. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, describe, expect, test } from "vitest";
import { makeConfiguration } from "../../chain/configuration.ts";
import type { EngineName } from "../../chain/genesis.ts";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { jointSets } from "../../chain/producerSets.ts";
import { engineKit } from "../../consensus/engines.ts";
import { type VsrRecord, vsrRecordMessage } from "../../consensus/vsr/messages.ts";
import { recordAfterLoss } from "../../consensus/lostRecord.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { ChainDirectory } from "../../src/node/chainDirectory.ts";
import { confirmLostRecordCommand } from "../../src/node/cli/confirmLostRecord.ts";
import { initCommand, type InitFlags } from "../../src/node/cli/init.ts";
import { readGenesisFile, toGenesis } from "../../src/node/genesisFile.ts";
import { confirmLostRecord, CONFIRMATIONS_FILE } from "../../src/node/lostRecord.ts";
import { createNetwork } from "../../src/node/network.ts";
import { recordNote } from "../../src/node/recordNote.ts";
import { acquireLock } from "../../src/node/storage/lock.ts";

const root = mkdtempSync(join(tmpdir(), "cairn-lost-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;

function directory(engine: EngineName, producers: number): string {
  const dir = join(root, `net${made++}`);
  const plan = { name: "test", engine, followers: 0, basePort: 28_650, hosts: ["127.0.0.1"], time: 1_700_000_000_000 };
  const network = createNetwork(dir, { ...plan, producers });
  if (!network.ok) throw new Error(network.error.messages.join("; "));
  return (network.value[1] as (typeof network.value)[0]).dir;
}

function edit(dir: string, sql: string): void {
  const database = new Database(join(dir, "chain.db"));
  database.prepare(sql).run();
  database.close();
}
const LOSE = "DELETE FROM record";
const DAMAGE = "UPDATE record SET bytes = x'0801'";

function recordOf(dir: string): ReturnType<ChainDirectory["voteRecord"]> {
  const chain = ChainDirectory.open(dir);
  try {
    return chain.voteRecord();
  } finally {
    chain.close();
  }
}

async function refusal(dir: string): Promise<string> {
  const done = await confirmLostRecord(dir, true, 0);
  return done.ok ? "none" : done.error.code;
}

describe.each([
  ["raft", 3],
  ["bft", 4],
] as const)("%s: a lost record", (engine, producers) => {
  test.each([
    ["missing", LOSE],
    ["damaged", DAMAGE],
  ])("that is %s is replaced when it is confirmed, and that is written down", async (verdict, sql) => {
    const dir = directory(engine, producers);
    edit(dir, sql);
    await expect(confirmLostRecordCommand(dir, {})).rejects.toMatchObject({
      status: 2,
      message: expect.stringMatching(new RegExp(`${verdict}.*Nothing was done.*--confirm`)) as string,
    });
    expect(recordOf(dir)).toEqual({ verdict });
    expect(existsSync(join(dir, CONFIRMATIONS_FILE))).toBe(false);

    expect(await confirmLostRecordCommand(dir, { confirm: true, json: true })).toBe(0);
    expect(recordOf(dir)).toMatchObject({ verdict: "ok", record: { engine, content: { view: 1, unknownUpTo: 0 } } });
    const [line, ...rest] = readFileSync(join(dir, CONFIRMATIONS_FILE), "utf8").split("\n");
    expect(JSON.parse(line as string)).toMatchObject({ verdict, engine, unknownUpTo: 0 });
    expect(rest).toEqual([""]);
    // Once is enough: the fresh one is a record like any other.
    await expect(confirmLostRecordCommand(dir, { confirm: true })).rejects.toMatchObject({ status: 1 });
  });

  test("that is an old one is replaced, above all that it still tells", async () => {
    const dir = directory(engine, producers);
    const kit = kitOf(dir);
    const decoded = kit.decodeRecord(kit.initialRecord());
    if (!decoded.ok) throw new Error(decoded.error.detail);
    const old = { ...decoded.value.content, view: 7, outdated: true };
    edit(dir, LOSE);
    // By the same way as the fresh one: the table's checksum goes with it.
    const { raftRecordMessage } = await import("../../consensus/raft/messages.ts");
    const { bftRecordMessage } = await import("../../consensus/bft/messages.ts");
    const { recordChecksum } = await import("../../src/node/storage/chainChecksum.ts");
    const bytes = engine === "raft" ? raftRecordMessage.encode(old) : bftRecordMessage.encode(old as never);
    const database = new Database(join(dir, "chain.db"));
    database.prepare("INSERT INTO record (one, bytes, sha256) VALUES (1, ?, ?)").run(bytes, recordChecksum(bytes));
    database.close();
    expect((await confirmLostRecord(dir, true, 0)).ok).toBe(true);
    expect(recordOf(dir)).toMatchObject({ record: { content: { view: 8, unknownUpTo: 7 } } });
    const { record } = recordOf(dir) as Extract<ReturnType<typeof recordOf>, { verdict: "ok" }>;
    expect(record.content.outdated).toBeUndefined();
  });
});

function kitOf(dir: string): ReturnType<typeof engineKit> {
  const file = readGenesisFile(join(dir, "genesis.json"));
  if (!file.ok) throw new Error(file.error.message);
  const genesis = toGenesis(file.value);
  return engineKit(genesis, makeGenesisBlock(genesis, createKvApplication()).block.id);
}

describe("vsr: a lost record", () => {
  test("comes back by itself; where others have lost theirs, the confirmed one counts the rest for all there is", async () => {
    const dir = directory("vsr", 3);
    edit(dir, LOSE);
    expect(await confirmLostRecordCommand(dir, { confirm: true, json: true })).toBe(0);
    expect(recordOf(dir)).toMatchObject({
      verdict: "ok",
      record: { engine: "vsr", content: { lostWithOthers: true } },
    });
    expect(await refusal(dir)).toBe("RECORD_IS_WHOLE");
    const { record } = recordOf(dir) as Extract<ReturnType<typeof recordOf>, { verdict: "ok" }>;
    const bytes = vsrRecordMessage.encode(record.content as VsrRecord);
    expect(recordNote(kitOf(dir), "vsr", "chain.db", bytes)?.message).toMatch(/others with it/);
  });
});

describe("a key that was there before, in a new directory", () => {
  const from = (name: string, flags: InitFlags): ReturnType<typeof recordOf>["verdict"] => {
    const dir = directory("raft", 3);
    const made = join(root, name);
    initCommand(made, { genesis: join(dir, "genesis.json"), key: join(dir, "node.key"), json: true, ...flags });
    return recordOf(made).verdict;
  };
  test("has a first vote record only where somebody says that no node ran with it", () => {
    expect(from("first", { voteRecord: "first" })).toBe("ok");
    expect(from("lost", { voteRecord: "lost" })).toBe("missing");
  });
  test("is refused where nobody says anything of its record", () => {
    expect(() => from("unsaid", {})).toThrow(/has a node run with this key.*--vote-record lost.*first/);
    expect(() => from("unsaid", { voteRecord: "old" })).toThrow(/--vote-record old: .*--vote-record lost/);
    expect(() => initCommand(join(root, "unsaid"), { voteRecord: "lost" })).toThrow(/--vote-record: .* of a --key/);
    expect(existsSync(join(root, "unsaid"))).toBe(false);
  });
});

describe("refused is", () => {
  test("a whole record", async () => {
    expect(await refusal(directory("raft", 3))).toBe("RECORD_IS_WHOLE");
  });
  test.each([
    ["raft", 2],
    ["bft", 3],
  ] as const)("%s with %i producers: the others cannot go on without it", async (engine, producers) => {
    const dir = directory(engine, producers);
    edit(dir, LOSE);
    expect(await refusal(dir)).toBe("OTHERS_ARE_TOO_FEW");
  });
  test("while the set changes: where the others of either set cannot go on without it", () => {
    const keys = ["1", "2", "3", "4"].map((digit) => digit.repeat(64));
    const set = (count: number) => makeConfiguration(keys.slice(0, count));
    const zero = { view: 0, height: 0, id: "0".repeat(64) };
    const known = { view: 3, head: zero, genesis: zero };
    expect(recordAfterLoss("raft", jointSets(set(3), set(4), 5), known).ok).toBe(true);
    expect(recordAfterLoss("raft", jointSets(set(3), set(2), 5), known)).toMatchObject({
      error: { code: "OTHERS_ARE_TOO_FEW", producers: 3 },
    });
  });
  test("a directory in which a node runs", async () => {
    const dir = directory("raft", 3);
    edit(dir, LOSE);
    const lock = acquireLock(dir);
    await expect(confirmLostRecordCommand(dir, { confirm: true })).rejects.toMatchObject({
      status: 3,
      message: expect.stringContaining("in use") as string,
    });
    lock.release();
    expect(recordOf(dir)).toEqual({ verdict: "missing" });
  });
});

describe("what a start says of the record", () => {
  const kit = kitOf(directory("raft", 3));
  const said = (found: Parameters<typeof recordNote>[3], engine: EngineName = "raft"): string | undefined =>
    recordNote(kit, engine, "chain.db", found)?.message;

  test("of a lost one: what it means, and the command", () => {
    for (const verdict of ["missing", "damaged"] as const)
      expect(said(verdict)).toMatch(new RegExp(`is ${verdict}: .*recovering.*new key.*confirm-lost-record`));
    expect(said(new Uint8Array([255]))).toMatch(/not readable/);
    expect(said("missing", "vsr")).toMatch(
      /when the others have told.*others have lost theirs as well.*confirm-lost-record/,
    );
  });
  test("of a whole one: nothing", () => {
    expect(said(kit.initialRecord())).toBeUndefined();
  });
});
