/** Bounds and defaults of the chain layer, each with its unit and reason (DESIGN section 9). */

/** Format of everything encoded; part of the signing domain, so a later format cannot be mistaken for this one. */
export const FORMAT_VERSION = 1;

export const HEADER_MAX_BYTES = 1024;

/** Views above are refused wherever they come in: what follows a view must be a safe integer, too. */
export const VIEW_MAX = 2 ** 48;
export const SIGNATURE_BYTES = 64;
export const KEY_BYTES = 32;
export const NONCE_BYTES = 16;

/** Hard limits that a genesis may lower, never raise: what decoders accept before a genesis is known. */
export const HARD_LIMITS = {
  blockBytes: 4 * 1024 * 1024,
  blockTransactions: 20_000,
  transactionBytes: 1024 * 1024,
} as const;

/** Bytes of a body's attachments together at most: certificates of the largest producer set take a quarter. */
export const ATTACHMENTS_MAX_BYTES = 128 * 1024;

/** Bytes by which an encoded block may be larger than its transactions: header, signature, field tags, attachments. */
export const BLOCK_OVERHEAD_BYTES = 64 * 1024 + ATTACHMENTS_MAX_BYTES;

/** Producers in a set at most: a certificate with a signature of each must fit an urgent frame. */
export const PRODUCERS_MAX = 200;

/** Defaults of the genesis. */
export const GENESIS_DEFAULTS = {
  expiryAheadMs: 60_000,
  duplicateWindowCount: 8_000_000,
  clockToleranceMs: 1_000,
  /** The most that the kv application's 1,000 operations a transaction need is 2,000. */
  executionOperations: 100_000,
  executionBytes: 64 * 1024 * 1024,
  producerApproval: "quorum",
} as const;

/** Blocks whose parent is unknown wait up to this many bytes together; the oldest leave first. */
export const ORPHAN_MAX_BYTES = 64 * 1024 * 1024;
/** ... and so many: small ones take more memory than their bytes, and each that comes may have all of them walked through. */
export const ORPHANS_MAX = 1_024;

/** Blocks that an operator may have rejected at one time: each is a decision of a person. */
export const REJECTED_BLOCKS_MAX = 1_000;

/**
 * Irreversible transactions that may wait for their flush to the state database before execution pauses. Their
 * undo and overlay are on the heap: about 600 bytes each.
 */
export const UNFLUSHED_MAX_TRANSACTIONS = 200_000;
