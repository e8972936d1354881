/** What one node knows of a transaction. */
import type { Caller } from "./caller.ts";
import type { NodeEntry } from "./nodes.ts";
import { type Placed, readPlaced } from "./outcome.ts";
import { read, type Taken } from "./reads.ts";
import { readFailure } from "./refusals.ts";
import { isHeight, isId, isObject, parseJson } from "./shape.ts";

/** Content of a transaction, as nodes give it. */
export interface TransactionContent {
  /** The whole encoded transaction, base64url. */
  readonly bytes: string;
  readonly nonce?: string;
  readonly expiresAt?: number;
  readonly payload?: string;
  readonly author?: string;
  /** Of the key-value application. */
  readonly operations?: readonly unknown[];
}

export type TransactionState =
  | (Placed & { readonly blockId: string; readonly transaction: TransactionContent })
  /** A node has it and waits for a block. */
  | { readonly status: "pending"; readonly id: string }
  /** With `absentThrough`, a node searched its whole irreversible chain up to there. */
  | {
      readonly status: "unknown";
      readonly id: string;
      readonly absentThrough?: { readonly height: number; readonly time: number };
    };

const ANSWER_MS = 10_000;
const ANSWER_BYTES = 16 * 1024 * 1024;

/** Asks one node. Undefined when it does not tell; that is noted with it. */
export async function lookUp(
  id: string,
  node: NodeEntry,
  caller: Caller,
  { deadline, signal }: { readonly deadline: number; readonly signal: AbortSignal | undefined },
): Promise<TransactionState | undefined> {
  const timeoutMs = Math.min(ANSWER_MS, deadline - caller.platform.now());
  if (timeoutMs <= 0 || signal?.aborted) return undefined;
  const path = `/v1/transactions/${id}`;
  const answer = await caller.exchange(node, { path, timeoutMs, maxBytes: ANSWER_BYTES, signal });
  const state = answer.kind === "answer" ? readTransactionState(answer.status, parseJson(answer.text), id) : undefined;
  if (state !== undefined) caller.nodes.succeeded(node);
  else readFailure(node, answer, caller.nodes);
  return state;
}

/** @returns undefined for what no node says */
export function readTransactionState(status: number, body: unknown, id: string): TransactionState | undefined {
  if (!isObject(body)) return undefined;
  if (status === 404) return readUnknown(body["error"], id);
  if (status !== 200 || body["id"] !== id) return undefined;
  if (body["status"] === "pending") return { status: "pending", id };
  if (body["status"] !== "included" && body["status"] !== "irreversible") return undefined;
  const placed = readPlaced(body, id, body["status"]);
  const { blockId, transaction } = body;
  if (placed === undefined || !isId(blockId) || !isContent(transaction)) return undefined;
  return { ...placed, blockId, transaction };
}

function isContent(value: unknown): value is TransactionContent {
  return isObject(value) && typeof value["bytes"] === "string";
}

function readUnknown(error: unknown, id: string): TransactionState | undefined {
  if (!isObject(error) || error["code"] !== "TRANSACTION_NOT_FOUND") return undefined;
  const { details } = error;
  const absent = isObject(details) ? details["absentThrough"] : undefined;
  if (!isObject(absent)) return { status: "unknown", id };
  const { height, time } = absent;
  return isHeight(height) && isHeight(time) ? { status: "unknown", id, absentThrough: { height, time } } : undefined;
}

/**
 * Asks node after node until one has it: one that is behind does not know. Of those that do not, the furthest search
 * counts. Throws ClientError when no node answers.
 */
export async function findTransaction(
  id: string,
  { timeoutMs = ANSWER_MS, signal }: { readonly timeoutMs?: number; readonly signal?: AbortSignal | undefined },
  caller: Caller,
): Promise<TransactionState> {
  const within = { deadline: caller.platform.now() + timeoutMs, signal };
  let best: TransactionState | undefined;
  for (const node of caller.nodes.all) {
    if (!node.breaker.enter()) continue;
    const state = await lookUp(id, node, caller, within);
    if (state?.status === "included" || state?.status === "irreversible") return state;
    if (state !== undefined && isBetter(state, best)) best = state;
  }
  if (best !== undefined) return best;
  const take = (status: number, body: unknown): Taken<TransactionState> => {
    const value = readTransactionState(status, body, id);
    return value === undefined ? { kind: "invalid" } : { kind: "value", value };
  };
  return read(
    `/v1/transactions/${id}`,
    { timeoutMs, signal },
    caller,
    (body) => take(200, body),
    ({ httpStatus, refusal, details }) =>
      httpStatus === 404 ? take(404, { error: { ...refusal, details } }) : undefined,
  );
}

/** Pending says more than unknown, and the furthest search more than others. */
function isBetter(state: TransactionState, than: TransactionState | undefined): boolean {
  if (than === undefined || than.status !== "unknown") return than === undefined;
  if (state.status !== "unknown") return true;
  return (state.absentThrough?.height ?? -1) > (than.absentThrough?.height ?? -1);
}
