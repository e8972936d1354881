import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { makeGenesisBlock } from "../../chain/genesisBlock.ts";
import { raftRecordMessage } from "../../consensus/raft/messages.ts";
import { ChainDirectory } from "../../src/node/chainDirectory.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { checkFree, createNodeDirectory, readNodeDirectory, withinGenesis } from "../../src/node/directory.ts";
import { parseGenesis, toGenesis } from "../../src/node/genesisFile.ts";
import { generateNodeKey } from "../../src/node/keys.ts";
import { testnetCommand } from "../../src/node/cli/init.ts";
import { createNetwork, isPortRangeValid } from "../../src/node/network.ts";
import { ChainReader } from "../../src/node/storage/chainReader.ts";
import { testGenesis } from "./http/fakeNode.ts";

const root = mkdtempSync(join(tmpdir(), "cairn-directory-"));
afterAll(() => rmSync(root, { recursive: true }));
const key = generateNodeKey();

describe("a new node's directory", () => {
  const dir = join(root, "new", "node");

  test("holds settings, genesis, key and the first vote record, for block 0", () => {
    const genesis = testGenesis();
    expect(createNodeDirectory(dir, { genesis, key, settings: { "node.name": "n" } })).toEqual({ ok: true });
    expect(readdirSync(dir).toSorted()).toEqual(["chain.db", "config.toml", "genesis.json", "node.key"]);
    expect(statSync(join(dir, "config.toml")).mode & 0o077).toBe(0);
    const reader = ChainReader.open(dir, genesis.chainId);
    const { record, irreversible } = reader.meta();
    reader.close();
    const { id } = makeGenesisBlock(toGenesis(genesis), createKvApplication()).block;
    const bytes = raftRecordMessage.encode({ view: 0, ackedHead: { view: 0, height: 0, id } });
    expect(record).toEqual({ verdict: "ok", bytes: Buffer.from(bytes) });
    expect(irreversible).toBeUndefined();
    const read = readNodeDirectory(dir, {});
    expect(read.ok && [read.value.config.name, read.value.genesis.chainId, read.value.key.publicKey]).toEqual([
      "n",
      genesis.chainId,
      key.publicKey,
    ]);
  });

  test("of a BFT chain holds a record of that engine", () => {
    const genesis = testGenesis({ engine: "bft" });
    const bft = join(root, "bft");
    expect(createNodeDirectory(bft, { genesis, key, settings: {} })).toEqual({ ok: true });
    const chain = ChainDirectory.open(bft);
    const { id } = makeGenesisBlock(toGenesis(genesis), createKvApplication()).block;
    const block0 = { view: 0, height: 0, id };
    expect(chain.voteRecord()).toEqual({
      verdict: "ok",
      record: {
        engine: "bft",
        content: { view: 0, viewChangeSent: 0, highQc: block0, highQcBytes: new Uint8Array(0), ackedHead: block0 },
      },
    });
    chain.close();
  });

  test("is not made where something is, and nothing there changes", () => {
    const before = readFileSync(join(dir, "node.key"));
    const again = createNodeDirectory(dir, { genesis: testGenesis(), key: generateNodeKey(), settings: {} });
    expect(again.ok ? undefined : again.error.code).toBe("DIRECTORY_NOT_EMPTY");
    expect(readFileSync(join(dir, "node.key"))).toEqual(before);
    expect(checkFree(join(dir, "node.key")).ok).toBe(false);
    mkdirSync(join(root, "empty"));
    expect(checkFree(join(root, "empty")).ok).toBe(true);
  });

  test("of an application that is not there is not begun", () => {
    const codes = [
      testGenesis({ application: { name: "x" } }),
      testGenesis({ application: { name: "kv", initialState: { a: 1 } } }),
    ].map((genesis) => {
      const made = createNodeDirectory(join(root, "none"), { genesis, key, settings: {} });
      return made.ok ? undefined : made.error.code;
    });
    expect(codes).toEqual(["APPLICATION_UNKNOWN", "INITIAL_STATE_INVALID"]);
    expect(existsSync(join(root, "none"))).toBe(false);
  });

  test("that cannot be finished is taken away again", () => {
    const failing = join(root, "failing");
    const broken = { ...key, seed: undefined as unknown as Uint8Array };
    const made = createNodeDirectory(failing, { genesis: testGenesis(), key: broken, settings: {} });
    expect(made.ok ? undefined : made.error.code).toBe("KEY");
    expect(existsSync(failing)).toBe(false);
  });
});

test("a directory whose parts are missing is told part by part", () => {
  const dir = join(root, "parts");
  const code = () => {
    const read = readNodeDirectory(dir, {});
    return read.ok ? "ok" : [read.error.code, read.error.messages[0]];
  };
  expect(code()).toEqual(["DIRECTORY_MISSING", expect.stringContaining("cairn init")]);
  createNodeDirectory(dir, { genesis: testGenesis(), key, settings: {} });
  expect(code()).toBe("ok");
  for (const [file, expected] of [
    ["node.key", "KEY"],
    ["genesis.json", "GENESIS"],
    ["config.toml", "DIRECTORY_MISSING"],
  ] as const) {
    rmSync(join(dir, file));
    expect(code()).toEqual([expected, expect.stringContaining(file)]);
  }
});

