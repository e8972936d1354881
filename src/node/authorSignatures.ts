/**
 * Signatures of transactions submitted here. Those that other nodes send are checked as they arrive; one forged here
 * would be this node's fault in their eyes, and a block that holds it is refused by everyone.
 */
import type { SignatureClaim } from "../../chain/signing.ts";
import { transactionId } from "../../chain/transaction.ts";
import { transactionClaims } from "../../chain/transactionClaims.ts";
import { toHex } from "../base/bytes.ts";
import type { SubmitResult } from "./api.ts";

type Verify = (claims: readonly SignatureClaim[]) => Promise<readonly boolean[]>;
type Submit = (transactions: readonly Uint8Array[]) => Promise<SubmitResult[]>;

/** Submits those that are unsigned or bear their author's signature; results for all, in order. */
export async function submitGenuine(
  chainId: string,
  transactions: readonly Uint8Array[],
  verify: Verify,
  submit: Submit,
): Promise<SubmitResult[]> {
  const forged = await forgedTransactions(chainId, transactions, verify);
  if (forged.size === 0) return submit(transactions);
  const others = await submit(transactions.filter((_, index) => !forged.has(index)));
  let next = 0;
  return transactions.map((bytes, index) =>
    forged.has(index) ? forgedResult(bytes) : (others[next++] as SubmitResult),
  );
}

/** Indexes of the transactions that bear a signature which is none; what does not decode is not judged here. */
async function forgedTransactions(
  chainId: string,
  transactions: readonly Uint8Array[],
  verify: Verify,
): Promise<ReadonlySet<number>> {
  const claims: SignatureClaim[] = [];
  const indexes: number[] = [];
  for (const [index, bytes] of transactions.entries()) {
    for (const claim of transactionClaims(chainId, bytes)) {
      claims.push(claim);
      indexes.push(index);
    }
  }
  const valid = claims.length === 0 ? [] : await verify(claims);
  return new Set(indexes.filter((_, i) => valid[i] !== true));
}

function forgedResult(bytes: Uint8Array): SubmitResult {
  const detail = "a signature is not one of its author, or of a producer who approves, on this chain";
  return { status: "invalid", id: toHex(transactionId(bytes)), code: "SIGNATURE_INVALID", detail };
}
