import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { HARD_LIMITS } from "../../chain/constants.ts";
import {
  DEFAULT_LIMITS,
  parseGenesis,
  parseGenesisText,
  readGenesisFile,
  toGenesis,
} from "../../src/node/genesisFile.ts";
import { nodeKeyFromSeed } from "../../src/node/keys.ts";

const dir = mkdtempSync(join(tmpdir(), "cairn-genesis-"));
afterAll(() => rmSync(dir, { recursive: true }));

const KEYS = [1, 2].map((fill) => nodeKeyFromSeed(new Uint8Array(32).fill(fill)).publicKey);
const producer = (index: number, changes: object = {}) => ({
  name: `node${index}`,
  key: KEYS[index],
  address: `10.0.0.${index + 1}:26600`,
  ...changes,
});

const VALUE = {
  name: "example",
  time: 1_767_225_600_000,
  engine: "raft",
  producers: [producer(0), producer(1)],
  application: { name: "kv", initialState: { a: "b" } },
  limits: { expiryAheadMs: 30_000 },
};

function parsed(value: unknown) {
  const genesis = parseGenesis(value);
  if (!genesis.ok) throw new Error(genesis.error.message);
  return genesis.value;
}

test("limits that the file leaves out are the defaults", () => {
  const { limits } = parsed(VALUE);
  expect(limits).toEqual({ ...DEFAULT_LIMITS, expiryAheadMs: 30_000 });
  const { limits: _, ...rest } = VALUE;
  expect(parsed(rest).limits).toEqual(DEFAULT_LIMITS);
});

test("the chain id is the SHA-256 of the value in canonical JSON, as written", () => {
  const canonical =
    `{"application":{"initialState":{"a":"b"},"name":"kv"},"engine":"raft","limits":{"expiryAheadMs":30000},"name":"example",` +
    `"producers":[{"address":"10.0.0.1:26600","key":"${KEYS[0]}","name":"node0"},{"address":"10.0.0.2:26600","key":"${KEYS[1]}","name":"node1"}],` +
    `"time":1767225600000}`;
  const chainId = createHash("sha256").update(canonical).digest("hex");
  expect(parsed(VALUE).chainId).toBe(chainId);
  const reordered = JSON.stringify(Object.fromEntries(Object.entries(VALUE).toReversed()), null, 4);
  const again = parseGenesisText(reordered);
  expect(again.ok && again.value.chainId).toBe(chainId);
  expect(parsed({ ...VALUE, limits: { ...VALUE.limits, signaturesRequired: false } }).chainId).not.toBe(chainId);
});

test("a limit that a later version knows leaves the chain id of a genesis without it as it was", () => {
  const { chainId, limits } = parsed(VALUE);
  expect(limits).toMatchObject({ executionOperations: 100_000, executionBytes: 64 * 1024 * 1024 });
  expect(limits.producerApproval).toBe("quorum");
  const anyProducer = parsed({ ...VALUE, limits: { ...VALUE.limits, producerApproval: "anyProducer" } });
  expect(anyProducer.limits.producerApproval).toBe("anyProducer");
  expect(anyProducer.chainId).not.toBe(chainId);
  const written = parsed({ ...VALUE, limits: { ...VALUE.limits, executionOperations: 5 } });
  expect(written.limits.executionOperations).toBe(5);
  expect(written.chainId).not.toBe(chainId);
});

test("the chain layer gets the producers in their order", () => {
  const genesis = toGenesis(parsed(VALUE));
  expect(genesis).toMatchObject({ name: "example", time: VALUE.time, engine: "raft", initialState: { a: "b" } });
  expect(genesis.configuration.producers).toEqual(KEYS);
});

describe("a genesis is refused with the place of its fault:", () => {
  const limits = (changes: object) => ({ ...VALUE, limits: changes });
  const producers = (...list: object[]) => ({ ...VALUE, producers: list });
  test.each([
    ["", null],
    ["", []],
    ["name", { ...VALUE, name: undefined }],
    ["name", { ...VALUE, name: "a\u0007b" }],
    ["nmae", { ...VALUE, nmae: "x" }],
    ["time", { ...VALUE, time: 1.5 }],
    ["engine", { ...VALUE, engine: "pow" }],
    ["producers", producers()],
    ["producers[1].key", producers(producer(0), producer(1, { key: KEYS[1]?.toUpperCase() }))],
    ["producers[1].key", producers(producer(0), producer(1, { key: KEYS[0] }))],
    ["producers[1].key", producers(producer(0), producer(1, { key: `01${"00".repeat(31)}` }))],
    ["producers[1].name", producers(producer(0), producer(1, { name: "node0" }))],
    ["producers[0].address", producers(producer(0, { address: "nowhere" }))],
    ["producers[0].port", producers(producer(0, { port: 1 }))],
    ["application.initialState.a", { ...VALUE, application: { name: "kv", initialState: { a: 1.5 } } }],
    ["limits.blockBytes", limits({ blockBytes: HARD_LIMITS.blockBytes + 1 })],
    ["limits.blockTransactions", limits({ blockTransactions: 0 })],
    ["limits.transactionBytes", limits({ blockBytes: 1000, transactionBytes: 1001 })],
    ["limits.signaturesRequired", limits({ signaturesRequired: 1 })],
    ["limits.blokBytes", limits({ blokBytes: 1 })],
  ])("%s", (path, value) => {
    const genesis = parseGenesis(JSON.parse(JSON.stringify(value)));
    expect(genesis.ok ? "accepted" : [genesis.error.code, genesis.error.path]).toEqual(["GENESIS_INVALID", path]);
    if (!genesis.ok && path !== "") expect(genesis.error.message.startsWith(`${path}: `)).toBe(true);
  });

  test("a file that is missing, not JSON, not text", () => {
    const read = (name: string) => {
      const genesis = readGenesisFile(join(dir, name));
      if (genesis.ok) return "accepted";
      expect(genesis.error.message).toContain(join(dir, name));
      return genesis.error.code;
    };
    writeFileSync(join(dir, "broken.json"), "{");
    writeFileSync(join(dir, "binary.json"), new Uint8Array([0x22, 0xff, 0x22]));
    writeFileSync(join(dir, "good.json"), JSON.stringify(VALUE));
    expect(["none.json", "broken.json", "binary.json", "good.json"].map(read)).toEqual([
      "GENESIS_UNREADABLE",
      "GENESIS_NOT_JSON",
      "GENESIS_NOT_JSON",
      "accepted",
    ]);
  });
});
