/** Runs one set of trials. */
import { parentPort, workerData } from "node:worker_threads";
import { runTrials, type Task } from "./trials.ts";

parentPort?.postMessage(runTrials(workerData as Task));
