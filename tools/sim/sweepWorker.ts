/** A thread of a sweep: gets runs one at a time, answers with their results. */
import { parentPort } from "node:worker_threads";
import { runOne, type SweepRun } from "./sweep.ts";

parentPort?.on("message", (run: SweepRun) => parentPort?.postMessage(runOne(run)));
