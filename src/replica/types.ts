/**
 * The deterministic core's face: inputs in, effects out (DESIGN section 3). Everything that happens to a replica is an
 * input; everything it does to the world is an effect. The shell and the simulator carry them.
 */
import type { BlockRef } from "../../chain/header.ts";
import type { SignatureClaim } from "../../chain/signing.ts";
import type { StateChange } from "../../chain/state.ts";
import type { CloseReason, Lane, PeerKey } from "../../net/link/types.ts";
import type { KeptAddresses } from "../../net/transport/addressBook.ts";
import type { AddressScope } from "../../net/transport/addressScope.ts";
import type { SyncPhase } from "../../consensus/sync/connection.ts";
import type { Evidence, EvidenceKind } from "../../consensus/bft/evidence.ts";
import type { EngineStatus } from "../../consensus/engine.ts";
import type { FaultClass } from "./conduct.ts";

export type Input =
  | { readonly kind: "tick" }
  /** `outbound`: this node dialed it; `scope`: from where it is reached. What is left out: the peer did, from anywhere. */
  | { readonly kind: "peerUp"; readonly peer: PeerKey; readonly outbound?: boolean; readonly scope?: AddressScope }
  /** `broken`: the connection was lost, not closed: the process may have died. */
  | { readonly kind: "peerDown"; readonly peer: PeerKey; readonly broken: boolean }
  /** The smoothed round-trip time of a peer's link, ms: now and then, when it has changed. */
  | { readonly kind: "roundTrip"; readonly peer: PeerKey; readonly ms: number }
  /** A frame of a peer, not yet looked at. */
  | { readonly kind: "received"; readonly from: PeerKey; readonly lane: Lane; readonly frame: Uint8Array }
  /** The link took bytes that were sent before, or dropped them. Told of the chain and the bulk lane. */
  | { readonly kind: "drained"; readonly peer: PeerKey; readonly lane: Lane; readonly bytes: number }
  /** Everything up to this token is on disk. Tokens complete in order. */
  | { readonly kind: "persisted"; readonly token: number }
  | { readonly kind: "signaturesChecked"; readonly batch: number; readonly valid: readonly boolean[] }
  /** Answers a `continue` effect: go on with the work that was cut into slices. */
  | { readonly kind: "continue" }
  /** The state database holds everything up to this height and can be read. */
  | { readonly kind: "flushed"; readonly height: number }
  /** The node is to be stopped: a leader hands over, what was submitted here comes to an end. Answered by `handedOver`. */
  | { readonly kind: "handOver" }
  /** Where this node can be reached: multiaddrs without its identity. */
  | { readonly kind: "listening"; readonly addresses: readonly string[] }
  /** A linearizable read; answered by one `readable` or `readRefused` effect with the same `request`. */
  | { readonly kind: "read"; readonly request: number }
  /** The node is about to stop: what waits for company goes to the state database now. */
  | { readonly kind: "stopping" }
  /** The operator rejects a block, or takes that back; the shell has written it down. */
  | { readonly kind: "rejectBlock" | "acceptBlock"; readonly id: string }
  /**
   * Encoded transactions of local submitters; answered by one `submitted` effect with the same `request`. `isAwaited`: they
   * wait for outcomes, which the chain decides; else what is too old by the clock is refused.
   */
  | {
      readonly kind: "submit";
      readonly request: number;
      readonly transactions: readonly Uint8Array[];
      readonly isAwaited: boolean;
    };

export type Effect =
  /** One atomic write; `persisted` with the token is the answer. */
  | {
      readonly kind: "persist";
      readonly token: number;
      readonly blocks: readonly PersistedBlock[];
      readonly record?: Uint8Array;
      readonly irreversible?: PersistedIrreversible;
      readonly evidence?: readonly PersistedEvidence[];
    }
  /** A frame for a neighbour; with `after`, not before that token is on disk. Part arrays are not to be changed. */
  | {
      readonly kind: "send";
      readonly to: PeerKey;
      readonly lane: Lane;
      readonly parts: readonly Uint8Array[];
      readonly after?: number;
    }
  | { readonly kind: "checkSignatures"; readonly batch: number; readonly claims: readonly SignatureClaim[] }
  /** More work is waiting: feed `continue` after what else has come in. */
  | { readonly kind: "continue" }
  /** Feed `tick` at this time (ms) or soon after; replaces the one before. Infinity: no tick needed. */
  | { readonly kind: "setTimer"; readonly at: number }
  /** Changes of irreversible blocks for the state database; `flushed` is the answer. One at a time. */
  | { readonly kind: "flush"; readonly flush: StateFlush }
  /** The promise is on disk: everything up to this block is irreversible. */
  | { readonly kind: "irreversible"; readonly block: BlockRef; readonly time: number; readonly transactions: number }
  /** The head moved; told for status and streams. */
  | { readonly kind: "head"; readonly block: BlockRef; readonly undone: number; readonly applied: number }
  | { readonly kind: "submitted"; readonly request: number; readonly answers: readonly SubmitAnswer[] }
  /** What became of transactions submitted here. */
  | { readonly kind: "outcomes"; readonly outcomes: readonly TransactionOutcome[] }
  /** These reads may look at the irreversible state as it is now, or later: it holds all that was irreversible before them. */
  | { readonly kind: "readable"; readonly requests: readonly number[]; readonly height: number }
  | { readonly kind: "readRefused"; readonly requests: readonly number[]; readonly why: ReadRefusal }
  /** The node may stop: it leads no more, or nobody can take over. `undecided`: transactions submitted here, not yet in the chain. */
  | { readonly kind: "handedOver"; readonly undecided: number }
  /** A peer is there again: dial it now, if there is no link. */
  | { readonly kind: "redial"; readonly peer: PeerKey }
  /** Keep a link to this node, whose addresses others told, by any of them; or do so no longer. */
  | { readonly kind: "dial" | "letGo"; readonly peer: PeerKey; readonly addresses: readonly string[] }
  /** What is known of other nodes' addresses, to be there after a restart. */
  | { readonly kind: "keepAddresses"; readonly addresses: readonly KeptAddresses[] }
  | { readonly kind: "disconnect"; readonly peer: PeerKey; readonly reason: CloseReason; readonly detail: string }
  | {
      readonly kind: "log";
      readonly level: LogLevel;
      readonly layer: string;
      readonly message: string;
      readonly fields?: Record<string, unknown>;
    }
  /** A producer has signed what no correct one does: found here or told by others, and not known before. */
  | { readonly kind: "evidence"; readonly evidence: Evidence }
  /**
   * This node or the quorum is broken: stop taking part, keep the evidence, tell people.
   * `certificates`: those that contradict each other.
   */
  | { readonly kind: "halt"; readonly why: string; readonly certificates: readonly Uint8Array[] };

