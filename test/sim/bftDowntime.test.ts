/** Times without a leader under BFT (`npm run bft-downtime`): a crash costs one view change. */
import { expect, it } from "vitest";
import { runTrials } from "../../tools/sim/bftDowntime/trials.ts";

it.each([
  [false, 200, 300],
  [true, 10, 150],
])("a crash costs one view; with the broken link as a hint (%s) after %i to %i ms", (hint, leastMs, mostMs) => {
  const { views, downMs, undecidedMs } = runTrials({ viewTimeoutMs: 200, hint, count: 3 });
  expect(views).toEqual({ 1: 3 });
  for (const ms of downMs) expect(ms).toBeGreaterThan(leastMs);
  for (const ms of undecidedMs) expect(ms).toBeLessThan(mostMs);
});
