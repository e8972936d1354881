/** Bounds of the replica. */

/** Transactions executed in one step: about 2 ms of work, so that consensus messages are handled in between. */
export const EXECUTION_SLICE_TRANSACTIONS = 400;

/** Messages of one peer and lane that may wait for their signatures to be checked; a stream's budget is 8 MiB. */
export const GATE_BOUNDS = { maxWaiting: 65_536, maxBytes: 32 * 1024 * 1024 };

/**
 * Signatures of one peer and lane that may be in check at once: at first, so that a handshake, with its three key
 * agreements, costs a forger more than the checks it gets for it; and when as many valid ones were seen.
 */
export const CHECKS_AT_FIRST = 1;
export const CHECKS_MAX = 4_096;

/** Transactions tried before a leader is suspected of leaving them out. */
export const DRY_RUN_TRANSACTIONS = 64;

/** Linearizable reads of this node that may wait; above, they are refused at once. */
export const READS_MAX = 10_000;
/** Nodes whose question waits at this leader, neighbours or not; above, they ask again. */
export const READ_ASKERS_MAX = 1_000;
/** A read waits so long for a leader and for the state here, ms: an election takes less, mostly. */
export const READ_PATIENCE_MS = 3_000;
/** A question to the leader that has not been answered for this long is asked again, ms. */
export const READ_ASK_AGAIN_MS = 250;

/** A node that is to be stopped takes at most so many election timeouts: one to hand over, one for what it holds. */
export const LEAVING_TIMEOUTS = 2;

/** Slack for clocks when a transaction's expiry is judged on arrival, ms. */
export const ADMISSION_SLACK_MS = 1_000;

/** A node this many blocks behind what it knows of others is still live: those blocks are on their way. */
export const LIVE_LAG_BLOCKS = 3;

/** Irreversible blocks wait this long for others before they go to the state database together, ms, */
export const FLUSH_DELAY_MS = 100;
/** or until so many transactions wait. */
export const FLUSH_TRANSACTIONS = 5_000;

/** Writes of a pull that may wait for the disk, some ranges each: what is to be executed next is then on its way already. */
export const PULL_PERSISTS_MAX = 8;

/**
 * Writes that the disk may owe, and their bytes: some seconds of the busiest chain. A disk that owes more is full or broken,
 * and what it does not take must not pile up in memory.
 */
export const OWED_PERSISTS_MAX = 2_048;
export const OWED_BYTES_MAX = 256 * 1024 * 1024;

/** A peer's score of faults: at the bound a non-producer loses its link, at half of it any peer is slowed. */
export const SCORE_BOUND = 100;
export const SCORE_SLOW = 50;
/** Ten honest slips in a minute are forgiven, a hundred are not. */
export const SCORE_HALF_LIFE_MS = 30_000;
/** Peers whose score is kept; some hundred times as many as have a link. */
export const SCORED_PEERS_MAX = 4_096;

/**
 * Requests of one peer that are looked at: a node that catches up asks for 256 blocks within two seconds, one that reads
 * asks 500 times a second. Of a peer that is slowed, so many that it still gets on.
 */
export const REQUESTS_A_SECOND = 1_000;
export const REQUESTS_AT_ONCE = 2_000;
export const SLOWED_REQUESTS_A_SECOND = 20;

/**
 * All evidence is told to neighbours this often, ms: who did not know the accused as a producer when it was told, or had too
 * much to check, holds it soon after. There is none while nobody lies.
 */
export const EVIDENCE_EVERY_MS = 10_000;

/** Known messages of a peer beyond those that news explain: some come twice when a link is new, or the trees change. */
export const DUPLICATES_BEYOND_REASON = 512;

/** Faults of one producer go to the log this often, ms. */
export const FAULT_REPORT_EVERY_MS = 10_000;

/** A producer that is there says so this often, ms: some hundred bytes a producer and link. */
export const PRESENCE_EVERY_MS = 3_000;
/** Of whom no signed message came for so long is faulty: three of its notices are lost or late, ms. */
export const SILENT_AFTER_MS = 10_000;
/** How often it is looked at who is silent, ms. */
export const WATCH_EVERY_MS = 1_000;
/** An notice counts while its time is so near to the clock here, ms: what is older may be a replay. */
export const NOTICE_CLOCK_MS = 60_000;
/** A node that has started says so on every new link for so long, ms. */
export const STARTING_ANNOUNCED_MS = 10_000;

/** Links that a node dials unless it is told otherwise: what an attacker would have to be chosen for, all of them. */
export const OUTBOUND_PEERS = 8;
/** Addresses of other nodes that one neighbour tells and that are looked at: a whole message, and what comes now and then. */
export const RECORDS_AT_ONCE = 128;
export const RECORDS_A_SECOND = 1;
/** A neighbour is told some of what is known this often, ms, and so many. */
export const ADDRESSES_TOLD_EVERY_MS = 30_000;
export const RECORDS_NOW_AND_THEN = 16;
/** Neighbours that are told of a new one at once. */
export const TOLD_OF_NEWCOMER = 4;
/** What is known of addresses goes to disk so long after it changed, ms, and no more often. */
export const ADDRESSES_KEPT_EVERY_MS = 5_000;

/** Blocks that were not taken in when they came, of which it is known who sent them. */
export const SENDERS_OF_BLOCKS_MAX = 1024;
