/**
 * Messages wait here until their signatures were checked. Checks run elsewhere, many at once; messages of one peer and
 * lane come out in the order they went in, because the sync machine relies on it.
 *
 * A check costs much more than the bytes that ask for it, so a queue earns its checks: it begins with a few under way,
 * and each valid one allows one more. Who holds no producer's key never earns any.
 */
import type { SignatureClaim } from "../../chain/signing.ts";
import { CHECKS_AT_FIRST, CHECKS_MAX } from "./constants.ts";

/** A message and what it claims. */
interface Waiting<T> {
  readonly item: T;
  readonly bytes: number;
  readonly claims: readonly SignatureClaim[];
  /** Claims handed out to be checked, or not worth it any more. */
  asked: number;
  /** Batches of it that are being checked. */
  open: number;
  valid: boolean;
}

interface Queue<T> {
  readonly waiting: Waiting<T>[];
  bytes: number;
  /** Index of the first message with claims that were not handed out. */
  next: number;
  /** Claims being checked, and how many there may be. */
  inCheck: number;
  allowance: number;
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
  readonly #batches = new Map<
    number,
    { readonly queue: Queue<T>; readonly entry: Waiting<T>; readonly claims: number }
  >();
  readonly #bounds: GateBounds;
  readonly #check: (batch: number, claims: readonly SignatureClaim[]) => void;
  #nextBatch = 1;
  #waiting = 0;

  /** @param check has a batch checked; {@link checked} is the answer */
  constructor(bounds: GateBounds, check: (batch: number, claims: readonly SignatureClaim[]) => void) {
    this.#bounds = bounds;
    this.#check = check;
  }

  /** Messages waiting, all queues together. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * @param name messages of one queue keep their order
   * @param bytes what the message keeps in memory, about
   * @returns "pass": go on with it now; "full": dropped
   */
  submit(name: string, item: T, bytes: number, claims: readonly SignatureClaim[]): "pass" | "full" | "waits" {
    const queue = this.#queues.get(name) ?? newQueue<T>();
    if (claims.length === 0 && queue.waiting.length === 0) return "pass";
    const { maxWaiting, maxBytes } = this.#bounds;
    if (queue.waiting.length >= maxWaiting || (queue.bytes > 0 && queue.bytes + bytes > maxBytes)) return "full";
    queue.waiting.push({ item, bytes, claims, asked: 0, open: 0, valid: true });
    queue.bytes += bytes;
    this.#waiting++;
    this.#queues.set(name, queue);
    this.#askOn(queue);
    return "waits";
  }

  /** A batch was checked. Returns what may go on now, in order. */
  checked(batch: number, valid: boolean): GateOutput<T>[] {
    const checked = this.#batches.get(batch);
    if (checked === undefined) return [];
    this.#batches.delete(batch);
    const { queue, entry, claims } = checked;
    entry.open--;
    queue.inCheck -= claims;
    if (valid) queue.allowance = Math.min(CHECKS_MAX, queue.allowance + claims);
    else {
      queue.allowance = CHECKS_AT_FIRST;
      entry.valid = false;
      // One is enough.
      entry.asked = entry.claims.length;
    }
    const ready = queue.waiting.findIndex((each) => each.open > 0 || each.asked < each.claims.length);
    const released = queue.waiting.splice(0, ready === -1 ? queue.waiting.length : ready);
    for (const each of released) queue.bytes -= each.bytes;
    this.#waiting -= released.length;
    queue.next = Math.max(0, queue.next - released.length);
    this.#askOn(queue);
    return released.map(({ item, valid: isValid }) => ({ item, valid: isValid }));
  }

  /** Forgets a queue, whose peer is gone. */
  drop(name: string): void {
    const queue = this.#queues.get(name);
    if (queue === undefined) return;
    this.#waiting -= queue.waiting.length;
    this.#queues.delete(name);
    for (const [batch, { queue: its }] of this.#batches) if (its === queue) this.#batches.delete(batch);
  }

  /** Hands out claims as far as the allowance goes. */
  #askOn(queue: Queue<T>): void {
    while (queue.inCheck < queue.allowance && queue.next < queue.waiting.length) {
      const entry = queue.waiting[queue.next] as Waiting<T>;
      const claims = entry.claims.slice(entry.asked, entry.asked + queue.allowance - queue.inCheck);
      if (claims.length > 0) {
        const batch = this.#nextBatch++;
        entry.asked += claims.length;
        entry.open++;
        queue.inCheck += claims.length;
        this.#batches.set(batch, { queue, entry, claims: claims.length });
        this.#check(batch, claims);
      }
      if (entry.asked === entry.claims.length) queue.next++;
    }
  }
}

function newQueue<T>(): Queue<T> {
  return { waiting: [], bytes: 0, next: 0, inCheck: 0, allowance: CHECKS_AT_FIRST };
}
