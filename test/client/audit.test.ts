/** `cairn audit` over real sockets: nodes that agree, one that lies, two that show two histories. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { chainGenesis, makeChain, SMALL_CHAIN } from "../../tools/inspect/makeChain.ts";
import { type Lie, ServedChain } from "../fixtures/lyingServer.ts";

const RUN = fileURLToPath(new URL("../../src/node/cli/run.ts", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "cairn-audit-"));
const genesisFile = join(root, "genesis.json");
const servers: Server[] = [];
const chains: ServedChain[] = [];
const urls: Record<string, string> = {};

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
  const forged: Lie = (_, served) => ({ ...served, body: { ...(served.body as object), historyPath: [] } });
  urls["liar"] = await listen(chains[0] as ServedChain, forged);
  writeFileSync(genesisFile, JSON.stringify(chainGenesis().value));
});
afterAll(() => {
  for (const server of servers) server.close();
  for (const chain of chains) chain.close();
  rmSync(root, { recursive: true, force: true });
});

async function listen(chain: ServedChain, lie?: Lie): Promise<string> {
  const answer = chain.fetch(lie);
  const server = createServer((request, response) => {
    void answer(`http://node${request.url ?? ""}`).then(async (answered) => {
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

const once = (dir: string, ...nodes: readonly string[]): Promise<Ended> =>
  audit(...nodes.map((name) => urls[name] as string), "--genesis", genesisFile, "--dir", join(root, dir), "--once");

it("nodes that agree: status 0, the newest proof and a log are kept; the next audit goes on from it", async () => {
  const first = await once("quiet", "honest", "honest");
  expect([first.status, first.text]).toEqual([0, expect.stringContaining("current at 20")]);
  expect(readFileSync(join(root, "quiet", "heads.jsonl"), "utf8")).toContain('"height":20');
  expect((await once("quiet", "honest")).status).toBe(0);
});

it("a node that lies is named: status 1", async () => {
  const { status, text } = await once("lied", "liar", "honest");
  expect([status, text]).toEqual([1, expect.stringContaining("lying (historyPath")]);
});

it("two histories: an alarm with evidence that verifies, and does not when a byte is changed", async () => {
  const { status, text } = await once("alarm", "honest", "fork");
  expect([status, text]).toEqual([1, expect.stringContaining("ALARM")]);
  const file = join(root, "alarm", "fork-20.json");
  const verified = await audit("verify", file, "--genesis", genesisFile);
  expect([verified.status, verified.text]).toEqual([0, expect.stringContaining("two histories: height 20")]);
  writeFileSync(file, readFileSync(file, "utf8").replace('"height": 20', '"height": 19'));
  const refused = await audit("verify", file, "--genesis", genesisFile);
  expect([refused.status, refused.text]).toEqual([1, expect.stringContaining("no evidence")]);
});

it("says what is missing: no node, no such file, a number that is none", async () => {
  expect((await audit()).status).toBe(2);
  expect(
    (await audit(urls["honest"] as string, "--genesis", join(root, "none"), "--dir", join(root, "x"))).status,
  ).toBe(3);
  expect((await audit(urls["honest"] as string, "--interval", "soon", "--dir", join(root, "x"))).status).toBe(2);
});
