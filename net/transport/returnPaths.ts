/**
 * Ways back to nodes that are no producers, so that a reader or submitter several links away gets its answer: the neighbour
 * by which something of theirs came last. Bounded; what an impostor turns away is an answer, and the question comes again.
 */
import type { PeerKey } from "../link/types.ts";
import { RETURN_PATH_EXPIRY_MS, RETURN_PATHS_MAX } from "./constants.ts";

export class ReturnPaths {
  /** The one that was heard longest ago first. */
  readonly #paths = new Map<PeerKey, { readonly via: PeerKey; readonly until: number }>();

  get size(): number {
    return this.#paths.size;
  }

  heard(source: PeerKey, via: PeerKey, now: number): void {
    this.#paths.delete(source);
    this.#paths.set(source, { via, until: now + RETURN_PATH_EXPIRY_MS });
    for (const [oldest, { until }] of this.#paths) {
      if (this.#paths.size <= RETURN_PATHS_MAX && until > now) break;
      this.#paths.delete(oldest);
    }
  }

  to(source: PeerKey, now: number): PeerKey | undefined {
    const path = this.#paths.get(source);
    return path !== undefined && path.until > now ? path.via : undefined;
  }

  peerDown(peer: PeerKey): void {
    for (const [source, { via }] of this.#paths) if (via === peer) this.#paths.delete(source);
  }
}
