/** The command line from its sources, as a process: what it prints, where, and its exit status. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeTransaction } from "../../chain/transaction.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { encodeKvPayload } from "../../src/node/applications/kvPayload.ts";
import { type HttpServer, startHttp } from "../../src/node/http/server.ts";
import { SILENT } from "../../src/node/logging.ts";
import { FakeNode, NOW, PRODUCER } from "./http/fakeNode.ts";

const CLI = fileURLToPath(new URL("../../src/node/cli/run.ts", import.meta.url));
const BASE_PORT = 28_400;
const root = mkdtempSync(join(tmpdir(), "cairn-cli-"));
const running = new Set<ChildProcess>();

afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(root, { recursive: true, force: true });
});

function launch(args: readonly string[], environment: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: root, env: { ...process.env, ...environment } });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

interface Run {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

async function cairn(args: readonly string[], input = "", environment: Record<string, string> = {}): Promise<Run> {
  const child = launch(args, environment);
  child.stdin?.end(input);
  const [out, err, [status]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, "exit")]);
  return { status: status as number | null, out, err };
}

/** The first line of standard output that begins like this. */
async function lineOf(child: ChildProcess, start: string): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) {
    if (line.startsWith(start)) {
      child.stdout!.resume();
      return line;
    }
  }
  throw new Error(`ended without a line ${start}`);
}

async function endOf(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const exit = once(child, "exit");
  child.kill(signal);
  return (await exit)[0] as number | null;
}

describe("wrong usage ends with 2 and one message on standard error", () => {
  test.each([
    [["stat"], /unknown command 'stat'/],
    [["start"], /missing required argument 'dir'/],
    [["start", "x", "--prot", "1"], /unknown option '--prot'/],
    [["kv", "put", "k"], /missing required argument 'value'/],
    [["kv", "put", "k", "v", "--wait", "never"], /Allowed choices are accepted, included, irreversible/],
    [["kv", "put", "k", "v", "--timeout", "soon"], /--timeout soon/],
    [["kv", "get", "k", "--at", "now"], /--at now/],
    [["tx", "show", "abc"], /64 lower-case hex digits/],
    [["status", "--url", "localhost"], /--url localhost/],
    [["devnet", "--engine", "pow"], /raft, vsr or bft/],
    [["devnet", "--load", "0"], /--load 0/],
    [["testnet", "t", "--producers", "0"], /--producers 0/],
    [["testnet", "t", "--base-port", "65530"], /do not fit/],
    [["init", "i", "--listen", "nowhere"], /--listen: .*nowhere/],
    [["init", "i", "--engine", "bft", "--genesis", "g"], /--engine: the chain of --genesis has its engine/],
    [
      ["inspect", ".", "everything"],
      /summary, blocks, block, tx, forks, verify, export, certificates, votes, evidence/,
    ],
    [["inspect", ".", "block"], /REF is missing/],
    [["inspect", ".", "block", "abc"], /abc is no REF/],
    [["inspect", ".", "forks", "head"], /takes no "head"/],
    [["config", "show", ".", "--set", "consensus.heartbeat=1"], /did you mean "consensus.heartbeatMs"/],
  ])("%j", async (args, message) => {
    const { status, out, err } = await cairn(args);
    expect([status, out]).toEqual([2, ""]);
    expect(err).toMatch(message);
    expect(existsSync(join(root, "t")) || existsSync(join(root, "i"))).toBe(false);
  });

  test("no command at all shows the help", async () => {
    const { status, err } = await cairn([]);
    expect(status).toBe(2);
    expect(err).toContain("Usage: cairn");
  });
});

