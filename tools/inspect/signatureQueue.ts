/** Signatures on their way through the worker pool, in batches; the earliest that is wrong is kept. */
import type { SignatureClaim } from "../../chain/signing.ts";
import { verifySignatures } from "../../src/node/signatures.ts";
import type { Fault } from "./fault.ts";

/** Signatures handed to the pool together: some milliseconds of work. */
const BATCH = 256;
/** Signatures that may be waiting or under way: bounds memory, keeps every thread of the pool busy. */
const IN_FLIGHT_MAX = 16 * BATCH;

interface Waiting {
  readonly claim: SignatureClaim;
  readonly order: number;
  readonly faultOf: () => Fault;
}

export class SignatureQueue {
  #waiting: Waiting[] = [];
  #inFlight = 0;
  #added = 0;
  #first: Waiting | undefined;
  readonly #running = new Set<Promise<void>>();

  /** Signatures taken so far. */
  get count(): number {
    return this.#added;
  }

  /** The wrong signature that was added first, of those checked so far. */
  get fault(): Fault | undefined {
    return this.#first?.faultOf();
  }

  add(claim: SignatureClaim, faultOf: () => Fault): void {
    this.#waiting.push({ claim, order: this.#added++, faultOf });
    if (this.#waiting.length >= BATCH) this.#send();
  }

  get hasRoom(): boolean {
    return this.#inFlight < IN_FLIGHT_MAX;
  }

  /** Waits until there is room again. */
  async room(): Promise<void> {
    while (!this.hasRoom) await Promise.race(this.#running);
  }

  /** Waits until every signature is checked. */
  async drained(): Promise<void> {
    if (this.#waiting.length > 0) this.#send();
    await Promise.all(this.#running);
  }

  #send(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    this.#inFlight += batch.length;
    const run = this.#check(batch).finally(() => {
      this.#inFlight -= batch.length;
      this.#running.delete(run);
    });
    this.#running.add(run);
  }

  async #check(batch: readonly Waiting[]): Promise<void> {
    const valid = await verifySignatures(batch.map(({ claim }) => claim));
    for (const [index, each] of batch.entries()) {
      if (valid[index] === true || (this.#first !== undefined && this.#first.order < each.order)) continue;
      this.#first = each;
    }
  }
}
