/** What producers sign for their blocks, where no network is: the keys of all are at hand. */
import { majorityOf } from "../../chain/configuration.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { singleSet } from "../../chain/producerSets.ts";
import type { Genesis } from "../../chain/genesis.ts";
import type { ProductionPlace } from "../../chain/production.ts";
import { encodeQuorumCertificate, handoffEntry } from "../../consensus/bft/certificates.ts";
import { bftRecordMessage, voteDigest } from "../../consensus/bft/messages.ts";
import { leaderOf, quorumOf } from "../../consensus/bft/rules.ts";
import { certificateMessage } from "../../consensus/certificate.ts";
import { contentDigest } from "../../consensus/messages.ts";
import { raftRecordMessage } from "../../consensus/raft/messages.ts";
import type { NodeKey } from "../../src/node/keys.ts";

export interface ProducerKeys {
  /** Of the only view. */
  readonly leader: NodeKey;
  /** What the engine asks of the block after `parent`. */
  place(parent: BlockNode): Pick<ProductionPlace, "irreversibleHeight" | "entry" | "proof">;
  /** That a block is irreversible: signed by as few as are enough. */
  certificate(node: BlockNode): Uint8Array;
  /** The record of a producer that has promised this block last. */
  record(node: BlockNode): Uint8Array;
}

/**
 * @param keys in the order of the configuration
 * @param view of all blocks; under BFT it has to be 1, to which block 0 hands over
 */
export function producerKeys(genesis: Genesis, keys: readonly NodeKey[], view: number): ProducerKeys {
  return genesis.engine === "bft" ? bftKeys(genesis, keys, view) : raftKeys(genesis, keys, view);
}

function raftKeys({ chainId, configuration }: Genesis, keys: readonly NodeKey[], view: number): ProducerKeys {
  const leader = keys[0] as NodeKey;
  let irreversibleHeight = 0;
  return {
    leader,
    place: () => ({ irreversibleHeight }),
    certificate: ({ height, id, block }) => {
      irreversibleHeight = height;
      const digest = contentDigest(chainId, { kind: "ack", content: { view, height, id } });
      const signers = keys.slice(0, majorityOf(configuration));
      const acks = signers.map((key) => ({ signer: key.publicKey, position: 0, signature: key.sign(digest) }));
      return certificateMessage.encode({ view, path: [block.headerBytes], acks });
    },
    record: ({ height, id }) =>
      raftRecordMessage.encode({ view, votedFor: leader.publicKey, ackedHead: { view, height, id } }),
  };
}

function bftKeys({ chainId, configuration }: Genesis, keys: readonly NodeKey[], view: number): ProducerKeys {
  const leader = keys.find((key) => key.publicKey === leaderOf(singleSet(configuration), view)) as NodeKey;
  let newest = { height: 0, bytes: new Uint8Array(0) };
  const certificateOf = (commit: boolean, { height, id, block }: BlockNode): Uint8Array<ArrayBuffer> => {
    const digest = voteDigest(chainId, commit, { view, height, id });
    const signatures = keys
      .slice(0, quorumOf(configuration))
      .map((key) => ({ signer: configuration.producers.indexOf(key.publicKey), signature: key.sign(digest) }));
    return Uint8Array.from(encodeQuorumCertificate(commit, block.headerBytes, signatures));
  };
  return {
    leader,
    place: ({ height, block }) => ({
      irreversibleHeight: newest.height,
      entry: height === 0 ? handoffEntry(new Uint8Array(0)) : undefined,
      proof: newest.height > block.header.irreversibleHeight ? newest.bytes : undefined,
    }),
    certificate: (node) => {
      newest = { height: node.height, bytes: certificateOf(true, node) };
      return newest.bytes;
    },
    record: (node) => {
      const { height, id } = node;
      const ref = { view, height, id };
      return bftRecordMessage.encode({
        view,
        viewChangeSent: 0,
        lastPrepared: ref,
        highQc: ref,
        highQcBytes: certificateOf(false, node),
        lastCommitted: ref,
        ackedHead: ref,
      });
    },
  };
}
