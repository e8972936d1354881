/** Files that are written whole or not at all: after a full disk or a power loss the old ones are there. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** On disk when it returns. Throws the system's error, and nothing has changed. */
export function writeWhole(file: string, text: string): void {
  const unfinished = `${file}.new`;
  try {
    writeAndClose(openSync(unfinished, "w", 0o644), text);
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
  const directory = openSync(dirname(file), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** On disk when it returns, the file closed in any case. Throws the system's error. */
export function writeAndClose(descriptor: number, text: string): void {
  try {
    const bytes = Buffer.from(text);
    // A disk that gets full takes a part and says so by its count.
    for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
