/** `cairn audit` over real sockets: nodes that agree, one that lies, two that show two histories. */
import { spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { once as onceEmitted } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Proofs } from "../../src/node/proofs.ts";
import { chainGenesis, makeChain, SMALL_CHAIN } from "../../tools/inspect/makeChain.ts";
import { type Lie, ServedChain } from "../fixtures/lyingServer.ts";

const RUN = fileURLToPath(new URL("../../src/node/cli/run.ts", import.meta.url));
const PYTHON = fileURLToPath(new URL("../../tools/proofs/check_proof.py", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "cairn-audit-"));
const genesisFile = join(root, "genesis.json");
const servers: Server[] = [];
const chains: ServedChain[] = [];
const urls: Record<string, string> = {};
/** Of the node that grows. */
let shown: Proofs | undefined;

beforeAll(async () => {
  for (const [name, transactionsPerBlock] of [
    ["honest", 5],
    ["fork", 4],
  ] as const) {
    await makeChain(join(root, name), { ...SMALL_CHAIN, transactionsPerBlock });
    const chain = new ServedChain(join(root, name), chainGenesis());
    chains.push(chain);
    urls[name] = await listen(chain);
  }
  for (const [name, producers] of [
    ["oneWay", [0, 1, 2, 3]],
    ["otherWay", [0, 1, 2, 5]],
  ] as const) {
    const changes = [{ height: 3, producers }];
    await makeChain(join(root, name), { ...SMALL_CHAIN, blocks: 6, blocksPerCertificate: 2, reversible: 0, changes });
    const chain = new ServedChain(join(root, name), chainGenesis());
    chains.push(chain);
    urls[name] = await listen(chain);
  }
  urls["grows"] = await listen(chains[0] as ServedChain, undefined, () => shown);
  writeFileSync(genesisFile, JSON.stringify(chainGenesis().value));
});
afterAll(() => {
  for (const server of servers) server.close();
  for (const chain of chains) chain.close();
  rmSync(root, { recursive: true, force: true });
});

async function listen(chain: ServedChain, lie?: Lie, proofs?: () => Proofs | undefined): Promise<string> {
  const server = createServer((request, response) => {
    void chain
      .fetch(
        lie,
        proofs?.(),
      )(`http://node${request.url ?? ""}`)
      .then(async (answered) => {
        response.writeHead(answered.status, { "content-type": "application/json" });
        response.end(await answered.text());
      });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Ended {
  readonly status: number | null;
  readonly text: string;
}

function audit(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [RUN, "audit", ...args], { env: { ...process.env, NO_COLOR: "1" } });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
    child.on("close", (status) => resolve({ status, text }));
  });
}

const once = (dir: string, ...nodes: readonly string[]): Promise<Ended> => onceFrom(undefined, dir, ...nodes);
const onceFrom = (from: string | undefined, dir: string, ...nodes: readonly string[]): Promise<Ended> =>
  audit(
    ...nodes.map((name) => urls[name] as string),
    "--genesis",
    genesisFile,
    "--dir",
    join(root, dir),
    "--once",
    ...(from === undefined ? [] : ["--from", join(root, from, "head.json")]),
  );

it("nodes that agree: status 0, the newest proof and a log are kept; the next audit goes on from it", async () => {
  const first = await once("quiet", "honest", "honest");
  expect([first.status, first.text]).toEqual([0, expect.stringContaining("current at 20")]);
  expect(first.text).toContain("trusting that no producer lies");
  expect(readFileSync(join(root, "quiet", "heads.jsonl"), "utf8")).toContain('"height":20');
  expect((await once("quiet", "honest")).status).toBe(0);
});

it("every lie about a head is named, beside an honest node that is believed", async () => {
  const [honest, , other] = chains as [ServedChain, ServedChain, ServedChain];
  const below = (await honest.answer("/v1/blocks/4/proof")).body as { readonly certificate: string };
  const changed =
    (change: object): Lie =>
    (path, served) =>
      path.startsWith("/v1/proofs/head") ? { ...served, body: { ...(served.body as object), ...change } } : served;
  const path = ["00".repeat(32)];
  const lies: Readonly<Record<string, Lie>> = {
    "a forged proof": changed({ consistencyPath: path }),
    "a truncated tree": changed({ historyPath: [] }),
    "a valid certificate of another height": changed({ certificate: below.certificate }),
    "another chain": changed({ chainId: "00".repeat(32) }),
    "producers that never came to be": (asked, served) =>
      asked.startsWith("/v1/proofs/head") ? other.answer(asked) : served,
    "a proof from another block": () => honest.answer("/v1/proofs/head?from=5"),
    "no proof at all": () => ({ status: 200, body: [] }),
  };
  for (const [name, lie] of Object.entries(lies)) urls[name] = await listen(honest, lie);
  shown = honest.proofsUpTo(8);
  const { status, text } = await once("lies", ...Object.keys(lies), "grows", "honest");
  expect(status).toBe(1);
  for (const name of Object.keys(lies)) expect(text, name).toContain(`${urls[name]} lying`);
  // A stale head is not taken for the newest, and is no lie.
  expect(text).toContain(`${urls["grows"]} behind at 8`);
  expect(text).toContain(`${urls["honest"]} current at 20`);
});

