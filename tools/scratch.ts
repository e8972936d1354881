/**
 * Directories for as long as a command works: gone when its process ends, by Ctrl-C and SIGTERM, too. What a command puts
 * there can be as large as a chain.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
const made = new Set<string>();

/** A new directory below `TMPDIR`. @throws the system's error when it cannot be made */
export function makeScratch(prefix: string): string {
  const dir = mkdtempSync(join(tmpdir(), prefix));
  if (made.size === 0) watch();
  made.add(dir);
  return dir;
}

/** Removes it with what is in it. */
export function removeScratch(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
  made.delete(dir);
  if (made.size === 0) unwatch();
}

function removeAll(): void {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
}

/** Ends as if nobody had listened, but by way of the exit's listeners. */
function end(signal: NodeJS.Signals): void {
  process.exit(128 + constants.signals[signal]);
}

function watch(): void {
  process.on("exit", removeAll);
  for (const signal of SIGNALS) process.on(signal, end);
}

function unwatch(): void {
  process.off("exit", removeAll);
  for (const signal of SIGNALS) process.off(signal, end);
}
