/**
 * Oracle 2: what was acknowledged irreversible is in the chain, where it was said to be; each transaction is there at
 * most once and only if somebody submitted it; what was told expired or refused never is.
 */
import { RuleBroken } from "../violation.ts";

export interface Place {
  readonly height: number;
  readonly index: number;
}

export class TransactionOracle {
  readonly #submitted = new Set<string>();
  readonly #places = new Map<string, Place>();
  /** Told to be in no chain, by whom and in which words. */
  readonly #dead = new Map<string, { readonly node: number; readonly status: string }>();
  #acknowledged = 0;

  get acknowledged(): number {
    return this.#acknowledged;
  }
  get placed(): number {
    return this.#places.size;
  }
  placeOf(id: string): Place | undefined {
    return this.#places.get(id);
  }

  submitted(id: string): void {
    this.#submitted.add(id);
  }

  /** The irreversible chain was extended by a block with these transactions. */
  extended(height: number, ids: readonly string[], node: number): void {
    for (const [index, id] of ids.entries()) {
      if (!this.#submitted.has(id)) {
        throw new RuleBroken("transactions", "only what was submitted is executed", `${id} at ${height}/${index}`, [
          node,
        ]);
      }
      const before = this.#places.get(id);
      if (before !== undefined) {
        const detail = `${id} at ${before.height}/${before.index} and at ${height}/${index}`;
        throw new RuleBroken("transactions", "a transaction is executed at most once", detail, [node]);
      }
      const dead = this.#dead.get(id);
      if (dead !== undefined) {
        const detail = `${id} at ${height}/${index}, told ${dead.status} by node ${dead.node}`;
        throw new RuleBroken("transactions", "what was told expired or refused is in no chain", detail, [
          node,
          dead.node,
        ]);
      }
      this.#places.set(id, { height, index });
    }
  }

  /** A node told its submitter that this is irreversible, and where. */
  irreversible(node: number, id: string, { height, index }: Place): void {
    const place = this.#places.get(id);
    if (place?.height !== height || place.index !== index) {
      const detail = `${id} told at ${height}/${index}, is ${place ? `at ${place.height}/${place.index}` : "in no block"}`;
      throw new RuleBroken("transactions", "what was acknowledged irreversible is in the chain", detail, [node]);
    }
    this.#acknowledged++;
  }

  /** A node told its submitter that this is in no chain and never will be. */
  dead(node: number, id: string, status: string): void {
    const place = this.#places.get(id);
    if (place !== undefined) {
      const detail = `${id} told ${status}, is at ${place.height}/${place.index}`;
      throw new RuleBroken("transactions", "what was told expired or refused is in no chain", detail, [node]);
    }
    this.#dead.set(id, { node, status });
  }
}
