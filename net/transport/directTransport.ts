/**
 * The transport of a network in which producers are neighbours: unicast over the link to the destination, broadcast over
 * the tree of links. Routes through other nodes come with the routing issue, behind the same interface.
 */
import type { Lane, PeerKey } from "../link/types.ts";
import { BroadcastTree } from "./broadcastTree.ts";
import { decodeEnvelope, envelopePrefix } from "./envelope.ts";
import { LinkStates } from "./linkStates.ts";
import { decodeTreeMessage, encodeAnnouncement, encodeGraft, encodePrune, isTreeMessage } from "./treeMessages.ts";
import type { Delivery, SendFrame, SendOptions, Transport } from "./types.ts";

/** A broadcast crosses at most this many links. */
const BROADCAST_TTL = 16;

export interface TransportHost {
  readonly self: PeerKey;
  /** Milliseconds, constant within a step. */
  readonly now: () => number;
  readonly send: SendFrame;
  /** This node's state of the link is another now. */
  readonly linkChanged: (peer: PeerKey) => void;
}

/** All envelopes there are between two neighbours, encoded: nothing in them changes from message to message. */
interface Neighbour {
  readonly to: Uint8Array;
  readonly from: Uint8Array;
  readonly broadcastFrom: Uint8Array;
}

export class DirectTransport implements Transport {
  readonly links: LinkStates;
  readonly #self: PeerKey;
  readonly #send: SendFrame;
  readonly #neighbours = new Map<PeerKey, Neighbour>();
  readonly #broadcast: Uint8Array;
  readonly #tree: BroadcastTree;

  /** @param prunes false: broadcasts are flooded; for measurements beside the tree */
  constructor({ self, now, send, linkChanged }: TransportHost, prunes = true) {
    this.#self = self;
    this.#send = send;
    this.#broadcast = broadcastEnvelope(self);
    const tell = (to: PeerKey, payload: Uint8Array): void =>
      void this.unicast(to, "urgent", payload, { durable: false });
    this.links = new LinkStates(
      {
        now,
        sendPrune: (to, id) => tell(to, encodePrune(id)),
        sendGraft: (to, id) => tell(to, encodeGraft(id)),
        changed: linkChanged,
      },
      prunes,
    );
    this.#tree = new BroadcastTree({
      links: this.links,
      now,
      send: (to, lane, payload) => send(to, lane, [this.#broadcast, payload], { durable: false }),
      sendAnnouncement: (to, ids) => tell(to, encodeAnnouncement(ids)),
    });
  }

  get deadline(): number {
    return this.#tree.deadline;
  }
  get sizes(): Readonly<Record<string, number>> {
    const { awaited, kept, keptBytes } = this.#tree;
    return {
      arrivals: this.links.size,
      broadcastsAwaited: awaited,
      broadcastsKept: kept,
      broadcastBytesKept: keptBytes,
    };
  }

  tick(): void {
    this.#tree.tick();
  }

  peerUp(peer: PeerKey): void {
    this.#neighbours.set(peer, {
      to: unicastEnvelope(this.#self, peer),
      from: unicastEnvelope(peer, this.#self),
      broadcastFrom: broadcastEnvelope(peer),
    });
    this.links.up(peer);
  }

  peerDown(peer: PeerKey): void {
    this.#neighbours.delete(peer);
    this.#tree.peerDown(peer);
    this.links.down(peer);
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
    this.#tree.broadcast(lane, payload, except);
  }

  receive(from: PeerKey, frame: Uint8Array): Delivery | "duplicate" | "notForMe" | "taken" | "undecodable" {
    const neighbour = this.#neighbours.get(from);
    if (neighbour !== undefined) {
      // What a correct neighbour sends, known without decoding it.
      if (startsWith(frame, neighbour.from)) return this.#unicastFrom(from, frame.subarray(neighbour.from.length));
      const { broadcastFrom } = neighbour;
      if (startsWith(frame, broadcastFrom)) return this.#received(from, from, frame.subarray(broadcastFrom.length));
    }
    const opened = decodeEnvelope(frame);
    if (opened === undefined) return "undecodable";
    const { envelope, payload } = opened;
    const { source, destinations, broadcast } = envelope;
    if (broadcast) return this.#received(from, source, payload);
    if (!destinations.includes(this.#self)) return "notForMe";
    // Nobody relays unicasts here, so the source is the neighbour that the link authenticated.
    if (source !== from) return "undecodable";
    return { source, payload, broadcast };
  }

  #unicastFrom(from: PeerKey, payload: Uint8Array): Delivery | "taken" | "undecodable" {
    if (!isTreeMessage(payload)) return { source: from, payload, broadcast: false };
    const message = decodeTreeMessage(payload);
    if (message === undefined) return "undecodable";
    this.#tree.receive(from, message);
    return "taken";
  }

  #received(from: PeerKey, source: PeerKey, payload: Uint8Array): Delivery | "duplicate" {
    return this.#tree.received(from, payload) ? { source, payload, broadcast: true } : "duplicate";
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
