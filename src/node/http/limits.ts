/** Bounds of the HTTP interface, each with its unit and reason. */
import { HARD_LIMITS } from "../../../chain/constants.ts";

const MIB = 1024 * 1024;

/** One transaction: a value of the largest size in base64url is a third longer; the rest is JSON around it. */
export const SINGLE_BODY_BYTES = Math.ceil((HARD_LIMITS.transactionBytes * 4) / 3) + 64 * 1024;
/** A batch. */
export const BATCH_BODY_BYTES = 16 * MIB;
/** Bodies being received or worked on, together; a request that would exceed it is told to come again. */
export const BODIES_TOTAL_BYTES = 256 * MIB;
/** Lines of a batch: as many as the mempool holds by default. */
export const BATCH_TRANSACTIONS = 100_000;
/** Lines parsed between two looks at the event loop: 2 to 4 ms, so that a batch delays no heartbeat. */
export const BATCH_SLICE = 500;

/** Heads of requests: a slow client holds a connection this long, a half-open one, too. */
export const HEADERS_TIMEOUT_MS = 10_000;
/** Whole requests: 16 MiB at 280 kB/s. */
export const REQUEST_TIMEOUT_MS = 60_000;
export const TIMEOUT_CHECK_MS = 1_000;
export const KEEP_ALIVE_MS = 30_000;
/** The longest `timeout` of a wait, and what holds when none is given. */
export const WAIT_MAX_MS = 300_000;
export const WAIT_DEFAULT_MS = 10_000;
/** A connection on which nothing moves: longer than the longest wait. */
export const IDLE_SOCKET_MS = WAIT_MAX_MS + 30_000;
export const CONNECTIONS_MAX = 2_000;
/** Connections that wait to be taken. */
export const BACKLOG = 1_024;
/** Requests in work at once, pipelined ones included; further ones are told to come again. */
export const REQUESTS_MAX = 4_000;
/** Who takes less than SLOW_READER_BYTES of an answer in SLOW_READER_MS is cut off: 2 kB/s. */
export const SLOW_READER_MS = 30_000;
export const SLOW_READER_BYTES = 64 * 1024;
export const SLOW_READER_CHECK_MS = 5_000;

/** `limit` of lists. */
export const BLOCKS_LIMIT = 100;
export const KV_LIMIT = 1_000;
/** A list ends early when it holds this much; it says so, and what to ask for next. */
export const LIST_BYTES = 8 * MIB;
/** Rows read at a time: values have up to 1 MiB. */
export const KV_PAGE = 16;
/** Transactions written as JSON between two looks at the event loop. */
export const JSON_SLICE = 500;

/** and about what an answer is cut into: a slow reader leaves some chunks in memory. */
export const CHUNK_BYTES = 64 * 1024;

/** Streams of irreversible blocks at once. */
export const STREAMS_MAX = 200;
/** Blocks that streams are at work on, together; above, the slowest streams are cut off. */
export const STREAM_BLOCKS_BYTES = 64 * MIB;
/** A stream that has nothing to say says so this often, so that nobody on the way takes it for dead. */
export const STREAM_KEEP_ALIVE_MS = 15_000;
/** Blocks with nothing of a stream's topic, after which it is told how far it is. */
export const STREAM_PROGRESS_BLOCKS = 1_000;
/** What a browser is told to wait before it connects again, ms. */
export const STREAM_RETRY_MS = 1_000;

/** What a client that was refused for lack of room or of a leader is told to wait. */
export const RETRY_AFTER_SECONDS = 1;

/** When the server closes: how long answers under way may take. */
export const CLOSE_GRACE_MS = 1_000;
