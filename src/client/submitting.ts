/** One transaction, or many in batches that nodes take. */
import type { Caller } from "./caller.ts";
import { ClientError } from "./errors.ts";
import type { Outcome, Unknown, WaitFor } from "./outcome.ts";
import { type Settled, settle } from "./submission.ts";
import { batchBytes, type PreparedTransaction } from "./transactions.ts";

/** Well below what a node takes (100,000 and 16 MiB): what is lost with an answer is asked for again. */
const BATCH_TRANSACTIONS = 1_000;
const BATCH_BYTES = 4 * 1024 * 1024;
const BATCHES_AT_ONCE = 4;
const TIMEOUT_MS = 60_000;

export interface Submitting {
  readonly wait?: WaitFor;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export async function submitOne(
  transaction: PreparedTransaction,
  options: Submitting,
  caller: Caller,
): Promise<Outcome> {
  const { timeoutMs = TIMEOUT_MS, signal } = options;
  const [settled] = await settle([transaction], targetOf(options, caller), caller);
  if (settled === undefined) throw new Error("one transaction has one outcome");
  const { id } = transaction;
  switch (settled.status) {
    case "refused": {
      const { url, httpStatus, refusal } = settled;
      throw new ClientError("REFUSED", refusal.message, { id, url, httpStatus, nodeCode: refusal.code });
    }
    case "unknown": {
      const message = `transaction ${id}: not known after ${timeoutMs} ms what became of it; ask for it by its id. ${settled.message}`;
      if (signal?.aborted)
        throw new ClientError("ABORTED", `transaction ${id}: aborted; it may come into the chain`, { id });
      throw new ClientError("OUTCOME_UNKNOWN", message, { id, pending: settled.pending });
    }
    default:
      return settled;
  }
}

export async function submitBatches(
  transactions: readonly PreparedTransaction[],
  options: Submitting,
  caller: Caller,
): Promise<(Outcome | Unknown)[]> {
  const target = targetOf(options, caller);
  const batches = [...batchesOf(transactions)];
  const outcomes: (Outcome | Unknown)[][] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < batches.length) {
      const at = next++;
      outcomes[at] = (await settle(batches[at] as PreparedTransaction[], target, caller)).map(withoutRequest);
    }
  };
  await Promise.all(Array.from({ length: Math.min(BATCHES_AT_ONCE, batches.length) }, worker));
  return outcomes.flat();
}

function targetOf({ wait = "irreversible", timeoutMs = TIMEOUT_MS, signal }: Submitting, { platform }: Caller) {
  return { wait, deadline: platform.now() + timeoutMs, signal };
}

/** Where others of the same call have an outcome, that a request was refused is one, too. */
function withoutRequest(settled: Settled): Outcome | Unknown {
  if (settled.status !== "refused") return settled;
  return { status: "invalid", id: settled.id, ...settled.refusal };
}

function* batchesOf(transactions: readonly PreparedTransaction[]): Generator<PreparedTransaction[], void, undefined> {
  let batch: PreparedTransaction[] = [];
  let bytes = 0;
  for (const transaction of transactions) {
    const more = batchBytes(transaction);
    if (batch.length === BATCH_TRANSACTIONS || (batch.length > 0 && bytes + more > BATCH_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(transaction);
    bytes += more;
  }
  if (batch.length > 0) yield batch;
}
