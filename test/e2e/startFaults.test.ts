/** Wrong starts of the built command: one clear error each, saying what to do, and nothing lost. */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LoadClient, makeTransaction } from "../../tools/network/load.ts";
import { CAIRN, NetworkProcesses, type NodeProcess, poll } from "../../tools/network/processes.ts";

const BASE_PORT = 29_300;
/** From its last word to the end of the process, ms: on a busy machine, and yet less than the second that libp2p would hold it. */
const ENDS_WITHIN_MS = 900;
let root: string;
/** A directory of a stopped one-producer node with some blocks in it; each test works on a copy. */
let made: string;

interface Start {
  readonly status: number | null;
  readonly stderr: string;
}

/** Starts a node that is expected to end by itself. */
function start(dir: string, flags: readonly string[] = []): Start {
  const { status, stderr } = spawnSync(process.execPath, [CAIRN, "start", dir, ...flags], {
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status, stderr };
}

let copies = 0;
function copyOfMade(): string {
  const dir = join(root, `copy${copies++}`);
  cpSync(made, dir, { recursive: true });
  return dir;
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "cairn-start-"));
  const network = NetworkProcesses.create({ dir: join(root, "net"), producers: 1, followers: 0, basePort: BASE_PORT });
  await network.startAll();
  const node = network.nodes[0] as NodeProcess;
  await network.awaitLeader();
  const client = new LoadClient(node.url);
  for (let i = 0; i < 5; i++)
    await client.single(makeTransaction({ bytes: 256, keys: "random" }, Date.now()), "irreversible", 5_000);
  client.close();
  await network.endAll();
  made = node.node.dir;
}, 300_000);

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a start that cannot be right ends with status 3 or 2 and one error", () => {
  test("a key that others can read", () => {
    const dir = copyOfMade();
    chmodSync(join(dir, "node.key"), 0o644);
    const { status, stderr } = start(dir);
    expect(status).toBe(3);
    expect(stderr).toMatch(/node\.key.*chmod 600/s);
  });

  test("a misspelt setting is named with the nearest right one", () => {
    const dir = copyOfMade();
    const file = join(dir, "config.toml");
    writeFileSync(file, `${readFileSync(file, "utf8")}\n[mempol]\nbytes = 5\n`);
    const { status, stderr } = start(dir);
    expect([2, 3]).toContain(status);
    expect(stderr).toMatch(/mempol/);
    expect(stderr).toMatch(/mempool/);
  });

  test("a truncated database", () => {
    const dir = copyOfMade();
    const file = join(dir, "chain.db");
    truncateSync(file, Math.floor(statSync(file).size / 2));
    const { status, stderr } = start(dir);
    expect(status).toBe(3);
    expect(stderr).toMatch(/chain\.db.*(truncated|shorter|damaged)/is);
    expect(stderr).toMatch(/backup/);
  });

  test("a damaged irreversible block that is needed at start", () => {
    const dir = copyOfMade();
    rmSync(join(dir, "state.db"), { force: true });
    rmSync(join(dir, "state.db-wal"), { force: true });
    const database = new Database(join(dir, "chain.db"));
    const { number } = database.prepare("SELECT number FROM blocks WHERE height = 3").get() as { number: number };
    database.prepare("UPDATE blocks SET body = zeroblob(length(body)) WHERE number = ?").run(number);
    database.close();
    const { status, stderr } = start(dir);
    expect([1, 3]).toContain(status);
    expect(stderr).toMatch(/height 3/);
    expect(stderr).toMatch(/A lost disk/);
  });

  test.each([
    ["peers", BASE_PORT, "p2p.listen", "--listen"],
    ["HTTP", BASE_PORT + 1, "http.listen", "--http"],
  ])("a port in use: for %s", async (_, port, setting, flag) => {
    const dir = copyOfMade();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const { status, stderr } = start(dir);
    server.close();
    expect(status).toBe(3);
    const error = `^cairn: ${setting} \\S*${port}: the port is in use by another program; .* ${flag} or in config.toml$`;
    expect(stderr).toMatch(new RegExp(error, "m"));
    expect(stderr).not.toMatch(/ at /);
  });

  test("a directory without a node", () => {
    const { status, stderr } = start(join(root, "nothing"));
    expect([2, 3]).toContain(status);
    expect(stderr).toMatch(/cairn init/);
  });

  test("HTTP open to the network without a token", () => {
    const { status, stderr } = start(copyOfMade(), ["--http", "0.0.0.0:29999"]);
    expect([2, 3]).toContain(status);
    expect(stderr).toMatch(/token/);
  });
});

