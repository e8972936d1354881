import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { LoadClient, makeTransaction } from "../../tools/network/load.ts";
import { CAIRN, type NodeProcess, poll, withNetwork } from "../../tools/network/processes.ts";

test("links switched off stay off over kill -9, whoever dials; switched on, the follower has the chain at once", async () => {
  await withNetwork({ producers: 1, followers: 1, basePort: 21_000 }, async (network) => {
    const [producer, follower] = network.nodes as [NodeProcess, NodeProcess];
    const cairn = (...args: string[]) =>
      spawnSync(process.execPath, [CAIRN, ...args, "--url", follower.url], { encoding: "utf8" });
    const peersAre = (count: number) =>
      poll(`${count} peers`, 60_000, async () => ((await follower.status()).peers === count ? true : undefined));
    await network.startAll();
    await network.awaitLeader();
    await peersAre(1);
    expect(cairn("peers", "off", producer.node.key.slice(0, 12)).status).toBe(0);
    await peersAre(0);
    const client = new LoadClient(producer.url);
    await client.single(makeTransaction({ bytes: 256, keys: "random" }, Date.now()), "irreversible", 30_000);
    client.close();

    await follower.end("SIGKILL");
    await follower.start();
    const { head } = await producer.status();
    expect(JSON.parse(cairn("peers", "--json").stdout)).toEqual({
      peers: [],
      off: [{ key: producer.node.key, name: "node0" }],
    });
    expect((await follower.status()).head.height).toBeLessThan(head.height);
    expect(await (await fetch(`${follower.url}/metrics`)).text()).toMatch(/^cairn_p2p_peers_off 1$/m);

    expect(cairn("peers", "on", producer.node.key).status).toBe(0);
    await network.awaitEqual();
    expect((await follower.status()).head.height).toBeGreaterThanOrEqual(head.height);
  });
}, 300_000);
