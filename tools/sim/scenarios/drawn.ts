/** Scenarios that can be drawn: `cairn sim NAME --diagram FILE`, and the pages of docs/modes. An engine adds its own list. */
import type { Recording } from "../diagram/recording.ts";
import { BFT_MODES } from "./bftModes.ts";
import { RAFT_MODES } from "./raftModes.ts";
import { VSR_MODES } from "./vsrModes.ts";

export interface DrawnScenario {
  /** As in `cairn sim NAME`. */
  readonly name: string;
  readonly title: string;
  /** What is to be seen, a few sentences; events are named as in the diagram. */
  readonly text: string;
  record(): Recording;
}

export const DRAWN_SCENARIOS: readonly DrawnScenario[] = [...RAFT_MODES, ...VSR_MODES, ...BFT_MODES];
