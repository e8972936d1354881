/** Tenures under BFT: a leader closes its view itself, and who does not is replaced. All oracles watch. */
import { describe, expect, it } from "vitest";
import { NO_WORKLOAD } from "../../../tools/sim/profile.ts";
import { openBft } from "../../../tools/sim/scenarios/bftStage.ts";
import type { Stage } from "../../../tools/sim/scenarios/stage.ts";

const view = (stage: Stage): number => stage.status(stage.leader).engine.view;
/** Something is undecided all the time, nearly. */
const BUSY = { ...NO_WORKLOAD, transactionsPerSecond: 400 };

describe("a tenure", () => {
  it("ends after its active time: the view is closed and handed over, without a view change", () => {
    const stage = openBft(4, { workload: BUSY, settings: { tenureMs: 500 } });
    const said: string[] = [];
    stage.simulation.onlookers.push({
      stepped: (_, __, effects) => {
        for (const effect of effects) if (effect.kind === "log") said.push(effect.message);
      },
    });
    stage.underLoad(() => stage.advance(5_000));
    expect(view(stage)).toBeGreaterThan(3);
    expect(view(stage)).toBeLessThan(12);
    expect(said).not.toContain("asks for another view");
  });

  it("does not end while there is nothing to decide", () => {
    const stage = openBft(4, { settings: { tenureMs: 500 } });
    stage.advance(60_000);
    expect(view(stage)).toBe(1);
  });

  it.each([
    ["blocks", { tenureBlocks: 5 }, { tenureBlocks: 1_000_000 }],
    ["active time", { tenureMs: 500 }, { tenureMs: 1_000_000 }],
  ])("a leader that goes on beyond its %s is replaced after a margin", (_, settings, its) => {
    const FIRST = 1;
    const stage = openBft(4, { workload: BUSY, settings, settingsOf: (index) => (index === FIRST ? its : {}) });
    expect(stage.leader).toBe(FIRST);
    stage.underLoad(() => stage.until("another leads", () => (stage.simulation.leader() ?? FIRST) !== FIRST, 10_000));
  });
});
