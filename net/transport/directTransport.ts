/**
 * The transport of a network in which producers are neighbours: unicast over the link to the destination, broadcast
 * flooded to all neighbours with duplicates suppressed. Routes through other nodes come with the routing issue, behind
 * the same interface.
 */
import { sha256Hex } from "../../src/base/hash.ts";
import type { Lane, PeerKey } from "../link/types.ts";
import { decodeEnvelope, envelopePrefix } from "./envelope.ts";
import type { Delivery, SendFrame, SendOptions, Transport } from "./types.ts";

/** A broadcast crosses at most this many links. */
const BROADCAST_TTL = 16;
/** Ids of broadcasts remembered, in each of two generations. */
const SEEN_MAX = 4096;

/** All envelopes there are between two neighbours, encoded: nothing in them changes from message to message. */
interface Neighbour {
  readonly to: Uint8Array;
  readonly from: Uint8Array;
  readonly broadcastFrom: Uint8Array;
}

export class DirectTransport implements Transport {
  readonly #self: PeerKey;
  readonly #send: SendFrame;
  readonly #neighbours = new Map<PeerKey, Neighbour>();
  readonly #broadcast: Uint8Array;
  #seen = new Set<string>();
  #seenBefore = new Set<string>();

  constructor(self: PeerKey, send: SendFrame) {
    this.#self = self;
    this.#send = send;
    this.#broadcast = broadcastEnvelope(self);
  }

  peerUp(peer: PeerKey): void {
    this.#neighbours.set(peer, {
      to: unicastEnvelope(this.#self, peer),
      from: unicastEnvelope(peer, this.#self),
      broadcastFrom: broadcastEnvelope(peer),
    });
  }

  peerDown(peer: PeerKey): void {
    this.#neighbours.delete(peer);
  }

  reaches(destination: PeerKey): boolean {
    return this.#neighbours.has(destination);
  }

  unicast(destination: PeerKey, lane: Lane, payload: Uint8Array, options: SendOptions): boolean {
    const neighbour = this.#neighbours.get(destination);
    if (neighbour === undefined) return false;
    this.#send(destination, lane, [neighbour.to, payload], options);
    return true;
  }

  multicast(destinations: readonly PeerKey[], lane: Lane, payload: Uint8Array, options: SendOptions): void {
    for (const destination of destinations) {
      if (destination !== this.#self) this.unicast(destination, lane, payload, options);
    }
  }

  broadcast(lane: Lane, payload: Uint8Array, except?: PeerKey): void {
    this.#remember(sha256Hex(payload));
    const parts = [this.#broadcast, payload];
    for (const peer of this.#neighbours.keys()) if (peer !== except) this.#send(peer, lane, parts, { durable: false });
  }

  receive(from: PeerKey, frame: Uint8Array): Delivery | "duplicate" | "notForMe" | "undecodable" {
    const neighbour = this.#neighbours.get(from);
    if (neighbour !== undefined) {
      // What a correct neighbour sends, known without decoding it.
      if (startsWith(frame, neighbour.from)) {
        return { source: from, payload: frame.subarray(neighbour.from.length), broadcast: false };
      }
      const { broadcastFrom } = neighbour;
      if (startsWith(frame, broadcastFrom)) return this.#received(from, frame.subarray(broadcastFrom.length));
    }
    const opened = decodeEnvelope(frame);
    if (opened === undefined) return "undecodable";
    const { envelope, payload } = opened;
    const { source, destinations, broadcast } = envelope;
    if (broadcast) return this.#received(source, payload);
    if (!destinations.includes(this.#self)) return "notForMe";
    // Nobody relays unicasts here, so the source is the neighbour that the link authenticated.
    if (source !== from) return "undecodable";
    return { source, payload, broadcast };
  }

  #received(source: PeerKey, payload: Uint8Array): Delivery | "duplicate" {
    return this.#remember(sha256Hex(payload)) ? { source, payload, broadcast: true } : "duplicate";
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

function unicastEnvelope(source: PeerKey, destination: PeerKey): Uint8Array {
  return envelopePrefix({ source, destinations: [destination], ttl: 1, broadcast: false });
}

function broadcastEnvelope(source: PeerKey): Uint8Array {
  return envelopePrefix({ source, destinations: [], ttl: BROADCAST_TTL, broadcast: true });
}

/** Whether the frame is this envelope and a payload that is not empty. */
function startsWith(frame: Uint8Array, envelope: Uint8Array): boolean {
  if (frame.length <= envelope.length) return false;
  for (let i = 0; i < envelope.length; i++) if (frame[i] !== envelope[i]) return false;
  return true;
}