it("as it goes on: a node that withholds what it has shown, one that is down and comes back; SIGTERM ends it with 0", async () => {
  const honest = chains[0] as ServedChain;
  shown = undefined;
  let isDown = false;
  urls["flaky"] = await listen(honest, (_, served) => (isDown ? { status: 503, body: {} } : served));
  const nodes = ["honest", "grows", "flaky"].map((name) => urls[name] as string);
  const args = [...nodes, "--genesis", genesisFile, "--dir", join(root, "long"), "--interval", "50"];
  const child = spawn(process.execPath, [RUN, "audit", ...args], { env: { ...process.env, NO_COLOR: "1" } });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const until = async (...words: readonly string[]): Promise<void> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`it ended before ${words.join()}`);
      if (words.every((word) => value.includes(word))) return;
    }
  };
  await until(`${nodes[1]} current`, `${nodes[2]} current`);
  shown = honest.proofsUpTo(12);
  await until(`${nodes[0]} current at 20`, `${nodes[1]} wentBack`);
  shown = undefined;
  isDown = true;
  await until(`${nodes[1]} current`, `${nodes[2]} unreachable`);
  isDown = false;
  await until(`${nodes[1]} current`, `${nodes[2]} current`);
  child.kill("SIGTERM");
  const [status] = (await onceEmitted(child, "close")) as [number | null];
  expect(status).toBe(0);
}, 120_000);

it("two histories: an alarm with evidence that verifies, and does not when a byte is changed", async () => {
  const { status, text } = await once("alarm", "honest", "fork");
  expect([status, text]).toEqual([1, expect.stringContaining("ALARM")]);
  const file = join(root, "alarm", "fork-20.json");
  const verified = await audit("verify", file, "--genesis", genesisFile);
  expect([verified.status, verified.text]).toEqual([0, expect.stringContaining("two histories: height 20")]);
  writeFileSync(file, readFileSync(file, "utf8").replace('"height": 20', '"height": 19'));
  const refused = await audit("verify", file, "--genesis", genesisFile);
  expect([refused.status, refused.text]).toEqual([1, expect.stringContaining("no evidence")]);
  writeFileSync(file, '{"evidence":[]}');
  const empty = await audit("verify", file, "--genesis", genesisFile);
  expect([empty.status, empty.text]).toEqual([
    1,
    expect.stringContaining("no evidence: the list of evidence is empty"),
  ]);
});

it("two ways of changing one producer set: evidence that the command and the script of Python take", async () => {
  const { status, text } = await once("ways", "oneWay", "otherWay");
  expect([status, text]).toEqual([1, expect.stringContaining("ALARM")]);
  const file = join(root, "ways", "fork-6.json");
  expect(readFileSync(file, "utf8")).toContain('"secondProducers"');
  expect((await audit("verify", file, "--genesis", genesisFile)).status).toBe(0);
  const python = spawnSync("python3", [PYTHON, "--genesis", genesisFile, file], { encoding: "utf8" });
  if (python.error === undefined) expect([python.status, python.stdout]).toEqual([0, expect.stringContaining("ids")]);
});

it("a file that is larger than any evidence is not read", async () => {
  const file = join(root, "huge.json");
  writeFileSync(file, "");
  truncateSync(file, 17 * 1024 * 1024);
  const { status, text } = await audit("verify", file, "--genesis", genesisFile);
  expect([status, text]).toEqual([3, expect.stringContaining("it is larger than")]);
});

