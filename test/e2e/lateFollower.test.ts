import { expect, test } from "vitest";
import { runLateFollower } from "../../tools/network/lateFollower.ts";

test("a follower that was away under load catches up and never calls itself synced while it is behind", async () => {
  const report = await runLateFollower({ producers: 1, basePort: 29_200, seconds: 4, note: () => undefined });
  expect(report.faults).toEqual([]);
  expect(report.missedBlocks).toBeGreaterThan(100);
  expect(report.states.at(-1)).toBe("synced");
}, 300_000);
