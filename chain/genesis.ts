/** What all nodes of a chain agree on before its first block. Parsing and defaults are at the edge (`src/node`). */
import type { Configuration } from "./configuration.ts";

export const ENGINE_NAMES = ["raft", "vsr", "bft"] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

/** Whose signed approvals a change of the producer set needs: a quorum of the set it replaces, or any one of it. */
export const PRODUCER_APPROVALS = ["quorum", "anyProducer"] as const;
export type ProducerApproval = (typeof PRODUCER_APPROVALS)[number];

/** Limits every node must agree on, because a block beyond them is invalid. */
export interface ChainLimits {
  /** Bytes of a block's body at most. */
  readonly blockBytes: number;
  readonly blockTransactions: number;
  readonly transactionBytes: number;
  /** `expiresAt` may lie at most this far above the time of the block that holds the transaction. */
  readonly expiryAheadMs: number;
  /** Transactions at most in the blocks of the last `expiryAheadMs`. */
  readonly duplicateWindowCount: number;
  /** A live block is voted for once its time is at most this far above the voter's clock. */
  readonly clockToleranceMs: number;
  /** Every transaction must name and be signed by its author. */
  readonly signaturesRequired: boolean;
  /** Who approves a change of the producer set. */
  readonly producerApproval: ProducerApproval;
  /** Reads, writes and entries that a range returns, of one transaction's execution at most. */
  readonly executionOperations: number;
  /** Bytes of keys and values read and written by one transaction's execution at most. */
  readonly executionBytes: number;
}

export interface Genesis {
  /** SHA-256 of the genesis file in RFC 8785 canonical JSON, hex. */
  readonly chainId: string;
  readonly name: string;
  /** Milliseconds since the epoch; the time of block 0. */
  readonly time: number;
  readonly engine: EngineName;
  readonly configuration: Configuration;
  readonly limits: ChainLimits;
  readonly initialState: unknown;
}
