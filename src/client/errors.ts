/** Errors of the client, each with a stable code. */

export type ClientErrorCode =
  /** No node answered. */
  | "UNREACHABLE"
  /** The deadline passed. Of a read; for a transaction it is OUTCOME_UNKNOWN. */
  | "TIMEOUT"
  /** The caller's signal aborted. With `id`: the transaction may come into the chain or not. */
  | "ABORTED"
  /** The deadline passed and nobody could tell what became of transaction `id`: it may be in the chain, come into it, or not. */
  | "OUTCOME_UNKNOWN"
  /** A node refused the request: `httpStatus`, and the node's own `nodeCode`. */
  | "REFUSED"
  /** What a node answered is not what a Cairn node answers, or it is too large. */
  | "ANSWER_INVALID"
  /** Every node is behind the height that was asked for. */
  | "BEHIND"
  /** What the caller gave is not a transaction, a URL, a height. */
  | "INVALID_ARGUMENT"
  /** A stream's blocks are not consecutive. */
  | "STREAM_NOT_CONSECUTIVE"
  /** A stream's block has another parent than the block before it: two nodes disagree on what is irreversible. */
  | "STREAM_FORKED"
  /** No node keeps the blocks that the stream should begin with. */
  | "STREAM_PRUNED"
  /** No node holds the receipts that tell what a transaction did. */
  | "RECEIPTS_MISSING";

export interface ClientErrorDetails {
  /** Of the transaction. */
  readonly id?: string;
  /** Of the node. */
  readonly url?: string;
  readonly httpStatus?: number;
  /** Of the transaction whose outcome is unknown: a node had it when it was asked last. */
  readonly pending?: boolean;
  /** The node's own code, such as KEY_NOT_FOUND. */
  readonly nodeCode?: string;
  /** The node's own details. */
  readonly nodeDetails?: unknown;
  readonly height?: number;
  /** Why it failed before, newest last. */
  readonly causes?: readonly string[];
}

/**
 * Everything the client throws.
 *
 *     try { await client.submit(operation); } catch (error) {
 *       if (error instanceof ClientError && error.code === "OUTCOME_UNKNOWN") remember(error.details.id);
 *     }
 */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly code: ClientErrorCode;
  readonly details: ClientErrorDetails;

  constructor(code: ClientErrorCode, message: string, details: ClientErrorDetails = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }

  toJSON(): Record<string, unknown> {
    return { code: this.code, message: this.message, ...this.details };
  }
}

/** A throwable in a few words. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch says only "fetch failed"; what failed is its cause.
  const { cause } = error;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
  if (code === "ECONNREFUSED") return "nothing listens there";
  return cause instanceof Error ? cause.message || (code ?? error.message) : error.message;
}
