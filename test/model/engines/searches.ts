/** Which changes are searched, and how far. */
import type { Bounds } from "./world.ts";

/** Sets that share some producers; who lies is in no set that has to bear crashes only. */
export const CHANGES: Readonly<Record<"raftBft" | "bftRaft" | "bftBft" | "raftRaft" | "fiveRaft", Bounds>> = {
  raftBft: {
    eras: [
      { engine: "raft", producers: [0, 1, 2] },
      { engine: "bft", producers: [0, 1, 2, 3] },
    ],
    processes: 4,
    liar: 3,
    views: 4,
    blocks: 4,
  },
  bftRaft: {
    eras: [
      { engine: "bft", producers: [0, 1, 2, 3] },
      { engine: "raft", producers: [0, 1, 2] },
    ],
    processes: 4,
    liar: 3,
    views: 4,
    blocks: 4,
  },
  bftBft: {
    eras: [
      { engine: "bft", producers: [0, 1, 2, 3] },
      { engine: "bft", producers: [0, 1, 2, 3] },
    ],
    processes: 4,
    liar: 3,
    views: 4,
    blocks: 4,
  },
  raftRaft: {
    eras: [
      { engine: "raft", producers: [0, 1, 2] },
      { engine: "raft", producers: [1, 2, 3] },
    ],
    processes: 4,
    liar: undefined,
    views: 4,
    blocks: 4,
  },
  fiveRaft: {
    eras: [
      { engine: "raft", producers: [0, 1, 2, 3, 4] },
      { engine: "raft", producers: [1, 2, 3] },
    ],
    processes: 5,
    liar: undefined,
    views: 5,
    blocks: 5,
  },
};

/** Mutations are looked for in so many drawn runs at most. */
export const MUTATION_RUNS = 60_000;
/** Of each change, with every build. */
export const FAST_RUNS = 100;
export const MAX_WORLDS = 3_000_000;

/** Searched whole: D, and one more block. */
export const WHOLE: readonly Bounds[] = Object.entries(CHANGES)
  .filter(([name]) => name !== "fiveRaft")
  .map(([, bounds]) => ({ ...bounds, views: 2, blocks: 2 }));
