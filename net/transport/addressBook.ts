/**
 * Where other nodes can be reached, by their own signed words: bounded, newest per node. Whoever makes many keys can fill
 * what is not proven, and no more: producers, linked nodes and those that a link was had with stay, and of the rest the
 * neighbour that told most makes room first.
 */
import type { PeerKey } from "../link/types.ts";
import type { AddressRecord } from "./addressMessages.ts";
import { type AddressScope, isWithin, scopeOf } from "./addressScope.ts";
import {
  ADDRESS_BOOK_MAX,
  ADDRESSES_AHEAD_MS,
  ADDRESSES_STALE_MS,
  DIAL_AGAIN_MAX_MS,
  DIAL_AGAIN_MS,
  DIALS_IN_VAIN_MAX,
  PROVEN_MAX,
  TOLD_BY_ONE_MAX,
} from "./constants.ts";

/** What outlives the process. */
export interface KeptAddresses {
  readonly record: AddressRecord;
  /** Of these, the ones that are dialed. */
  readonly usable: readonly string[];
  /** When a link with this node by its own key came up last, ms; undefined: never. */
  readonly linkedAt: number | undefined;
}

interface Entry {
  record: AddressRecord;
  usable: readonly string[];
  linkedAt: number | undefined;
  /** Who told of it first: the neighbour, the node itself perhaps. */
  readonly source: PeerKey;
  /** Dials that came to nothing in a row, and when it may be dialed again, ms. */
  failures: number;
  notBefore: number;
}

export interface BookHost {
  readonly self: PeerKey;
  now(): number;
  /** Never makes room for others: a producer, or linked now. */
  isProtected(node: PeerKey): boolean;
}

/** `source` of what the disk held. */
const DISK: PeerKey = "";

export class AddressBook {
  readonly #host: BookHost;
  /** In the order in which they came, oldest first. */
  readonly #entries = new Map<PeerKey, Entry>();

  constructor(host: BookHost, kept: readonly KeptAddresses[]) {
    this.#host = host;
    for (const { record, usable, linkedAt } of kept.slice(0, ADDRESS_BOOK_MAX))
      this.#entries.set(record.node, { record, usable, linkedAt, source: DISK, failures: 0, notBefore: 0 });
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Would {@link learn} take it? Asked before its signature is checked. @param scope of the link it came by */
  isNews(record: AddressRecord, scope: AddressScope): boolean {
    const now = this.#host.now();
    const known = this.#entries.get(record.node);
    if (record.node === this.#host.self || record.sequence > now + ADDRESSES_AHEAD_MS) return false;
    // Nobody passes it on: somebody plays it back.
    if (record.sequence < now - ADDRESSES_STALE_MS) return false;
    if (known !== undefined && known.record.sequence >= record.sequence) return false;
    return usableFrom(record, scope).length > 0;
  }

  /** Takes a record whose signature was checked. @returns whether it was news */
  learn(record: AddressRecord, from: PeerKey, scope: AddressScope): boolean {
    if (!this.isNews(record, scope)) return false;
    const usable = usableFrom(record, scope);
    const known = this.#entries.get(record.node);
    if (known !== undefined) {
      // Other addresses, perhaps: what was in vain before says nothing of them.
      known.failures = known.notBefore = 0;
      known.record = record;
      known.usable = usable;
      return true;
    }
    if (!this.#makeRoom(from)) return false;
    const entry = { record, usable, linkedAt: undefined, source: from, failures: 0, notBefore: 0 };
    this.#entries.set(record.node, entry);
    return true;
  }

  /** A link with this node is up that was dialed from here: it can be reached, and is who it says to be. */
  linked(node: PeerKey): void {
    const entry = this.#entries.get(node);
    if (entry === undefined) return;
    entry.failures = entry.notBefore = 0;
    entry.linkedAt = this.#host.now();
    const proven = [...this.#entries.values()].filter((each) => each.linkedAt !== undefined);
    if (proven.length <= PROVEN_MAX) return;
    const oldest = proven.reduce((a, b) => ((a.linkedAt as number) <= (b.linkedAt as number) ? a : b));
    oldest.linkedAt = undefined;
  }

  /** Its addresses gave no link for some time. */
  failed(node: PeerKey): void {
    const entry = this.#entries.get(node);
    if (entry === undefined) return;
    const now = this.#host.now();
    entry.notBefore = now + Math.min(DIAL_AGAIN_MAX_MS, DIAL_AGAIN_MS * 2 ** entry.failures);
    entry.failures++;
    const isStale = entry.record.sequence < now - ADDRESSES_STALE_MS;
    if (isStale && entry.failures >= DIALS_IN_VAIN_MAX) this.#entries.delete(node);
  }

  addressesOf(node: PeerKey): readonly string[] {
    return this.#entries.get(node)?.usable ?? [];
  }

  /** Nodes that may be dialed now. */
  *candidates(): Generator<{ readonly node: PeerKey; readonly isProven: boolean }> {
    const now = this.#host.now();
    for (const [node, { notBefore, linkedAt }] of this.#entries)
      if (notBefore <= now) yield { node, isProven: linkedAt !== undefined };
  }

  /** What may be told to a neighbour that is reached in `scope`. */
  tellable(scope: AddressScope, but: PeerKey): AddressRecord[] {
    const oldest = this.#host.now() - ADDRESSES_STALE_MS;
    const tellable: AddressRecord[] = [];
    for (const [node, { record }] of this.#entries)
      if (node !== but && record.sequence >= oldest && usableFrom(record, scope).length > 0) tellable.push(record);
    return tellable;
  }

  kept(): KeptAddresses[] {
    return [...this.#entries.values()].map(({ record, usable, linkedAt }) => ({ record, usable, linkedAt }));
  }

  /** @returns false when there is no room for what this neighbour tells */
  #makeRoom(from: PeerKey): boolean {
    const told = new Map<PeerKey, PeerKey[]>();
    for (const [node, { source, linkedAt }] of this.#entries) {
      if (linkedAt !== undefined || this.#host.isProtected(node)) continue;
      const nodes = told.get(source);
      if (nodes === undefined) told.set(source, [node]);
      else nodes.push(node);
    }
    const own = told.get(from) ?? [];
    if (own.length >= TOLD_BY_ONE_MAX) return this.#entries.delete(own[0] as PeerKey);
    if (this.#entries.size < ADDRESS_BOOK_MAX) return true;
    let most = own;
    for (const nodes of told.values()) if (nodes.length > most.length) most = nodes;
    const [oldest] = most;
    return oldest !== undefined && this.#entries.delete(oldest);
  }
}

function usableFrom({ addresses }: AddressRecord, scope: AddressScope): string[] {
  return addresses.filter((address) => {
    const own = scopeOf(address);
    return own !== undefined && isWithin(own, scope);
  });
}
