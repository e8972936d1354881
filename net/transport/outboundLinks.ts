/**
 * Whom to dial beside the configured addresses: nodes of the address book, until as many links as wanted were dialed from
 * here. Links that others dial do not count: whoever fills those has no say in where this node connects to. One that gives
 * no link is let go after a while, and another is chosen.
 */
import type { Random } from "../../src/base/random.ts";
import type { PeerKey } from "../link/types.ts";
import type { AddressBook } from "./addressBook.ts";
import { DIAL_PATIENCE_MS } from "./constants.ts";

export interface OutboundHost {
  readonly book: AddressBook;
  readonly random: Random;
  /** Links that this node wants to have dialed, configured ones included. */
  readonly wanted: number;
  now(): number;
  /** Keeps a link to it, by any of these addresses, until it is let go. */
  dial(node: PeerKey, addresses: readonly string[]): void;
  letGo(node: PeerKey, addresses: readonly string[]): void;
}

interface Chosen {
  addresses: readonly string[];
  /** Since when there is no link that lasts, ms. */
  since: number;
}

interface Linked {
  /** This node dialed it. */
  readonly outbound: boolean;
  /** ms */
  readonly since: number;
}

export class OutboundLinks {
  readonly #host: OutboundHost;
  readonly #linked = new Map<PeerKey, Linked>();
  readonly #chosen = new Map<PeerKey, Chosen>();

  constructor(host: OutboundHost) {
    this.#host = host;
  }

  /** Nodes of the book that are dialed or linked for it. */
  get chosen(): number {
    return this.#chosen.size;
  }

  isLinked(node: PeerKey): boolean {
    return this.#linked.has(node);
  }
  isOutbound(node: PeerKey): boolean {
    return this.#linked.get(node)?.outbound === true;
  }

  peerUp(node: PeerKey, outbound: boolean): void {
    this.#linked.set(node, { outbound, since: this.#host.now() });
    // The link is there; when it is not any more, whoever is best then is dialed.
    if (!outbound) this.#letGo(node);
  }

  peerDown(node: PeerKey): void {
    const now = this.#host.now();
    const lived = now - (this.#linked.get(node)?.since ?? now);
    this.#linked.delete(node);
    const chosen = this.#chosen.get(node);
    // Who takes links and drops them is not there, either.
    if (chosen !== undefined && lived >= DIAL_PATIENCE_MS) chosen.since = now;
  }

  /** It told of itself anew: its addresses may be others. */
  changed(node: PeerKey): void {
    const chosen = this.#chosen.get(node);
    const addresses = this.#host.book.addressesOf(node);
    if (chosen === undefined || chosen.addresses.join() === addresses.join()) return;
    this.#host.letGo(node, chosen.addresses);
    chosen.addresses = addresses;
    chosen.since = this.#host.now();
    this.#host.dial(node, addresses);
  }

  choose(): void {
    const { book, wanted } = this.#host;
    const now = this.#host.now();
    for (const [node, { since }] of this.#chosen) {
      if (this.isLinked(node) || now < since + DIAL_PATIENCE_MS) continue;
      this.#letGo(node);
      book.failed(node);
    }
    let missing = wanted - this.#outbound() - this.#waiting();
    const proven: PeerKey[] = [];
    const others: PeerKey[] = [];
    if (missing <= 0) return;
    for (const { node, isProven } of book.candidates())
      if (!this.isLinked(node) && !this.#chosen.has(node)) (isProven ? proven : others).push(node);
    for (let turn = this.#host.random.below(2); missing > 0 && proven.length + others.length > 0; turn++) {
      // By turns: only proven ones would keep a node where it is, only others would give it to whoever tells most.
      const [first, second] = turn % 2 === 0 ? [proven, others] : [others, proven];
      this.#dial(this.#take(first.length > 0 ? first : second));
      missing--;
    }
  }

  #dial(node: PeerKey): void {
    const addresses = this.#host.book.addressesOf(node);
    this.#chosen.set(node, { addresses, since: this.#host.now() });
    this.#host.dial(node, addresses);
  }

  #letGo(node: PeerKey): void {
    const chosen = this.#chosen.get(node);
    if (chosen === undefined) return;
    this.#chosen.delete(node);
    this.#host.letGo(node, chosen.addresses);
  }

  #take(nodes: PeerKey[]): PeerKey {
    const [node] = nodes.splice(this.#host.random.below(nodes.length), 1);
    return node as PeerKey;
  }

  #outbound(): number {
    let count = 0;
    for (const { outbound } of this.#linked.values()) if (outbound) count++;
    return count;
  }

  #waiting(): number {
    let count = 0;
    for (const node of this.#chosen.keys()) if (!this.isLinked(node)) count++;
    return count;
  }
}