describe("with a running node", () => {
  test("a second process on one directory is refused; the first serves on; SIGTERM ends it with 0", async () => {
    const network = NetworkProcesses.create({
      dir: join(root, "second"),
      producers: 1,
      followers: 0,
      basePort: BASE_PORT + 100,
    });
    const node = network.nodes[0] as NodeProcess;
    await node.start();
    const { status, stderr } = start(node.node.dir);
    expect(status).toBe(3);
    expect(stderr).toMatch(/in use by process \d+/);
    expect((await node.status()).node.name).toBe("node0");
    expect(await node.end("SIGTERM")).toBe(0);
    // Nothing that is left behind holds the process: whoever waits for its end to start it again loses no time.
    const stoppedAt = Date.parse(/^(\S+) info .*\] stopped$/m.exec(node.stderr)?.[1] ?? "");
    expect(Date.now() - stoppedAt).toBeLessThan(ENDS_WITHIN_MS);
  }, 300_000);

  test("a missing vote record: the node follows, never votes, says why; with it back it leads again", async () => {
    const dir = copyOfMade();
    const database = new Database(join(dir, "chain.db"));
    const record = database.prepare("SELECT * FROM record").get() as Record<string, unknown>;
    database.prepare("DELETE FROM record").run();
    database.close();
    const network = NetworkProcesses.create({
      dir: join(root, "unused"),
      producers: 1,
      followers: 0,
      basePort: BASE_PORT,
    });
    const node = network.nodes[0] as NodeProcess;
    Object.assign(node.node, { dir });
    await node.start();
    expect(node.stderr).toMatch(/vote record.*missing.*new key/s);
    const recovering = await node.status();
    expect(recovering.consensus.status).toBe("recovering");
    expect(recovering.head.height).toBeGreaterThanOrEqual(5);
    expect(await node.end("SIGTERM")).toBe(0);
    const again = new Database(join(dir, "chain.db"));
    const columns = Object.keys(record);
    again
      .prepare(`INSERT INTO record (${columns.join()}) VALUES (${columns.map(() => "?").join()})`)
      .run(...Object.values(record));
    again.close();
    await node.start();
    await poll("a leader", 60_000, async () =>
      (await node.status()).consensus.status === "leader" ? true : undefined,
    );
    expect(await node.end("SIGTERM")).toBe(0);
  }, 300_000);

  test("a copied key: the newer node stops and says so; the older goes on", async () => {
    const network = NetworkProcesses.create({
      dir: join(root, "copied"),
      producers: 2,
      followers: 0,
      basePort: BASE_PORT + 200,
    });
    await network.startAll();
    await network.awaitLeader();
    const original = network.nodes[1] as NodeProcess;
    const dir = join(root, "copiedKey");
    cpSync(original.node.dir, dir, { recursive: true, filter: (file) => !/\/lock/.test(file) });
    const { status, stderr } = start(dir, [
      "--listen",
      `127.0.0.1:${BASE_PORT + 250}`,
      "--http",
      `127.0.0.1:${BASE_PORT + 251}`,
    ]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/another node is running with the key/);
    await poll("its peer", 60_000, async () => ((await original.status()).peers === 1 ? true : undefined));
    await network.endAll();
  }, 300_000);

  test("another genesis is refused by name on both sides", async () => {
    const one = NetworkProcesses.create({
      dir: join(root, "one"),
      producers: 2,
      followers: 0,
      basePort: BASE_PORT + 400,
    });
    const other = NetworkProcesses.create({
      dir: join(root, "other"),
      producers: 1,
      followers: 0,
      basePort: BASE_PORT + 500,
    });
    await Promise.all([one.startAll(), other.startAll(["--peer", `127.0.0.1:${BASE_PORT + 400}`])]);
    const [stranger] = other.nodes as [NodeProcess];
    const [target] = one.nodes as [NodeProcess];
    await poll("the refusal", 60_000, async () =>
      /wrongChain/.test(stranger.stderr) && /wrongChain/.test(target.stderr) ? true : undefined,
    );
    expect((await stranger.status()).peers).toBe(0);
    await poll("its own peer", 60_000, async () => ((await target.status()).peers === 1 ? true : undefined));
    await Promise.all([one.endAll(), other.endAll()]);
  }, 300_000);
});
