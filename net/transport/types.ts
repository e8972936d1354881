/**
 * What the transport is to the layers above: unicast and multicast to producers, broadcast to everyone. Messages are
 * opaque bytes here; whether one is valid is for the function that the node was given to say, before it is forwarded.
 */
import type { Lane, PeerKey } from "../link/types.ts";
import type { LinkStates } from "./linkStates.ts";

/** Where the transport's frames go: to a neighbour, by its link. */
export type SendFrame = (to: PeerKey, lane: Lane, parts: readonly Uint8Array[], options: SendOptions) => void;

export interface SendOptions {
  /** The frame leaves only after everything persisted so far is on disk. */
  readonly durable: boolean;
}

/** A frame that came in, opened. */
export interface Delivery {
  /** The node that sent it first, by its own account. */
  readonly source: PeerKey;
  readonly payload: Uint8Array;
  readonly broadcast: boolean;
}

export interface Transport {
  /** Over which links go whole copies of what is for everyone, streams of blocks included. */
  readonly links: LinkStates;
  /** Time of the next `tick` it needs, ms; Infinity: none. */
  readonly deadline: number;
  readonly sizes: Readonly<Record<string, number>>;
  tick(): void;
  peerUp(peer: PeerKey): void;
  peerDown(peer: PeerKey): void;
  /** Is a way to it known? */
  reaches(destination: PeerKey): boolean;
  /** @returns false when no way to the destination is known; the message is dropped then */
  unicast(destination: PeerKey, lane: Lane, payload: Uint8Array, options: SendOptions): boolean;
  multicast(destinations: readonly PeerKey[], lane: Lane, payload: Uint8Array, options: SendOptions): void;
  /** To everyone but `except`: over active links whole, over backup links announced. */
  broadcast(lane: Lane, payload: Uint8Array, except?: PeerKey): void;
  /**
   * Opens a frame from a neighbour.
   * @returns what is for this node; "taken" when it was for the transport; an error for what no correct node sends
   */
  receive(from: PeerKey, frame: Uint8Array): Delivery | "duplicate" | "notForMe" | "taken" | "undecodable";
}
