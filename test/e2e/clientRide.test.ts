import { expect, test } from "vitest";
import { runClientRide } from "../../tools/network/clientRide.ts";

test("a client rides through kills of the leader: each outcome is told truly, each stream is gapless and without doubles", async () => {
  const report = await runClientRide({
    producers: 3,
    followers: 1,
    basePort: 31_840,
    kills: 2,
    inFlight: 300,
    streams: 3,
    note: () => undefined,
  });
  expect(report.faults).toEqual([]);
  expect(report.outcomes["irreversible"]).toBeGreaterThan(500);
  expect(Math.min(...report.streamed)).toBeGreaterThanOrEqual(report.height);
}, 300_000);
