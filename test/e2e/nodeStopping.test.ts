import { expect, test } from "vitest";
import type { ProducerView } from "../../src/node/api.ts";
import { SILENT_AFTER_MS } from "../../src/replica/constants.ts";
import { type NodeProcess, poll, withNetwork } from "../../tools/network/processes.ts";

/** How a producer looks from a node. */
async function viewOf(from: NodeProcess, of: NodeProcess): Promise<ProducerView> {
  const { producers } = (await (await fetch(`${from.url}/v1/producers`)).json()) as { producers: ProducerView[] };
  return producers.find(({ key }) => key === of.node.key) as ProducerView;
}

test("SIGTERM of the leader: all are told at once that it stops, another one leads, and it is back when it starts", async () => {
  await withNetwork({ producers: 3, followers: 1, basePort: 22_700 }, async (network) => {
    await network.startAll();
    const leader = await network.awaitLeader();
    const others = network.nodes.filter((node) => node !== leader);
    for (const other of others)
      await poll("it is active", 60_000, async () =>
        (await viewOf(other, leader)).state === "active" ? true : undefined,
      );

    const signalled = Date.now();
    // Seen while its process still runs, or soon after: nobody has to wait for silence.
    const ended = leader.end("SIGTERM");
    const seen = others.map((other) =>
      poll(`${other.node.name} sees that it stops`, 60_000, async () => {
        const view = await viewOf(other, leader);
        return view.state === "stopped" ? view : undefined;
      }),
    );
    for (const view of await Promise.all(seen)) expect(view.since).toBeLessThan(signalled + SILENT_AFTER_MS / 2);
    expect(await ended).toBe(0);
    expect(leader.stderr).toMatch(/\[consensus\] hands over .*to=/);

    const next = await network.awaitLeader();
    expect(others).toContain(next);

    await leader.start();
    for (const other of others)
      await poll("it is active again", 30_000, async () =>
        (await viewOf(other, leader)).state === "active" ? true : undefined,
      );
    await network.awaitEqual();
  });
}, 240_000);
