/**
 * What the transport is to the layers above: unicast and multicast to producers, broadcast to everyone. Messages are
 * opaque bytes here; whether one is valid is for the function that the node was given to say, before it is forwarded.
 */
import type { Lane, PeerKey } from "../link/types.ts";
import type { LinkStates } from "./linkStates.ts";
import type { RoutingMessage, SignedSeqno } from "./routeMessages.ts";

/** Where the transport's frames go: to a neighbour, by its link. */
export type SendFrame = (to: PeerKey, lane: Lane, parts: readonly Uint8Array[], options: SendOptions) => void;

export interface SendOptions {
  /** The frame leaves only after everything persisted so far is on disk. */
  readonly durable: boolean;
}

/** A frame that came in, opened. */
export interface Delivery {
  /** The node that sent it first, by its own account: proven by the payload or not at all, unless it is the neighbour. */
  readonly source: PeerKey;
  readonly payload: Uint8Array;
  readonly broadcast: boolean;
  /** Is it for this node, too? */
  readonly isMine: boolean;
  /** For whom else, and how many more links it may cross; to be passed on by {@link Transport.forward} when it is valid. */
  readonly onward: readonly PeerKey[];
  readonly ttl: number;
}

/** A way to a producer, for people. */
export interface RouteView {
  readonly producer: PeerKey;
  /** The neighbour that messages go to; undefined: none is known. */
  readonly via: PeerKey | undefined;
  /** ms, of the route in use. */
  readonly metric: number | undefined;
  readonly seqno: bigint | undefined;
  /** All routes that neighbours told, those that may not be used included. */
  readonly candidates: readonly { readonly via: PeerKey; readonly metric: number; readonly isFeasible: boolean }[];
}

export interface Transport {
  /** Over which links go whole copies of what is for everyone, streams of blocks included. */
  readonly links: LinkStates;
  /** Time of the next `tick` it needs, ms; Infinity: none. */
  readonly deadline: number;
  readonly sizes: Readonly<Record<string, number>>;
  /** The host's destinations are others, this node perhaps among them now, or no more. */
  producersChanged(): void;
  peerUp(peer: PeerKey): void;
  peerDown(peer: PeerKey): void;
  /** The smoothed round-trip time of a neighbour's link, ms. */
  measured(peer: PeerKey, roundTripMs: number): void;
  tick(): void;
  /** At the end of every step: what changed is told to neighbours. */
  finish(): void;
  /** Is a way to it known? */
  reaches(destination: PeerKey): boolean;
  /** @returns false when no way to the destination is known; the message is dropped then */
  unicast(destination: PeerKey, lane: Lane, payload: Uint8Array, options: SendOptions): boolean;
  /** To a neighbour over its own link, whatever the routes say. */
  toNeighbour(peer: PeerKey, lane: Lane, payload: Uint8Array): void;
  /** Destinations with one next hop share one frame. */
  multicast(destinations: readonly PeerKey[], lane: Lane, payload: Uint8Array, options: SendOptions): void;
  /** To everyone but `except`: over active links whole, over backup links announced. */
  broadcast(lane: Lane, payload: Uint8Array, except?: PeerKey): void;
  /**
   * Opens a frame from a neighbour.
   * @returns what is for this node or for others; "taken" when it was for the transport; an error for what no correct node sends
   */
  receive(from: PeerKey, frame: Uint8Array): Delivery | "duplicate" | "taken" | "undecodable";
  /** Passes on what {@link receive} gave, once it is known to be valid. */
  forward(delivery: Delivery, lane: Lane): void;
  /** What has to be checked before a message on routes is believed. */
  unproven(message: RoutingMessage): readonly SignedSeqno[];
  /** A neighbour's message on routes, its signatures valid. */
  receiveRouting(from: PeerKey, message: RoutingMessage): void;
  routes(producers: readonly PeerKey[]): RouteView[];
}
