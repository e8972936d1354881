/**
 * Messages wait here until their signatures were checked. Checks run elsewhere, many at once; messages of one peer and
 * lane come out in the order they went in, because the sync machine relies on it.
 */
import type { SignatureClaim } from "../../chain/signing.ts";

/** A message and what it claims. */
interface Waiting<T> {
  readonly item: T;
  readonly bytes: number;
  /** The batch that its claims are in; undefined: it claims nothing, or was checked. */
  batch: number | undefined;
  valid: boolean;
}

interface Queue<T> {
  readonly name: string;
  waiting: Waiting<T>[];
  bytes: number;
}

export interface GateOutput<T> {
  readonly item: T;
  readonly valid: boolean;
}

/** Of one queue. */
export interface GateBounds {
  readonly maxWaiting: number;
  readonly maxBytes: number;
}

export class SignatureGate<T> {
  readonly #queues = new Map<string, Queue<T>>();
  readonly #batches = new Map<number, { readonly queue: Queue<T>; readonly entry: Waiting<T> }>();
  readonly #bounds: GateBounds;
  #nextBatch = 1;
  #waiting = 0;

  constructor(bounds: GateBounds) {
    this.#bounds = bounds;
  }

  /** Messages waiting, all queues together. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * @param name messages of one queue keep their order
   * @param bytes what the message keeps in memory, about
   * @returns "pass": go on with it now; "full": dropped; a number: the batch to have checked
   */
  submit(name: string, item: T, bytes: number, claims: readonly SignatureClaim[]): "pass" | "full" | "waits" | number {
    const queue = this.#queues.get(name) ?? { name, waiting: [], bytes: 0 };
    if (claims.length === 0 && queue.waiting.length === 0) return "pass";
    const { maxWaiting, maxBytes } = this.#bounds;
    if (queue.waiting.length >= maxWaiting || (queue.bytes > 0 && queue.bytes + bytes > maxBytes)) return "full";
    const entry: Waiting<T> = { item, bytes, batch: claims.length === 0 ? undefined : this.#nextBatch++, valid: true };
    queue.waiting.push(entry);
    queue.bytes += bytes;
    this.#waiting++;
    this.#queues.set(name, queue);
    if (entry.batch === undefined) return "waits";
    this.#batches.set(entry.batch, { queue, entry });
    return entry.batch;
  }

  /** A batch was checked. Returns what may go on now, in order. */
  checked(batch: number, valid: boolean): GateOutput<T>[] {
    const checked = this.#batches.get(batch);
    if (checked === undefined) return [];
    this.#batches.delete(batch);
    const { queue, entry } = checked;
    entry.batch = undefined;
    entry.valid = valid;
    const ready = queue.waiting.findIndex((each) => each.batch !== undefined);
    const released = queue.waiting.splice(0, ready === -1 ? queue.waiting.length : ready);
    for (const each of released) queue.bytes -= each.bytes;
    this.#waiting -= released.length;
    if (queue.waiting.length === 0) this.#queues.delete(queue.name);
    return released.map(({ item, valid: isValid }) => ({ item, valid: isValid }));
  }

  /** Forgets a queue, whose peer is gone. */
  drop(name: string): void {
    const queue = this.#queues.get(name);
    if (queue === undefined) return;
    this.#waiting -= queue.waiting.length;
    this.#queues.delete(name);
    for (const { batch } of queue.waiting) if (batch !== undefined) this.#batches.delete(batch);
  }
}
