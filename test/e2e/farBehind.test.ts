import { expect, test } from "vitest";
import { runFarBehind } from "../../tools/network/farBehind.ts";

test("a new follower catches up while one source stalls, one lies, one dies, and it is killed itself; what a kill leaves verifies", async () => {
  const options = {
    blocks: 2_000,
    transactions: 10_000,
    kills: 2,
    basePort: 31_100,
    verify: true,
    note: () => undefined,
  };
  const report = await runFarBehind(options);
  expect(report.faults).toEqual([]);
  expect(report.kills).toHaveLength(2);
  expect(report.lies).toBeGreaterThan(0);
  expect(report.states.at(-1)).toBe("synced");
}, 240_000);
