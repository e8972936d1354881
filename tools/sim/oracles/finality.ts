/**
 * Oracle 1: irreversible chains are prefixes of one another, and what a node called irreversible stays so, also when it
 * comes back from a crash.
 */
import { RuleBroken } from "../violation.ts";

/** Ids of a node's chain by height, as it says now. */
export type IdAt = (height: number) => string | undefined;

const PREFIX = "irreversible chains are prefixes of one another";
const NEVER_BACK = "what a node called irreversible stays irreversible there";

export class FinalityOracle {
  /** The one chain: what any node called irreversible, by height. */
  readonly #decided: string[];
  /** Who called a height irreversible first. */
  readonly #first: number[] = [-1];
  /** Highest block that each node called irreversible. */
  readonly #told: number[];
  readonly #extended: (height: number, id: string, node: number) => void;

  /** @param extended called once for each block that becomes irreversible, in order */
  constructor(genesisId: string, nodes: number, extended: (height: number, id: string, node: number) => void) {
    this.#decided = [genesisId];
    this.#told = Array.from({ length: nodes }, () => 0);
    this.#extended = extended;
  }

  get height(): number {
    return this.#decided.length - 1;
  }
  idAt(height: number): string | undefined {
    return this.#decided[height];
  }
  toldBy(node: number): number {
    return this.#told[node] as number;
  }

  /** A node calls everything up to `height` irreversible. */
  told(node: number, height: number, idAt: IdAt): void {
    const before = this.toldBy(node);
    if (height <= before) throw new RuleBroken("finality", NEVER_BACK, `told ${height} after ${before}`, [node]);
    for (let at = before + 1; at <= height; at++) this.#compare(node, at, idAt(at));
    this.#told[node] = height;
  }

  /** A node lost its disk: what it comes back with is nothing. */
  lost(node: number): void {
    this.#told[node] = 0;
  }

  /** A node came back: what its disk calls irreversible counts as told, by its answers if by nothing else. */
  restarted(node: number, height: number, idAt: IdAt): void {
    const before = this.toldBy(node);
    if (height < before)
      throw new RuleBroken("finality", NEVER_BACK, `at ${height} after a crash, told ${before}`, [node]);
    for (let at = before; at <= height; at++) this.#compare(node, at, idAt(at));
    this.#told[node] = height;
  }

  #compare(node: number, height: number, id: string | undefined): void {
    if (id === undefined)
      throw new RuleBroken("finality", NEVER_BACK, `no block at irreversible height ${height}`, [node]);
    if (height < this.#decided.length) {
      if (this.#decided[height] !== id) this.#conflict(node, height, id);
      return;
    }
    this.#decided.push(id);
    this.#first.push(node);
    this.#extended(height, id, node);
  }

  #conflict(node: number, height: number, id: string | undefined): never {
    const first = this.#first[height] as number;
    const detail = `height ${height}: ${id} at node ${node}, ${this.#decided[height]} at node ${first}`;
    throw new RuleBroken("finality", PREFIX, detail, [node, first]);
  }
}
