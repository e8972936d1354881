/**
 * Who dials whom: whose address a node is configured with, and whom it dials because others told where that one is. In
 * most runs nobody tells: the wiring says who may have a link with whom, and that is all.
 */
import type { KeptAddresses } from "../../net/transport/addressBook.ts";
import type { Effect, Input } from "../../src/replica/types.ts";
import type { Wired } from "./topologies.ts";

export class Dialing {
  /** Nodes tell their addresses, and dial those that they learn. */
  readonly isLearning: boolean;
  readonly #wired: Wired;
  readonly #keys: readonly string[];
  readonly #dialed: readonly Set<number>[];
  /** What each node's disk keeps of others' addresses. */
  readonly #kept = new Map<number, readonly KeptAddresses[]>();

  constructor(keys: readonly string[], wired: Wired, isLearning: boolean) {
    this.isLearning = isLearning;
    this.#wired = wired;
    this.#keys = keys;
    this.#dialed = keys.map(() => new Set());
  }

  /** May they have a link? One of them has to dial. */
  readonly mayLink = (a: number, b: number): boolean =>
    this.#wired(a, b) || this.#dialsLearned(a, b) || this.#dialsLearned(b, a);

  kept(index: number): readonly KeptAddresses[] {
    return this.#kept.get(index) ?? [];
  }

  /** What the shell tells of a new link: one room, and of two that dial each other the lower number was first. */
  link(index: number, peer: number): Pick<Extract<Input, { kind: "peerUp" }>, "outbound" | "scope"> {
    if (!this.isLearning) return {};
    const outbound = this.#dials(index, peer) && (index < peer || !this.#dials(peer, index));
    return { outbound, scope: "private" };
  }

  /** @returns whom it dials now, or dials no more; undefined where nothing answers, or another node */
  follow(index: number, { kind, peer, addresses }: Extract<Effect, { kind: "dial" | "letGo" }>): number | undefined {
    const found = this.#keys.findIndex((key, at) => key === peer && addresses.includes(addressOf(at)));
    if (found === -1) return undefined;
    if (kind === "letGo") this.#dialed[index]?.delete(found);
    else this.#dialed[index]?.add(found);
    return found;
  }

  keep(index: number, addresses: readonly KeptAddresses[]): void {
    this.#kept.set(index, addresses);
  }

  crashed(index: number): void {
    this.#dialed[index]?.clear();
  }

  #dials(index: number, peer: number): boolean {
    return this.#wired(index, peer) || this.#dialsLearned(index, peer);
  }

  #dialsLearned(index: number, peer: number): boolean {
    return this.#dialed[index]?.has(peer) === true;
  }
}

/** Where a node listens. */
export function addressOf(index: number): string {
  return `/ip4/10.0.${Math.floor(index / 250)}.${1 + (index % 250)}/tcp/26600`;
}
