/** Real processes under VSR: four producers and a follower. */
import { expect, test } from "vitest";
import { runKillLoop } from "../../tools/network/killLoop.ts";

test("VSR: kill -9 of the primary under load, twice, then of all: everything acknowledged is in all chains once", async () => {
  const report = await runKillLoop({
    engine: "vsr",
    producers: 4,
    followers: 1,
    basePort: 28_400,
    kills: 2,
    note: () => undefined,
  });
  expect(report.faults).toEqual([]);
  expect(report.downtimesMs).toHaveLength(2);
  expect(report.acknowledged).toBeGreaterThan(500);
}, 300_000);
