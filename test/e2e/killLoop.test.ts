import { expect, test } from "vitest";
import { runKillLoop } from "../../tools/network/killLoop.ts";

test("kill -9 of the leader under load, then of all nodes at once: everything acknowledged is in all chains once", async () => {
  const report = await runKillLoop({ producers: 3, followers: 1, basePort: 29_100, kills: 3, note: () => undefined });
  expect(report.faults).toEqual([]);
  expect(report.downtimesMs).toHaveLength(3);
  expect(report.acknowledged).toBeGreaterThan(500);
}, 300_000);
