/** Tells the replica the round-trip times of its links, which routes are measured by. */
import type { PeerInfo, PeerKey } from "../../net/link/types.ts";

/** How often the links are asked, ms: they ping every five seconds. */
const LOOK_EVERY_MS = 1_000;

export class RoundTrips {
  readonly #links: () => readonly PeerInfo[];
  readonly #tell: (peer: PeerKey, ms: number) => void;
  #timer: NodeJS.Timeout | undefined;
  /** What was told of the links that are up. */
  #told = new Map<PeerKey, { readonly ms: number; readonly connectedAtMs: number }>();

  constructor(links: () => readonly PeerInfo[], tell: (peer: PeerKey, ms: number) => void) {
    this.#links = links;
    this.#tell = tell;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const before = this.#told;
    this.#told = new Map();
    for (const { key, rttMs, connectedAtMs } of this.#links()) {
      if (rttMs === undefined) continue;
      this.#told.set(key, { ms: rttMs, connectedAtMs });
      const told = before.get(key);
      if (told?.ms !== rttMs || told.connectedAtMs !== connectedAtMs) this.#tell(key, rttMs);
    }
  }
}
