/**
 * The routing protocol: what a node tells its neighbours of its routes, when, and what it asks (RFC 8966, section 3.7 and
 * 3.8, over links that know when they break). The rules of use are the table's (`routeTable.ts`).
 *
 * A producer signs its seqno, which is its start time in ms << 16, and counts up when asked for a newer one: a node that
 * has lost its last feasible route asks, and shows the seqno that it knows. So a producer whose clock was set back still
 * gets ahead of what it signed before, and nobody can make it jump.
 */
import type { PeerKey } from "../link/types.ts";
import {
  HOLD_MS,
  HOPS_MAX,
  REQUEST_AGAIN_MAX_MS,
  ROUTE_EXPIRY_MS,
  ROUTE_REQUESTS_MAX,
  SEQNO_REQUEST_EVERY_MS,
  TELL_MS,
  TELL_SHARE,
  UPDATE_EVERY_MS,
} from "./constants.ts";
import {
  encodeRouteRequest,
  encodeRouteUpdates,
  UPDATES_MAX,
  encodeSeqno,
  encodeSeqnoRequest,
  type RouteUpdate,
  type RoutingMessage,
  type SeqnoRequest,
  type SignedSeqno,
} from "./routeMessages.ts";
import { isClearlyBetter, type Route, RouteTable } from "./routeTable.ts";

export interface RoutingHost {
  readonly self: PeerKey;
  /** Milliseconds, constant within a step. */
  now(): number;
  /** To which nodes are there routes at all: producers that are active, next or recent. */
  isDestination(key: PeerKey): boolean;
  /** Signs an encoded seqno of this node. */
  signSeqno(seqno: Uint8Array): Uint8Array;
  /** To a neighbour, on the urgent lane. */
  send(to: PeerKey, payload: Uint8Array): void;
  /** The last route to it is gone, for another reason than that its own link broke. */
  lost(producer: PeerKey): void;
}

/** A producer without a feasible route: asked for until there is one, or nobody knows of it. */
interface Want {
  at: number;
  intervalMs: number;
  asked: number;
}

/** A seqno request that waits for its turn. */
interface Waiting {
  request: SeqnoRequest;
  /** Who sent it; undefined: this node wants it. */
  from: PeerKey | undefined;
}

/** What neighbours were told last; `until`: of a retraction, which is told again for a while. */
type Told = { readonly seqno: bigint; readonly metric: number } | { readonly until: number };

export class Routing {
  readonly #host: RoutingHost;
  readonly #table = new RouteTable();
  #isProducer = false;
  #own: SignedSeqno | undefined;
  /** The newest seqno of each producer whose signature was checked. */
  readonly #proven = new Map<PeerKey, SignedSeqno>();
  readonly #told = new Map<PeerKey, Told>();
  /** To be told to all neighbours at the end of this step. */
  readonly #changed = new Set<PeerKey>();
  /** To be told to one neighbour. */
  readonly #answers = new Map<PeerKey, Set<PeerKey>>();
  readonly #wants = new Map<PeerKey, Want>();
  readonly #waiting = new Map<PeerKey, Waiting>();
  /** When the last seqno request of a producer left, or one's own seqno was raised. */
  readonly #requestedAt = new Map<PeerKey, number>();
  #tellAllAt: number;

  constructor(host: RoutingHost) {
    this.#host = host;
    this.producersChanged();
    this.#changed.clear(); // there is nobody to tell
    this.#tellAllAt = host.now() + UPDATE_EVERY_MS;
  }

