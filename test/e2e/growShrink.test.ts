/**
 * Real processes whose producer set changes under load: docs/operate.md, "Changing the producers". `npm run grow-shrink` does
 * more of it, and restarts them one by one.
 */
import { expect, test } from "vitest";
import { runGrowShrink } from "../../tools/network/growShrink.ts";

test.each([
  ["raft", 24_100],
  ["vsr", 24_300],
  ["bft", 24_500],
] as const)(
  "%s: grows, replaces a dead producer, shrinks: everything acknowledged is in all chains once, and they verify",
  async (engine, basePort) => {
    const report = await runGrowShrink({
      engine,
      basePort,
      growTo: 5,
      shrinkTo: 3,
      restarts: false,
      note: () => undefined,
    });
    expect(report.faults).toEqual([]);
    expect(Object.keys(report.pausesMs)).toHaveLength(3);
    expect(report.acknowledged).toBeGreaterThan(500);
  },
  240_000,
);
