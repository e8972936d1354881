/**
 * The transport of a network in which producers are neighbours: unicast over the link to the destination, broadcast
 * flooded to all neighbours with duplicates suppressed. Routes through other nodes come with the routing issue, behind
 * the same interface.
 */
import { sha256Hex } from "../../src/base/hash.ts";
import type { Lane, PeerKey } from "../link/types.ts";
import { decodeEnvelope, encodeEnvelope } from "./envelope.ts";
import type { Delivery, SendFrame, SendOptions, Transport } from "./types.ts";

/** A broadcast crosses at most this many links. */
const BROADCAST_TTL = 16;
/** Ids of broadcasts remembered, in each of two generations. */
const SEEN_MAX = 4096;

export class DirectTransport implements Transport {
  readonly #self: PeerKey;
  readonly #send: SendFrame;
  readonly #neighbours = new Set<PeerKey>();
  #seen = new Set<string>();
  #seenBefore = new Set<string>();

  constructor(self: PeerKey, send: SendFrame) {
    this.#self = self;
    this.#send = send;
  }

  peerUp(peer: PeerKey): void {
    this.#neighbours.add(peer);
  }

  peerDown(peer: PeerKey): void {
    this.#neighbours.delete(peer);
  }

  unicast(destination: PeerKey, lane: Lane, payload: Uint8Array, options: SendOptions): boolean {
    if (!this.#neighbours.has(destination)) return false;
    const envelope = { source: this.#self, destinations: [destination], ttl: 1, broadcast: false };
    this.#send(destination, lane, encodeEnvelope(envelope, payload), options);
    return true;
  }

  multicast(destinations: readonly PeerKey[], lane: Lane, payload: Uint8Array, options: SendOptions): void {
    for (const destination of destinations) {
      if (destination !== this.#self) this.unicast(destination, lane, payload, options);
    }
  }

  broadcast(lane: Lane, payload: Uint8Array, except?: PeerKey): void {
    this.#remember(sha256Hex(payload));
    const envelope = { source: this.#self, destinations: [], ttl: BROADCAST_TTL, broadcast: true };
    const parts = encodeEnvelope(envelope, payload);
    for (const peer of this.#neighbours) if (peer !== except) this.#send(peer, lane, parts, { durable: false });
  }

  receive(from: PeerKey, frame: Uint8Array): Delivery | "duplicate" | "notForMe" | "undecodable" {
    const opened = decodeEnvelope(frame);
    if (opened === undefined) return "undecodable";
    const { envelope, payload } = opened;
    const { source, destinations, broadcast } = envelope;
    if (broadcast) {
      if (!this.#remember(sha256Hex(payload))) return "duplicate";
    } else if (!destinations.includes(this.#self)) return "notForMe";
    // Nobody relays unicasts here, so the source is the neighbour that the link authenticated.
    else if (source !== from) return "undecodable";
    return { source, payload, broadcast };
  }

  /** @returns false when it was there already */
  #remember(id: string): boolean {
    if (this.#seen.has(id) || this.#seenBefore.has(id)) return false;
    if (this.#seen.size >= SEEN_MAX) {
      this.#seenBefore = this.#seen;
      this.#seen = new Set();
    }
    this.#seen.add(id);
    return true;
  }
}
