/** A leader's tenure: blocks of its view, and time in which there was something to decide. */
import { describe, expect, it } from "vitest";
import { Tenure } from "../../consensus/bft/tenure.ts";

const SETTINGS = { tenureBlocks: 100, tenureMs: 10_000, viewTimeoutMs: 1_000, windowBlocks: 8 };

function led(spans: readonly { readonly ms: number; readonly active: boolean }[]): Tenure {
  const tenure = new Tenure(SETTINGS);
  let now = 1_000;
  for (const { ms, active } of spans) {
    tenure.update(1, active, now);
    now += ms;
  }
  tenure.update(1, false, now);
  return tenure;
}

describe("tenure", () => {
  it("ends with its blocks; the others wait a tenth and a window more", () => {
    const tenure = new Tenure(SETTINGS);
    expect([99, 100].map((blocks) => tenure.isOver(blocks))).toEqual([false, true]);
    expect([117, 118].map((blocks) => tenure.isOverstayed(blocks))).toEqual([false, true]);
  });
  it("ends with its active time; the others wait a tenth and two view timeouts more", () => {
    expect([9_999, 10_000].map((ms) => led([{ ms, active: true }]).isOver(0))).toEqual([false, true]);
    expect([12_999, 13_000].map((ms) => led([{ ms, active: true }]).isOverstayed(0))).toEqual([false, true]);
  });
  it("counts no time in which there was nothing to decide", () => {
    const idle = { ms: 3_600_000, active: false };
    const active = { ms: 4_999, active: true };
    expect(led([idle, active, idle, active, idle]).isOver(0)).toBe(false);
    expect(led([active, idle, { ms: 5_001, active: true }]).isOver(0)).toBe(true);
  });
  it("begins anew with each view, and a clock that is set back takes nothing away", () => {
    const tenure = led([{ ms: 9_000, active: true }]);
    tenure.update(1, true, 50_000);
    tenure.update(1, true, 20_000);
    tenure.update(1, true, 21_000);
    expect(tenure.isOver(0)).toBe(true);
    tenure.update(2, true, 21_000);
    expect(tenure.isOver(0)).toBe(false);
  });
});
