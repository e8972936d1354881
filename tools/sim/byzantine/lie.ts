/** What one way of lying is: a small function between a producer's replica and the network. */
import type { Lane } from "../../../net/link/types.ts";
import type { Effect, Input } from "../../../src/replica/types.ts";
import type { Parts, Workshop } from "./workshop.ts";

/** While it goes on. Each part is optional: what is left out is as a correct producer does it. */
export interface Lie {
  /** What goes to this node in place of a frame: nothing, one, several. */
  instead?(lane: Lane, parts: Parts, to: number): readonly Parts[];
  /** Does its own replica hear of this? */
  hears?(input: Input): boolean;
  /** Something was done: more may be said. */
  stepped?(input: Input, effects: readonly Effect[]): void;
  /** Now and then. */
  tick?(): void;
}

export type LieMaker = (workshop: Workshop) => Lie;
