/** Bounds and defaults of the consensus layer, each with its unit and reason (DESIGN section 9). */

/** A leader has at most this many uncommitted blocks of its own in flight: the window W, and its greatest setting. */
export const WINDOW_BLOCKS = 64;

/** What an operator may set; all engines share them. */
export interface ConsensusSettings {
  readonly heartbeatMs: number;
  /** t: election timeouts are random in [t, t + t * electionSpread]. */
  readonly electionTimeoutMs: number;
  /** BFT: without progress for so long, the leader is suspected. */
  readonly viewTimeoutMs: number;
  /** BFT: a leader closes its view after so many blocks of its own. */
  readonly tenureBlocks: number;
  /** BFT: ... or after so long with something to decide. */
  readonly tenureMs: number;
  /** Not for operators: the paper's timeouts need others than the 1 that its authors, and this project, recommend. */
  readonly electionSpread: number;
  /** After the link to the leader breaks: the pre-vote starts after a random delay up to this. */
  readonly brokenLinkJitterMs: number;
  /** Uncommitted blocks in flight at most. */
  readonly windowBlocks: number;
  /** Longest wait for more transactions while a block is in flight. */
  readonly batchDelayMs: number;
  /** A block is closed at this many bytes or transactions; at most the genesis limits. */
  readonly blockBytes: number;
  readonly blockTransactions: number;
  readonly mempoolBytes: number;
  readonly mempoolTransactions: number;
}

export const CONSENSUS_DEFAULTS: ConsensusSettings = {
  heartbeatMs: 100,
  electionTimeoutMs: 600,
  viewTimeoutMs: 1_000,
  tenureBlocks: 10_000,
  tenureMs: 600_000,
  electionSpread: 1,
  brokenLinkJitterMs: 50,
  windowBlocks: WINDOW_BLOCKS,
  batchDelayMs: 5,
  blockBytes: 1024 * 1024,
  blockTransactions: 10_000,
  mempoolBytes: 64 * 1024 * 1024,
  mempoolTransactions: 100_000,
};

/** Timeouts that end without progress grow by this factor, up to the bound, and come back with progress. */
export const TIMEOUT_GROWTH = 1.5;
export const TIMEOUT_GROWTH_MAX = 8;

/** A leader whose own blocks have not become irreversible for this many election timeouts gives up its view. */
export const LEADER_STALL_TIMEOUTS = 10;

/** A leader begins rounds for reads at least so far apart, ms: whoever asks on and on costs it no more than that. */
export const READ_ROUND_EVERY_MS = 2;

/** Transactions that wait for a block are forwarded to the leader again after this, ms. */
export const FORWARD_AGAIN_MS = 2_000;

/** Bytes of transactions in one forward at most. */
export const FORWARD_BYTES = 256 * 1024;

/** A block whose time is ahead of the clock waits here; of more than this the latest are dropped and come again by sync. */
export const HELD_BLOCKS_MAX = 64;

/** Votes for blocks that are not here that wait, of one signer: eight windows in two phases. */
export const EARLY_VOTES_MAX = 1_024;
/** So long, ms: a block comes sooner, or the vote is sent again with it. */
export const EARLY_VOTE_LIFE_MS = 10_000;
