/** The searches that are run, each over all shapes of its number of blocks. */
import { GRAFT_AFTER_MS, HELLO_EVERY_MS, IDLE_HELLO_MS, SEARCH_STALL_MS } from "../../consensus/sync/constants.ts";
import type { Bounds } from "./search.ts";

export interface Plan {
  readonly name: string;
  readonly blocks: number;
  readonly bounds: Bounds;
}

function plan(name: string, blocks: number, bounds: Partial<Bounds>): Plan {
  return {
    name,
    blocks,
    bounds: {
      connects: 1,
      decisions: 0,
      ticks: 0,
      holds: 0,
      // Where certificates came, somebody may not know of one until the next hello. Else grafts mend it, two at each end at most,
      // whose times are added up though they run at once.
      restMs: bounds.decisions === undefined ? 4 * GRAFT_AFTER_MS : SEARCH_STALL_MS + IDLE_HELLO_MS,
      paced: false,
      maxStates: 4_000_000,
      ...bounds,
    },
  };
}

/** Seconds. */
export const FAST: readonly Plan[] = [
  plan("irreversible blocks, as far as it goes", 3, { decisions: 2, maxStates: 6_000 }),
  plan("an irreversible block among two, as far as it goes", 2, { decisions: 1, maxStates: 150_000 }),
  plan("fork switches", 3, {}),
  plan("block by block", 2, { paced: true }),
  plan("reconnects and timers", 2, { connects: 2, ticks: 1 }),
  plan("hellos beyond the allowance", 2, { holds: 1, restMs: 4 * GRAFT_AFTER_MS + HELLO_EVERY_MS }),
];

/** Minutes. */
export const WHOLE: readonly Plan[] = [
  ...FAST,
  plan("irreversible blocks", 2, { decisions: 1 }),
  plan("fork switches", 4, {}),
  plan("block by block", 3, { paced: true }),
  plan("reconnects and timers", 3, { connects: 2, ticks: 1 }),
  plan("irreversible blocks and a reconnect", 2, { connects: 2, decisions: 1 }),
  plan("two irreversible blocks", 2, { decisions: 2 }),
  plan("an irreversible block among three", 3, { decisions: 1 }),
];
