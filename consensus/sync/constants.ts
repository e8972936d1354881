/** Bounds and times of the sync machine. */

/** Bytes of blocks on their way to one peer that its link has not yet taken. */
export const SEND_BUDGET_BYTES = 8 * 1024 * 1024;

/** Without progress while searching or waiting for the other side: a new hello after this, ms. */
export const SEARCH_STALL_MS = 2_000;

/** Without progress while both have the same chain: a new hello after this, ms. */
export const IDLE_HELLO_MS = 10_000;

/**
 * What a peer announced and has not come by another link is grafted for after this, ms: whole blocks take longer over
 * more links than an announcement over one. Again after twice as long, up to the maximum.
 */
export const GRAFT_AFTER_MS = 250;
export const GRAFT_AFTER_MAX_MS = 4_000;

/** A requested block that has not come is asked for again after this, ms. */
export const REQUEST_AGAIN_MS = 2_000;

/**
 * Requests for single blocks under way that one peer has caused: its chain is asked for from its head or a gap on, one after
 * the other, so that an honest one seldom causes two. Those of peers that are gone have one share together.
 */
export const REQUESTS_PER_PEER = 16;
/** ... and that the engine has: more than it remembers certificates of blocks that are not here. What it still wants it says again. */
export const WANTED_MAX = 256;

/** Blocks sent to one peer in one step at most. */
export const PUSH_BLOCKS_MAX = 64;

/** What all nodes of a chain have alike: a sender and a puller must agree on who is far behind. */
export interface SyncLimits {
  /** A peer that is further below my newest certified block is not streamed to: it pulls ranges. */
  readonly farBehindBlocks: number;
  /** A range: blocks at most, and bytes at which it ends; one block at least. */
  readonly rangeBlocks: number;
  readonly rangeBytes: number;
  /** Ranges asked for and not yet handed to the ledger, at most: each holds `rangeBytes` and a block, or less. */
  readonly pullRanges: number;
}

export const SYNC_LIMITS: SyncLimits = {
  // Four times what a leader may have in flight, so that a live node does not become a puller; to check so many
  // signatures takes 20 ms, which is less than a pull needs to begin and end.
  farBehindBlocks: 256,
  rangeBlocks: 256,
  // 3 ms of reading for who serves it, 10 ms of hashing for who takes it: consensus messages are handled in between.
  rangeBytes: 512 * 1024,
  // 32 MiB, two seconds of work: a range that has to be asked for twice does not leave the ledger idle.
  pullRanges: 64,
};

/** Ranges asked of one peer at once: the next is on its way while one is read. */
export const RANGES_PER_PEER = 3;

/** A range that has not come is asked of another peer after this, ms; longer for a peer that was late before. */
export const RANGE_TIMEOUT_MS = 2_000;
export const RANGE_TIMEOUT_MAX_MS = 16_000;

/** Range requests to one peer whose answers may still come, at most; of older ones an answer counts as not asked for. */
export const UNANSWERED_MAX = 64;

/** A peer that was late, or sent what is not true, is asked last for so long, ms. */
export const LATE_SHUN_MS = 10_000;
export const GARBAGE_SHUN_MS = 60_000;
/** A peer that did not hold a range is not asked for so long, ms. */
export const LACKS_SHUN_MS = 5_000;

/** Requests of one peer that wait to be served; the oldest leave first, by then somebody else was asked. */
export const RANGE_REQUESTS_MAX = 16;

/** Bytes of ranges on their way to one peer that its link has not yet taken. */
export const RANGE_BUDGET_BYTES = 4 * 1024 * 1024;

/** Chunks of the history tree that one step may read: 4,096 ids. */
export const HISTORY_CHUNKS_A_STEP = 16;

/** Hellos of a peer that are looked at without delay, and how long it takes until one more is, ms: an answer is larger. */
export const HELLOS_AT_ONCE = 8;
export const HELLO_EVERY_MS = 250;
