/** What people and programs may ask of a running node, answered by its parts. */
import { isAncestorOrEqual } from "../../chain/forkDatabase.ts";
import type { ProducerEntry } from "../../chain/producerChange.ts";
import { transactionId } from "../../chain/transaction.ts";
import { producerEvidence } from "../../consensus/producerEvidence.ts";
import type { LinkLayer } from "../../net/link/layer.ts";
import type { PeerKey } from "../../net/link/types.ts";
import { fromBinaryString, toBinaryString, toHex } from "../base/bytes.ts";
import type { Replica } from "../replica/replica.ts";
import type { ProducerState } from "../replica/types.ts";
import type { NodeApi, OffPeer, PeerView, ProducerView, RouteJson } from "./api.ts";
import { submitGenuine } from "./authorSignatures.ts";
import type { Clock } from "./clock.ts";
import type { Metrics } from "./metrics.ts";
import type { NodeProducers } from "./nodeProducers.ts";
import type { NodeReads } from "./nodeReads.ts";
import type { OperatorList } from "./operatorList.ts";
import type { ReadDesk } from "./readDesk.ts";
import type { ReplicaDriver } from "./replicaDriver.ts";
import { verifySignatures } from "./signatures.ts";
import type { StartOptions } from "./startTypes.ts";
import type { StatusReporter } from "./statusReporter.ts";
import type { SubmissionDesk } from "./submissionDesk.ts";

/** What a running node is made of. */
export interface NodeParts {
  readonly options: StartOptions;
  readonly clock: Clock;
  readonly replica: Replica;
  readonly driver: ReplicaDriver;
  readonly link: LinkLayer;
  readonly desk: SubmissionDesk;
  readonly readDesk: ReadDesk;
  readonly reads: NodeReads;
  readonly producers: NodeProducers;
  /** Blocks that the operator rejected, and peers that were switched off. */
  readonly rejected: OperatorList;
  readonly off: OperatorList;
  readonly metrics: Metrics;
  readonly reporter: StatusReporter;
  readonly irreversibleListeners: Set<(height: number) => void>;
  /** What is submitted now would come to nothing: nobody leads, or this node leaves. */
  readonly takesNothing: () => boolean;
}

export function makeNodeApi(parts: NodeParts): NodeApi {
  const { options, replica, reads, producers, reporter } = parts;
  const { genesis, config } = options;
  const { ledger } = replica;
  return {
    genesis,
    chainId: genesis.chainId,
    status: () => reporter.status(),
    block: (ref) => reads.block(ref),
    blocks: (from, limit) => reads.blocks(from, limit),
    firstHeight: () => reads.firstHeight(),
    onIrreversible: (listener) => {
      parts.irreversibleListeners.add(listener);
      return () => parts.irreversibleListeners.delete(listener);
    },
    forks: () => reads.forks(),
    submit: async (transactions, wait, timeoutMs) => {
      if (parts.takesNothing()) {
        return transactions.map((bytes) => ({ status: "noLeader", id: toHex(transactionId(bytes)) }));
      }
      return submitGenuine(genesis.chainId, transactions, verifySignatures, (genuine) =>
        parts.desk.submit(genuine, wait, timeoutMs),
      );
    },
    transaction: (id) => reads.transaction(id),
    proof: (place) => reads.proof(place),
    blockProof: (block) => reads.blockProof(block),
    headProof: (from) => reads.headProof(from),
    producersProof: (above) => reads.producersProof(above),
    linearizable: () => parts.readDesk.wait(),
    read: (key, at) => ledger.read(toBinaryString(key), at),
    readRange: (start, end, limit, at) =>
      ledger
        .readRange(toBinaryString(start), end && toBinaryString(end), limit, at)
        .map(({ key, value }) => ({ key: fromBinaryString(key), value })),
    rejectBlock: (id) => rejectBlock(parts, id),
    acceptBlock: (id) => {
      parts.rejected.remove(id);
      parts.driver.step({ kind: "acceptBlock", id });
    },
    rejectedBlocks: () => parts.rejected.ids,
    peers: () => peerViews(parts),
    routes: () => routeViews(parts),
    producers: () => producerViews(producers.entries(), replica.status().producers),
    producerSet: () => producers.view(),
    evidence: () => replica.evidence.map((each) => producerEvidence(genesis.chainId, each)),
    setPeerOff: (peer, off) => setPeerOff(parts, peer, off),
    offPeers: () => parts.off.ids.map((peer) => offPeer(parts, peer)),
    metrics: () => parts.metrics.registry.metrics(),
    metricsContentType: parts.metrics.registry.contentType,
    notReadyBecause: () => reporter.notReadyBecause(config.http.readyWithinBlocks),
    now: () => parts.clock.now(),
  };
}

