/** Which signatures a transaction bears: its author's, and those of producers who approve a change of their set. */
import { approvalClaims, startsProducerChange } from "./producerChange.ts";
import type { SignatureClaim } from "./signing.ts";
import { decodeTransaction, looksSigned, payloadStart, transactionClaim } from "./transaction.ts";

/** Does the encoded transaction at `[start, end)` bear signatures? Tells cheaply which ones need a check. */
export function bearsSignatures(buffer: Uint8Array, start: number, end: number): boolean {
  if (looksSigned(buffer, start, end)) return true;
  const payload = payloadStart(buffer, start);
  return payload !== undefined && startsProducerChange(buffer, payload, end);
}

/** What an encoded transaction claims; nothing when it does not decode or bears no signature. */
export function transactionClaims(chainId: string, bytes: Uint8Array): SignatureClaim[] {
  const decoded = decodeTransaction(bytes);
  if (!decoded.ok) return [];
  const author = transactionClaim(chainId, bytes, decoded.value);
  const approvals = approvalClaims(chainId, decoded.value.payload);
  return author === undefined ? approvals : [author, ...approvals];
}
