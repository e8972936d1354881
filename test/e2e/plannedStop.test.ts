import { expect, test } from "vitest";
import { runKillLoop } from "../../tools/network/killLoop.ts";

test("SIGTERM of the leader under load: it hands over, and what it had only accepted is in all chains once", async () => {
  const report = await runKillLoop({
    producers: 3,
    followers: 1,
    basePort: 31_900,
    kills: 2,
    signal: "SIGTERM",
    note: () => undefined,
  });
  expect(report.faults).toEqual([]);
  expect(report.downtimesMs).toHaveLength(2);
}, 240_000);
