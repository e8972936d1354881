import { expect, test } from "vitest";
import { runFill } from "../../tools/network/fill.ts";

test("four producers and a follower take 10,000 transactions by batches: five equal chains and states, each once", async () => {
  const report = await runFill({
    producers: 4,
    followers: 1,
    basePort: 29_000,
    count: 10_000,
    keys: "random",
    note: () => undefined,
  });
  expect(report.faults).toEqual([]);
  expect(report.height).toBeGreaterThan(10);
}, 300_000);
