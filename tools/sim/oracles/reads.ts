/** Oracle 2, of reads [R2]: a linearizable read sees everything that any node had told to be irreversible before it began. */
import { RuleBroken } from "../violation.ts";

export class ReadOracle {
  /** By node and request: the height that was irreversible somewhere when the read began. */
  readonly #open = new Map<number, Map<number, number>>();
  #nextRequest = 1;
  #seen = 0;
  #refused = 0;

  get counts(): { readonly seen: number; readonly refused: number } {
    return { seen: this.#seen, refused: this.#refused };
  }

  /** @returns the request's number */
  begun(node: number, irreversibleHeight: number): number {
    const request = this.#nextRequest++;
    const open = this.#open.get(node) ?? new Map<number, number>();
    this.#open.set(node, open.set(request, irreversibleHeight));
    return request;
  }

  /** @param height of the state that the node reads now */
  readable(node: number, requests: readonly number[], height: number): void {
    for (const request of requests) {
      const atLeast = this.#end(node, request);
      this.#seen++;
      if (height >= atLeast) continue;
      const detail = `height ${height}, when it began ${atLeast} had been told`;
      throw new RuleBroken("reads", "a read sees what was irreversible before it began", detail, [node]);
    }
  }

  refused(node: number, requests: readonly number[]): void {
    for (const request of requests) this.#end(node, request);
    this.#refused += requests.length;
  }

  crashed(node: number): void {
    this.#open.delete(node);
  }

  /** How many reads this node owes an answer. */
  openAt(node: number): number {
    return this.#open.get(node)?.size ?? 0;
  }

  #end(node: number, request: number): number {
    const atLeast = this.#open.get(node)?.get(request);
    if (atLeast === undefined) {
      throw new RuleBroken("reads", "a read is answered once", `request ${request}`, [node]);
    }
    this.#open.get(node)?.delete(request);
    return atLeast;
  }
}