test("blocks of one's own and transactions taken here are never above the genesis", () => {
  const dir = join(root, "limits");
  const genesis = testGenesis({ limits: { blockBytes: 5000, transactionBytes: 4000, blockTransactions: 7 } });
  createNodeDirectory(dir, { genesis, key, settings: {} });
  const read = readNodeDirectory(dir, {});
  if (!read.ok) throw new Error(read.error.messages[0]);
  expect(read.value.config.consensus).toMatchObject({ blockBytes: 5000, blockTransactions: 7 });
  expect(read.value.config.transactionBytes).toBe(4000);
  expect(withinGenesis(read.value.config, testGenesis()).consensus.blockBytes).toBe(5000);
});

describe("a network's directories", () => {
  const plan = {
    name: "net",
    engine: "raft",
    producers: 2,
    followers: 1,
    basePort: 30_000,
    hosts: ["127.0.0.1"],
    time: 1_767_225_600_000,
  } as const;

  test("are node0, node1, ..., producers first, on ports ten apart, with one genesis", () => {
    const dir = join(root, "net");
    const made = createNetwork(dir, plan);
    if (!made.ok) throw new Error(made.error.messages[0]);
    expect(made.value.map(({ name, role, address, url }) => [name, role, address, url])).toEqual([
      ["node0", "producer", "127.0.0.1:30000", "http://127.0.0.1:30001"],
      ["node1", "producer", "127.0.0.1:30010", "http://127.0.0.1:30011"],
      ["node2", "follower", "127.0.0.1:30020", "http://127.0.0.1:30021"],
    ]);
    const texts = made.value.map((node) => readFileSync(join(node.dir, "genesis.json"), "utf8"));
    expect(new Set(texts).size).toBe(1);
    const genesis = parseGenesis(JSON.parse(texts[0] ?? ""));
    expect(genesis.ok && genesis.value.producers.map(({ key: producer }) => producer)).toEqual(
      made.value.slice(0, 2).map(({ key: producer }) => producer),
    );
    for (const [index, node] of made.value.entries()) {
      const read = readNodeDirectory(node.dir, {});
      if (!read.ok) throw new Error(read.error.messages[0]);
      const { config, key: nodeKey } = read.value;
      expect([config.name, nodeKey.publicKey, config.http.port]).toEqual([node.name, node.key, 30_001 + 10 * index]);
      expect(config.p2p.listen).toBe(node.address);
    }
  });

  test("are of a chain whose producers approve changes as `testnet` is told to", () => {
    const flags = { producers: "1", followers: "0", engine: "bft", basePort: "30000", json: true };
    const ruleOf = (name: string, rule: object): string => {
      testnetCommand(join(root, name), { ...flags, ...rule });
      const read = readNodeDirectory(join(root, name, "node0"), {});
      return read.ok ? read.value.genesis.limits.producerApproval : "none";
    };
    expect(ruleOf("any", { producerApproval: "anyProducer" })).toBe("anyProducer");
    expect(ruleOf("quorum", {})).toBe("quorum");
    expect(() => ruleOf("other", { producerApproval: "all" })).toThrow(
      /--producer-approval all: .*quorum or anyProducer/,
    );
  });

  test("are not begun on what is no machine", () => {
    const flags = { producers: "2", followers: "0", engine: "raft", basePort: "30000", json: true };
    for (const host of ["10.0.0.1:99", "a b", ""])
      expect(() => testnetCommand(join(root, "no"), { ...flags, host: ["::1", host] })).toThrow(
        expect.objectContaining({ status: 2, message: expect.stringContaining(`--host ${host}: `) as string }),
      );
    expect(existsSync(join(root, "no"))).toBe(false);
  });

  test("on other machines listen to everyone, HTTP on loopback", () => {
    const made = createNetwork(join(root, "hosts"), { ...plan, hosts: ["10.0.0.1", "fd00::2"] });
    if (!made.ok) throw new Error(made.error.messages[0]);
    expect(made.value.map(({ address }) => address)).toEqual(["10.0.0.1:30000", "[fd00::2]:30010", "10.0.0.1:30020"]);
    const read = readNodeDirectory(made.value[1]?.dir ?? "", {});
    expect(read.ok && [read.value.config.p2p.listen, read.value.config.http.host]).toEqual(["[::]:30010", "127.0.0.1"]);
  });

  test("are all gone again when one cannot be made", () => {
    const dir = join(root, "half");
    mkdirSync(dir);
    symlinkSync(join(root, "nowhere", "at", "all"), join(dir, "node2"));
    const made = createNetwork(dir, plan);
    expect(made.ok ? undefined : made.error.code).toBe("DIRECTORY_UNWRITABLE");
    expect(readdirSync(dir)).toEqual(["node2"]);
  });

  test("are not begun when one is in the way", () => {
    const dir = join(root, "busy");
    mkdirSync(join(dir, "node2"), { recursive: true });
    writeFileSync(join(dir, "node2", "x"), "");
    expect(createNetwork(dir, plan).ok).toBe(false);
    expect(readdirSync(dir)).toEqual(["node2"]);
  });

  test("need ports below 65536", () => {
    expect([
      isPortRangeValid(65_534, 1),
      isPortRangeValid(65_535, 1),
      isPortRangeValid(65_520, 2),
      isPortRangeValid(65_525, 2),
    ]).toEqual([true, false, true, false]);
  });
});