it("a restart: a log that a crash has cut is gone on with, a proof that is damaged is named", async () => {
  const heads = (): string[] =>
    readFileSync(join(root, "restart", "heads.jsonl"), "utf8")
      .trimEnd()
      .split("\n");
  shown = chains[0]?.proofsUpTo(8);
  expect((await once("restart", "grows")).status).toBe(0);
  cpSync(join(root, "restart"), join(root, "young"), { recursive: true });
  appendFileSync(join(root, "restart", "heads.jsonl"), '{"height":9,"id":"ab');
  shown = undefined;
  expect((await once("restart", "grows")).status).toBe(0);
  expect(heads().map((line) => line.slice(0, 13))).toEqual(['{"height":8,"', '{"height":9,"', '{"height":20,']);
  expect(JSON.parse(heads()[2] as string)).toMatchObject({ height: 20 });
  const file = join(root, "restart", "head.json");
  writeFileSync(file, readFileSync(file, "utf8").replace('"height": 20', '"height": 19'));
  const { status, text } = await once("restart", "grows");
  expect([status, text]).toEqual([1, expect.stringContaining(`${file}: what was kept does not hold`)]);
});

it("what cannot be written is told, followed all the same, and evidence is printed then", async () => {
  for (const name of ["head.json.new", "fork-20.json.new"]) mkdirSync(join(root, "full", name), { recursive: true });
  const quiet = await once("full", "honest");
  expect([quiet.status, quiet.text]).toEqual([3, expect.stringContaining("not kept")]);
  const { status, text } = await once("full", "honest", "fork");
  expect([status, text]).toEqual([1, expect.stringContaining("ALARM")]);
  const file = join(root, "printed.json");
  writeFileSync(file, text.slice(text.indexOf("{\n"), text.lastIndexOf("}\n") + 1));
  expect((await audit("verify", file, "--genesis", genesisFile)).status).toBe(0);
});

it("--from another's head: the newer of both is gone on from, and two histories among them are an alarm", async () => {
  expect((await once("foreign", "fork")).status).toBe(0);
  shown = undefined;
  const [older, alarm] = [await onceFrom("young", "old", "honest"), await onceFrom("foreign", "old", "honest")];
  expect([older.status, older.text]).toEqual([0, expect.stringContaining("current at 20")]);
  expect([alarm.status, alarm.text]).toEqual([1, expect.stringContaining("ALARM")]);
  shown = chains[0]?.proofsUpTo(12);
  // The own head of height 20 is not given up for an older one that a node still shows.
  expect((await onceFrom("young", "old", "grows")).text).toContain("nothing proven");
});

it("says what is missing: no node, no such file, a number that is none", async () => {
  expect((await audit()).status).toBe(2);
  expect(
    (await audit(urls["honest"] as string, "--genesis", join(root, "none"), "--dir", join(root, "x"))).status,
  ).toBe(3);
  expect((await audit(urls["honest"] as string, "--interval", "soon", "--dir", join(root, "x"))).status).toBe(2);
});

it("exit statuses: 3 when no node can be reached or a file is no genesis, 2 for what is no URL", async () => {
  const down = ["http://127.0.0.1:1", "http://127.0.0.1:2"];
  const dir = ["--dir", join(root, "statuses"), "--once"];
  const nobody = await audit(...down, "--genesis", genesisFile, ...dir);
  expect([nobody.status, nobody.text]).toEqual([3, expect.stringContaining("nothing proven")]);
  const unserved = await audit(...down, ...dir);
  expect([unserved.status, unserved.text]).toEqual([3, expect.stringContaining("cannot reach http://127.0.0.1:1")]);
  expect((await audit(down[0]!, urls["honest"]!, "--genesis", genesisFile, ...dir)).status).toBe(0);

  for (const genesis of [[], ["--genesis", genesisFile]]) {
    const no = await audit("notaurl", ...genesis, ...dir);
    expect([no.status, no.text]).toEqual([2, expect.stringMatching(/notaurl.*URL/)]);
  }
  const wrong = join(root, "wrong.json");
  writeFileSync(wrong, "{}");
  const bad = await audit(urls["honest"]!, "--genesis", wrong, ...dir);
  expect([bad.status, bad.text]).toEqual([3, expect.stringMatching(`^cairn: ${wrong}: `)]);
});

it("a node that is there and proves nothing, beside one that is down: the answer is no, 1", async () => {
  const withholds = await listen(chains[0] as ServedChain, () => ({
    status: 404,
    body: { error: { code: "NO_PROOF", message: "there is none" } },
  }));
  const found = await audit(
    withholds,
    "http://127.0.0.1:1",
    "--genesis",
    genesisFile,
    "--dir",
    join(root, "w"),
    "--once",
  );
  expect([found.status, found.text]).toEqual([1, expect.stringContaining("nothing proven")]);
});
