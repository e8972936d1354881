import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { PeerView } from "../../src/node/api.ts";
import { type NodeProcess, poll, withNetwork } from "../../tools/network/processes.ts";

const peersOf = async ({ url }: NodeProcess): Promise<PeerView[]> =>
  ((await (await fetch(`${url}/v1/peers`)).json()) as { peers: PeerView[] }).peers;

async function linkedWith(node: NodeProcess, others: readonly NodeProcess[]): Promise<PeerView[]> {
  const keys = others.map((other) => other.node.key).sort();
  return poll(`${node.node.name} is linked with ${others.length} others`, 60_000, async () => {
    const peers = await peersOf(node);
    const linked = peers.map(({ key }) => key).sort();
    return JSON.stringify(linked) === JSON.stringify(keys) ? peers : undefined;
  });
}

/** Keys in a node's file. */
function knownTo({ node }: NodeProcess): string[] {
  try {
    const file = JSON.parse(readFileSync(join(node.dir, "known-peers.json"), "utf8")) as { peers: { key: string }[] };
    return file.peers.map(({ key }) => key);
  } catch {
    return [];
  }
}

test("five nodes that know node0's address alone become a mesh; without node0 the one that has kept the rest finds them", async () => {
  await withNetwork({ producers: 1, followers: 4, basePort: 22_400 }, async (network) => {
    const [, second, ...rest] = network.nodes as [NodeProcess, NodeProcess, ...NodeProcess[]];
    await network.startAll();
    for (const node of network.nodes)
      await linkedWith(
        node,
        network.nodes.filter((other) => other !== node),
      );
    const all = (await Promise.all(network.nodes.map(peersOf))).flat();
    // Four links by the address in genesis.json, six by what others told; each is dialed by one end.
    const dialed = all.filter(({ direction }) => direction === "outbound");
    const from = (origin: string) => dialed.filter(({ addressFrom }) => addressFrom === origin).length;
    expect([dialed.length, from("configured"), from("learned")]).toEqual([10, 4, 6]);
    expect(all.filter(({ direction }) => direction === "inbound").every((peer) => !("addressFrom" in peer))).toBe(true);

    const metrics = await (await fetch(`${second.url}/metrics`)).text();
    expect(metrics).toMatch(/^cairn_replica_bounded_size\{name="addressBook"\} 4$/m);
    expect(metrics).toMatch(/^cairn_consensus_early_votes_total\{outcome="expired"\} 0$/m);

    await poll("its peers are in its file", 30_000, async () => (knownTo(second).length === 4 ? true : undefined));
    await network.endAll("SIGKILL");
    // The others have their old address of node0, and nobody is there.
    for (const { node } of rest) rmSync(join(node.dir, "known-peers.json"), { force: true });
    for (const node of [second, ...rest]) await node.start();
    const found = await linkedWith(second, rest);
    expect(found.filter(({ addressFrom }) => addressFrom === "configured")).toEqual([]);
  });
}, 240_000);