test("help and version are answers: 0, on standard output, with examples", async () => {
  for (const args of [["--help"], ["kv", "put", "--help"], ["inspect", "--help"]]) {
    const { status, out } = await cairn(args);
    expect(status).toBe(0);
    expect(out).toMatch(/Examples?:/);
  }
  expect((await cairn(["--version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

describe("what cannot be reached or read ends with 3", () => {
  test.each([
    [["status", "--url", "http://127.0.0.1:9"], /cannot reach http:\/\/127\.0\.0\.1:9/],
    [["inspect", "http://127.0.0.1:9", "summary"], /cannot reach/],
    [["inspect", "nowhere", "summary"], /genesis\.json does not exist/],
    [["start", "nowhere"], /nowhere does not exist; make it with: cairn init nowhere/],
    [["config", "show", "nowhere"], /config\.toml does not exist/],
    [["keys", "show", "nowhere"], /nowhere does not exist/],
    [["tx", "submit", "nowhere"], /nowhere does not exist/],
    [["init", "i", "--genesis", "nowhere"], /nowhere does not exist/],
  ])("%j", async (args, message) => {
    const { status, out, err } = await cairn(args);
    expect([status, out]).toEqual([3, ""]);
    expect(err).toMatch(message);
    expect(err.split("\n")).toHaveLength(2);
  });
});

test("--timeout bounds a node that takes the connection and never answers, and the error names it", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const began = performance.now();
  const { status, err } = await cairn(["kv", "put", "x", "y", "--timeout", "100", "--url", url]);
  expect([status, err]).toEqual([3, `cairn: ${url}: no answer within 2100 ms\n`]);
  expect(performance.now() - began).toBeLessThan(15_000);
  silent.close();
});

describe("a server that is no Cairn node", () => {
  const foreign = createHttpServer((_, response) => response.setHeader("content-type", "application/json").end("{}"));
  let url: string;

  beforeAll(async () => {
    await once(foreign.listen(0, "127.0.0.1"), "listening");
    url = `http://127.0.0.1:${(foreign.address() as AddressInfo).port}`;
  });
  afterAll(() => foreign.close());

  const ID = "ab".repeat(32);
  test.each([
    ["inspect", "URL", "summary"],
    ["inspect", "URL", "blocks"],
    ["inspect", "URL", "blocks", "--from", "0"],
    ["inspect", "URL", "block", "1"],
    ["inspect", "URL", "forks"],
    ["inspect", "URL", "certificates"],
    ["inspect", "URL", "export"],
    ["inspect", "URL", "export", "--to", "3"],
    ["inspect", "URL", "evidence"],
    ["inspect", "URL", "verify"],
    ["inspect", "URL", "tx", ID],
    ["blocks", "rejected", "--url", "URL"],
    ["producers", "prove", "--url", "URL"],
    ["tx", "show", ID, "--proof", "--url", "URL"],
    ["tx", "show", ID, "--url", "URL"],
    ["status", "--url", "URL"],
  ])("is called so, with 3: %s %s %s %s", async (...args) => {
    const { status, out, err } = await cairn(args.map((arg) => (arg === "URL" ? url : arg)));
    expect([status, out]).toEqual([3, ""]);
    expect(err).toMatch(/^cairn: http:.* does not answer as a Cairn node/);
    expect(err.split("\n")).toHaveLength(2);
  });
});

describe("making nodes", () => {
  test("keys generate, keys show", async () => {
    const made = await cairn(["keys", "generate", "a.key", "--json"]);
    expect(made.status).toBe(0);
    const { key } = JSON.parse(made.out);
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect((await cairn(["keys", "show", "a.key"])).out).toBe(`${key}\n`);
    const again = await cairn(["keys", "generate", "a.key"]);
    expect([again.status, again.err]).toEqual([2, expect.stringContaining("never overwritten")]);
  });

  test("testnet, then a follower of it", async () => {
    const made = await cairn([
      "testnet",
      "net",
      "--producers",
      "2",
      "--followers",
      "1",
      "--base-port",
      "27000",
      "--json",
    ]);
    expect(made.status).toBe(0);
    expect(JSON.parse(made.out).nodes.map(({ dir }: { dir: string }) => dir)).toEqual([
      "net/node0",
      "net/node1",
      "net/node2",
    ]);
    const again = await cairn(["testnet", "net"]);
    expect([again.status, again.err]).toEqual([2, expect.stringContaining("not empty")]);
    const follower = await cairn([
      "init",
      "f",
      "--genesis",
      "net/node0/genesis.json",
      "--peer",
      "/ip4/127.0.0.1/tcp/27000",
      "--json",
    ]);
    expect(JSON.parse(follower.out)).toMatchObject({ role: "follower", name: "f" });
    const shown = await cairn(["config", "show", "f", "--json"], "", { CAIRN_LOG_LEVEL: "warn" });
    const settings = Object.fromEntries(
      JSON.parse(shown.out).settings.map(({ name, value, source }: Record<string, unknown>) => [name, [value, source]]),
    );
    expect(settings["p2p.peers"]).toEqual([["/ip4/127.0.0.1/tcp/27000"], "file"]);
    expect(settings["log.level"]).toEqual(["warn", "environment"]);
    expect(settings["p2p.maxPeers"]).toEqual([64, "default"]);
    expect((await cairn(["init", "f"])).status).toBe(2);
  });

  test("config show hides the token and names a misspelt setting", async () => {
    await cairn(["init", "c"]);
    const file = join(root, "c", "config.toml");
    const template = readFileSync(file, "utf8");
    writeFileSync(file, template.replace('# token = ""', 'token = "s3cret"'));
    const shown = await cairn(["config", "show", "c"]);
    expect(shown.out).toContain("(hidden)");
    expect(shown.out).not.toContain("s3cret");
    writeFileSync(file, template.replace('# token = ""', 'tokken = "s3cret"'));
    const { status, err } = await cairn(["config", "show", "c"]);
    expect([status, err]).toEqual([2, expect.stringMatching(/c\/config\.toml.*"http\.tokken".*"http\.token"/)]);
  });
});

describe("asking a node", () => {
  const node = new FakeNode();
  let server: HttpServer;
  let url: string[];

  beforeAll(async () => {
    server = await startHttp(node, { host: "127.0.0.1", port: 0, token: "s3cret", log: SILENT });
    url = ["--url", server.url];
    node.put(utf8("greeting"), utf8("hello"));
    node.put(utf8(".."), new Uint8Array([0xff, 0x0a]));
  });
  afterAll(() => server.close());

  test("status and peers, for people and as JSON", async () => {
    expect((await cairn(["status", ...url])).out).toMatch(/consensus +raft, view 1, leader/);
    expect(JSON.parse((await cairn(["status", ...url, "--json"])).out)).toEqual(node.status());
    expect(JSON.parse((await cairn(["peers", ...url, "--json"])).out)).toEqual({ peers: [], off: [] });
  });

  test("routes, for people and as JSON", async () => {
    expect((await cairn(["routes", ...url])).out).toMatch(/node1 +abababababab +cdcdcdcdcdcd +103 +1 +1/);
    expect(JSON.parse((await cairn(["routes", ...url, "--json"])).out)).toEqual({ routes: node.routes() });
  });

  test("peers off and on: by key, or its first digits once it is listed", async () => {
    const key = "ab".repeat(32);
    const switched = (...args: string[]) => cairn(["peers", ...args, ...url, "--token", "s3cret"]);
    expect(await switched("off", key)).toMatchObject({ status: 0, out: expect.stringContaining(`${key} are off`) });
    expect((await cairn(["peers", ...url])).out).toMatch(/abababababab .* off/);
    expect((await cairn(["peers", ...url, "--token", "s3cret", "on", "abababab", "--json"])).out).toContain(
      '"off": false',
    );
    const unknown = await switched("on", "abababab");
    expect([unknown.status, unknown.err]).toEqual([1, expect.stringContaining("give the whole key")]);
    expect(await switched("off", "node1")).toMatchObject({
      status: 2,
      err: expect.stringContaining("64 lower-case hex"),
    });
    expect(await switched("off", PRODUCER)).toMatchObject({ status: 1, err: expect.stringContaining("PEER_IS_SELF") });
  });

  test("kv get prints the value as it is; an absent key is a no", async () => {
    expect(await cairn(["kv", "get", "greeting", ...url])).toEqual({ status: 0, out: "hello\n", err: "" });
    expect((await cairn(["kv", "get", "..", ...url, "--json"])).out).toContain('"value": "_wo"');
    const absent = await cairn(["kv", "get", "nothing", ...url]);
    expect([absent.status, absent.out, absent.err]).toEqual([1, "", 'cairn: there is no key "nothing"\n']);
  });

  test("kv put tells what became of it; a refusal is a no", async () => {
    const put = await cairn(["kv", "put", "a", "b", ...url, "--token", "s3cret", "--json"]);
    expect([put.status, JSON.parse(put.out)]).toEqual([
      0,
      expect.objectContaining({ status: "irreversible", height: 5 }),
    ]);
    const refused = await cairn(["kv", "put", "a", "b", ...url]);
    expect([refused.status, refused.err]).toEqual([1, expect.stringMatching(/401 UNAUTHORIZED.*CAIRN_TOKEN/)]);
  });

  test("tx submit takes one transaction or lines of them; one bad line makes it a no", async () => {
    const environment = { CAIRN_URL: server.url, CAIRN_TOKEN: "s3cret" };
    const put = '{"put":{"key":"a","value":"b"}}';
    const one = await cairn(["tx", "submit", "-", "--wait", "included"], put, environment);
    expect([one.status, one.out]).toEqual([
      0,
      expect.stringMatching(/^[0-9a-f]{64} {2}irreversible at height 5, index 0\n$/),
    ]);
    expect(node.submissions.at(-1)?.wait).toBe("included");
    for (const none of ["", "[]", "5", "\n\n"]) {
      const refused = await cairn(["tx", "submit", "-"], none, environment);
      expect([refused.status, refused.out, refused.err]).toEqual([
        1,
        "",
        expect.stringMatching(/^cairn: standard input/),
      ]);
    }
    writeFileSync(join(root, "lines"), `${put}\n{"put":{}}\n${put}\n`);
    const lines = await cairn(["tx", "submit", "lines", "--json"], "", environment);
    expect(
      lines.out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).status),
    ).toEqual(["irreversible", "invalid", "irreversible"]);
    expect(lines.status).toBe(1);
  });

  test("of several URLs, repeated or with commas, the next is asked where one fails", async () => {
    const dead = "http://127.0.0.1:1";
    const repeated = await cairn(["kv", "get", "greeting", "--url", dead, ...url]);
    expect([repeated.status, repeated.out]).toEqual([0, "hello\n"]);
    const listed = await cairn(["kv", "put", "a", "b", "--token", "s3cret"], "", {
      CAIRN_URL: `${dead}, ${server.url}`,
    });
    expect([listed.status, listed.out]).toEqual([0, expect.stringContaining("irreversible at height 5")]);
    const none = await cairn(["kv", "put", "a", "b", "--url", `${dead},http://127.0.0.1:2`]);
    expect([none.status, none.err]).toEqual([3, expect.stringContaining("cannot reach http://127.0.0.1:")]);
  });

  test("kv watch tells changes until Ctrl-C", async () => {
    const followed = new FakeNode();
    const operations = [
      { kind: "put", key: utf8("w/a"), value: utf8("1") },
      { kind: "delete", key: utf8("w/b") },
    ] as const;
    const transaction = (nonce: number) =>
      encodeTransaction({
        payload: encodeKvPayload(operations),
        nonce: new Uint8Array(16).fill(nonce),
        expiresAt: NOW,
      });
    followed.add(transaction(1));
    followed.decide();
    const open = await startHttp(followed, { host: "127.0.0.1", port: 0, token: undefined, log: SILENT });
    const watching = launch(["kv", "watch", "w/", "--from", "1", "--url", open.url, "--json"]);
    const lines = createInterface({ input: watching.stdout! })[Symbol.asyncIterator]();
    const next = async () => JSON.parse((await lines.next()).value as string) as unknown;
    expect(await next()).toMatchObject({ height: 1, index: 0, put: { key: "w/a", value: "1" } });
    expect(await next()).toMatchObject({ height: 1, delete: { key: "w/b" } });
    followed.add(transaction(2));
    followed.decide();
    expect(await next()).toMatchObject({ height: 2, put: { key: "w/a" } });
    expect(await endOf(watching, "SIGINT")).toBe(0);
    await open.close();
    expect((await cairn(["kv", "watch", "w/", "--from", "soon", ...url])).status).toBe(2);
  });

  test("inspect reads a URL", async () => {
    const summary = JSON.parse((await cairn(["inspect", server.url, "summary", "--json"])).out);
    expect(summary).toMatchObject({
      chainId: node.chainId,
      engine: "raft",
      application: "kv",
      branches: 1,
      record: null,
    });
    expect((await cairn(["inspect", server.url, "block", "99"])).status).toBe(1);
    const exported = (...flags: string[]) => cairn(["inspect", server.url, "export", ...flags]);
    expect((await exported()).out.trimEnd().split("\n")).toHaveLength(1);
    expect(await exported("--from", "1")).toEqual({ status: 0, out: "", err: "" });
    expect(await exported("--from", "1", "--to", "5")).toEqual({ status: 0, out: "", err: "" });
    expect(await exported("--from", "99")).toEqual({
      status: 2,
      out: "",
      err: "cairn: --from 99: the head is at height 0; what comes next would be --from 1\n",
    });
    expect((await exported("--from", "1", "--to", "0")).err).toMatch(/^cairn: --to 0: /);
    expect(JSON.parse((await cairn(["inspect", server.url, "block", "0", "--json"])).out)).toMatchObject({ height: 0 });
  });
});

describe("a node as a process", () => {
  test("starts, serves, is inspected while it runs, stops with 0, and its database is told damaged or unopenable", async () => {
    const http = `127.0.0.1:${BASE_PORT + 1}`;
    await cairn(["init", "n", "--listen", `127.0.0.1:${BASE_PORT}`, "--http", http]);
    const node = launch(["start", "n"]);
    expect(await lineOf(node, "listening ")).toBe(`listening http://${http}`);
    const url = ["--url", `http://${http}`];
    expect((await cairn(["kv", "put", "a", "b", ...url])).status).toBe(0);
    expect((await cairn(["kv", "get", "a", ...url])).out).toBe("b\n");
    expect((await cairn(["kv", "put", "a", "c", "--if-version", "0", ...url])).status).toBe(1);
    const second = await cairn(["start", "n", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    expect([second.status, second.err]).toEqual([3, expect.stringContaining("in use by process")]);
    const seen = JSON.parse((await cairn(["inspect", "n", "block", "head", "--json"])).out);
    expect(seen.height).toBeGreaterThan(0);
    expect((await cairn(["inspect", "n", "forks"])).out).toMatch(/irreversible/);
    expect(await endOf(node, "SIGTERM")).toBe(0);

    const stopped = await cairn(["inspect", "n", "summary", "--json"]);
    expect([stopped.status, JSON.parse(stopped.out).record.verdict]).toEqual([0, "ok"]);
    const file = join(root, "n", "chain.db");
    const database = new Database(file);
    database.prepare("UPDATE blocks SET body = x'00' WHERE height = 1").run();
    database.close();
    const { height } = JSON.parse(stopped.out).head;
    expect((await cairn(["inspect", "n", "export", "--from", String(height)])).out.split("\n")).toHaveLength(2);
    const none = ["inspect", "n", "export", "--from", String(height + 1)];
    expect(await cairn(none)).toEqual({ status: 0, out: "", err: "" });
    expect(await cairn([...none, "--format", "protobuf"])).toEqual({ status: 0, out: "", err: "" });
    const damaged = await cairn(["inspect", "n", "block", "1"]);
    expect([damaged.status, damaged.err]).toEqual([1, expect.stringContaining("checksum")]);
    truncateSync(file, Math.floor(statSync(file).size / 2));
    expect((await cairn(["inspect", "n", "summary"])).status).toBe(1);
    writeFileSync(file, "no database at all, but long enough to be read as one: ".repeat(100));
    expect((await cairn(["inspect", "n", "summary"])).status).toBe(3);
  });

  test("a taken HTTP port is one clear error and status 3", async () => {
    const server = await startHttp(new FakeNode(), { host: "127.0.0.1", port: 0, token: undefined, log: SILENT });
    await cairn(["init", "p"]);
    const { status, out, err } = await cairn([
      "start",
      "p",
      "--listen",
      "127.0.0.1:0",
      "--http",
      new URL(server.url).host,
    ]);
    await server.close();
    expect([status, out]).toEqual([3, ""]);
    expect(err).toMatch(/cairn: http\.listen 127\.0\.0\.1:\d+: the port is in use by another program/);
  });
});

describe("devnet", () => {
  const base = ["devnet", "--dir", "dev"];
  const made = ["--producers", "1", "--followers", "1", "--base-port", String(BASE_PORT + 100)];

  test("makes a network, is ready, reports a node that dies and goes on, stops with 0, and continues", async () => {
    const first = launch([...base, ...made, "--load", "50"]);
    let told = "";
    first.stderr!.on("data", (chunk: Buffer) => (told += chunk.toString()));
    expect(await lineOf(first, "ready ")).toBe(`ready http://127.0.0.1:${BASE_PORT + 101}`);
    const follower = `http://127.0.0.1:${BASE_PORT + 111}`;
    await expect.poll(async () => (await status(follower)).irreversible.height, { timeout: 60_000 }).toBeGreaterThan(2);
    const { irreversible } = await status(follower);
    const [pid] = holderOf(join(root, "dev", "node1"));
    process.kill(pid, "SIGKILL");
    await expect.poll(() => status(follower).catch(() => "down")).toBe("down");
    expect((await status(`http://127.0.0.1:${BASE_PORT + 101}`)).head.height).toBeGreaterThan(0);
    // Before it is told to end itself: a node that ends with the devnet is no news.
    await expect
      .poll(() => told, { timeout: 60_000 })
      .toContain("node1 ended (SIGKILL); start it again with: cairn start dev/node1");
    expect(await endOf(first, "SIGINT")).toBe(0);

    for (const flags of [
      ["--producers", "2"],
      ["--followers", "0"],
      ["--base-port", "1"],
    ]) {
      const refused = await cairn([...base, ...flags]);
      expect([refused.status, refused.err]).toEqual([
        2,
        expect.stringContaining(`${flags[0]} ${flags[1]}: dev was made with`),
      ]);
    }

    const again = launch(base);
    await lineOf(again, "ready ");
    await expect
      .poll(async () => (await status(follower)).irreversible.height, { timeout: 60_000 })
      .toBeGreaterThanOrEqual(irreversible.height);
    expect(await endOf(again, "SIGTERM")).toBe(0);
  });

  test("whose port is taken stops with 3 and the node's own words", async () => {
    const server = await startHttp(new FakeNode(), {
      host: "127.0.0.1",
      port: BASE_PORT + 211,
      token: undefined,
      log: SILENT,
    });
    const ports = ["--producers", "1", "--followers", "1", "--base-port", String(BASE_PORT + 200)];
    const { status: ended, err } = await cairn(["devnet", "--dir", "taken", ...ports]);
    await server.close();
    expect([ended, err]).toEqual([3, expect.stringMatching(/node1 did not start[\s\S]*the port is in use/)]);
  });

  test("in a directory of something else is refused", async () => {
    writeFileSync(join(root, "file"), "");
    expect((await cairn(["devnet", "--dir", "."])).status).toBe(2);
  });
});

async function status(url: string): Promise<{ irreversible: { height: number }; head: { height: number } }> {
  return (await fetch(`${url}/v1/status`)).json() as Promise<never>;
}

/** Process id of the node that holds a directory, as its lock file tells. */
function holderOf(dir: string): [number] {
  const database = new Database(join(dir, "lock"), { readonly: true });
  const pid = database.pragma("user_version", { simple: true });
  database.close();
  return [Number(pid)];
}
