/** Handing transactions to the node and waiting, also for the end of the server. */
import type { SubmitResult, WaitFor } from "../api.ts";
import type { HttpContext } from "./context.ts";
import { HttpError } from "./errors.ts";

/** Half of what the chain allows: a leader whose clock is behind must not find it too far ahead. */
export function defaultExpiry({ api }: HttpContext): number {
  return api.now() + Math.ceil(api.genesis.limits.expiryAheadMs / 2);
}

/** Why a transaction is too large for this node; undefined when it is not. */
export function tooLarge(bytes: Uint8Array, { transactionBytes }: HttpContext): string | undefined {
  if (bytes.length <= transactionBytes) return undefined;
  return `the transaction has ${bytes.length} bytes, this node takes at most ${transactionBytes}`;
}

/** Results in order. Throws 503 when the server closes first: the transactions may still come into the chain. */
export async function submitted(
  { api, closing }: HttpContext,
  transactions: readonly Uint8Array[],
  wait: WaitFor,
  timeoutMs: number,
): Promise<SubmitResult[]> {
  const results = await closing.orClosing(api.submit(transactions, wait, timeoutMs));
  if (results !== "closing") return results;
  throw stopping();
}

export function stopping(): HttpError {
  return new HttpError(503, "STOPPING", "this node stops; what was submitted may still come into the chain");
}
