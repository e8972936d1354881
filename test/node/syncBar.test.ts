import { describe, expect, it, vi } from "vitest";
import type { NodeStatus } from "../../src/node/api.ts";
import { startSyncBar, syncBarText } from "../../src/node/cli/syncBar.ts";
import { durationText } from "../../src/node/cli/terminal.ts";

function statusOf(sync: NodeStatus["sync"], height: number): NodeStatus {
  return { sync, head: { height, id: "", view: 1, time: 0 } } as NodeStatus;
}

describe("the line that shows how far a node is", () => {
  it("says how far, how fast, how long, and why not", () => {
    const sync = { state: "syncing", target: 200, rate: 12.4, timeLeftSeconds: 125 } as const;
    expect(syncBarText(statusOf(sync, 50))).toBe(
      "syncing [######..................] 25.0 %  50/200  12 blocks/s  2 min 5 s left",
    );
    const stalled = { state: "syncing", target: 200, rate: 0, stalledBecause: "no peer is connected" } as const;
    expect(syncBarText(statusOf(stalled, 0))).toContain("0 blocks/s  stalled: no peer is connected");
  });

  it("is not there when nothing is missing or nothing is known", () => {
    expect(syncBarText(statusOf({ state: "synced", target: 9, rate: 0 }, 9))).toBeUndefined();
    expect(syncBarText(statusOf({ state: "searching", target: 9, rate: 0 }, 9))).toBeUndefined();
  });

  it("is drawn on a terminal only, and cleared", () => {
    vi.useFakeTimers();
    try {
      const written: string[] = [];
      const write = (text: string): void => void written.push(text);
      const status = (): NodeStatus => statusOf({ state: "syncing", target: 4, rate: 1 }, 1);
      startSyncBar(status, { write }).stop();
      vi.advanceTimersByTime(1_000);
      expect(written).toEqual([]);
      const bar = startSyncBar(status, { isTTY: true, write });
      vi.advanceTimersByTime(250);
      expect(written.at(-1)).toContain("25.0 %");
      bar.stop();
      expect(written.at(-1)).toBe("\r\x1b[K");
    } finally {
      vi.useRealTimers();
    }
  });

  it("tells times as people read them", () => {
    expect([durationText(0.2), durationText(61), durationText(7_800)]).toEqual(["1 s", "1 min 1 s", "2 h 10 min"]);
  });
});
