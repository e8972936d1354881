/**
 * Routes to producers by Babel's feasibility condition (RFC 8966, sections 2.4 and 3.5), so that next hops never make a
 * loop, at no moment and whatever is lost or late.
 *
 * The argument: every node remembers, for each producer, the best (seqno, metric) that it ever told anybody, its feasible
 * distance; and it uses a neighbour's route only if that is strictly better than its own feasible distance. What a
 * neighbour told is at least its own feasible distance. So feasible distances fall strictly along next hops.
 */
import type { PeerKey } from "../link/types.ts";
import {
  HOP_COST_MS,
  HYSTERESIS_MS,
  HYSTERESIS_SHARE,
  INFINITE_METRIC,
  LINK_COST_MAX_MS,
  UNMEASURED_ROUND_TRIP_MS,
} from "./constants.ts";

/** A route to a producer as a node tells it: a seqno that the producer signed, and its own metric. */
export interface Advertised {
  readonly seqno: bigint;
  readonly metric: number;
  /** Of the producer over its seqno. */
  readonly signature: Uint8Array;
}

export interface Route extends Advertised {
  /** Of the whole path, the link to the neighbour included. */
  readonly total: number;
  readonly via: PeerKey;
}

interface Entry extends Advertised {
  readonly expiresAt: number;
}

/** What was told best, of a producer. */
interface Distance {
  readonly seqno: bigint;
  readonly metric: number;
}

export class RouteTable {
  /** What a link costs, by neighbour, ms. */
  readonly #costs = new Map<PeerKey, number>();
  /** By producer and neighbour: at most producers x neighbours. */
  readonly #entries = new Map<PeerKey, Map<PeerKey, Entry>>();
  readonly #selected = new Map<PeerKey, PeerKey>();
  /** Never forgotten while the process lives: there are as many as producers. */
  readonly #sources = new Map<PeerKey, Distance>();

  get neighbours(): IterableIterator<PeerKey> {
    return this.#costs.keys();
  }
  isNeighbour(peer: PeerKey): boolean {
    return this.#costs.has(peer);
  }
  /** Those with a route in use. */
  get producers(): IterableIterator<PeerKey> {
    return this.#selected.keys();
  }
  /** Was a route chosen when that was done last? */
  isSelected(producer: PeerKey): boolean {
    return this.#selected.has(producer);
  }
  /** Routes held, selected or not. */
  get size(): number {
    let size = 0;
    for (const entries of this.#entries.values()) size += entries.size;
    return size;
  }

  neighbourUp(peer: PeerKey): void {
    this.#costs.set(peer, costOf(UNMEASURED_ROUND_TRIP_MS));
  }

  /** @returns producers that had a route over it */
  neighbourDown(peer: PeerKey): PeerKey[] {
    this.#costs.delete(peer);
    return [...this.#entries].filter(([, entries]) => entries.delete(peer)).map(([producer]) => producer);
  }

  /**
   * The link's smoothed round trip was measured.
   * @returns producers whose metric changed; none for a change too small to count
   */
  measured(peer: PeerKey, roundTripMs: number): PeerKey[] {
    const before = this.#costs.get(peer);
    const cost = costOf(roundTripMs);
    if (before === undefined || !isClear(before, cost)) return [];
    this.#costs.set(peer, cost);
    return [...this.#entries].filter(([, entries]) => entries.has(peer)).map(([producer]) => producer);
  }

  /** A neighbour's route; its signature was checked. An infinite metric takes it back. */
  update(peer: PeerKey, producer: PeerKey, advertised: Advertised, expiresAt: number): void {
    if (!this.#costs.has(peer)) return;
    if (advertised.metric >= INFINITE_METRIC) {
      this.#entries.get(producer)?.delete(peer);
      return;
    }
    const entries = this.#entries.get(producer) ?? new Map<PeerKey, Entry>();
    this.#entries.set(producer, entries.set(peer, { ...advertised, expiresAt }));
  }

  /** @returns producers of which a route is too old */
  expire(now: number): PeerKey[] {
    const changed: PeerKey[] = [];
    for (const [producer, entries] of this.#entries) {
      const before = entries.size;
      for (const [peer, { expiresAt }] of entries) if (expiresAt <= now) entries.delete(peer);
      if (entries.size < before) changed.push(producer);
    }
    return changed;
  }

  /** The route in use. */
  route(producer: PeerKey): Route | undefined {
    const via = this.#selected.get(producer);
    return via === undefined ? undefined : this.#routeVia(producer, via);
  }

  /** All routes held, the unfeasible ones included. */
  routes(producer: PeerKey): Route[] {
    const peers = this.#entries.get(producer)?.keys() ?? [];
    return [...peers].map((peer) => this.#routeVia(producer, peer) as Route);
  }

  /**
   * Chooses anew. The one in use stays unless another is clearly better; for the link to the producer itself better will do:
   * a relay is one more that may be late.
   */
  select(producer: PeerKey): Route | undefined {
    const usable = this.routes(producer).filter(
      (route) => route.total < INFINITE_METRIC && this.isFeasible(producer, route),
    );
    const current = usable.find(({ via }) => via === this.#selected.get(producer));
    let best = current;
    for (const route of usable) {
      if (best === undefined) best = route;
      else if (
        best === current && route.via !== producer ? isClearlyBetter(best.total, route.total) : route.total < best.total
      )
        best = route;
    }
    if (best === undefined) this.#selected.delete(producer);
    else this.#selected.set(producer, best.via);
    return best;
  }

  /** RFC 8966, section 3.5.1: strictly better than all that this node ever told. */
  isFeasible(producer: PeerKey, { seqno, metric }: Distance): boolean {
    const source = this.#sources.get(producer);
    return source === undefined || seqno > source.seqno || (seqno === source.seqno && metric < source.metric);
  }

  /** A route is being told to somebody: from now on only better ones are feasible (RFC 8966, section 3.7.3). */
  told(producer: PeerKey, { seqno, metric }: Distance): void {
    if (this.isFeasible(producer, { seqno, metric })) this.#sources.set(producer, { seqno, metric });
  }

  #routeVia(producer: PeerKey, via: PeerKey): Route | undefined {
    const entry = this.#entries.get(producer)?.get(via);
    const cost = this.#costs.get(via);
    if (entry === undefined || cost === undefined) return undefined;
    const { seqno, metric, signature } = entry;
    return { seqno, metric, signature, via, total: Math.min(INFINITE_METRIC, metric + cost) };
  }
}

/** Whole, and more than nothing: along a path metrics have to grow. */
function costOf(roundTripMs: number): number {
  return Math.min(LINK_COST_MAX_MS, HOP_COST_MS + Math.max(0, Math.round(roundTripMs)));
}

/** Is a path of this metric worth a change? */
export function isClearlyBetter(used: number, metric: number): boolean {
  return metric < used && isClear(used, metric);
}

/** More than the trembling of a measurement? */
function isClear(before: number, after: number): boolean {
  return Math.abs(after - before) > Math.max(HYSTERESIS_MS, HYSTERESIS_SHARE * before);
}
