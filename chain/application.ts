/**
 * What an application is to the chain: a synchronous, deterministic function from transactions and state to
 * receipts and state (DESIGN section 8). Keys are ordered bytes, held as binary strings (see `src/base/bytes`).
 */
import type { Result } from "../src/base/result.ts";
import type { Configuration } from "./configuration.ts";

/** Reads the state, ordered by key. */
export interface StateView {
  get(key: string): Uint8Array | undefined;
  /** Entries with `start <= key < end` (`end` undefined: no upper bound), ascending, at most `limit`. */
  range(start: string, end: string | undefined, limit: number): { readonly key: string; readonly value: Uint8Array }[];
}

/** Reads and writes the state within one transaction. Writes are rolled back when `execute` throws. */
export interface StateAccess extends StateView {
  put(key: string, value: Uint8Array): void;
  delete(key: string): void;
}

export interface ExecutionContext {
  /** Height, time (ms) and view of the block in which the transaction is executed. */
  readonly height: number;
  readonly time: number;
  readonly view: number;
  /** The set that decides about the block; where a change is under way, the one that is left. */
  readonly producers: Configuration;
  /**
   * Has the block propose this producer set, keys in their order. A later success in the same transaction takes the place
   * of an earlier one; what a transaction proposes that is refused or throws counts for nothing.
   */
  proposeProducers(keys: readonly string[]): Result<undefined, ProposalRefusal>;
}

/** Why a block cannot propose a producer set. */
export interface ProposalRefusal {
  readonly code:
    /** One change at a time: one is under way, or an earlier transaction of the block proposes another set. */
    | "CHANGE_UNDER_WAY"
    /** No keys, too many, or one twice. */
    | "NO_PRODUCER_SET"
    /** It is the set that decides now. */
    | "NO_CHANGE";
  readonly detail: string;
}

/** Why an application refuses a transaction. `code` is stable, upper-case. */
export interface ApplicationRefusal {
  readonly code: string;
  readonly message: string;
}

export interface Application {
  readonly name: string;
  readonly version: number;
  /** Writes the initial state of the genesis. */
  initialize(initialState: unknown, state: StateAccess): void;
  /** Cheap admission check of a payload; what passes may still fail in `execute`. */
  check(payload: Uint8Array, read: StateView): Result<undefined, ApplicationRefusal>;
  /**
   * Executes a payload and returns its receipt, opaque to the chain. Throws (best a `TransactionFailed`) for a transaction
   * that must not be in a block at all; whatever it wrote is rolled back.
   */
  execute(payload: Uint8Array, state: StateAccess, context: ExecutionContext): Uint8Array;
}

/** Thrown by `execute`: the transaction may not be put into a block, and a block that holds it is invalid. */
export class TransactionFailed extends Error {
  override readonly name = "TransactionFailed";
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
