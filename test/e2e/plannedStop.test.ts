/** A planned stop of the leader, with real processes; that it loses no time: `test/sim/conformance.test.ts`, in virtual time. */
import { expect, test } from "vitest";
import { runKillLoop } from "../../tools/network/killLoop.ts";

test.each([
  { engine: "raft", producers: 3, basePort: 31_900, kills: 2 },
  { engine: "vsr", producers: 3, basePort: 32_000, kills: 1 },
  { engine: "bft", producers: 4, basePort: 32_100, kills: 1 },
] as const)(
  "SIGTERM of the leader under load, $engine: it hands over, and what it had only accepted is in all chains once",
  async (size) => {
    const report = await runKillLoop({ ...size, followers: 1, signal: "SIGTERM", note: () => undefined });
    expect(report.faults).toEqual([]);
    expect(report.downtimesMs).toHaveLength(size.kills);
  },
  240_000,
);
