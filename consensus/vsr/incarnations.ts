/**
 * Whose earlier lives count no more (docs/decisions/068-vsr.md, 081). A replica that lost its record comes back as a new
 * incarnation, with a number that grows. What it said before the loss may still be on its way: it does not count where
 * anybody who speaks beside it has heard of a later one. So who answers a recovery remembers it, and who recovers takes over
 * what the others remember (Michael et al., "Recovering Shared Objects Without Stable Storage", 2017).
 */
import type { Incarnation } from "./messages.ts";

/** Which incarnation of each replica counts; 0: it never lost its record. */
export class Incarnations {
  readonly #numbers: Map<string, number>;

  constructor(list: readonly Incarnation[]) {
    this.#numbers = new Map(list.map(({ replica, number }) => [replica, number]));
  }

  of(replica: string): number {
    return this.#numbers.get(replica) ?? 0;
  }

  /** @returns whether it was news */
  raise(replica: string, number: number): boolean {
    if (number <= this.of(replica)) return false;
    this.#numbers.set(replica, number);
    return true;
  }

  get list(): Incarnation[] {
    return [...this.#numbers].map(([replica, number]) => ({ replica, number }));
  }

  /** Of these replicas only: who left the producer set, comes back as somebody else or not at all. */
  keep(isProducer: (key: string) => boolean): void {
    for (const replica of this.#numbers.keys()) if (!isProducer(replica)) this.#numbers.delete(replica);
  }
}

/** What each replica has said, with the incarnations that it knew of, its own included. */
export type Said = ReadonlyMap<string, { readonly incarnations: Incarnations }>;

/** None of those who spoke knows of a later incarnation of this one than the one that spoke [V2]. */
export function isLatest(replica: string, said: Said): boolean {
  const own = said.get(replica)?.incarnations.of(replica) ?? 0;
  return [...said.values()].every(({ incarnations }) => incarnations.of(replica) <= own);
}
