/** What `/openapi.json` says of each operation beyond the shapes that its route checks. */
import {
  BATCH,
  BATCH_RESULT,
  BLOCK,
  BLOCK_PROOF,
  BLOCKS,
  EVENTS,
  EVIDENCE,
  FORKS,
  GENESIS,
  HEAD_PROOF,
  KV,
  KV_LIST,
  METRICS,
  PEER_KEY,
  PEERS,
  PRODUCERS,
  PRODUCERS_PROOF,
  RESULT,
  ROUTES,
  STATUS,
  SUBMISSIONS,
  TRANSACTION,
} from "./examples.ts";
import { type ErrorCode, WRITING } from "./errors.ts";

export interface OperationText {
  readonly operationId: string;
  readonly tag: "chain" | "transactions" | "kv" | "node";
  readonly summary: string;
  readonly description?: string;
  /** Of the 200. */
  readonly example: unknown;
  /** By content type, then by name. */
  readonly bodies?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** What the 200 is in bytes, to whoever accepts octet-stream. */
  readonly bytes?: string;
  /** Besides those that any endpoint may answer. */
  readonly errors: readonly ErrorCode[];
}

const SUBMITTING: readonly ErrorCode[] = [...WRITING, "NO_LEADER"];

/** By method and path. */
export const OPERATIONS: Readonly<Record<string, OperationText>> = {
  "get /v1/status": {
    operationId: "status",
    tag: "node",
    summary: "What the node says of itself",
    description:
      "sync.state is searching, syncing or synced; stalledBecause is there when nothing moves for a known reason.",
    example: STATUS,
    errors: [],
  },
  "get /v1/peers": {
    operationId: "peers",
    tag: "node",
    summary: "Links to other nodes, and peers to which links are switched off",
    example: PEERS,
    errors: [],
  },
  "get /v1/routes": {
    operationId: "routes",
    tag: "node",
    summary: "Ways to the other producers, by which messages to them go",
    example: ROUTES,
    errors: [],
  },
  "get /v1/producers": {
    operationId: "producers",
    tag: "node",
    summary: "The producers, which of them are faulty as seen from this node, and a change of their set",
    description:
      "The set in force is that of the head. Where a change is under way, producers are those of both sets. A change is a " +
      "transaction with the approvals of producers; cairn producers propose makes one.",
    example: PRODUCERS,
    errors: [],
  },
  "get /v1/evidence": {
    operationId: "evidence",
    tag: "node",
    summary: "What proves that a producer lied: two things that it signed, of which no correct one signs both",
    description:
      "Found by this node or told by others, checked, and kept over restarts. Each piece stands for itself; docs/proofs.md says how it is " +
      "checked. Under Raft and VSR there is none: their producers are trusted not to lie.",
    example: EVIDENCE,
    errors: [],
  },
  "post /v1/peers/{peer}/off": {
    operationId: "switchPeerOff",
    tag: "node",
    summary: "Closes and refuses links to a peer, on this node alone",
    description: "Known or not, connected or not; twice is once. The decision survives a restart.",
    example: { key: PEER_KEY, off: true },
    errors: ["UNAUTHORIZED", "FOREIGN_ORIGIN", "UNSUPPORTED_MEDIA_TYPE", "PEER_IS_SELF", "TOO_MANY_OFF"],
  },
  "post /v1/peers/{peer}/on": {
    operationId: "switchPeerOn",
    tag: "node",
    summary: "Allows links to a peer again",
    description: "Addresses of it that this node knows are dialed at once.",
    example: { key: PEER_KEY, off: false },
    errors: ["UNAUTHORIZED", "FOREIGN_ORIGIN", "UNSUPPORTED_MEDIA_TYPE", "PEER_IS_SELF"],
  },
  "get /v1/forks": {
    operationId: "forks",
    tag: "chain",
    summary: "The tree of reversible blocks, the irreversible block at its root",
    example: FORKS,
    errors: [],
  },
  "get /v1/genesis": {
    operationId: "genesis",
    tag: "chain",
    summary: "The genesis file as the node read it",
    example: GENESIS,
    errors: [],
  },
  "get /v1/blocks": {
    operationId: "blocks",
    tag: "chain",
    summary: "Blocks of the best chain, in order",
    description: "Fewer than limit where they are large (8 MiB together). next is the from of the next request.",
    example: BLOCKS,
    errors: [],
  },
  "get /v1/blocks/{ref}": {
    operationId: "block",
    tag: "chain",
    summary: "A block by height, id, prefix of an id, head or irreversible",
    description: "An irreversible block has an ETag; by its whole id it may be cached for ever.",
    example: BLOCK,
    bytes: "the block as nodes send it",
    errors: ["AMBIGUOUS_ID", "BLOCK_NOT_FOUND"],
  },
  "get /v1/blocks/{ref}/proof": {
    operationId: "blockProof",
    tag: "chain",
    summary: "Proof that a block is irreversible, for somebody who knows only the genesis",
    description: "docs/proofs.md says how it is checked. The first proof after a start reads the ids of all blocks.",
    example: BLOCK_PROOF,
    errors: ["AMBIGUOUS_ID", "BLOCK_NOT_FOUND", "NO_PROOF"],
  },
  "get /v1/proofs/head": {
    operationId: "headProof",
    tag: "chain",
    summary: "Proof that the newest certified block goes on from the block of height from (default: block 0)",
    description: "docs/proofs.md says how it is checked.",
    example: HEAD_PROOF,
    errors: ["BLOCK_NOT_FOUND", "NO_PROOF"],
  },
  "get /v1/proofs/producers": {
    operationId: "producersProof",
    tag: "chain",
    summary: "Proof of the changes of the producer set that blocks above a height began (default: 0), at most 32",
    description: "Who has them all is answered with none. docs/proofs.md says how it is checked.",
    example: PRODUCERS_PROOF,
    errors: ["NO_PROOF"],
  },
  "get /v1/blocks/rejected": {
    operationId: "rejectedBlocks",
    tag: "node",
    summary: "Blocks that the operator of this node rejected",
    example: { rejected: [RESULT.id] },
    errors: [],
  },
  "post /v1/blocks/{id}/reject": {
    operationId: "rejectBlock",
    tag: "node",
    summary: "Rejects a block that is not irreversible, on this node alone",
    description: "A block that is not here yet is not taken when it comes. The decision survives a restart.",
    example: { id: RESULT.id, rejected: true },
    errors: ["UNAUTHORIZED", "FOREIGN_ORIGIN", "UNSUPPORTED_MEDIA_TYPE", "BLOCK_IRREVERSIBLE", "TOO_MANY_REJECTED"],
  },
  "post /v1/blocks/{id}/accept": {
    operationId: "acceptBlock",
    tag: "node",
    summary: "Takes the rejection of a block back",
    description: "A block that is here is taken from the node's next start on.",
    example: { id: RESULT.id, rejected: false },
    errors: ["UNAUTHORIZED", "FOREIGN_ORIGIN", "UNSUPPORTED_MEDIA_TYPE"],
  },
  "get /v1/stream": {
    operationId: "stream",
    tag: "chain",
    summary: "Irreversible blocks as server-sent events, in order",
    description:
      "One event a block: id is its height, data the block as /v1/blocks/{ref} gives it. from is inclusive, Last-Event-ID exclusive. " +
      "With a topic, events hold only the transactions that name a key which begins with it, and blocks without any are no event; " +
      "an id without data then tells how far the stream is.",
    example: EVENTS,
    errors: ["NO_TOPICS", "BLOCKS_GONE", "TOO_MANY_STREAMS"],
  },
  "post /v1/transactions": {
    operationId: "submit",
    tag: "transactions",
    summary: "Submits a transaction and waits for as much as asked",
    description:
      "JSON holds operations of the kv application: one, an array (all or none), or {operations}. With nonce and expiresAt it is the same " +
      "transaction however often it is sent, and is executed once. Bytes are a whole encoded transaction. Only irreversible is a promise.",
    example: RESULT,
    bodies: { "application/json": SUBMISSIONS },
    errors: [
      ...SUBMITTING,
      "NOT_JSON",
      "TRANSACTION_JSON_INVALID",
      "TRANSACTION_UNDECODABLE",
      "TRANSACTION_EXPIRED",
      "EXPIRES_TOO_LATE",
      "BUDGET_EXCEEDED",
      "TRANSACTION_FAILED",
      "SIGNATURE_INVALID",
      "AUTHOR_MISSING",
      "CHANGE_UNDECODABLE",
      "BASE_REPLACED",
      "CHANGE_UNDER_WAY",
      "NO_PRODUCER_SET",
      "NO_CHANGE",
      "TOO_FEW_APPROVALS",
      "KV_NOT_AN_OPERATION",
      "KV_OPERATION_COUNT",
      "KV_MISSING_FIELD",
      "KV_UNKNOWN_FIELD",
      "KV_INVALID_VALUE",
      "KV_UNDECODABLE",
      "KV_INVALID",
      "ALREADY_IN_CHAIN",
      "TRANSACTION_TOO_LARGE",
      "MEMPOOL_FULL",
      "WAIT_TIMEOUT",
    ],
  },
  "post /v1/transactions/batch": {
    operationId: "submitBatch",
    tag: "transactions",
    summary: "Submits up to 100,000 transactions; one line of answer each, in order",
    description:
      "Lines are what /v1/transactions takes as JSON; bytes are encoded transactions, each behind its length as a varint. A line that fails " +
      "is an answer in its place, with the error that a single submission would have.",
    example: BATCH_RESULT,
    bodies: { "application/x-ndjson": { lines: BATCH } },
    errors: [...SUBMITTING, "TOO_MANY_TRANSACTIONS"],
  },
  "get /v1/transactions/{id}": {
    operationId: "transaction",
    tag: "transactions",
    summary: "What is known of a transaction",
    description:
      "absentThrough in the details of a 404: no block up to that one holds it; where its time is past expiresAt, none ever will.",
    example: TRANSACTION,
    bytes: "the transaction as it was submitted",
    errors: ["TRANSACTION_NOT_FOUND", "NO_PROOF"],
  },
  "get /v1/kv": {
    operationId: "kvList",
    tag: "kv",
    summary: "Keys that begin with a prefix, in order, with their values",
    description: "Fewer than limit where they are large (8 MiB together). next is the cursor of the next request.",
    example: KV_LIST,
    errors: ["NO_KV"],
  },
  "get /v1/kv/{key}": {
    operationId: "kvGet",
    tag: "kv",
    summary: "The value of a key",
    description:
      "Slashes of a key may be written as they are. Bytes come with the headers cairn-version and cairn-height. " +
      "With linearizable the value is at least as new as any that was irreversible anywhere when the request came; the " +
      "leader is asked, which takes a round trip or two.",
    example: KV,
    bytes: "the value",
    errors: ["NO_KV", "KEY_NOT_FOUND", "NOT_IMPLEMENTED", "NO_LEADER", "BEHIND"],
  },
  "get /metrics": {
    operationId: "metrics",
    tag: "node",
    summary: "Metrics for Prometheus",
    example: METRICS,
    errors: [],
  },
  "get /health/live": {
    operationId: "live",
    tag: "node",
    summary: "Is the process alive?",
    example: { status: "live" },
    errors: [],
  },
  "get /health/ready": {
    operationId: "ready",
    tag: "node",
    summary: "Is the node within http.readyWithinBlocks of the chain?",
    example: { status: "ready" },
    errors: ["NOT_READY"],
  },
};

/** Of parameters, by name. */
export const PARAMETERS: Readonly<Record<string, string>> = {
  from: "2",
  limit: "20",
  transactions: "false",
  ref: "2",
  id: RESULT.id,
  key: "greeting",
  peer: PEER_KEY,
  prefix: "greet",
  above: "0",
  after: "greeting",
  cursor: "Z3JlZXRpbmc",
  at: "irreversible",
  encoding: "utf-8",
  linearizable: "false",
  wait: "irreversible",
  timeout: "10000",
  proof: "false",
  topic: "greet",
  "last-event-id": "1",
};
