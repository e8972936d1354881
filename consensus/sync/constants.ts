/** Bounds and times of the sync machine. */

/** Bytes of blocks on their way to one peer that its link has not yet taken. */
export const SEND_BUDGET_BYTES = 8 * 1024 * 1024;

/** Without progress while searching or waiting for the other side: a new hello after this, ms. */
export const SEARCH_STALL_MS = 2_000;

/** Without progress while both have the same chain: a new hello after this, ms. */
export const IDLE_HELLO_MS = 10_000;

/** A requested block that has not come is asked for again after this, ms. */
export const REQUEST_AGAIN_MS = 2_000;

/** Requests for single blocks under way at most. */
export const REQUESTS_MAX = 256;

/** Blocks sent to one peer in one step at most. */
export const PUSH_BLOCKS_MAX = 64;