/** No leader in time; the state here did not reach the read index in time; too many wait. */
export type ReadRefusal = "noLeader" | "behind" | "busy";

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface PersistedBlock {
  readonly height: number;
  readonly id: string;
  readonly parent: string;
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
  readonly body: Uint8Array;
}

export interface PersistedIrreversible {
  readonly height: number;
  readonly id: string;
  /** Certificate of exactly this block; empty when it follows from a producer's signed header. */
  readonly certificate: Uint8Array;
  readonly frontier: Uint8Array;
  /** Changes of the producer sets since the block that was irreversible before, ascending. */
  readonly producerSets?: readonly PersistedSets[];
}

/** These sets judge the blocks from a height on. */
export interface PersistedSets {
  readonly from: number;
  /** Where they end a change: up to here the block below `from` proves its ancestors irreversible; else 0. */
  readonly provenHeight: number;
  /** `encodeProducerSets` */
  readonly sets: Uint8Array;
}

/** Replaces what is kept of the same producer and kind. All that is kept is given back at the next start. */
export interface PersistedEvidence {
  readonly producer: PeerKey;
  readonly kind: EvidenceKind;
  readonly bytes: Uint8Array;
}

export interface StateFlush {
  /** Newest block covered. */
  readonly height: number;
  readonly id: string;
  /** Net changes in key order; keys as binary strings. */
  readonly changes: readonly StateChange[];
  readonly blocks: readonly {
    readonly height: number;
    readonly receipts: Uint8Array;
    readonly transactionIds: Uint8Array;
  }[];
}

export interface TransactionPlace {
  readonly height: number;
  readonly index: number;
}

/** What a submitter is told at once. */
export type SubmitAnswer =
  /** Taken, or known already and still under way: outcomes follow. */
  | { readonly status: "accepted"; readonly id: string }
  | { readonly status: "included"; readonly id: string; readonly place: TransactionPlace }
  /** Irreversible in the chain before it was submitted now. */
  | { readonly status: "inChain"; readonly id: string; readonly place: TransactionPlace }
  | { readonly status: "full"; readonly id: string }
  | { readonly status: "invalid"; readonly id: string; readonly code: string; readonly detail: string };

/** The four answers of the mempool. `included` promises nothing across a crash. */
export type TransactionOutcome =
  | { readonly status: "included"; readonly id: string; readonly place: TransactionPlace; readonly receipt: Uint8Array }
  | {
      readonly status: "irreversible";
      readonly id: string;
      readonly place: TransactionPlace;
      readonly receipt: Uint8Array;
    }
  /** An irreversible header's time has passed `expiresAt`, and it is not in the chain. */
  | { readonly status: "expired"; readonly id: string }
  /** The leader's execution refused it: it is in no block. */
  | { readonly status: "rejected"; readonly id: string; readonly code: string; readonly detail: string };

/** How a producer looks from here. */
export interface ProducerState {
  readonly key: PeerKey;
  readonly state: "active" | "faulty" | "stopped";
  /** When that began, and when a signed message of it came last, ms. */
  readonly since: number;
  readonly heardAt: number;
  /** Of a faulty one: "silent", or what it did. */
  readonly because?: string;
}

export interface ReplicaStatus {
  readonly engine: { readonly view: number; readonly leader: string | undefined; readonly status: EngineStatus };
  readonly head: BlockRef & { readonly time: number };
  readonly irreversible: BlockRef & { readonly time: number };
  readonly sync: {
    readonly state: "searching" | "syncing" | "synced";
    /** Greatest height known of others, or the own head. */
    readonly target: number;
    /** Why nothing comes, as far as the core knows. */
    readonly stalledBecause?: string;
  };
  readonly mempool: { readonly count: number; readonly bytes: number };
  readonly peers: readonly {
    readonly peer: PeerKey;
    readonly phase: SyncPhase;
    readonly height: number | undefined;
    /** Of its faults; it decays. */
    readonly score: number;
    readonly slowed: boolean;
  }[];
  /** All other producers. */
  readonly producers: readonly ProducerState[];
  /** Faults of peers since the start. */
  readonly faults: Readonly<Record<FaultClass, number>>;
  /** Votes whose block was not here when they came, by what became of them; under Raft and VSR of the term that is led. */
  readonly earlyVotes: Readonly<Record<"counted" | "dropped" | "expired", number>>;
  readonly halted: string | undefined;
  /** Sizes of everything bounded, for metrics and oracles. */
  readonly sizes: Readonly<Record<string, number>>;
}
