/** Whose signatures are to be checked in what came. */
import { type Block, blockClaim, claimOfEncoded } from "../../chain/block.ts";
import { type ByteList, elementAt } from "../../chain/byteList.ts";
import type { SignatureClaim } from "../../chain/signing.ts";
import { transactionId } from "../../chain/transaction.ts";
import { bearsSignatures, transactionClaims } from "../../chain/transactionClaims.ts";
import type { RangeResponse } from "../../consensus/sync/range.ts";

/** Of its producer, and of authors of its transactions. */
export function blockClaims(chainId: string, block: Block): SignatureClaim[] {
  const claims = [blockClaim(chainId, block)];
  for (const transaction of signedOf(block.transactions)) claims.push(...transactionClaims(chainId, transaction));
  return claims;
}

/**
 * A range is proven by hash, which does not cover the producers' signatures. Those of blocks that this node may have to
 * stream to a peer, who will check them, are checked here: it must have a good copy to pass on.
 * @param from height of the lowest of those
 */
export function rangeClaims(chainId: string, { blocks }: RangeResponse, from: number): SignatureClaim[] {
  const claims: SignatureClaim[] = [];
  for (let i = blocks.count - 1; i >= 0; i--) {
    const each = claimOfEncoded(chainId, elementAt(blocks, i));
    // What does not decode is judged when the range is opened.
    if (each === undefined || each.height < from) break;
    claims.push(each.claim);
  }
  return claims;
}

/** Forwards come again and again until they are in a block: signatures of what is here are not checked again. */
export function forwardClaims(
  chainId: string,
  transactions: ByteList,
  isKnown: (id: Uint8Array) => boolean,
): SignatureClaim[] {
  const claims: SignatureClaim[] = [];
  for (const bytes of signedOf(transactions))
    if (!isKnown(transactionId(bytes))) claims.push(...transactionClaims(chainId, bytes));
  return claims;
}

/** Those that bear signatures; no view is made of the others, of which there may be thousands. */
function* signedOf(transactions: ByteList): Generator<Uint8Array> {
  const { buffer, offsets, count } = transactions;
  for (let i = 0; i < count; i++)
    if (bearsSignatures(buffer, offsets[2 * i] as number, offsets[2 * i + 1] as number))
      yield elementAt(transactions, i);
}
