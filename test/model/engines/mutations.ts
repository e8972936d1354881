/** Each rule of an engine change broken: the model has to find two irreversible blocks on different branches. */
import type { CHANGES } from "./searches.ts";
import type { Rules } from "./world.ts";

export interface ModelMutation {
  readonly tag: string;
  readonly name: string;
  readonly change: keyof typeof CHANGES;
  readonly changed: Partial<Rules>;
  /** The way there, where drawn runs do not find it. */
  readonly path?: readonly string[];
}

const CARRIERS = { tag: "E1", name: "a carrier is irreversible when it is decided", changed: { carriersDecide: true } };
const UNPROVEN = { tag: "E2", name: "the new engine starts from any D", changed: { anchor: "none" as const } };
const FRESH = { tag: "E3", name: "the new engine's record starts where D stands", changed: { keepsView: false } };

export const MODEL_MUTATIONS: readonly ModelMutation[] = [
  { ...CARRIERS, change: "raftBft" },
  { ...CARRIERS, change: "bftRaft" },
  { ...CARRIERS, change: "bftBft" },
  { ...CARRIERS, change: "raftRaft" },
  { ...UNPROVEN, change: "raftBft" },
  {
    ...UNPROVEN,
    change: "bftRaft",
    path: [
      "block C.1bD",
      "0 asks for view 2 with C",
      "2 asks for view 2 with C",
      "block C.2bD",
      "0 prepares C.2bD",
      "2 prepares C.2bD",
      "0 commits C.2bD",
      "2 commits C.2bD",
      "0 enters at C.1bD",
      "1 enters at C.1bD",
      "0 stands for view 3",
      "1 votes for 0 in view 3",
      "block C.1bD.3r0+",
      "0 acks C.1bD.3r0+",
      "1 acks C.1bD.3r0+",
    ],
  },
  { ...UNPROVEN, change: "bftBft" },
  { ...UNPROVEN, change: "raftRaft" },
  {
    tag: "E2",
    name: "neither the elections before D nor what shows it irreversible ask both sets",
    change: "raftRaft",
    changed: { isJoint: false, anchor: "new" },
  },
  {
    tag: "E2",
    name: "acks of several views together show D irreversible",
    change: "fiveRaft",
    changed: { anchorMixesViews: true },
    // As in figure 8 of the Raft paper: D has acks of view 1 and, by a carrier, of view 3; what view 4 decides is without it.
    path: [
      "block C.1r0D",
      "0 acks C.1r0D",
      "1 acks C.1r0D",
      "4 stands for view 2",
      "2 votes for 4 in view 2",
      "3 votes for 4 in view 2",
      "block C.2r4",
      "4 acks C.2r4",
      "0 stands for view 3",
      "1 votes for 0 in view 3",
      "2 votes for 0 in view 3",
      "block C.1r0D.3r0k",
      "2 acks C.1r0D.3r0k",
      "4 stands for view 4",
      "3 votes for 4 in view 4",
      "1 votes for 4 in view 4",
      "block C.2r4.4r4",
      "4 acks C.2r4.4r4",
      "3 acks C.2r4.4r4",
      "1 acks C.2r4.4r4",
      "1 enters at C.1r0D",
      "2 enters at C.1r0D",
      "2 stands for view 5",
      "1 votes for 2 in view 5",
      "block C.1r0D.5r2+",
      "1 acks C.1r0D.5r2+",
      "2 acks C.1r0D.5r2+",
    ],
  },
  { ...FRESH, change: "bftBft" },
  { ...FRESH, change: "raftRaft" },
];

/** Dropped alone, none of these has led to a conflict: the others cover it, and it stays for what decision 076 says. */
export const COVERED: readonly ModelMutation[] = [
  { tag: "E2", name: "the old set alone shows D irreversible", change: "raftRaft", changed: { anchor: "old" } },
  { tag: "E2", name: "the new set alone shows D irreversible", change: "raftRaft", changed: { anchor: "new" } },
  { tag: "E2", name: "the new set alone shows D irreversible", change: "bftRaft", changed: { anchor: "new" } },
  {
    tag: "E2",
    name: "heads compare by view and height alone",
    change: "raftRaft",
    changed: { anchoredOutranks: false },
  },
  {
    tag: "E2",
    name: "heads compare by view and height alone",
    change: "bftRaft",
    changed: { anchoredOutranks: false },
  },
  { ...FRESH, change: "raftBft" },
  { ...FRESH, change: "bftRaft" },
];
