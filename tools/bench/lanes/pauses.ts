/** What holds a process's event loop: pauses of the garbage collector, and how late its timers come in all. */
import { monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";
import { z } from "zod";
import { round } from "../statistics.ts";

export const pausesSchema = z.strictObject({
  collections: z.number(),
  longestCollectionMs: z.number(),
  collectionsMs: z.number(),
  loopDelayP99Ms: z.number(),
  loopDelayMaxMs: z.number(),
});
export type Pauses = z.infer<typeof pausesSchema>;

export interface PauseWatch {
  /** Since the last call. */
  take(): Pauses;
}

/** Resolution of the timer whose lateness is measured. */
const RESOLUTION_MS = 1;

export function watchPauses(): PauseWatch {
  let collectionsMs: number[] = [];
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) collectionsMs.push(duration);
  }).observe({ entryTypes: ["gc"] });
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  return {
    take() {
      const pauses: Pauses = {
        collections: collectionsMs.length,
        longestCollectionMs: round(Math.max(0, ...collectionsMs)),
        collectionsMs: round(collectionsMs.reduce((sum, each) => sum + each, 0)),
        loopDelayP99Ms: round(delay.percentile(99) / 1e6 - RESOLUTION_MS),
        loopDelayMaxMs: round(delay.max / 1e6 - RESOLUTION_MS),
      };
      collectionsMs = [];
      delay.reset();
      return pauses;
    },
  };
}
