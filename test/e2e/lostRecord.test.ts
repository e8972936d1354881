/** Real processes: producers that lost their vote records or disks, and come back, by the word of an operator where it is needed. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, expect, test } from "vitest";
import { LoadClient, makeTransaction } from "../../tools/network/load.ts";
import { CAIRN, NetworkProcesses, type NodeProcess, poll } from "../../tools/network/processes.ts";

const root = mkdtempSync(join(tmpdir(), "cairn-lost-record-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function commit(node: NodeProcess): Promise<void> {
  const client = new LoadClient(node.url);
  await client.single(makeTransaction({ bytes: 256, keys: "random" }, Date.now()), "irreversible", 20_000);
  client.close();
}

async function statusOf(node: NodeProcess): Promise<string> {
  return (await node.status()).consensus.status;
}

function loseRecord({ node }: NodeProcess): void {
  const database = new Database(join(node.dir, "chain.db"));
  database.prepare("DELETE FROM record").run();
  database.close();
}

/** A new directory where the old one was, with the settings and the key that somebody kept. */
function loseDisk({ node }: NodeProcess): void {
  const kept = mkdtempSync(join(root, "kept-"));
  for (const file of ["node.key", "genesis.json", "config.toml"]) copyFileSync(join(node.dir, file), join(kept, file));
  rmSync(node.dir, { recursive: true });
  const flags = ["--genesis", join(kept, "genesis.json"), "--key", join(kept, "node.key"), "--vote-record", "lost"];
  expect(cairn("init", node.dir, ...flags)).toBe(0);
  copyFileSync(join(kept, "config.toml"), join(node.dir, "config.toml"));
}

function confirm({ node }: NodeProcess): number | null {
  return cairn("producers", "confirm-lost-record", node.dir, "--confirm");
}

function cairn(...args: string[]): number | null {
  return spawnSync(process.execPath, [CAIRN, ...args]).status;
}

test.each([
  ["raft", 3, 28_600],
  ["bft", 4, 28_640],
] as const)(
  "%s: it follows and never votes; confirmed, it decides with the others again",
  async (engine, producers, basePort) => {
    const network = NetworkProcesses.create({ dir: join(root, engine), engine, producers, followers: 0, basePort });
    await network.startAll();
    const leader = await network.awaitLeader();
    const loser = network.nodes.find((node) => node !== leader) as NodeProcess;
    await commit(leader);

    await loser.end("SIGKILL");
    loseRecord(loser);
    await loser.start();
    expect(loser.stderr).toMatch(/vote record.*missing.*confirm-lost-record/s);
    expect(await statusOf(loser)).toBe("recovering");
    // Not while it runs.
    expect(confirm(loser)).toBe(3);
    expect(await loser.end("SIGTERM")).toBe(0);
    expect(confirm(loser)).toBe(0);
    await loser.start();
    expect(loser.stderr).toMatch(/operator has confirmed/);

    // Under BFT the leader leads on until it closes its view.
    if (engine === "bft") {
      expect(await leader.end("SIGTERM")).toBe(0);
      await leader.start();
    }
    const others = network.nodes.filter((node) => node !== loser);
    await poll("it takes part again", 60_000, async () => {
      await commit(others.find((node) => node.running) as NodeProcess);
      return (await statusOf(loser)) === "recovering" ? undefined : true;
    });
    // Where every vote is needed, its counts.
    await (others[0] as NodeProcess).end("SIGKILL");
    await commit(loser);
    await (others[0] as NodeProcess).start();
    await network.awaitEqual();
    await network.endAll();
  },
  300_000,
);

test("vsr: two of three lose a record and a disk; where one is confirmed, both decide with the third again", async () => {
  const dir = join(root, "vsr");
  const network = NetworkProcesses.create({ dir, engine: "vsr", producers: 3, followers: 0, basePort: 28_680 });
  await network.startAll();
  await commit(await network.awaitLeader());
  const before = await network.awaitEqual();
  const [loser, diskless, third] = network.nodes as [NodeProcess, NodeProcess, NodeProcess];

  await Promise.all([loser.end("SIGKILL"), diskless.end("SIGKILL")]);
  loseRecord(loser);
  loseDisk(diskless);
  await Promise.all([loser.start(), diskless.start()]);
  // Each waits for two others that know what they promised, and there is one.
  await poll("the lost disk's blocks are back", 60_000, async () =>
    (await diskless.status()).head.height >= before.height ? true : undefined,
  );
  expect([await statusOf(loser), await statusOf(diskless)]).toEqual(["recovering", "recovering"]);

  expect(confirm(loser)).toBe(3);
  expect(await loser.end("SIGTERM")).toBe(0);
  expect(confirm(loser)).toBe(0);
  await loser.start();
  expect(loser.stderr).toMatch(/operator has confirmed.*others with it/);
  await network.awaitLeader();
  await poll("both take part again", 60_000, async () =>
    [await statusOf(loser), await statusOf(diskless)].includes("recovering") ? undefined : true,
  );
  // Theirs are the only votes.
  await third.end("SIGKILL");
  await network.awaitLeader();
  await commit(loser);
  await third.start();
  await network.awaitEqual();
  await network.endAll();
}, 300_000);
