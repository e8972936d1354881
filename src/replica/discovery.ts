/**
 * How a node that is given one address finds the rest (docs/protocol.md, section 1, "Discovery"): each node signs where it
 * can be reached and tells its neighbours, who pass on some of what they know. What is believed, kept and dialed is in
 * `net/transport`; here is when it is told, and what it costs to listen.
 */
import type { PeerKey } from "../base/key.ts";
import type { Random } from "../base/random.ts";
import { AddressBook, type KeptAddresses } from "../../net/transport/addressBook.ts";
import {
  type AddressRecord,
  ADDRESSES_MAX,
  makeAddressRecord,
  RECORDS_MAX,
} from "../../net/transport/addressMessages.ts";
import { type AddressScope, isWithin, scopeOf } from "../../net/transport/addressScope.ts";
import { ADDRESSES_AHEAD_MS, ADDRESSES_RENEWED_MS, DIALS_EVERY_MS } from "../../net/transport/constants.ts";
import { OutboundLinks } from "../../net/transport/outboundLinks.ts";
import {
  ADDRESSES_KEPT_EVERY_MS,
  ADDRESSES_TOLD_EVERY_MS,
  RECORDS_A_SECOND,
  RECORDS_AT_ONCE,
  RECORDS_NOW_AND_THEN,
  TOLD_OF_NEWCOMER,
} from "./constants.ts";

export interface DiscoveryHost {
  readonly self: PeerKey;
  readonly random: Random;
  /** Links to dial, configured ones included. */
  readonly outboundPeers: number;
  now(): number;
  isProducer(node: PeerKey): boolean;
  /** Signs the content of this node's own record. */
  sign(content: Uint8Array): Uint8Array;
  tell(peer: PeerKey, records: readonly AddressRecord[]): void;
  dial(node: PeerKey, addresses: readonly string[]): void;
  letGo(node: PeerKey, addresses: readonly string[]): void;
  /** To be there after a restart. */
  keep(addresses: readonly KeptAddresses[]): void;
}

interface Neighbour {
  readonly scope: AddressScope;
  /** Records of it that are looked at. */
  left: number;
  at: number;
  /** Was what it says of itself passed on at once? */
  isIntroduced: boolean;
}

export class Discovery {
  readonly #host: DiscoveryHost;
  readonly #book: AddressBook;
  readonly #outbound: OutboundLinks;
  readonly #neighbours = new Map<PeerKey, Neighbour>();
  #own: AddressRecord | undefined;
  /** Since when the book is other than what is kept, ms. */
  #changedAt: number | undefined;
  #keptAt = Number.NEGATIVE_INFINITY;
  #choosesAt: number;
  #tellsAt: number;

