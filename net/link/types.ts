/**
 * What a link is to the rest of the node: one authenticated peer, seen as a message-oriented send and
 * receive with lanes (docs/protocol.md, section 1). Types only, so that deterministic code may name them.
 */

import type { PeerKey } from "../../src/base/key.ts";
import type { CreditLimits } from "./credit.ts";

export type { PeerKey };

/** Most urgent first. A lane is ordered; lanes are unordered against each other. */
export const LANES = ["urgent", "chain", "bulk"] as const;
export type Lane = (typeof LANES)[number];
/** The libp2p protocol that carries a lane. */
export const protocolOf = (lane: Lane): string => `/cairn/1/${lane}`;

/** Why a link was closed, by either side. Counted in metrics under these names and logged by both sides. */
export const CLOSE_REASONS = [
  "shutdown",
  "wrongChain",
  "wrongVersion",
  "badInit",
  "duplicateLink",
  "duplicateIdentity",
  "frameTooLarge",
  "undecodable",
  "misbehaviour",
  "finalityConflict",
  "pingTimeout",
  "handshakeTimeout",
  "tooManyPeers",
  "switchedOff",
  "overloaded",
  "connectionLost",
  "selfLink",
] as const;
export type CloseReason = (typeof CLOSE_REASONS)[number];

/** First message on every link, both ways. Another chain or another major version closes the link with a reason. */
export interface Init {
  readonly versionMajor: number;
  readonly versionMinor: number;
  readonly chainId: string;
  readonly features: readonly string[];
  readonly name: string;
  readonly role: "producer" | "follower";
  readonly listenAddresses: readonly string[];
  readonly firstHeight: number;
  readonly irreversibleHeight: number;
  /** Random per process start: two live nodes with one key differ here. 16 hex digits. */
  readonly startNonce: string;
  /** Milliseconds since the epoch at which the process started. */
  readonly startedAt: number;
}

/** Who ended a connection: this side, the peer by a close frame, or the connection by breaking. */
export type EndedBy = "us" | "peer" | "network";

/** Given by the owner, or told by other nodes. */
export type TargetOrigin = "configured" | "learned";
export type LinkDirection = "inbound" | "outbound";
export type LogLevel = "debug" | "info" | "warn" | "error";
export type LinkLog = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** Bounds and times of the link layer; `limits.ts` holds the defaults, each with its reason. */
export interface LinkLimits {
  /** Longest payload of one data frame. */
  readonly frameBytes: Readonly<Record<Lane, number>>;
  /** Most framed bytes waiting in a lane's send queue; `send` answers false above it. */
  readonly queueBytes: Readonly<Record<Lane, number>>;
  /** What `chain` and `bulk` may have in flight. */
  readonly credit: CreditLimits;
  /** How long a lane may wait without any credit. */
  readonly creditTimeoutMs: number;
  /** From TCP connection to link up, on either side. */
  readonly handshakeTimeoutMs: number;
  /** Connections that are not links: in a handshake or closing. */
  readonly maxHandshakes: number;
  readonly inboundPerHostPerSecond: number;
  readonly pingIntervalMs: number;
  /** Silence after a ping before it is sent again, one entry a resend; after the last resend the last entry again. */
  readonly pingTimeoutsMs: readonly number[];
  /** How long an existing link may take to answer when the same key connects again. */
  readonly duplicateProbeMs: number;
  /** How long a closed connection may take to deliver its close frame. */
  readonly closeLingerMs: number;
  readonly redialMinMs: number;
  readonly redialMaxMs: number;
  /** Longest wait before a peer that said it stops is dialed again. */
  readonly departedRedialMs: number;
  /** Failures in a row that open an address's circuit breaker, and how long it stays open. */
  readonly breakerFailures: number;
  readonly breakerOpenMs: number;
  /** A link that lived shorter counts as a failed dial. */
  readonly stableLinkMs: number;
  readonly maxTargets: number;
}

