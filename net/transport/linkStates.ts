/**
 * The tree of links over which what is for everyone travels (Plumtree: Leitão, Pereira and Rodrigues, "Epidemic
 * Broadcast Trees", 2007). Each end holds a state for its link: what this node passes on goes over its active links
 * whole, and over its backup links as an announcement. Broadcasts and streams of blocks share the states.
 *
 * A copy that comes second, by another active link than the first, prunes its link; what was announced and does not come
 * grafts one. Each end changes its own state and tells the other, so that they differ only while a message is under way
 * or was lost. Both differences mend themselves: who sends over a link that its other end pruned is told again; who only
 * announces over a link that its other end takes for active is grafted.
 */
import type { PeerKey } from "../link/types.ts";

/** `off`: there is no such link. */
export type LinkState = "off" | "backup" | "active";

export interface LinkStatesHost {
  /** Milliseconds, constant within a step. */
  now(): number;
  /** @param id of what came twice */
  sendPrune(to: PeerKey, id: string): void;
  /** @param id of a broadcast that is wanted, too */
  sendGraft(to: PeerKey, id?: string): void;
  /** This node's state of the link is another now. */
  changed(peer: PeerKey): void;
}

/** Ids of which it is known by which link they came first, in each of two generations. */
const GENERATION_MAX = 4_096;
export const ARRIVALS_MAX = 2 * GENERATION_MAX;
/**
 * After a prune what was under way still comes: that it does says nothing of the other end's state. As long as a block
 * takes to cross a slow link, ms.
 */
export const PRUNE_SETTLES_MS = 250;

interface Link {
  state: "backup" | "active";
  /** When this node pruned it last, ms. */
  prunedAt: number;
}

/** Stands for this node where it is the first to have something. */
const OWN = "";

export class LinkStates {
  readonly #host: LinkStatesHost;
  readonly #prunes: boolean;
  readonly #links = new Map<PeerKey, Link>();
  /** When an active link went down last, ms. */
  #brokeAt = Number.NEGATIVE_INFINITY;
  /** By which link came what this node had last, of what shapes the tree: the others carry it on. */
  #source: PeerKey = OWN;
  /** By which link each came first. */
  #arrivals = new Map<string, PeerKey>();
  #arrivalsBefore = new Map<string, PeerKey>();

  /** @param prunes false: all links stay active, which is flooding; for measurements beside it */
  constructor(host: LinkStatesHost, prunes = true) {
    this.#host = host;
    this.#prunes = prunes;
  }

  /** Ids remembered. */
  get size(): number {
    return this.#arrivals.size + this.#arrivalsBefore.size;
  }

  state(peer: PeerKey): LinkState {
    return this.#links.get(peer)?.state ?? "off";
  }
  isActive(peer: PeerKey): boolean {
    return this.#links.get(peer)?.state === "active";
  }
  links(): Iterable<readonly [PeerKey, Readonly<Link>]> {
    return this.#links;
  }

  /** A new link is active: until it is known to be one too many. */
  up(peer: PeerKey): void {
    this.#links.set(peer, { state: "active", prunedAt: Number.NEGATIVE_INFINITY });
  }

  /** Who has lost the link by which all came, or its last active one, does not wait for an announcement to be late. */
  down(peer: PeerKey): void {
    const wasActive = this.isActive(peer);
    this.#links.delete(peer);
    if (!wasActive) return;
    this.#brokeAt = this.#host.now();
    let next: PeerKey | undefined;
    for (const [other, { state }] of this.#links) {
      if (state === "backup") next ??= other;
      else if (peer !== this.#source) return;
    }
    if (next !== undefined) this.graft(next);
  }

  /** By which link something came first, in the two generations that are remembered; "": it is this node's own. */
  firstFrom(id: string): PeerKey | undefined {
    return this.#arrivals.get(id) ?? this.#arrivalsBefore.get(id);
  }

  /** This node is the first to have it. */
  own(id: string): void {
    if (this.firstFrom(id) === undefined) this.#remember(id, OWN);
  }

  /**
   * A whole copy came.
   * @param shapes may a second copy prune? Only of what comes from where blocks come from
   * @returns whether it was the first
   */
  arrived(id: string, from: PeerKey, shapes = true): boolean {
    const first = this.firstFrom(id);
    if (first === undefined) {
      this.#remember(id, from);
      if (shapes) this.#source = from;
    }
    const link = this.#links.get(from);
    if (link === undefined) return first === undefined;
    if (first === undefined) {
      // The other end took it for active, unless this was under way when it was pruned.
      if (link.state === "backup" && !this.#isSettling(link)) this.#set(from, link, "active");
    } else if (shapes && first !== from && this.#isOneTooMany(first)) this.#prune(from, link, id);
    return first === undefined;
  }

  /**
   * Is there a way beside the link that brought a second copy? Not for certain while copies are under way that took a link
   * that is down now: who has just grafted another would lose that, too, and wait for an announcement to be late.
   */
  #isOneTooMany(first: PeerKey): boolean {
    if (!this.#prunes || this.#host.now() < this.#brokeAt + PRUNE_SETTLES_MS) return false;
    return first === OWN || this.isActive(first);
  }

  /** The other end wants announcements only. */
  pruned(from: PeerKey): void {
    const link = this.#links.get(from);
    if (link !== undefined) this.#set(from, link, "backup");
  }

  /** The other end wants everything. */
  grafted(from: PeerKey): void {
    const link = this.#links.get(from);
    if (link === undefined) return;
    link.prunedAt = Number.NEGATIVE_INFINITY;
    this.#set(from, link, "active");
  }

  /** What this peer announced has not come by another link in time. Asked again, too, when it is active already. */
  graft(peer: PeerKey, id?: string): void {
    const link = this.#links.get(peer);
    if (link === undefined) return;
    link.prunedAt = Number.NEGATIVE_INFINITY;
    this.#host.sendGraft(peer, id);
    this.#set(peer, link, "active");
  }

  /** From now on most comes from here: the shortest way is the direct one, and who knows a better one prunes. */
  activateAll(): void {
    for (const [peer, link] of this.#links) this.#set(peer, link, "active");
  }

  #prune(peer: PeerKey, link: Link, id: string): void {
    // Told again only if what still comes was not just under way.
    if (link.state === "backup" && this.#isSettling(link)) return;
    link.prunedAt = this.#host.now();
    this.#host.sendPrune(peer, id);
    this.#set(peer, link, "backup");
  }

  #isSettling({ prunedAt }: Link): boolean {
    return this.#host.now() < prunedAt + PRUNE_SETTLES_MS;
  }

  #set(peer: PeerKey, link: Link, state: "backup" | "active"): void {
    if (link.state === state) return;
    link.state = state;
    this.#host.changed(peer);
  }

  #remember(id: string, from: PeerKey): void {
    if (this.#arrivals.size >= GENERATION_MAX) {
      this.#arrivalsBefore = this.#arrivals;
      this.#arrivals = new Map();
    }
    this.#arrivals.set(id, from);
  }
}
