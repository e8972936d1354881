// Peers in processes of their own that die, stop, or come back.

import { afterEach, describe, expect, test } from "vitest";
import type { LinkLimits } from "../../../net/link/index.ts";
import { startChild, startNode, stopAll } from "./nodes.ts";

afterEach(stopAll);

/** Only what the kernel says can end a link in time with these. */
const NO_PINGS: Partial<LinkLimits> = { pingIntervalMs: 600_000, pingTimeoutsMs: [600_000] };

describe("a peer process", () => {
  test("that is killed is down at once", async () => {
    const node = await startNode({ seed: 1, limits: NO_PINGS });
    const child = await startChild(2, node.address, NO_PINGS);
    const { peer } = await node.seen.first("up");
    child.kill("SIGKILL");
    expect(await node.seen.first("down")).toMatchObject({ peer, reason: "connectionLost" });
    expect(node.links.send(peer, "urgent", [new Uint8Array(1)])).toBe(false);
  }, 10_000);

  test("that is stopped answers no ping and goes down after the last resend", async () => {
    const node = await startNode({ seed: 1, limits: { pingIntervalMs: 50, pingTimeoutsMs: [40, 60, 90] } });
    const child = await startChild(2, node.address);
    const { peer } = await node.seen.first("up");
    const { framesOut } = node.links.peers()[0]!.lanes.urgent;
    child.kill("SIGSTOP");
    expect(await node.seen.first("down")).toMatchObject({ peer, reason: "pingTimeout" });
    expect(node.links.stats().lanes.urgent.framesOut - framesOut).toBeGreaterThanOrEqual(4);
  }, 10_000);

  test("that is stopped is seen to be silent as soon as it is spoken to, long before its pings run out", async () => {
    const node = await startNode({ seed: 1, limits: NO_PINGS });
    const child = await startChild(2, node.address, NO_PINGS);
    const { peer } = await node.seen.first("up");
    const silentMs = (): number => {
      node.links.send(peer, "urgent", [new Uint8Array(1)]);
      return node.links.peers()[0]!.unansweredMs;
    };
    await expect.poll(silentMs).toBe(0);
    child.kill("SIGSTOP");
    await expect.poll(silentMs, { timeout: 5_000 }).toBeGreaterThan(300);
    child.kill("SIGCONT");
    await expect.poll(silentMs).toBe(0);
  }, 10_000);

  test("that is stopped gives way to a new process with its key", async () => {
    const node = await startNode({ seed: 1, limits: { ...NO_PINGS, duplicateProbeMs: 200 } });
    const child = await startChild(2, node.address);
    const { peer } = await node.seen.first("up");
    child.kill("SIGSTOP");
    const heir = await startNode({ seed: 2 });
    heir.links.setTarget(node.address);
    await heir.seen.first("up");
    expect(await node.seen.first("down")).toMatchObject({ peer, reason: "connectionLost" });
    expect((await node.seen.first("up", () => true, 1)).init.name).toBe("node2");
    expect(node.seen.all.filter(({ kind }) => kind === "up" || kind === "down").map(({ kind }) => kind)).toEqual([
      "up",
      "down",
      "up",
    ]);
  }, 10_000);

  test("that stops reading makes `send` say no at the cap, with memory bounded", async () => {
    const node = await startNode({ seed: 1, limits: NO_PINGS });
    const child = await startChild(2, node.address, NO_PINGS);
    const { peer } = await node.seen.first("up");
    child.kill("SIGSTOP");
    const before = process.memoryUsage().rss;
    let accepted = 0;
    // Fresh buffers, so that whatever is kept would show.
    const fill = (): void => {
      while (node.links.send(peer, "bulk", [Buffer.alloc(1 << 20, accepted)])) accepted += 1;
    };
    fill();
    for (let round = 0; round < 20; round++) {
      await new Promise((resolve) => setImmediate(resolve));
      fill();
    }
    expect(node.links.peers()[0]!.lanes.bulk.queuedBytes).toBeLessThanOrEqual(16 << 20);
    expect(accepted).toBeLessThan(18); // the cap, and what the window took
    expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20);
  }, 10_000);
});
