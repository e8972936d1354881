/** What a signature covers: a hash of (kind, chain id, content), so none can be turned to another use [S8]. */
import { concatBytes, hexBytes, utf8 } from "../src/base/bytes.ts";
import { sha256 } from "../src/base/hash.ts";
import { FORMAT_VERSION } from "./constants.ts";

export type SignedKind =
  | "block"
  | "transaction"
  | "requestVote"
  | "vote"
  | "ack"
  | "heartbeat"
  | "heartbeatReply"
  | "timeoutNow"
  | "prepare"
  | "commit"
  | "viewChange"
  | "summary"
  | "nodeStarting"
  | "nodePresence"
  | "nodeStopping"
  | "seqno"
  | "transactionResults"
  | "readIndexReply";

/** One signature to check: is `signature` one of `key` over `digest`? */
export interface SignatureClaim {
  /** Ed25519 public key, hex. */
  readonly key: string;
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
}

const PREFIXES = new Map<string, Uint8Array>();

/** The 32 bytes that are signed for `content` of this kind on this chain. */
export function signingDigest(kind: SignedKind, chainId: string, content: Uint8Array): Uint8Array {
  const name = `${kind}\0${chainId}`;
  let prefix = PREFIXES.get(name);
  if (prefix === undefined) {
    prefix = concatBytes(utf8(`cairn/${FORMAT_VERSION}/${kind}\0`), hexBytes(chainId));
    if (PREFIXES.size > 64) PREFIXES.clear();
    PREFIXES.set(name, prefix);
  }
  return sha256(concatBytes(prefix, content));
}
