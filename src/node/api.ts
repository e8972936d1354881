/**
 * What a running node offers to its HTTP interface (and to anything else in the process): reads answered at once from
 * memory or a read-only connection, submissions as promises. `node.ts` implements it.
 */
import type { Block } from "../../chain/block.ts";
import type { ProducerApproval } from "../../chain/genesis.ts";
import type { ProducerEntry } from "../../chain/producerChange.ts";
import type { SubmitAnswer, TransactionPlace } from "../replica/types.ts";
import type { Lane, LaneInfo, PeerKey } from "../../net/link/types.ts";
import type { BlockProof } from "../../consensus/blockProof.ts";
import type { ProducerEvidence } from "../../consensus/producerEvidence.ts";
import type { HeadProof } from "../../consensus/headProof.ts";
import type { ProducersProof } from "../../consensus/producersProof.ts";
import type { TransactionProof } from "../../consensus/transactionProof.ts";
import type { ProofAnswer } from "./proofs.ts";
import type { ReadVerdict } from "./readDesk.ts";
import type { GenesisFile } from "./genesisFile.ts";

/** `GET /v1/status`, as it goes out. Heights and times are numbers, ids and keys hex. */
export interface NodeStatus {
  readonly chainId: string;
  readonly name: string;
  readonly node: {
    readonly id: PeerKey;
    readonly key: PeerKey;
    readonly name: string;
    readonly role: "producer" | "follower";
    readonly version: string;
  };
  readonly consensus: {
    readonly engine: "raft" | "vsr" | "bft";
    readonly view: number;
    readonly leader: string | null;
    readonly producers: readonly { readonly name: string; readonly key: string }[];
    /** Keys of producers that are faulty as seen from here. */
    readonly faulty: readonly PeerKey[];
    readonly status: "leader" | "follower" | "candidate" | "recovering" | "observer" | "halted";
  };
  readonly head: { readonly height: number; readonly id: string; readonly view: number; readonly time: number };
  readonly irreversible: { readonly height: number; readonly id: string; readonly time: number };
  readonly sync: {
    readonly state: "searching" | "syncing" | "synced";
    readonly target: number;
    /** Blocks a second over the last seconds. */
    readonly rate: number;
    /** While syncing: until the target, at this rate. */
    readonly timeLeftSeconds?: number;
    readonly stalledBecause?: string;
  };
  readonly peers: number;
  readonly mempool: { readonly count: number; readonly bytes: number };
}

/** A block with what the node knows of it. */
export interface BlockView {
  readonly block: Block;
  readonly status: "pending" | "irreversible";
  /** Encoded receipts in order; undefined when they are not (or no longer) held. */
  readonly receipts: readonly Uint8Array[] | undefined;
  /** The first certificate at or above the block's height, encoded. */
  readonly certificate: Uint8Array | undefined;
}

/** A node of the reversible tree, the irreversible block at its root. */
export interface ForkView {
  readonly height: number;
  readonly id: string;
  readonly parent: string;
  readonly view: number;
  readonly producer: string;
  readonly time: number;
  readonly transactions: number;
  readonly isHead: boolean;
  readonly onBestChain: boolean;
  /** Why it is not valid; absent on a valid block. */
  readonly invalid?: string;
  readonly children: readonly ForkView[];
}

export type WaitFor = "accepted" | "included" | "irreversible";

/** The end of a submission. */
export type SubmitResult =
  | Exclude<SubmitAnswer, { readonly status: "included" }>
  | {
      readonly status: "included" | "irreversible";
      readonly id: string;
      readonly place: TransactionPlace;
      readonly receipt: Uint8Array | undefined;
    }
  | { readonly status: "expired"; readonly id: string }
  | { readonly status: "rejected"; readonly id: string; readonly code: string; readonly detail: string }
  /** The wait ran out; the transaction is still under way. */
  | { readonly status: "pending"; readonly id: string }
  /** No leader is known, so nothing can be said of when it will be included. */
  | { readonly status: "noLeader"; readonly id: string };

export type TransactionState =
  /**
   * Neither waiting nor in the chain as far as this node knows. `absentThrough` is there when it knows for sure: no
   * irreversible block up to that one holds it. Where its time is past `expiresAt`, no later block can.
   */
  | { readonly status: "unknown"; readonly absentThrough?: { readonly height: number; readonly time: number } }
  | { readonly status: "pending"; readonly transaction: Uint8Array }
  | {
      readonly status: "included" | "irreversible";
      readonly place: TransactionPlace;
      readonly blockId: string;
      readonly transaction: Uint8Array;
      readonly receipt: Uint8Array | undefined;
    };

