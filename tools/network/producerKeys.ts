/** What producers sign for their blocks, where no network is: the keys of all are at hand. */
import { type Configuration, majorityOf } from "../../chain/configuration.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { configurationsOf, endsChange, isMember, type ProducerSets } from "../../chain/producerSets.ts";
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
  /** What the engine asks of the block after `parent`, and who makes it. */
  place(parent: BlockNode): Pick<ProductionPlace, "view" | "irreversibleHeight" | "entry" | "proof"> & {
    readonly leader: NodeKey;
  };
  /** That a block is irreversible: signed by as few as are enough. */
  certificate(node: BlockNode): Uint8Array;
  /** The record of a producer that has promised this block last. */
  record(node: BlockNode): Uint8Array;
}

/**
 * @param keys those of the configuration in its order, then those of producers that come later
 * @param view of the first blocks; under BFT it has to be 1, to which block 0 hands over
 */
export function producerKeys(genesis: Genesis, keys: readonly NodeKey[], view: number): ProducerKeys {
  return genesis.engine === "bft" ? bftKeys(genesis, keys) : raftKeys(genesis, keys, view);
}

function raftKeys({ chainId }: Genesis, keys: readonly NodeKey[], firstView: number): ProducerKeys {
  let newest = { height: 0, bytes: new Uint8Array(0) };
  const leaderIn = (sets: ProducerSets): NodeKey => keys.find(({ publicKey }) => isMember(sets, publicKey)) as NodeKey;
  return {
    place: (parent) => ({
      view: parent.height === 0 ? firstView : viewAfter(parent),
      leader: leaderIn(parent.setsAfter),
      irreversibleHeight: newest.height,
      proof: endsChange(parent.setsAfter, newest.height) ? newest.bytes : undefined,
    }),
    certificate: ({ height, view, id, block, sets }) => {
      const digest = contentDigest(chainId, { kind: "ack", content: { view, height, id } });
      const acks = signersOf(sets, keys, majorityOf).map((key) => ({
        signer: key.publicKey,
        position: 0,
        signature: key.sign(digest),
      }));
      const encoded = certificateMessage.encode({ view, path: [block.headerBytes], acks });
      newest = { height, bytes: Uint8Array.from(encoded) };
      return encoded;
    },
    record: ({ height, view, id, sets }) =>
      raftRecordMessage.encode({ view, votedFor: leaderIn(sets).publicKey, ackedHead: { view, height, id } }),
  };
}

function bftKeys({ chainId }: Genesis, keys: readonly NodeKey[]): ProducerKeys {
  let newest = { height: 0, bytes: new Uint8Array(0) };
  const certificateOf = (commit: boolean, { height, view, id, block, sets }: BlockNode): Uint8Array<ArrayBuffer> => {
    const digest = voteDigest(chainId, commit, { view, height, id });
    const signatures = signersOf(sets, keys, quorumOf)
      .map((key) => ({ signer: sets.members.indexOf(key.publicKey), signature: key.sign(digest) }))
      .sort((a, b) => a.signer - b.signer);
    return Uint8Array.from(encodeQuorumCertificate(commit, block.headerBytes, signatures));
  };
  const entryAfter = (parent: BlockNode): Uint8Array | undefined => {
    if (parent.height === 0) return handoffEntry(new Uint8Array(0));
    return parent.block.header.closing ? handoffEntry(certificateOf(false, parent)) : undefined;
  };
  return {
    place: (parent) => ({
      view: viewAfter(parent),
      leader: keyOf(keys, leaderOf(parent.setsAfter, viewAfter(parent))),
      irreversibleHeight: newest.height,
      entry: entryAfter(parent),
      proof: newest.height > parent.block.header.irreversibleHeight ? newest.bytes : undefined,
    }),
    certificate: (node) => {
      newest = { height: node.height, bytes: certificateOf(true, node) };
      return newest.bytes;
    },
    record: (node) => {
      const { height, view, id } = node;
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

/** Nothing follows a closing block in its view. */
function viewAfter({ view, block }: BlockNode): number {
  return view + (block.header.closing ? 1 : 0);
}

/** As many of each set as are enough. */
function signersOf(
  sets: ProducerSets,
  keys: readonly NodeKey[],
  needed: (configuration: Configuration) => number,
): NodeKey[] {
  const signers = configurationsOf(sets).flatMap((set) => {
    const inSet = keys.filter(({ publicKey }) => set.producers.includes(publicKey));
    return inSet.slice(0, needed(set));
  });
  return [...new Set(signers)];
}

function keyOf(keys: readonly NodeKey[], publicKey: string): NodeKey {
  const found = keys.find((key) => key.publicKey === publicKey);
  if (found === undefined) throw new Error(`the key of ${publicKey} is not here`);
  return found;
}
