/** What every writer thread's module does: open, say ready or why not, loop. */
import { parentPort } from "node:worker_threads";
import { toPlain, toStorageError } from "./errors.ts";
import type { FileKind } from "./errors.ts";
import { WriteLoop } from "./writeLoop.ts";
import type { WriteLoopTasks } from "./writeLoop.ts";
import type { FromWriter } from "./writerMessages.ts";

/** What `open` of a writer gives: the loop's tasks and what to tell the store about the opened files. */
export interface OpenedWriter<W> {
  readonly tasks: WriteLoopTasks<W>;
  readonly info: unknown;
}

/** Runs a writer on this thread. `open` gets a function that wakes the loop for upkeep. */
export function runWriter<W>(file: string, kind: FileKind, open: (wake: () => void) => OpenedWriter<W>): void {
  const port = parentPort;
  if (port === null) throw new Error("this module runs only as a worker thread");
  let loop: WriteLoop<W> | undefined;
  try {
    const { tasks, info } = open(() => loop?.wake());
    loop = new WriteLoop(port, tasks);
    port.postMessage({ kind: "ready", info } satisfies FromWriter);
  } catch (error) {
    port.postMessage({ kind: "cannotOpen", error: toPlain(toStorageError(error, file, kind)) } satisfies FromWriter);
    port.close();
  }
}
