/**
 * The last steps of a node that is to be stopped: a leader hands over, and what was submitted here comes to an end, in a
 * block or with the next leader. For a bounded time; then it stops all the same.
 */
import type { Engine } from "../../consensus/engine.ts";
import type { Mempool } from "../../consensus/mempool/mempool.ts";

export interface LeavingHost {
  readonly engine: Engine;
  readonly mempool: Mempool;
  /** For everything, ms. */
  readonly boundMs: number;
  now(): number;
  handedOver(undecided: number): void;
}

export class Leaving {
  readonly #host: LeavingHost;
  /** While it leaves, ms. */
  #until: number | undefined;

  constructor(host: LeavingHost) {
    this.#host = host;
  }

  get deadline(): number {
    return this.#until ?? Number.POSITIVE_INFINITY;
  }

  begin(): void {
    this.#until ??= this.#host.now() + this.#host.boundMs;
    this.#host.engine.lead.handOver();
  }

  /** At the end of every step. */
  proceed(): void {
    if (this.#until === undefined) return;
    const { engine, mempool } = this.#host;
    const isDone = !engine.lead.isHandingOver && !mempool.hasLocal();
    if (!isDone && this.#host.now() < this.#until) return;
    this.#until = undefined;
    this.#host.handedOver(mempool.localCount());
  }
}
