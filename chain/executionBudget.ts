/**
 * What one transaction may ask of the state (DESIGN section 8): operations and bytes are counted, never time, so that
 * every node comes to the same verdict. Once it is used up every further access throws; who catches that gains nothing,
 * for `exceeded` stays.
 */
import { type StateAccess, TransactionFailed } from "./application.ts";
import type { ChainLimits } from "./genesis.ts";
import { FIRST_APPLICATION_KEY, PRODUCER_SET_KEY } from "./producerChange.ts";

/** Thrown into the application by the access that is one too many. */
export class BudgetExceeded extends Error {
  override readonly name = "BudgetExceeded";
}

/** State access of the transactions of a block, one after the other. The key of the chain itself is not there. */
export class BudgetedState implements StateAccess {
  readonly #state: StateAccess;
  readonly #limits: Pick<ChainLimits, "executionOperations" | "executionBytes">;
  #operations = 0;
  #bytes = 0;

  constructor(state: StateAccess, limits: Pick<ChainLimits, "executionOperations" | "executionBytes">) {
    this.#state = state;
    this.#limits = limits;
  }

  /** The next transaction has the whole budget. */
  beginTransaction(): void {
    this.#operations = 0;
    this.#bytes = 0;
  }

  /** Why the transaction is refused, whatever came of it; the same words on every node. */
  get exceeded(): string | undefined {
    const { executionOperations, executionBytes } = this.#limits;
    if (this.#operations > executionOperations) return `more than ${executionOperations} operations on the state`;
    if (this.#bytes > executionBytes) return `more than ${executionBytes} bytes of state read and written`;
    return undefined;
  }

  get(key: string): Uint8Array | undefined {
    this.#charge(1, key.length);
    if (key === PRODUCER_SET_KEY) return undefined;
    const value = this.#state.get(key);
    if (value !== undefined) this.#charge(0, value.length);
    return value;
  }

  /** Costs an operation, and one for each entry that it returns. */
  range(start: string, end: string | undefined, limit: number): { readonly key: string; readonly value: Uint8Array }[] {
    this.#charge(1, start.length + (end?.length ?? 0));
    // One more than can be paid for is enough to be refused: the rest is not read.
    const affordable = this.#limits.executionOperations - this.#operations + 1;
    const from = start === PRODUCER_SET_KEY ? FIRST_APPLICATION_KEY : start;
    const found = this.#state.range(from, end, Math.min(limit, affordable));
    let bytes = 0;
    for (const { key, value } of found) bytes += key.length + value.length;
    this.#charge(found.length, bytes);
    return found;
  }

  put(key: string, value: Uint8Array): void {
    this.#charge(1, key.length + value.length);
    demandOwn(key);
    this.#state.put(key, value);
  }

  delete(key: string): void {
    this.#charge(1, key.length);
    demandOwn(key);
    this.#state.delete(key);
  }

  #charge(operations: number, bytes: number): void {
    this.#operations += operations;
    this.#bytes += bytes;
    const why = this.exceeded;
    if (why !== undefined) throw new BudgetExceeded(why);
  }
}

/** The transaction fails as with whatever else its application throws. */
function demandOwn(key: string): void {
  if (key === PRODUCER_SET_KEY) throw new TransactionFailed("RESERVED_KEY", "the empty key is the chain's own");
}
