/**
 * Unicast and multicast along routes, through followers and other producers; broadcast over the tree of links. Where
 * everybody is everybody's neighbour, each message crosses one link.
 */
import type { Lane, PeerKey } from "../link/types.ts";
import { BroadcastTree } from "./broadcastTree.ts";
import { HOPS_MAX } from "./constants.ts";
import { decodeEnvelope, envelopePrefix } from "./envelope.ts";
import { LinkStates } from "./linkStates.ts";
import { ReturnPaths } from "./returnPaths.ts";
import type { RoutingMessage, SignedSeqno } from "./routeMessages.ts";
import { Routing, type RoutingHost } from "./routing.ts";
import { decodeTreeMessage, encodeAnnouncement, encodeGraft, encodePrune, isTreeMessage } from "./treeMessages.ts";
import type { Delivery, RouteView, SendFrame, SendOptions, Transport } from "./types.ts";

export interface TransportHost extends Omit<RoutingHost, "send"> {
  readonly send: SendFrame;
  /** Who promises the shortest way may drop what comes: where there is a link to the destination itself, it is used. */
  readonly relaysMayLie: boolean;
  /** This node's state of the link is another now. */
  readonly linkChanged: (peer: PeerKey) => void;
  /** Does this broadcast come from where blocks come from? Others do not prune. */
  readonly shapesTree: (payload: Uint8Array) => boolean;
  /** A neighbour asks for what costs more than its question: is it within its rate? */
  readonly admits: (from: PeerKey) => boolean;
}

/** All envelopes there are between two neighbours, encoded: nothing in them changes from message to message. */
interface Neighbour {
  readonly to: Uint8Array;
  readonly from: Uint8Array;
  readonly broadcastFrom: Uint8Array;
}

const NOBODY: readonly PeerKey[] = [];

export class RoutedTransport implements Transport {
  readonly links: LinkStates;
  readonly #host: TransportHost;
  readonly #routing: Routing;
  readonly #neighbours = new Map<PeerKey, Neighbour>();
  readonly #returnPaths = new ReturnPaths();
  readonly #broadcast: Uint8Array;
  readonly #tree: BroadcastTree;

