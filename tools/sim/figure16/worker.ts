/** Runs the trials it is sent, one set at a time. */
import { parentPort } from "node:worker_threads";
import { runTrials } from "./trials.ts";

parentPort?.on(
  "message",
  ({ lowMs, highMs, hint, count }: { lowMs: number; highMs: number; hint: boolean; count: number }) =>
    parentPort?.postMessage(runTrials(lowMs, highMs, hint, count)),
);
