/** What is not irreversible yet is no history: nodes whose newest blocks are of two branches give the auditor nothing to say. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LoadClient, makeTransaction } from "../../tools/network/load.ts";
import { CAIRN, type NodeProcess, poll, withNetwork } from "../../tools/network/processes.ts";

test("an auditor of nodes that differ in their reversible blocks only raises no alarm; all are current once they meet again", async () => {
  await withNetwork({ producers: 3, followers: 0, basePort: 21_300 }, async (network) => {
    await network.startAll();
    const alone = await network.awaitLeader();
    const others = network.nodes.filter((node) => node !== alone);
    const submitTo = async (node: NodeProcess, until: "accepted" | "irreversible"): Promise<void> => {
      const client = new LoadClient(node.url);
      await client.single(makeTransaction({ bytes: 256, keys: "random" }, Date.now()), until, 30_000);
      client.close();
    };
    const cairn = (...args: string[]) => spawnSync(process.execPath, [CAIRN, ...args], { encoding: "utf8" });
    // At once, by HTTP: a leader that hears nobody makes no block any more after a while.
    const links = (switched: "off" | "on") =>
      Promise.all(others.map(({ node }) => fetch(`${alone.url}/v1/peers/${node.key}/${switched}`, { method: "POST" })));
    const audit = () => {
      const flags = ["--genesis", join(alone.node.dir, "genesis.json"), "--dir", `${alone.node.dir}-audit`, "--once"];
      const { status, stdout } = cairn("audit", ...network.nodes.map(({ url }) => url), ...flags, "--json");
      const { report } = JSON.parse(stdout) as {
        report: { nodes: { url: string; verdict: string; height: number }[] };
      };
      return { status, of: (node: NodeProcess) => report.nodes.find(({ url }) => url === node.url) };
    };

    await submitTo(alone, "irreversible");
    await network.awaitEqual();
    await links("off");
    await submitTo(alone, "accepted");
    await poll("a leader among those that are left", 60_000, async () => {
      const statuses = await Promise.all(others.map((node) => node.status()));
      return statuses.some(({ consensus }) => consensus.status === "leader") ? true : undefined;
    });
    await submitTo(others[0] as NodeProcess, "irreversible");
    const [lost, kept] = [await alone.status(), await (others[0] as NodeProcess).status()];
    expect(lost.head.height).toBeGreaterThan(lost.irreversible.height);
    expect(kept.irreversible.height).toBeGreaterThanOrEqual(lost.head.height);

    const apart = audit();
    expect(apart.status).toBe(0);
    expect(apart.of(alone)).toMatchObject({ verdict: "behind", height: lost.irreversible.height });
    expect(apart.of(others[0] as NodeProcess)?.verdict).toBe("current");

    await links("on");
    await network.awaitEqual();
    const together = audit();
    expect([together.status, together.of(alone)?.verdict]).toEqual([0, "current"]);
  });
}, 300_000);
