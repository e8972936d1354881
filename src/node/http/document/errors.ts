/** Every error code of the HTTP interface with its status and an example: what `/openapi.json` shows of them. */
import { CHANGE_REFUSALS } from "../../../../chain/producerChange.ts";
import { ID, PEER_KEY } from "./examples.ts";

export interface ErrorExample {
  readonly status: number;
  readonly message: string;
  readonly details?: unknown;
}

export const ERRORS = {
  INVALID_REQUEST: {
    status: 400,
    message: "limit: must be a whole number",
    details: [{ path: "limit", message: "must be a whole number" }],
  },
  INVALID_URL: { status: 400, message: "the path is not percent-encoded UTF-8, or a part of it is too long" },
  INVALID_CONTENT_LENGTH: { status: 400, message: "the body is not as long as its Content-Length says" },
  AMBIGUOUS_ID: { status: 400, message: "more than one block's id begins with 32bacecd; give more digits" },
  NO_TOPICS: { status: 400, message: 'the application "accounts" has no topics' },
  BODY_MISSING: { status: 400, message: "a transaction belongs in the body" },
  NOT_JSON: { status: 400, message: "the body is not JSON in UTF-8" },
  TRANSACTION_JSON_INVALID: {
    status: 400,
    message: "nonce: must be 32 lower-case hex digits",
    details: { path: "nonce" },
  },
  TRANSACTION_UNDECODABLE: { status: 400, message: "these bytes are not a transaction", details: { id: ID } },
  TRANSACTION_EXPIRED: {
    status: 400,
    message: "the transaction's time ran out before it was in a block; it is not in the chain and never will be",
    details: { id: ID },
  },
  EXPIRES_TOO_LATE: {
    status: 400,
    message: "expiresAt is more than 60000 ms ahead",
    details: { id: ID },
  },
  BUDGET_EXCEEDED: { status: 400, message: "more than 100000 operations on the state", details: { id: ID } },
  TRANSACTION_FAILED: { status: 400, message: "the application refused it", details: { id: ID } },
  SIGNATURE_INVALID: { status: 400, message: "the author did not sign this transaction", details: { id: ID } },
  AUTHOR_MISSING: { status: 400, message: "the genesis requires signatures", details: { id: ID } },
  CHANGE_UNDECODABLE: { status: 400, message: CHANGE_REFUSALS.CHANGE_UNDECODABLE, details: { id: ID } },
  BASE_REPLACED: { status: 400, message: CHANGE_REFUSALS.BASE_REPLACED, details: { id: ID } },
  CHANGE_UNDER_WAY: { status: 400, message: CHANGE_REFUSALS.CHANGE_UNDER_WAY, details: { id: ID } },
  NO_PRODUCER_SET: { status: 400, message: CHANGE_REFUSALS.NO_PRODUCER_SET, details: { id: ID } },
  NO_CHANGE: { status: 400, message: CHANGE_REFUSALS.NO_CHANGE, details: { id: ID } },
  TOO_FEW_APPROVALS: { status: 400, message: CHANGE_REFUSALS.TOO_FEW_APPROVALS, details: { id: ID } },
  KV_NOT_AN_OPERATION: { status: 400, message: "an operation is an object", details: { path: "" } },
  KV_OPERATION_COUNT: { status: 400, message: "1 to 1000 operations, not 0", details: { path: "" } },
  KV_MISSING_FIELD: { status: 400, message: "put.value: is missing", details: { path: "put.value" } },
  KV_UNKNOWN_FIELD: {
    status: 400,
    message: "pt: unknown field, known: put, delete, compareAndSet",
    details: { path: "pt" },
  },
  KV_INVALID_VALUE: { status: 400, message: "put.key: must have 1 to 1024 bytes", details: { path: "put.key" } },
  KV_UNDECODABLE: { status: 400, message: "the payload is no transaction of kv", details: { id: ID } },
  KV_INVALID: { status: 400, message: "no operation", details: { id: ID } },
  UNAUTHORIZED: { status: 401, message: "this endpoint needs the header Authorization: Bearer TOKEN" },
  FOREIGN_ORIGIN: { status: 403, message: "a page from another host may not write here; configure http.token" },
  NOT_FOUND: { status: 404, message: "there is nothing at /v2/status" },
  BLOCK_NOT_FOUND: { status: 404, message: "this node holds no block 99" },
  TRANSACTION_NOT_FOUND: {
    status: 404,
    message: `this node knows no transaction ${ID}`,
    details: { absentThrough: { height: 2, time: 1_795_634_729_256 } },
  },
  NO_KV: { status: 404, message: 'this chain runs the application "accounts", not kv' },
  KEY_NOT_FOUND: { status: 404, message: "there is no such key at height 2", details: { height: 2 } },
  METHOD_NOT_ALLOWED: { status: 405, message: "PUT is not possible at /v1/status, only GET, HEAD, OPTIONS" },
  REQUEST_TIMEOUT: { status: 408, message: "the request took too long to arrive" },
  ALREADY_IN_CHAIN: {
    status: 409,
    message: "this transaction is in the chain already, at height 2, index 0",
    details: { id: ID, height: 2, index: 0 },
  },
  BLOCK_IRREVERSIBLE: { status: 409, message: `block ${ID} is irreversible: nobody can reject it any more` },
  TOO_MANY_REJECTED: { status: 409, message: "as many blocks as allowed are rejected; accept some again first" },
  PEER_IS_SELF: { status: 409, message: `${PEER_KEY} is this node's own key: it has no link to itself` },
  TOO_MANY_OFF: { status: 409, message: "as many peers as allowed are switched off; switch some on first" },
  BLOCKS_GONE: {
    status: 410,
    message: "block 5 is not kept here any more; the first is 100",
    details: { first: 100 },
  },
  BODY_TOO_LARGE: { status: 413, message: "the body is larger than this endpoint takes" },
  TRANSACTION_TOO_LARGE: {
    status: 413,
    message: "the transaction has 70000 bytes, this node takes at most 65536",
  },
  TOO_MANY_TRANSACTIONS: {
    status: 413,
    message: "more than 100000 transactions; none was submitted: send them in several batches",
  },
  URL_TOO_LONG: { status: 414, message: "a part of the path is too long" },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    message: 'this endpoint takes application/json or application/octet-stream, not "text/plain"',
  },
  EXPECTATION_FAILED: { status: 417, message: 'the expectation "tea" is not known' },
  MEMPOOL_FULL: {
    status: 429,
    message: "too many transactions wait for a block; try again",
    details: { id: ID },
  },
  HEADERS_TOO_LARGE: { status: 431, message: "the request's head is too large" },
  INTERNAL: { status: 500, message: "the node failed to answer; its log says more" },
  NO_PROOF: {
    status: 409,
    message: "there is no proof of this transaction here: its block is not irreversible yet; ask again later",
  },
  NOT_IMPLEMENTED: { status: 501, message: "linearizable reads are not certified under bft yet" },
  METHOD_UNKNOWN: { status: 501, message: "there is no such method" },
  BUSY: { status: 503, message: "too many requests at once; try again" },
  STOPPING: { status: 503, message: "this node stops; ask another" },
  NO_LEADER: { status: 503, message: "no leader is known now; try again", details: { id: ID } },
  BEHIND: {
    status: 503,
    message: "this node does not hold yet what the read has to see; try again, or ask another",
  },
  NOT_READY: { status: 503, message: "300 blocks behind" },
  TOO_MANY_STREAMS: { status: 503, message: "this node serves 200 streams at once; try again" },
  WAIT_TIMEOUT: {
    status: 504,
    message: "the wait ran out; the transaction is still under way: ask for it by its id",
    details: { id: ID },
  },
} as const satisfies Readonly<Record<string, ErrorExample>>;

export type ErrorCode = keyof typeof ERRORS;

/** What any endpoint may answer. */
export const COMMON: readonly ErrorCode[] = [
  "INVALID_REQUEST",
  "INVALID_URL",
  "REQUEST_TIMEOUT",
  "URL_TOO_LONG",
  "HEADERS_TOO_LARGE",
  "INTERNAL",
  "BUSY",
  "STOPPING",
];

/** What an endpoint with a body may answer besides. */
export const WRITING: readonly ErrorCode[] = [
  "UNAUTHORIZED",
  "FOREIGN_ORIGIN",
  "BODY_TOO_LARGE",
  "UNSUPPORTED_MEDIA_TYPE",
  "INVALID_CONTENT_LENGTH",
  "BODY_MISSING",
];
