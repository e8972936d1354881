/** Certificates where no network is: the keys of the producers are at hand. */
import { majorityOf } from "../../chain/configuration.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { Genesis } from "../../chain/genesis.ts";
import { certificateMessage } from "../../consensus/certificate.ts";
import { contentDigest } from "../../consensus/messages.ts";
import type { NodeKey } from "../../src/node/keys.ts";

/** Acks of a majority for exactly this block, by the first of these keys. */
export function certificateBy(
  keys: readonly NodeKey[],
  { chainId, configuration }: Genesis,
  { view, height, id, block }: BlockNode,
): Uint8Array {
  const digest = contentDigest(chainId, { kind: "ack", content: { view, height, id } });
  const signers = keys.slice(0, majorityOf(configuration));
  const acks = signers.map((key) => ({ signer: key.publicKey, position: 0, signature: key.sign(digest) }));
  return certificateMessage.encode({ view, path: [block.headerBytes], acks });
}