export interface PeerView {
  readonly key: PeerKey;
  readonly name: string;
  readonly role: "producer" | "follower";
  readonly address: string;
  /** Where the address that was dialed came from; undefined: the peer dialed. */
  readonly addressFrom: "configured" | "learned" | undefined;
  readonly direction: "inbound" | "outbound";
  readonly rttMs: number | undefined;
  readonly connectedAt: number;
  /** Of a slowed one few requests are looked at. */
  readonly state: "up" | "slowed";
  /** Of its faults; at 50 it is slowed, at 100 a non-producer loses its link. It decays. */
  readonly score: number;
  /** A producer that is faulty, although there is a link. */
  readonly faulty: boolean;
  /** Links to it are switched off; the link is about to end. */
  readonly off: boolean;
  readonly lanes: Readonly<Record<Lane, LaneInfo>>;
  /** Phase of the hello/block machine with it. */
  readonly phase: string;
  /** Head height it is known to have. */
  readonly height: number | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A peer to which the operator switched links off. */
export interface OffPeer {
  readonly key: PeerKey;
  /** Of a producer. */
  readonly name?: string;
}

/** A way to another producer. */
export interface RouteJson {
  readonly producer: PeerKey;
  readonly name: string;
  /** The neighbour that messages go to, perhaps the producer itself; null: no way is known. */
  readonly via: PeerKey | null;
  /** Of the route in use, ms; null: there is none, though the producer may be a neighbour. */
  readonly metric: number | null;
  /** 16 hex digits. */
  readonly seqno: string | null;
  /** All that neighbours told. */
  readonly candidates: readonly { readonly via: PeerKey; readonly metric: number; readonly feasible: boolean }[];
}

/** A producer as it looks from this node. */
export interface ProducerView {
  readonly key: PeerKey;
  readonly name: string;
  readonly address: string;
  readonly state: "self" | "active" | "faulty" | "stopped";
  /** When that began. */
  readonly since?: number;
  /** When a signed message of it came last; since the start at the earliest. */
  readonly heardAt?: number;
  /** Of a faulty one: "silent", or what it did. */
  readonly because?: string;
}

/** The set of producers as the head has it. */
export interface ProducerSetView {
  /** Hash of the set in force. */
  readonly config: string;
  /** The first block that it decides about. */
  readonly activeFrom: number;
  /** Changes that were begun. */
  readonly changes: number;
  /** Whose approvals what replaces it needs. */
  readonly approval: { readonly rule: ProducerApproval; readonly needed: number };
  /** A change that is under way. */
  readonly change: {
    /** Of the block that proposes it. */
    readonly height: number;
    /** That block is irreversible; the change ends with the first block that says so. */
    readonly irreversible: boolean;
    readonly producers: readonly ProducerEntry[];
  } | null;
}

export interface NodeApi {
  readonly genesis: GenesisFile;
  readonly chainId: string;
  status(): NodeStatus;
  /** @param ref a height, an id in full or a unique prefix of at least 8 digits, "head" or "irreversible" */
  block(ref: string): BlockView | "ambiguous" | undefined;
  /** Blocks of the best chain from `from` upwards, at most `limit`. */
  blocks(from: number, limit: number): BlockView[];
  /** The lowest height from which on this node holds every irreversible block; 0 is the genesis block. */
  firstHeight(): number;
  /** Tells the irreversible height whenever it has moved. @returns ends that */
  onIrreversible(listener: (height: number) => void): () => void;
  forks(): ForkView;
  /** Results in the order of the transactions. Never rejects; a timeout gives `pending`. */
  submit(transactions: readonly Uint8Array[], wait: WaitFor, timeoutMs: number): Promise<SubmitResult[]>;
  transaction(id: string): Promise<TransactionState>;
  /** Proof of the transaction at a place that `transaction` gave, for somebody who knows only the genesis. */
  proof(place: TransactionPlace): Promise<ProofAnswer<TransactionProof>>;
  /** Proof that a block is irreversible. */
  blockProof(block: BlockView): Promise<ProofAnswer<BlockProof>>;
  /** Proof that the newest certified block goes on from an irreversible one. */
  headProof(from: BlockView): Promise<ProofAnswer<HeadProof>>;
  /** Proof of all changes of the producer set that irreversible blocks above a height began. */
  producersProof(above: number): Promise<ProofAnswer<ProducersProof>>;
  /** Waits until a read of the irreversible state is linearizable; one of this very turn is. Never rejects. */
  linearizable(): Promise<ReadVerdict>;
  /** State by key bytes. `irreversible`: as of the irreversible block; `head`: as of the head. */
  read(key: Uint8Array, at: "irreversible" | "head"): Uint8Array | undefined;
  readRange(
    start: Uint8Array,
    end: Uint8Array | undefined,
    limit: number,
    at: "irreversible" | "head",
  ): { key: Uint8Array; value: Uint8Array }[];
  /** Rejects a block on this node, known or not; on disk when it returns. */
  rejectBlock(id: string): "rejected" | "irreversible" | "full";
  /** Takes a rejection back: for a block that is here, from the next start on. */
  acceptBlock(id: string): void;
  rejectedBlocks(): readonly string[];
  /** Links that are up. */
  peers(): PeerView[];
  routes(): RouteJson[];
  producers(): ProducerView[];
  producerSet(): ProducerSetView;
  /** Against producers, one piece of each kind. */
  evidence(): ProducerEvidence[];
  /** Closes and refuses links to a peer, known or not, or takes that back; on disk when it returns. */
  setPeerOff(key: PeerKey, off: boolean): "done" | "self" | "full";
  offPeers(): readonly OffPeer[];
  /** Prometheus text. */
  metrics(): Promise<string>;
  metricsContentType: string;
  /** Why the node is not ready; undefined when it is. */
  notReadyBecause(): string | undefined;
  /** Milliseconds since the epoch. */
  now(): number;
}