  /** @param prunes false: broadcasts are flooded; for measurements beside the tree */
  constructor(host: TransportHost, prunes = true) {
    this.#host = host;
    this.#broadcast = broadcastEnvelope(host.self);
    const now = (): number => host.now();
    const tell = (to: PeerKey, payload: Uint8Array): void => this.toNeighbour(to, "urgent", payload);
    this.links = new LinkStates(
      {
        now,
        sendPrune: (to, id) => tell(to, encodePrune(id)),
        sendGraft: (to, id) => tell(to, encodeGraft(id)),
        changed: (peer) => host.linkChanged(peer),
      },
      prunes,
    );
    this.#tree = new BroadcastTree({
      links: this.links,
      now,
      shapes: host.shapesTree,
      send: (to, lane, payload) => host.send(to, lane, [this.#broadcast, payload], { durable: false }),
      sendAnnouncement: (to, ids) => tell(to, encodeAnnouncement(ids)),
      admits: (from) => host.admits(from),
    });
    this.#routing = new Routing({
      self: host.self,
      now,
      isDestination: (key) => host.isDestination(key),
      signSeqno: (seqno) => host.signSeqno(seqno),
      lost: (producer) => host.lost(producer),
      send: tell,
    });
  }

  get deadline(): number {
    return Math.min(this.#routing.deadline, this.#tree.deadline);
  }
  get sizes(): Readonly<Record<string, number>> {
    const { awaited, kept, keptBytes } = this.#tree;
    return {
      ...this.#routing.sizes,
      returnPaths: this.#returnPaths.size,
      arrivals: this.links.size,
      broadcastsAwaited: awaited,
      broadcastsKept: kept,
      broadcastBytesKept: keptBytes,
    };
  }

  peerUp(peer: PeerKey): void {
    this.#neighbours.set(peer, {
      to: unicastEnvelope(this.#host.self, peer),
      from: unicastEnvelope(peer, this.#host.self),
      broadcastFrom: broadcastEnvelope(peer),
    });
    this.links.up(peer);
    this.#routing.peerUp(peer);
  }

  peerDown(peer: PeerKey): void {
    this.#neighbours.delete(peer);
    this.#tree.peerDown(peer);
    this.links.down(peer);
    this.#returnPaths.peerDown(peer);
    this.#routing.peerDown(peer);
  }

  measured(peer: PeerKey, roundTripMs: number): void {
    this.#routing.measured(peer, roundTripMs);
  }

  tick(): void {
    this.#routing.tick();
    this.#tree.tick();
  }

  finish(): void {
    this.#routing.finish();
  }

  reaches(destination: PeerKey): boolean {
    return this.#nextHop(destination) !== undefined;
  }

  unicast(destination: PeerKey, lane: Lane, payload: Uint8Array, options: SendOptions): boolean {
    const via = this.#nextHop(destination);
    if (via === undefined) return false;
    const neighbour = via === destination ? this.#neighbours.get(via) : undefined;
    const envelope = neighbour?.to ?? this.#envelope([destination]);
    this.#host.send(via, lane, [envelope, payload], options);
    return true;
  }

  toNeighbour(peer: PeerKey, lane: Lane, payload: Uint8Array): void {
    const neighbour = this.#neighbours.get(peer);
    if (neighbour !== undefined) this.#host.send(peer, lane, [neighbour.to, payload], { durable: false });
  }

  multicast(destinations: readonly PeerKey[], lane: Lane, payload: Uint8Array, options: SendOptions): void {
    for (const [via, those] of this.#byNextHop(destinations)) {
      const only = those.length === 1 && those[0] === via ? this.#neighbours.get(via) : undefined;
      this.#host.send(via, lane, [only?.to ?? this.#envelope(those), payload], options);
    }
  }

  forward({ source, payload, onward, ttl }: Delivery, lane: Lane): void {
    for (const [via, destinations] of this.#byNextHop(onward)) {
      const envelope = envelopePrefix({ source, destinations, ttl, broadcast: false });
      this.#host.send(via, lane, [envelope, payload], { durable: false });
    }
  }

  broadcast(lane: Lane, payload: Uint8Array, except?: PeerKey): void {
    this.#tree.broadcast(lane, payload, except);
  }

  receive(from: PeerKey, frame: Uint8Array): Delivery | "duplicate" | "taken" | "undecodable" {
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
    const { source, destinations, broadcast, ttl } = envelope;
    if (broadcast) return this.#received(from, source, payload);
    if (ttl < 1 || ttl > HOPS_MAX) return "undecodable";
    const { self } = this.#host;
    if (source !== from && source !== self && !this.#host.isDestination(source))
      this.#returnPaths.heard(source, from, this.#host.now());
    const onward = ttl > 1 ? [...new Set(destinations)].filter((key) => key !== self) : NOBODY;
    return { source, payload, broadcast: false, isMine: destinations.includes(self), onward, ttl: ttl - 1 };
  }

  producersChanged(): void {
    this.#routing.producersChanged();
  }

  unproven(message: RoutingMessage): readonly SignedSeqno[] {
    return this.#routing.unproven(message);
  }

  receiveRouting(from: PeerKey, message: RoutingMessage): void {
    this.#routing.receive(from, message);
  }

  routes(producers: readonly PeerKey[]): RouteView[] {
    return producers
      .filter((producer) => producer !== this.#host.self)
      .map((producer) => {
        const route = this.#routing.route(producer);
        const candidates = this.#routing.candidates(producer);
        return {
          producer,
          via: this.#nextHop(producer),
          metric: route?.total,
          seqno: route?.seqno,
          candidates: candidates.map((each) => ({
            via: each.route.via,
            metric: each.route.total,
            isFeasible: each.isFeasible,
          })),
        };
      });
  }

  /** Who has become a producer, or is none any more, has one kind of way at a time: mixed they may make a loop. */
  #nextHop(destination: PeerKey): PeerKey | undefined {
    const isNeighbour = this.#neighbours.has(destination);
    if (this.#host.relaysMayLie && isNeighbour) return destination;
    if (this.#host.isDestination(destination)) return this.#routing.nextHop(destination);
    return isNeighbour ? destination : this.#returnPaths.to(destination, this.#host.now());
  }

  /** Destinations that no way is known to are left out. */
  #byNextHop(destinations: readonly PeerKey[]): Map<PeerKey, PeerKey[]> {
    const byHop = new Map<PeerKey, PeerKey[]>();
    for (const destination of destinations) {
      const via = destination === this.#host.self ? undefined : this.#nextHop(destination);
      if (via === undefined) continue;
      const those = byHop.get(via);
      if (those === undefined) byHop.set(via, [destination]);
      else those.push(destination);
    }
    return byHop;
  }

  #envelope(destinations: readonly PeerKey[]): Uint8Array {
    return envelopePrefix({ source: this.#host.self, destinations, ttl: HOPS_MAX, broadcast: false });
  }

  #unicastFrom(from: PeerKey, payload: Uint8Array): Delivery | "taken" | "undecodable" {
    if (!isTreeMessage(payload)) return toMe(from, payload, false);
    const message = decodeTreeMessage(payload);
    if (message === undefined) return "undecodable";
    this.#tree.receive(from, message);
    return "taken";
  }

  #received(from: PeerKey, source: PeerKey, payload: Uint8Array): Delivery | "duplicate" {
    return this.#tree.received(from, payload) ? toMe(source, payload, true) : "duplicate";
  }
}

function toMe(source: PeerKey, payload: Uint8Array, broadcast: boolean): Delivery {
  return { source, payload, broadcast, isMine: true, onward: NOBODY, ttl: 0 };
}

function unicastEnvelope(source: PeerKey, destination: PeerKey): Uint8Array {
  return envelopePrefix({ source, destinations: [destination], ttl: 1, broadcast: false });
}

function broadcastEnvelope(source: PeerKey): Uint8Array {
  return envelopePrefix({ source, destinations: [], ttl: HOPS_MAX, broadcast: true });
}

/** Whether the frame is this envelope and a payload that is not empty. */
function startsWith(frame: Uint8Array, envelope: Uint8Array): boolean {
  if (frame.length <= envelope.length) return false;
  for (let i = 0; i < envelope.length; i++) if (frame[i] !== envelope[i]) return false;
  return true;
}