export interface LinkOptions {
  /** 32 bytes: the Ed25519 seed of this node's identity. */
  readonly privateKeySeed: Uint8Array;
  /** `host:port` or a multiaddr; port 0 takes a free one. */
  readonly listen: string;
  /** This node's current Init, asked afresh for every handshake. */
  readonly init: () => Init;
  readonly maxPeers: number;
  readonly log: LinkLog;
  /** Peers that are switched off from the start. */
  readonly off?: readonly PeerKey[];
  /**
   * Asked where a lane is at its cap: of the messages that wait under one key only the newest stays. Undefined for
   * those that none replaces.
   */
  readonly supersedes?: (lane: Lane, payload: Uint8Array) => string | undefined;
  readonly limits?: Partial<LinkLimits>;
  /** In [0, 1): jitter of redials. */
  readonly random?: () => number;
}

/**
 * What the link layer tells. For one peer the order is up, messages, down, up, ...; no message comes after `down`.
 * `down` and `refused` come in a microtask, never inside the owner's own call (`close`, `setOff`); nothing is called
 * inside `send`. A throwing handler is a bug of its owner and ends the process.
 */
export interface LinkEvents {
  /** `way`: who dialed whom, and the other end of the TCP connection. */
  up(peer: PeerKey, init: Init, way: Pick<PeerInfo, "direction" | "address">): void;
  down(peer: PeerKey, reason: CloseReason, detail: string): void;
  /** `payload` may be a view of a larger read buffer: copy what is kept for long. */
  message(peer: PeerKey, lane: Lane, payload: Uint8Array): void;
  /** `bytes` of payload, of earlier sends, left our queue for the stream. */
  drained(peer: PeerKey, lane: Lane, bytes: number): void;
  /** A handshake did not become a link, by this side's decision, the other's, or the network's. */
  refused(peer: PeerKey | undefined, reason: CloseReason, detail: string, by: EndedBy): void;
}

export interface LaneInfo {
  readonly queuedBytes: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly framesIn: number;
  readonly framesOut: number;
  /** Messages of ours that were dropped at the lane's cap. */
  readonly drops: number;
  /** Times that data waited for the peer's credit; 0 on `urgent`, which needs none. */
  readonly creditWaits: number;
}

export interface PeerInfo {
  readonly key: PeerKey;
  readonly init: Init;
  readonly direction: LinkDirection;
  /** The other end of the TCP connection, as a multiaddr. */
  readonly address: string;
  /** Of the address that was dialed; undefined when the peer dialed. */
  readonly origin: TargetOrigin | undefined;
  /** Smoothed round-trip time; undefined until the first pong. */
  readonly rttMs: number | undefined;
  /** How long a ping has been waiting for any sign of life; 0: none waits. */
  readonly unansweredMs: number;
  readonly connectedAtMs: number;
  readonly lanes: Readonly<Record<Lane, LaneInfo>>;
}

export interface TargetInfo {
  readonly address: string;
  readonly origin: TargetOrigin;
  /** Given by the owner, or learned from the last link. */
  readonly peer: PeerKey | undefined;
  readonly breaker: "closed" | "open" | "halfOpen";
  readonly failures: number;
  readonly lastError: string | undefined;
}

/** Counters since the start; labels are close reasons and lanes. */
export interface LinkStats {
  readonly links: number;
  /** Peers switched off. */
  readonly off: number;
  readonly handshakes: number;
  readonly linksOpened: number;
  readonly downs: Readonly<Record<CloseReason, number>>;
  readonly refused: Readonly<Record<CloseReason, number>>;
  readonly dials: number;
  readonly dialFailures: number;
  /** Inbound connections cut off because too many were in the handshake. */
  readonly connectionsShed: number;
  /** `send` answered false because the lane was at its cap. */
  readonly sendsRefused: Readonly<Record<Lane, number>>;
  readonly lanes: Readonly<Record<Lane, Omit<LaneInfo, "queuedBytes">>>;
  readonly targets: readonly TargetInfo[];
}

/** Why a link call failed: wrong configuration or a bug of the caller, never what a peer did. */
export type LinkErrorCode = "BAD_ADDRESS" | "BAD_OPTIONS" | "LISTEN_FAILED" | "FRAME_TOO_LARGE" | "TOO_MANY_TARGETS";
