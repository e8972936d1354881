/**
 * Messages wait here until their signatures were checked. Checks run elsewhere, many at once; messages of one peer and
 * lane come out in the order they went in, because the sync machine relies on it.
 */
import type { SignatureClaim } from "../../chain/signing.ts";

/** A message and what it claims. */
interface Waiting<T> {
  readonly item: T;
  /** The batch that its claims are in; undefined: it claims nothing. */
  batch: number | undefined;
  valid: boolean;
}

export interface GateOutput<T> {
  readonly item: T;
  readonly valid: boolean;
}

export class SignatureGate<T> {
  readonly #queues = new Map<string, Waiting<T>[]>();
  readonly #queueOfBatch = new Map<number, string>();
  readonly #maxWaiting: number;
  #nextBatch = 1;
  #waiting = 0;

  /** @param maxWaiting messages a queue */
  constructor(maxWaiting: number) {
    this.#maxWaiting = maxWaiting;
  }

  /** Messages waiting, all queues together. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * @param queue messages of one queue keep their order
   * @returns "pass": go on with it now; "full": dropped; a number: the batch to have checked
   */
  submit(queue: string, item: T, claims: readonly SignatureClaim[]): "pass" | "full" | "waits" | number {
    const waiting = this.#queues.get(queue) ?? [];
    if (claims.length === 0 && waiting.length === 0) return "pass";
    if (waiting.length >= this.#maxWaiting) return "full";
    const batch = claims.length === 0 ? undefined : this.#nextBatch++;
    waiting.push({ item, batch, valid: true });
    this.#waiting++;
    this.#queues.set(queue, waiting);
    if (batch === undefined) return "waits";
    this.#queueOfBatch.set(batch, queue);
    return batch;
  }

  /** A batch was checked. Returns what may go on now, in order. */
  checked(batch: number, valid: boolean): GateOutput<T>[] {
    const queue = this.#queueOfBatch.get(batch);
    if (queue === undefined) return [];
    this.#queueOfBatch.delete(batch);
    const waiting = this.#queues.get(queue) ?? [];
    for (const each of waiting) {
      if (each.batch !== batch) continue;
      each.batch = undefined;
      each.valid = valid;
    }
    const ready = waiting.findIndex((each) => each.batch !== undefined);
    const released = waiting.splice(0, ready === -1 ? waiting.length : ready);
    this.#waiting -= released.length;
    if (waiting.length === 0) this.#queues.delete(queue);
    return released;
  }

  /** Forgets a queue, whose peer is gone. */
  drop(queue: string): void {
    this.#waiting -= this.#queues.get(queue)?.length ?? 0;
    this.#queues.delete(queue);
    for (const [batch, of] of this.#queueOfBatch) if (of === queue) this.#queueOfBatch.delete(batch);
  }
}
