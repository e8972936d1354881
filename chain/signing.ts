/** What a signature covers: a hash of (kind, chain id, content), so none can be turned to another use [S8]. */
import { concatBytes, hexBytes, utf8 } from "../src/base/bytes.ts";
import { sha256 } from "../src/base/hash.ts";
import { Scratch } from "../src/base/memory.ts";
import { FORMAT_VERSION } from "./constants.ts";

export type SignedKind =
  | "block"
  | "transaction"
  | "producerChange"
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
  | "startViewChange"
  | "doViewChange"
  | "commitNotice"
  | "recovery"
  | "recoveryResponse"
  | "nodeStarting"
  | "nodePresence"
  | "nodeStopping"
  | "seqno"
  | "addresses"
  | "transactionResults"
  | "readIndexReply";

/** One signature to check: is `signature` one of `key` over `digest`? */
export interface SignatureClaim {
  /** Ed25519 public key, hex. */
  readonly key: string;
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
}

/** Of the chain that was signed for last: there is one, mostly. */
let prefixes = { chainId: "", byKind: new Map<SignedKind, Uint8Array>() };
/** The input of a digest is put together here. */
const digestInput = new Scratch();

/** The 32 bytes that are signed for `content` of this kind on this chain. */
export function signingDigest(kind: SignedKind, chainId: string, content: Uint8Array): Uint8Array {
  const prefix = prefixOf(kind, chainId);
  const input = digestInput.take(prefix.length + content.length);
  input.set(prefix);
  input.set(content, prefix.length);
  return sha256(input);
}

function prefixOf(kind: SignedKind, chainId: string): Uint8Array {
  if (prefixes.chainId !== chainId) prefixes = { chainId, byKind: new Map() };
  const known = prefixes.byKind.get(kind);
  if (known !== undefined) return known;
  const prefix = concatBytes(utf8(`cairn/${FORMAT_VERSION}/${kind}\0`), hexBytes(chainId));
  prefixes.byKind.set(kind, prefix);
  return prefix;
}
