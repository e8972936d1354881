/** The link layer's bounds and times, each with its reason. */

import { LinkError } from "./error.ts";
import { LANES } from "./types.ts";
import type { LinkLimits } from "./types.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

export const DEFAULT_LIMITS: LinkLimits = {
  // Votes and routes are small. A block of the largest genesis setting (4 MiB) with headroom must pass the others.
  frameBytes: { urgent: 256 * KiB, chain: 6 * MiB, bulk: 6 * MiB },
  // A lane's queue holds at least two of its largest frames.
  queueBytes: { urgent: 4 * MiB, chain: 16 * MiB, bulk: 16 * MiB },
  // What is in flight stands before an urgent message; docs/decisions/050-lanes.md has the measurements. The largest
  // window carries 320 MB/s over a round trip of 50 ms.
  credit: { startBytes: 256 * KiB, floorBytes: 128 * KiB, maxBytes: 16 * MiB, refillBytes: 32 * KiB },
  // A peer that is merely slow reads something in this time; one that stopped fails its pings before.
  creditTimeoutMs: 30_000,
  // A handshake is 6 round trips: enough for 800 ms each, short enough that idle connections cost little.
  handshakeTimeoutMs: 5_000,
  maxHandshakes: 64,
  // Far above what honest nodes on one host (a devnet, a NAT) need, far below what would keep a core busy with noise.
  inboundPerHostPerSecond: 200,
  pingIntervalMs: 5_000,
  pingTimeoutsMs: [2_000, 3_000, 4_500],
  duplicateProbeMs: 2_000,
  closeLingerMs: 1_000,
  redialMinMs: 250,
  redialMaxMs: 30_000,
  // A restart of a process takes a second or two.
  departedRedialMs: 4_000,
  breakerFailures: 6,
  breakerOpenMs: 30_000,
  stableLinkMs: 1_000,
  maxTargets: 1_000,
};

/** Peers that an operator may have switched off at one time: each is a decision of a person. */
export const OFF_PEERS_MAX = 1_000;

/** Defaults overlaid with `given`. Throws `BAD_OPTIONS` where a bound would make another impossible to keep. */
export function resolveLimits(given: Partial<LinkLimits> = {}): LinkLimits {
  const limits: LinkLimits = { ...DEFAULT_LIMITS, ...given };
  for (const lane of LANES) {
    if (limits.queueBytes[lane] < limits.frameBytes[lane] + 5) {
      throw new LinkError("BAD_OPTIONS", `the queue of lane ${lane} is smaller than its largest frame`);
    }
  }
  const { floorBytes, maxBytes, startBytes, refillBytes } = limits.credit;
  if (floorBytes > maxBytes || refillBytes > Math.min(floorBytes, startBytes) / 2) {
    throw new LinkError("BAD_OPTIONS", "a window of credit would be used up before it is refilled");
  }
  if (limits.pingTimeoutsMs.length === 0) throw new LinkError("BAD_OPTIONS", "pingTimeoutsMs is empty");
  return limits;
}
