/** Ranges for peers that are far behind: one at a time, as far as a peer's link takes them. */
import type { PeerKey } from "../../src/base/key.ts";
import { HistoryTree } from "../../chain/historyTree.ts";
import type { BestChain } from "./bestChain.ts";
import { HISTORY_CHUNKS_A_STEP, RANGE_BUDGET_BYTES, RANGE_REQUESTS_MAX, type SyncLimits } from "./constants.ts";
import type { BlockParts, RangeProof, RangeRequest } from "./range.ts";

/** Reads irreversible blocks for ranges, synchronously. */
export interface RangeLog {
  idAt(height: number): string | undefined;
  /** Ids from a height on, in order: at most `count`, ending before the first that is not held. */
  idsFrom(height: number, count: number): readonly string[];
  /** Blocks `from` to `to` in order, ending where they reach `maxBytes`; one at least when it is held. */
  range(from: number, to: number, maxBytes: number): readonly BlockParts[];
}

export interface RangeServerHost {
  readonly limits: SyncLimits;
  readonly chain: BestChain;
  readonly log: RangeLog;
  /** @returns bytes sent */
  send(peer: PeerKey, blocks: readonly BlockParts[], proof: RangeProof): number;
}

interface Client {
  budgetBytes: number;
  readonly requests: RangeRequest[];
}

export class RangeServer {
  readonly #host: RangeServerHost;
  readonly #history: HistoryTree;
  readonly #clients = new Map<PeerKey, Client>();

  constructor(host: RangeServerHost) {
    this.#host = host;
    this.#history = new HistoryTree((height, count) => host.log.idsFrom(height, count));
  }

  /** Requests that wait. */
  get waiting(): number {
    let sum = 0;
    for (const { requests } of this.#clients.values()) sum += requests.length;
    return sum;
  }

  receive(peer: PeerKey, request: RangeRequest): void {
    const client = this.#clients.get(peer) ?? { budgetBytes: RANGE_BUDGET_BYTES, requests: [] };
    this.#clients.set(peer, client);
    if (client.requests.push(request) > RANGE_REQUESTS_MAX) client.requests.shift();
  }

  drained(peer: PeerKey, bytes: number): void {
    const client = this.#clients.get(peer);
    if (client !== undefined) client.budgetBytes = Math.min(RANGE_BUDGET_BYTES, client.budgetBytes + bytes);
  }

  peerDown(peer: PeerKey): void {
    this.#clients.delete(peer);
  }

  /** Serves one range at most. @returns whether more can be done at once */
  work(): boolean {
    for (const [peer, client] of this.#clients) {
      const [request] = client.requests;
      if (request === undefined || client.budgetBytes <= 0 || this.#isEarly(request)) continue;
      const isKnown = this.#isKnown(request);
      if (isKnown && !this.#history.extend(request.anchorHeight, HISTORY_CHUNKS_A_STEP)) return true;
      client.requests.shift();
      client.budgetBytes -= isKnown ? this.#serve(peer, request) : this.#refuse(peer, request);
      // The next in line comes first next time.
      this.#clients.delete(peer);
      this.#clients.set(peer, client);
      return true;
    }
    return false;
  }

  /** Its anchor is about to be irreversible here, too. */
  #isEarly({ anchorHeight }: RangeRequest): boolean {
    const { irreversibleHeight } = this.#host.chain;
    return anchorHeight > irreversibleHeight && anchorHeight <= irreversibleHeight + this.#host.limits.farBehindBlocks;
  }

  #isKnown({ from, to, anchorHeight, anchorId }: RangeRequest): boolean {
    if (from < 1 || from > to || to > anchorHeight) return false;
    return anchorHeight <= this.#host.chain.irreversibleHeight && this.#host.log.idAt(anchorHeight) === anchorId;
  }

  #serve(peer: PeerKey, request: RangeRequest): number {
    const { from, to, anchorHeight } = request;
    const { rangeBlocks, rangeBytes } = this.#host.limits;
    const blocks = this.#host.log.range(from, Math.min(to, from + rangeBlocks - 1), rangeBytes);
    const last = from + blocks.length - 1;
    const path = last === anchorHeight ? [] : this.#history.proof(last, anchorHeight);
    // Damaged, or pruned.
    if (blocks.length === 0 || path === undefined) return this.#refuse(peer, request);
    return this.#host.send(peer, blocks, { from, anchorHeight, path });
  }

  #refuse(peer: PeerKey, { from, anchorHeight }: RangeRequest): number {
    return this.#host.send(peer, [], { from, anchorHeight, path: [] });
  }
}
