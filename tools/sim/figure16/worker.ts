/** Runs one set of trials. */
import { parentPort, workerData } from "node:worker_threads";
import { runTrials } from "./trials.ts";

const { lowMs, highMs, hint, count } = workerData as { lowMs: number; highMs: number; hint: boolean; count: number };
parentPort?.postMessage(runTrials(lowMs, highMs, hint, count));
