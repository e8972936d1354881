/** The RFC 9162 root over whole encoded transactions, as headers have it. */
import { leafHash, rootOfLeafHashes } from "../../../chain/merkle.ts";
import { concatBytes, toHex } from "../../base/bytes.ts";

export function elementsRoot(elements: readonly Uint8Array[]): string {
  return toHex(rootOfLeafHashes(concatBytes(...elements.map(leafHash))));
}
