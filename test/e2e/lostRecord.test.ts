/** Real processes: a producer that lost its vote record, and comes back by the word of its operator. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, expect, test } from "vitest";
import { LoadClient, makeTransaction } from "../../tools/network/load.ts";
import { CAIRN, NetworkProcesses, type NodeProcess, poll } from "../../tools/network/processes.ts";

const root = mkdtempSync(join(tmpdir(), "cairn-lost-record-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

test.each([
  ["raft", 3, 28_600],
  ["bft", 4, 28_640],
] as const)(
  "%s: it follows and never votes; confirmed, it decides with the others again",
  async (engine, producers, basePort) => {
    const network = NetworkProcesses.create({ dir: join(root, engine), engine, producers, followers: 0, basePort });
    await network.startAll();
    await network.awaitLeader();
    const commit = async (node: NodeProcess): Promise<void> => {
      const client = new LoadClient(node.url);
      await client.single(makeTransaction({ bytes: 256, keys: "random" }, Date.now()), "irreversible", 20_000);
      client.close();
    };
    const statusOf = async (node: NodeProcess): Promise<string> => (await node.status()).consensus.status;
    const leader = await network.awaitLeader();
    const loser = network.nodes.find((node) => node !== leader) as NodeProcess;
    await commit(leader);

    await loser.end("SIGKILL");
    const { dir } = loser.node;
    const database = new Database(join(dir, "chain.db"));
    database.prepare("DELETE FROM record").run();
    database.close();
    await loser.start();
    expect(loser.stderr).toMatch(/vote record.*missing.*confirm-lost-record/s);
    expect(await statusOf(loser)).toBe("recovering");
    const confirm = (): number | null =>
      spawnSync(process.execPath, [CAIRN, "producers", "confirm-lost-record", dir, "--confirm"]).status;
    // Not while it runs.
    expect(confirm()).toBe(3);
    expect(await loser.end("SIGTERM")).toBe(0);
    expect(confirm()).toBe(0);
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