  constructor(host: DiscoveryHost, kept: readonly KeptAddresses[]) {
    this.#host = host;
    const now = host.now();
    const isProtected = (node: PeerKey): boolean => host.isProducer(node) || this.#outbound.isLinked(node);
    this.#book = new AddressBook({ self: host.self, now: () => host.now(), isProtected }, kept);
    this.#outbound = new OutboundLinks({
      book: this.#book,
      random: host.random,
      wanted: host.outboundPeers,
      now: () => host.now(),
      dial: (node, addresses) => host.dial(node, addresses),
      letGo: (node, addresses) => host.letGo(node, addresses),
    });
    // Configured addresses first: most of the book is linked by then.
    this.#choosesAt = now + DIALS_EVERY_MS;
    this.#tellsAt = now + ADDRESSES_TOLD_EVERY_MS;
  }

  get sizes(): Readonly<Record<string, number>> {
    return { addressBook: this.#book.size, addressesDialed: this.#outbound.chosen };
  }

  /** ms; Infinity: this node tells no addresses, and knows none. */
  get deadline(): number {
    if (this.#own === undefined && this.#book.size === 0) return Number.POSITIVE_INFINITY;
    const keepsAt = this.#changedAt === undefined ? this.#tellsAt : this.#keepsAt();
    return Math.min(this.#choosesAt, this.#tellsAt, keepsAt);
  }

  /** Where this node can be reached: it says so under its signature. */
  listening(addresses: readonly string[]): void {
    const told = addresses.filter((address) => scopeOf(address) !== undefined).slice(0, ADDRESSES_MAX);
    if (told.length === 0) return;
    this.#announce(told, 0);
  }

  /** @param scope from where the peer is reached @param outbound whether this node dialed it */
  peerUp(peer: PeerKey, scope: AddressScope, outbound: boolean): void {
    this.#neighbours.set(peer, { scope, left: RECORDS_AT_ONCE, at: this.#host.now(), isIntroduced: false });
    this.#outbound.peerUp(peer, outbound);
    if (outbound) this.#proven(peer);
    this.#tell(peer, scope, this.#sample(peer, scope, RECORDS_MAX - 1));
  }

  peerDown(peer: PeerKey): void {
    this.#neighbours.delete(peer);
    this.#outbound.peerDown(peer);
  }

  /** Of what a neighbour tells: the records worth their signatures' check. */
  worthChecking(from: PeerKey, records: readonly AddressRecord[]): AddressRecord[] {
    const neighbour = this.#neighbours.get(from);
    if (neighbour === undefined) return [];
    const now = this.#host.now();
    neighbour.left = Math.min(RECORDS_AT_ONCE, neighbour.left + ((now - neighbour.at) * RECORDS_A_SECOND) / 1000);
    neighbour.at = now;
    const worth: AddressRecord[] = [];
    for (const record of records) {
      if (!this.#isOwnFromBefore(record) && !this.#book.isNews(record, neighbour.scope)) continue;
      if (neighbour.left < 1) break;
      neighbour.left--;
      worth.push(record);
    }
    return worth;
  }

  /** Their signatures are valid. */
  receive(from: PeerKey, records: readonly AddressRecord[]): void {
    const neighbour = this.#neighbours.get(from);
    if (neighbour === undefined) return;
    for (const record of records) {
      if (this.#isOwnFromBefore(record)) this.#announce((this.#own as AddressRecord).addresses, record.sequence);
      else if (this.#book.learn(record, from, neighbour.scope)) this.#learned(record, from, neighbour);
    }
  }

  tick(): void {
    const now = this.#host.now();
    if (this.#own !== undefined && now >= this.#own.sequence + ADDRESSES_RENEWED_MS)
      this.#announce(this.#own.addresses, 0);
    if (now >= this.#choosesAt) {
      this.#choosesAt = now + DIALS_EVERY_MS;
      this.#outbound.choose();
    }
    if (now >= this.#tellsAt) {
      this.#tellsAt = now + ADDRESSES_TOLD_EVERY_MS * (0.5 + this.#host.random.next());
      this.#tellSomebody();
    }
    if (this.#changedAt !== undefined && now >= this.#keepsAt()) this.keep();
  }

  /** What is known goes to disk, if it is another than was there. */
  keep(): void {
    if (this.#changedAt === undefined) return;
    this.#changedAt = undefined;
    this.#keptAt = this.#host.now();
    this.#host.keep(this.#book.kept());
  }

  #learned(record: AddressRecord, from: PeerKey, neighbour: Neighbour): void {
    this.#changedAt ??= this.#host.now();
    this.#outbound.changed(record.node);
    if (this.#outbound.isOutbound(record.node)) this.#proven(record.node);
    if (record.node !== from) return;
    // Who comes at the same time as others hears of them, and they of it, without waiting for the next round.
    if (neighbour.isIntroduced) return;
    neighbour.isIntroduced = true;
    for (const [peer, scope] of this.#someNeighbours(TOLD_OF_NEWCOMER, from))
      if (record.addresses.some((address) => isTellable(address, scope))) this.#host.tell(peer, [record]);
  }

  #proven(node: PeerKey): void {
    this.#book.linked(node);
    this.#changedAt ??= this.#host.now();
  }

  /** This node's own, newer than what it signed itself: of a life before, when the clock was ahead. */
  #isOwnFromBefore({ node, sequence }: AddressRecord): boolean {
    if (node !== this.#host.self || this.#own === undefined) return false;
    return sequence > this.#own.sequence && sequence <= this.#host.now() + ADDRESSES_AHEAD_MS;
  }

  /** Signs where this node is, newer than `above`, and says so. */
  #announce(addresses: readonly string[], above: number): void {
    const sequence = Math.max(Math.floor(this.#host.now()), (this.#own?.sequence ?? 0) + 1, above + 1);
    this.#own = makeAddressRecord(this.#host.self, sequence, addresses, (content) => this.#host.sign(content));
    for (const [peer, { scope }] of this.#neighbours) this.#tell(peer, scope, []);
  }

  #tellSomebody(): void {
    for (const [peer, scope] of this.#someNeighbours(1))
      this.#tell(peer, scope, this.#sample(peer, scope, RECORDS_NOW_AND_THEN - 1));
  }

  /** What is known, after what this node says of itself. */
  #tell(peer: PeerKey, scope: AddressScope, others: readonly AddressRecord[]): void {
    const own = this.#own?.addresses.some((address) => isTellable(address, scope)) === true ? this.#own : undefined;
    const records = own === undefined ? others : [own, ...others];
    if (records.length > 0) this.#host.tell(peer, records);
  }

  #sample(peer: PeerKey, scope: AddressScope, count: number): AddressRecord[] {
    return this.#draw(this.#book.tellable(scope, peer), count);
  }

  #someNeighbours(count: number, but?: PeerKey): [PeerKey, AddressScope][] {
    const others = [...this.#neighbours].filter(([peer]) => peer !== but);
    return this.#draw(others, count).map(([peer, { scope }]) => [peer, scope]);
  }

  #draw<T>(all: T[], count: number): T[] {
    while (all.length > count) {
      all[this.#host.random.below(all.length)] = all.at(-1) as T;
      all.pop();
    }
    return all;
  }

  #keepsAt(): number {
    return Math.max(this.#changedAt as number, this.#keptAt) + ADDRESSES_KEPT_EVERY_MS;
  }
}

function isTellable(address: string, scope: AddressScope): boolean {
  const own = scopeOf(address);
  return own !== undefined && isWithin(own, scope);
}
