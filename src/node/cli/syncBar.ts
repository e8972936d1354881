/** One line on the terminal while the node is behind: how far it is, how fast, how long it will take. */
import type { NodeStatus } from "../api.ts";
import { durationText } from "./terminal.ts";

const EVERY_MS = 250;
const BAR_CELLS = 24;
const CLEAR_LINE = "\r\x1b[K";

/** Where the line goes: standard error, when a person looks at it. */
export interface BarOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Draws until it is stopped; writes nothing while the node is synced, and nothing at all where nobody looks. */
export function startSyncBar(status: () => NodeStatus, output: BarOutput = process.stderr): { stop(): void } {
  if (output.isTTY !== true) return { stop: () => undefined };
  let isDrawn = false;
  const clear = (): void => {
    if (isDrawn) output.write(CLEAR_LINE);
    isDrawn = false;
  };
  const timer = setInterval(() => {
    const text = syncBarText(status());
    if (text === undefined) return clear();
    output.write(CLEAR_LINE + text);
    isDrawn = true;
  }, EVERY_MS);
  timer.unref();
  return {
    stop: () => {
      clearInterval(timer);
      clear();
    },
  };
}

/** The line; undefined: the node is synced, or knows of nothing to sync to. */
export function syncBarText({ sync, head }: NodeStatus): string | undefined {
  if (sync.state !== "syncing" || sync.target <= head.height) return undefined;
  const share = head.height / sync.target;
  const bar = "#".repeat(Math.floor(share * BAR_CELLS)).padEnd(BAR_CELLS, ".");
  const left = sync.timeLeftSeconds === undefined ? "" : `  ${durationText(sync.timeLeftSeconds)} left`;
  const why = sync.stalledBecause === undefined ? "" : `  stalled: ${sync.stalledBecause}`;
  const place = `${(share * 100).toFixed(1)} %  ${head.height}/${sync.target}`;
  return `syncing [${bar}] ${place}  ${sync.rate.toFixed(0)} blocks/s${left}${why}`;
}