function rejectBlock(
  { replica, reads, rejected, driver }: NodeParts,
  id: string,
): "rejected" | "irreversible" | "full" {
  const { ledger } = replica;
  const node = ledger.get(id);
  const found = reads.block(id);
  const isRoot = node !== undefined && isAncestorOrEqual(node, ledger.root);
  if (isRoot || (typeof found === "object" && found.status === "irreversible")) return "irreversible";
  if (rejected.has(id)) return "rejected";
  if (rejected.isFull) return "full";
  rejected.add(id);
  driver.step({ kind: "rejectBlock", id });
  return "rejected";
}

function setPeerOff(
  { options, off: offPeers, link }: NodeParts,
  peer: PeerKey,
  off: boolean,
): "done" | "self" | "full" {
  if (peer === options.key.publicKey) return "self";
  if (offPeers.has(peer) !== off) {
    if (off && offPeers.isFull) return "full";
    if (off) offPeers.add(peer);
    else offPeers.remove(peer);
  }
  link.setOff(peer, off);
  return "done";
}

function offPeer({ producers }: NodeParts, key: PeerKey): OffPeer {
  const name = producers.nameOf(key);
  return { key, ...(name !== undefined && { name }) };
}

function routeViews({ replica, producers }: NodeParts): RouteJson[] {
  return replica.routes().map(({ producer, via, metric, seqno, candidates }) => ({
    producer,
    name: producers.nameOf(producer) ?? "",
    via: via ?? null,
    metric: metric ?? null,
    seqno: seqno?.toString(16).padStart(16, "0") ?? null,
    candidates: candidates.map((each) => ({ via: each.via, metric: each.metric, feasible: each.isFeasible })),
  }));
}

function peerViews({ replica, link, producers: set, off }: NodeParts): PeerView[] {
  const { peers, producers } = replica.status();
  const phases = new Map(peers.map((each) => [each.peer, each]));
  const faulty = new Set(producers.filter(({ state }) => state === "faulty").map(({ key }) => key));
  return link.peers().map((info) => {
    const lanes = Object.values(info.lanes);
    const sync = phases.get(info.key);
    return {
      key: info.key,
      name: info.init.name,
      role: set.roleOf(info.key),
      address: info.address,
      addressFrom: info.origin,
      direction: info.direction,
      rttMs: info.rttMs,
      connectedAt: info.connectedAtMs,
      state: sync?.slowed === true ? "slowed" : "up",
      score: Math.round(sync?.score ?? 0),
      faulty: faulty.has(info.key),
      off: off.has(info.key),
      lanes: info.lanes,
      phase: sync?.phase ?? "start",
      height: sync?.height,
      bytesIn: lanes.reduce((sum, lane) => sum + lane.bytesIn, 0),
      bytesOut: lanes.reduce((sum, lane) => sum + lane.bytesOut, 0),
    };
  });
}

function producerViews(producers: readonly ProducerEntry[], states: readonly ProducerState[]): ProducerView[] {
  const byKey = new Map(states.map((state) => [state.key, state]));
  return producers.map(({ key, name, address }) => ({ key, name, address, ...(byKey.get(key) ?? { state: "self" }) }));
}
