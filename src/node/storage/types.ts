/**
 * What the node asks of its disk. Two writers, each in a worker thread of its own so that an fsync never
 * stops the event loop and a slow flush of derived data never delays a vote:
 *
 *  - the chain store (`chain.db`, synchronous=FULL): blocks of all branches, the vote record, the irreversible
 *    pointer with its certificate. Group commit: everything queued when a transaction begins shares its fsync.
 *  - the derived store (`state.db`, `index.db`, synchronous=NORMAL): rebuilt by replay from `chain.db`.
 *
 * Reads on the main thread go through read-only connections of their own (some microseconds each).
 */

/** A block exactly as it is on the wire: the header's bytes verbatim, its signature, the body's bytes verbatim. */
export interface StoredBlock {
  readonly height: number;
  /** Lower-case hex, 64 digits. */
  readonly id: string;
  readonly parent: string;
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
  readonly body: Uint8Array;
}

/** The last irreversible block as this node has promised it. */
export interface StoredIrreversible {
  readonly height: number;
  readonly id: string;
  /** Encoded irreversibility certificate; empty for genesis. */
  readonly certificate: Uint8Array;
  /** Encoded frontier of the history tree over the ids of all blocks up to and including this one. */
  readonly frontier: Uint8Array;
}

/** Producer sets that judge the irreversible blocks from a height on. */
export interface StoredSets {
  readonly from: number;
  /** Where a change ended: up to here the block below `from` proves its ancestors irreversible; else 0. */
  readonly provenHeight: number;
  /** Encoded (`chain/producerSets.ts`). */
  readonly sets: Uint8Array;
}

/** A piece of evidence against a producer (docs/protocol.md, section 7): one of each kind is kept. */
export interface StoredEvidence {
  /** Whom it is against: its key, lower-case hex. */
  readonly producer: string;
  readonly kind: string;
  /** Message `Evidence` of proto/bft.proto. */
  readonly bytes: Uint8Array;
}

/** One atomic write. Requests complete in order; `token` is what the core is told when it is on disk. */
export interface ChainWrite {
  readonly token: number;
  readonly blocks: readonly StoredBlock[];
  /** The whole vote record, replacing the one before. Stored with a checksum. */
  readonly record?: Uint8Array;
  /** Advances the irreversible block; blocks at or below its height that are not its ancestors are deleted. */
  readonly irreversible?: StoredIrreversible & {
    /** Changes of the producer sets up to this block that are not stored yet. */
    readonly producerSets?: readonly StoredSets[];
  };
  /** Replaces what is there of the same producer and kind. */
  readonly evidence?: readonly StoredEvidence[];
  /**
   * Deletes irreversible blocks and certificates below this height. Only heights that `state.db` holds durably
   * (`DerivedStore.makeDurable`) may go: they cannot be replayed any more. Prune in small steps.
   */
  readonly firstHeight?: number;
}

/** The vote record as found. Missing and damaged are for the core to act on (recovering), not for the store. */
export type StoredRecord =
  | { readonly verdict: "ok"; readonly bytes: Uint8Array }
  | { readonly verdict: "missing" }
  | { readonly verdict: "damaged" };

/** What chain.db says of itself. */
export interface ChainMeta {
  readonly formatVersion: number;
  /** Lower-case hex: the hash of the genesis file. */
  readonly chainId: string;
  /** Height of the lowest irreversible block kept; absent while there is none. */
  readonly firstHeight: number | undefined;
  readonly irreversible: StoredIrreversible | undefined;
  readonly record: StoredRecord;
}

export interface StoredCertificate {
  readonly height: number;
  readonly id: string;
  readonly certificate: Uint8Array;
}

/** What one committed transaction cost; for metrics. */
export interface CommitReport {
  /** Writes that shared the transaction. */
  readonly writes: number;
  readonly bytes: number;
  /** From BEGIN to the last statement. */
  readonly writeMs: number;
  /** The COMMIT: writing the log and, for chain.db, its fsync. */
  readonly syncMs: number;
}

/** How a store reports. All are called on the thread that opened it. */
export interface WriterEvents {
  /**
   * The store could not write. `retrying`: the disk is full or the file is busy, the write is kept and tried
   * again, nothing is acknowledged meanwhile. Otherwise the store has stopped for good.
   */
  onError(error: StorageError, retrying: boolean): void;
  onCommit?(report: CommitReport): void;
  /** Moving pages from the write-ahead log into the database, after acknowledgements, took this long. */
  onCheckpoint?(durationMs: number): void;
}

/** What an irreversible block, or a run of them, did to the application state. */
export interface DerivedWrite {
  /** Height and id of the newest block covered. */
  readonly height: number;
  readonly id: string;
  /** Net changes of the run, key order, `null` = deleted. Keys and values as bytes. */
  readonly changes: readonly { readonly key: Uint8Array; readonly value: Uint8Array | null }[];
  /** For each block of the run, oldest first: receipts (encoded list) and the ids of its transactions, 32 bytes each, concatenated. */
  readonly blocks: readonly {
    readonly height: number;
    readonly receipts: Uint8Array;
    readonly transactionIds: Uint8Array;
  }[];
  /** Receipts of blocks below this height are deleted (pruned nodes). */
  readonly firstHeight?: number;
}

export interface StateEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** The newest block whose changes the state holds. */
export interface AppliedBlock {
  readonly height: number;
  readonly id: string;
}

/** Where a transaction is in the chain. */
export interface TransactionPosition {
  readonly height: number;
  readonly index: number;
}

/** Errors of the storage layer: stable codes, with what to do in `message`. */
export type StorageErrorCode =
  | "CANNOT_OPEN"
  | "DAMAGED"
  | "TRUNCATED"
  | "WRONG_FORMAT"
  | "DISK_FULL"
  | "IO"
  | "LOCKED"
  | "RECORD_MISSING"
  | "RECORD_DAMAGED"
  /** A write that contradicts what is stored: the caller is wrong, nothing was written. */
  | "REFUSED"
  /** More is queued than the bound allows. */
  | "QUEUE_FULL";

export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: StorageErrorCode;
  readonly file: string;
  /** Of the damaged block, when one is: what to ask peers for. */
  readonly height: number | undefined;
  readonly id: string | undefined;
  constructor(
    code: StorageErrorCode,
    file: string,
    message: string,
    options: ErrorOptions & { readonly height?: number; readonly id?: string } = {},
  ) {
    super(message, options);
    this.code = code;
    this.file = file;
    this.height = options.height;
    this.id = options.id;
  }
}