  /** There are other destinations: what was known of those that are none any more is forgotten, routes run out. */
  producersChanged(): void {
    const { self } = this.#host;
    const isProducer = this.#host.isDestination(self);
    if (isProducer && !this.#isProducer) {
      const start = BigInt(Math.max(0, Math.floor(this.#host.now()))) << 16n;
      this.#renew(this.#own !== undefined && this.#own.seqno >= start ? this.#own.seqno + 1n : start);
    }
    this.#isProducer = isProducer;
    // Told again with every change: a neighbour that was behind with an earlier one has not taken it in.
    if (isProducer) this.#changed.add(self);
    for (const known of [this.#proven, this.#told, this.#wants, this.#waiting, this.#requestedAt]) {
      for (const key of known.keys()) if (key !== self && !this.#host.isDestination(key)) known.delete(key);
    }
  }

  get deadline(): number {
    if (this.#table.neighbours.next().done === true) return Number.POSITIVE_INFINITY;
    let at = this.#tellAllAt;
    for (const want of this.#wants.values()) at = Math.min(at, want.at);
    for (const producer of this.#waiting.keys()) at = Math.min(at, this.#turnOf(producer));
    return at;
  }

  /** Routes held; requests that wait. At most producers x neighbours; producers. */
  get sizes(): { readonly routes: number; readonly seqnoRequests: number } {
    return { routes: this.#table.size, seqnoRequests: this.#waiting.size };
  }

  isNeighbour(peer: PeerKey): boolean {
    return this.#table.isNeighbour(peer);
  }

  /** The neighbour by which a message gets nearer to `destination`; undefined: no way is known. */
  nextHop(destination: PeerKey): PeerKey | undefined {
    return this.#table.route(destination)?.via ?? (this.#table.isNeighbour(destination) ? destination : undefined);
  }

  route(producer: PeerKey): Route | undefined {
    return this.#table.route(producer);
  }
  /** For people: all routes held to a producer, and which of them might be used. */
  candidates(producer: PeerKey): { readonly route: Route; readonly isFeasible: boolean }[] {
    return this.#table
      .routes(producer)
      .map((route) => ({ route, isFeasible: this.#table.isFeasible(producer, route) }));
  }

  // Neighbours

  peerUp(peer: PeerKey): void {
    this.#table.neighbourUp(peer);
    const all = new Set(this.#table.producers);
    if (this.#isProducer) all.add(this.#host.self);
    this.#answers.set(peer, all);
  }

  peerDown(peer: PeerKey): void {
    this.#answers.delete(peer);
    for (const producer of this.#table.neighbourDown(peer)) this.#choose(producer, peer);
  }

  measured(peer: PeerKey, roundTripMs: number): void {
    for (const producer of this.#table.measured(peer, roundTripMs)) this.#choose(producer);
  }

  // Messages

  /** What of a message has to be checked before it is believed: signatures that were not checked before. */
  unproven(message: RoutingMessage): SignedSeqno[] {
    if (message.kind === "routeRequest") return [];
    const seqnos =
      message.kind === "seqnoRequest" ? [message.request] : message.updates.flatMap(({ route }) => route ?? []);
    return seqnos.filter((seqno) => this.#isOfUse(seqno) && !this.#isProven(seqno));
  }

  /** A neighbour's message, its signatures checked. */
  receive(from: PeerKey, message: RoutingMessage): void {
    if (!this.#table.isNeighbour(from)) return;
    switch (message.kind) {
      case "updates":
        for (const update of message.updates) this.#updated(from, update);
        return;
      case "routeRequest":
        return this.#asked(from, message.producer);
      case "seqnoRequest":
        return this.#seqnoAsked(from, message.request);
    }
  }

  #updated(from: PeerKey, { producer, route }: RouteUpdate): void {
    if (producer === this.#host.self || !this.#host.isDestination(producer)) return;
    if (route !== undefined) this.#prove(route);
    const advertised = route ?? NO_ROUTE;
    this.#table.update(from, producer, advertised, this.#host.now() + ROUTE_EXPIRY_MS);
    this.#choose(producer);
  }

  #asked(from: PeerKey, producer: PeerKey | undefined): void {
    const answers = this.#answers.get(from) ?? new Set();
    this.#answers.set(from, answers);
    const asked = producer === undefined ? [...this.#table.producers, this.#host.self] : [producer];
    for (const each of asked) if (this.#host.isDestination(each)) answers.add(each);
  }

  /** RFC 8966, section 3.8.1.2. */
  #seqnoAsked(from: PeerKey, request: SeqnoRequest): void {
    const { producer, seqno } = request;
    if (!this.#host.isDestination(producer)) return;
    if (producer !== this.#host.self) this.#prove(request);
    const newest = producer === this.#host.self ? this.#own?.seqno : this.#table.route(producer)?.seqno;
    if (newest !== undefined && newest > seqno) this.#asked(from, producer);
    else if (producer === this.#host.self || request.hops > 1) {
      this.#enqueue({ request: { ...request, hops: request.hops - 1 }, from });
    }
  }

  // Time

  tick(): void {
    const now = this.#host.now();
    for (const producer of this.#table.expire(now)) this.#choose(producer);
    if (now >= this.#tellAllAt) this.#tellAll(now);
    for (const [producer, want] of this.#wants) if (want.at <= now) this.#ask(producer, want);
  }

  /** At the end of every step: tells what changed. */
  finish(): void {
    // A block of another branch, or one that was restored, may make this node a producer.
    if (this.#host.isDestination(this.#host.self) !== this.#isProducer) this.producersChanged();
    for (const [producer, waiting] of this.#waiting) {
      if (this.#turnOf(producer) > this.#host.now()) continue;
      this.#waiting.delete(producer);
      this.#pass(waiting);
    }
    if (this.#changed.size > 0) {
      for (const peer of this.#table.neighbours) this.#tell(peer, this.#changed);
      this.#changed.clear();
    }
    for (const [peer, producers] of this.#answers) this.#tell(peer, producers);
    this.#answers.clear();
  }

  #tellAll(now: number): void {
    this.#tellAllAt = now + UPDATE_EVERY_MS;
    if (this.#isProducer) this.#changed.add(this.#host.self);
    for (const [producer, told] of this.#told) {
      if ("until" in told && told.until <= now) this.#told.delete(producer);
      else this.#changed.add(producer);
    }
  }

  // Choosing and telling

  /** @param broken whose link has just broken */
  #choose(producer: PeerKey, broken?: PeerKey): void {
    const hadRoute = this.#table.isSelected(producer);
    const after = this.#table.select(producer);
    if (after === undefined) {
      if (hadRoute) {
        this.#changed.add(producer);
        if (producer !== broken) this.#host.lost(producer);
      }
      if ((hadRoute || this.#table.routes(producer).length > 0) && !this.#wants.has(producer))
        this.#ask(producer, { at: 0, intervalMs: SEQNO_REQUEST_EVERY_MS, asked: 0 });
      return;
    }
    this.#wants.delete(producer);
    const told = this.#told.get(producer);
    if (told === undefined || "until" in told || after.seqno > told.seqno || isNews(told.metric, after.total))
      this.#changed.add(producer);
    this.#askForBetter(producer, after);
  }

  /** A route that would be clearly better and is not feasible becomes so with a newer seqno (RFC 8966, section 3.8.2.2). */
  #askForBetter(producer: PeerKey, used: Route): void {
    const known = this.#proven.get(producer);
    if (known === undefined || known.seqno > used.seqno) return;
    const isBetter = this.#table
      .routes(producer)
      .some((route) => isClearlyBetter(used.total, route.total) && !this.#table.isFeasible(producer, route));
    if (isBetter) this.#enqueue({ request: { ...known, hops: HOPS_MAX }, from: undefined });
  }

  /** Every route that is told raises what this node will use (the table's `told`), before it leaves. */
  #tell(peer: PeerKey, producers: Iterable<PeerKey>): void {
    const updates: RouteUpdate[] = [];
    for (const producer of producers) if (producer !== peer) updates.push(this.#updateOf(producer));
    for (let at = 0; at < updates.length; at += UPDATES_MAX)
      this.#host.send(peer, encodeRouteUpdates(updates.slice(at, at + UPDATES_MAX)));
  }

  #updateOf(producer: PeerKey): RouteUpdate {
    if (producer === this.#host.self && this.#own !== undefined)
      return { producer, route: { ...this.#own, metric: 0 } };
    const route = this.#table.route(producer);
    if (route === undefined) {
      const told = this.#told.get(producer);
      if (told !== undefined && !("until" in told)) this.#told.set(producer, { until: this.#host.now() + HOLD_MS });
      return { producer, route: undefined };
    }
    const { seqno, signature, total: metric } = route;
    this.#table.told(producer, { seqno, metric });
    this.#told.set(producer, { seqno, metric });
    return { producer, route: { producer, seqno, signature, metric } };
  }

  // Asking

  /** For a newer seqno where there are routes that are not feasible, else for any route. */
  #ask(producer: PeerKey, want: Want): void {
    const now = this.#host.now();
    const unfeasible = this.#table.routes(producer);
    const known = this.#proven.get(producer);
    if (unfeasible.length > 0 && known !== undefined) {
      this.#enqueue({ request: { ...known, hops: HOPS_MAX }, from: undefined });
    } else if (want.asked < ROUTE_REQUESTS_MAX) {
      want.asked++;
      for (const peer of this.#table.neighbours) this.#host.send(peer, encodeRouteRequest(producer));
    } else {
      // Whoever learns of a route tells it.
      this.#wants.delete(producer);
      return;
    }
    want.at = now + want.intervalMs;
    want.intervalMs = Math.min(REQUEST_AGAIN_MAX_MS, want.intervalMs * 2);
    this.#wants.set(producer, want);
  }

  /** One of each producer waits, the newest. */
  #enqueue(waiting: Waiting): void {
    const { producer, seqno } = waiting.request;
    const present = this.#waiting.get(producer);
    if (present === undefined || present.request.seqno <= seqno) this.#waiting.set(producer, waiting);
  }

  #turnOf(producer: PeerKey): number {
    return (this.#requestedAt.get(producer) ?? Number.NEGATIVE_INFINITY) + SEQNO_REQUEST_EVERY_MS;
  }

  #pass({ request, from }: Waiting): void {
    const { producer, seqno } = request;
    const now = this.#host.now();
    if (producer === this.#host.self) {
      // Another request may have been served while this one waited.
      if (this.#own === undefined || this.#own.seqno > seqno) return;
      this.#requestedAt.set(producer, now);
      this.#renew(seqno + 1n);
      this.#changed.add(producer);
      return;
    }
    const to = this.#towards(producer, from);
    if (to.length > 0) this.#requestedAt.set(producer, now);
    for (const peer of to) this.#host.send(peer, encodeSeqnoRequest(request));
  }

  /** One's own request goes to all who know a way; another's along one, and not back. */
  #towards(producer: PeerKey, from: PeerKey | undefined): PeerKey[] {
    if (this.#table.isNeighbour(producer)) return [producer];
    const vias = this.#table.routes(producer).map(({ via }) => via);
    if (from === undefined) return vias;
    const best = this.#table.route(producer)?.via;
    const to = best !== undefined && best !== from ? best : vias.find((via) => via !== from);
    return to === undefined ? [] : [to];
  }

  // Seqnos

  #renew(seqno: bigint): void {
    const producer = this.#host.self;
    this.#own = { producer, seqno, signature: this.#host.signSeqno(encodeSeqno(seqno)) };
  }

  /** Others are not taken in: their signatures are not worth a check. */
  #isOfUse({ producer, seqno }: SignedSeqno): boolean {
    if (producer !== this.#host.self) return this.#host.isDestination(producer);
    return this.#own !== undefined && seqno >= this.#own.seqno;
  }

  #isProven({ producer, seqno, signature }: SignedSeqno): boolean {
    const proven = producer === this.#host.self ? this.#own : this.#proven.get(producer);
    return proven !== undefined && proven.seqno === seqno && isSame(proven.signature, signature);
  }

  #prove({ producer, seqno, signature }: SignedSeqno): void {
    const proven = this.#proven.get(producer);
    if (proven === undefined || proven.seqno < seqno) this.#proven.set(producer, { producer, seqno, signature });
  }
}

const NO_ROUTE = { seqno: 0n, metric: Number.POSITIVE_INFINITY, signature: new Uint8Array(0) };

function isNews(told: number, metric: number): boolean {
  return Math.abs(metric - told) > Math.max(TELL_MS, TELL_SHARE * told);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
