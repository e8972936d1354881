/** A producer among real processes that makes two blocks at each place. */
import { expect, test } from "vitest";
import { runAccusation } from "../../tools/network/accusation.ts";

test("BFT: every honest node names the liar by evidence, and nobody else; also after kill -9 of one, and of all", async () => {
  const report = await runAccusation({ basePort: 31_200, note: () => undefined });
  expect(report.faults).toEqual([]);
  expect(report.keptAlone).toBeGreaterThan(0);
}, 300_000);
