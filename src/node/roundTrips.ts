/** Tells the replica the round-trip times of its links, which routes are measured by. */
import type { PeerInfo, PeerKey } from "../../net/link/types.ts";
import { UNANSWERED_MS } from "../../net/transport/constants.ts";

/** How often the links are asked, ms: often enough that a silent one is left soon. */
const LOOK_EVERY_MS = 500;

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
    // After this process was stopped for a while, timers run before sockets are read: look after the reading.
    this.#timer = setInterval(() => setImmediate(() => this.look()), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const before = this.#told;
    this.#told = new Map();
    for (const info of this.#links()) {
      const ms = roundTripOf(info);
      if (ms === undefined) continue;
      const { key, connectedAtMs } = info;
      this.#told.set(key, { ms, connectedAtMs });
      const told = before.get(key);
      if (told?.ms !== ms || told.connectedAtMs !== connectedAtMs) this.#tell(key, ms);
    }
  }
}

/** A peer that does not answer may be gone long before its link is: until it answers the way over it counts as a slow one. */
function roundTripOf({ rttMs, unansweredMs }: PeerInfo): number | undefined {
  return unansweredMs < UNANSWERED_MS ? rttMs : Math.max(rttMs ?? 0, UNANSWERED_MS);
}
