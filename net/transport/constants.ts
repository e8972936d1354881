/** Times and bounds of routing, each with its reason. */

/**
 * A metric is the smoothed round-trip time of a path plus so much a link, ms. Much, because each relay is one more that may
 * die, stop or be busy, and be noticed late: a direct link is left for a detour that is faster by more than this. Round trips
 * of busy machines tremble by as much.
 */
export const HOP_COST_MS = 150;
/** A link costs at most this, ms: 64 of the worst still make a finite metric. */
export const LINK_COST_MAX_MS = 1_000;
/**
 * A link whose round trip was not measured yet counts as the slowest one, ms: who has just started is busy catching up, and
 * must not look like a short cut between nodes whose links are slow because their machines are busy, too.
 */
export const UNMEASURED_ROUND_TRIP_MS = LINK_COST_MAX_MS;
/**
 * A link over which nothing answers for so long counts as one with this round trip, ms: other ways are taken where there are
 * any, long before its pings run out.
 */
export const UNANSWERED_MS = 1_000;
/** No way. */
export const INFINITE_METRIC = 65_535;

/** Another route is taken when it is better by this share of the metric and by so many ms: metrics tremble. */
export const HYSTERESIS_SHARE = 0.2;
export const HYSTERESIS_MS = 5;
/** A metric that moved by this share and by so many ms since it was told is told at once. */
export const TELL_SHARE = 0.25;
export const TELL_MS = 10;

/** All routes are told again so often, ms: repairs what was lost; changes are told at once. */
export const UPDATE_EVERY_MS = 5_000;
/** A route that was not told again for so long is gone (RFC 8966, appendix B: 3.5 intervals), ms. */
export const ROUTE_EXPIRY_MS = 17_500;
/** A retraction is told again with the periodic updates for so long, ms. */
export const HOLD_MS = 17_500;

/** Requests for a newer seqno of one producer leave so far apart at least; the newest waits for its turn, ms. */
export const SEQNO_REQUEST_EVERY_MS = 200;
/** What is not answered is asked again, ever more rarely, up to this, ms. */
export const REQUEST_AGAIN_MAX_MS = 5_000;
/** Neighbours that know no route are asked so often: what they learn they tell by themselves. */
export const ROUTE_REQUESTS_MAX = 3;

/** Links that anything may cross: the longest line of nodes in which a message arrives. */
export const HOPS_MAX = 64;

/** Return paths to nodes that are no producers: replies to readers and submitters. */
export const RETURN_PATHS_MAX = 4_096;
/** One that nothing came along for so long is forgotten, ms. */
export const RETURN_PATH_EXPIRY_MS = 120_000;

/** Nodes whose addresses are kept. */
export const ADDRESS_BOOK_MAX = 1_024;
/** Of these, nodes that this node had a link with; the ones whose link is longest ago count as others do. */
export const PROVEN_MAX = 512;
/** Nodes that one neighbour told of, at most: another one's are not crowded out. */
export const TOLD_BY_ONE_MAX = 128;
/** What a node said of itself longer ago is not passed on, ms; it says so anew every day. */
export const ADDRESSES_STALE_MS = 7 * 24 * 3_600_000;
export const ADDRESSES_RENEWED_MS = 24 * 3_600_000;
/** Clocks may differ by so much, ms: what was signed later than that is not believed. */
export const ADDRESSES_AHEAD_MS = 24 * 3_600_000;

/** It is looked at whom to dial this often, ms. */
export const DIALS_EVERY_MS = 1_000;
/** A node that was chosen and gives no link for so long is let go, ms: some attempts, and the breakers of its addresses. */
export const DIAL_PATIENCE_MS = 30_000;
/** It is chosen again after this, doubling, up to an hour, ms. */
export const DIAL_AGAIN_MS = 60_000;
export const DIAL_AGAIN_MAX_MS = 3_600_000;
/** A node that is not there so many times in a row, and has not been heard of lately, is forgotten. */
export const DIALS_IN_VAIN_MAX = 4;
