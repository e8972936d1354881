/** What every script does besides its work: it runs only where it was called, tells how far it is, and what it found wrong. */
import { pathToFileURL } from "node:url";
import { ENGINE_NAMES, type EngineName } from "../chain/genesis.ts";

/** @returns raft, where no engine of this name exists */
export function engineNamed(name: string): EngineName {
  return ENGINE_NAMES.find((each) => each === name) ?? "raft";
}

/** Runs `main` where its file is what the process was started with, and not where others import it. */
export async function runAsScript(url: string, main: () => Promise<number | void>): Promise<void> {
  if (process.argv[1] === undefined || url !== pathToFileURL(process.argv[1]).href) return;
  const status = await main();
  if (status !== undefined) process.exitCode = status;
}

/** How far the script is, to standard error. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** @returns the exit status */
export function tellFaults(faults: readonly string[]): number {
  for (const fault of faults) process.stdout.write(`FAULT ${fault}\n`);
  return faults.length === 0 ? 0 : 1;
}
