/** Real processes under BFT: four producers and a follower. */
import { expect, test } from "vitest";
import { runKillLoop } from "../../tools/network/killLoop.ts";

test("BFT: kill -9 of the leader and of another producer under load, then of all: everything acknowledged is in all chains once", async () => {
  const report = await runKillLoop({
    engine: "bft",
    producers: 4,
    followers: 1,
    basePort: 28_300,
    kills: 2,
    any: true,
    note: () => undefined,
  });
  expect(report.faults).toEqual([]);
  expect(report.downtimesMs).toHaveLength(2);
  expect(report.acknowledged).toBeGreaterThan(500);
}, 300_000);
