/**
 * When to move the write-ahead log into the database. Never inside a commit, where SQLite would do it and the
 * acknowledgement would wait for it: after one, as soon as the queue is empty and the log is worth it, or at
 * the latest when the log has grown to four times that.
 */
import { checkpoint, pagesInLog } from "./connection.ts";
import type { Connection } from "./connection.ts";

const LATEST_FACTOR = 4;

export class Checkpointer {
  readonly #connection: Connection;
  readonly #worthPages: number;

  constructor(connection: Connection, worthPages: number) {
    this.#connection = connection;
    this.#worthPages = worthPages;
  }

  /** Checkpoints when it is time; how long it took in ms, or undefined when it was not. Throws SqliteError. */
  run(queueIsEmpty: boolean): number | undefined {
    const pages = pagesInLog(this.#connection);
    if (pages < (queueIsEmpty ? this.#worthPages : LATEST_FACTOR * this.#worthPages)) return undefined;
    const began = performance.now();
    checkpoint(this.#connection);
    return performance.now() - began;
  }
}
