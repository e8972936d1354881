/** What `cairn bench lanes` compares: the link's limits and the load of one measurement. */
import { DEFAULT_LIMITS, type LinkLimits } from "../../../net/link/index.ts";

const GiB = 2 ** 30;

export interface Mode {
  readonly name: string;
  readonly limits: Partial<LinkLimits>;
  /** Bulk kept full, limited to so many MB/s, or none. */
  readonly bulk: "full" | "none" | number;
}

/** No lane ever waits for credit and none is given: yamux's default window of 16 MiB is all there is. */
const UNPACED: Partial<LinkLimits> = {
  credit: { startBytes: 4096 * GiB, floorBytes: 4096 * GiB, maxBytes: 4096 * GiB, refillBytes: GiB },
};

/** A window that does not follow the round trip: what yamux's own of 256 KiB was before credit. */
const FIXED_BYTES = 256 * 1024;
const FIXED: Partial<LinkLimits> = {
  credit: { ...DEFAULT_LIMITS.credit, floorBytes: FIXED_BYTES, maxBytes: FIXED_BYTES },
};

export const MODES: readonly Mode[] = [
  { name: "idle", limits: {}, bulk: "none" },
  { name: "unpaced", limits: UNPACED, bulk: "full" },
  { name: "fixed 256 KiB", limits: FIXED, bulk: "full" },
  { name: "paced", limits: {}, bulk: "full" },
  { name: "paced, 100 MB/s", limits: {}, bulk: 100 },
];
