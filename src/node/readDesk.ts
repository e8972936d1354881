/** Readers who wait for a linearizable read: from a request to the replica's answer. The replica bounds how many, and how long. */
import type { ReadRefusal } from "../replica/types.ts";

/** `readable`: the irreversible state may be read now, at once. */
export type ReadVerdict = "readable" | ReadRefusal;

export class ReadDesk {
  readonly #read: (request: number) => void;
  readonly #waiting = new Map<number, (verdict: ReadVerdict) => void>();
  #nextRequest = 1;
  #isStopped = false;

  /** @param read hands a request to the replica, which may answer before it returns */
  constructor(read: (request: number) => void) {
    this.#read = read;
  }

  /** Never rejects. */
  wait(): Promise<ReadVerdict> {
    if (this.#isStopped) return Promise.resolve("noLeader");
    return new Promise((resolve) => {
      const request = this.#nextRequest++;
      this.#waiting.set(request, resolve);
      this.#read(request);
    });
  }

  answered(requests: readonly number[], verdict: ReadVerdict): void {
    for (const request of requests) {
      this.#waiting.get(request)?.(verdict);
      this.#waiting.delete(request);
    }
  }

  /** The replica answers nothing any more. */
  stop(): void {
    this.#isStopped = true;
    this.answered([...this.#waiting.keys()], "noLeader");
  }
}
