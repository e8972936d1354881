/** What a deliberate fault is: texts in the sources that are replaced, and what must find it. */
import type { EngineName } from "../../chain/genesis.ts";
import type { Topology } from "../../tools/sim/topologies.ts";

export interface Edit {
  /** Path in the repository. */
  readonly file: string;
  /** Must occur exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutation {
  readonly name: string;
  /** The rule it breaks. */
  readonly tag: string;
  readonly edits: readonly Edit[];
  /** What must find it: seeds of the simulator, the search of two nodes (`test/model`), or `tests`. */
  readonly check: "sweep" | "model" | "tests";
  /** Vitest files, for what the simulator replaces (sockets, frames) or draws too seldom. */
  readonly tests: readonly string[];
  /** Faults of the sweep: "default" or a kind of profile under which it shows sooner. */
  readonly faults: string;
  /** Of the sweep. */
  readonly engine: EngineName;
  readonly producers: string;
  readonly followers: string;
  readonly topology: Topology;
  /** The producer set is changed in every run, or in none. */
  readonly changes: "on" | "off";
  readonly maxSeeds: number;
}

export function mutation(tag: string, name: string, edits: readonly Edit[], sweep: Partial<Mutation> = {}): Mutation {
  return {
    name,
    tag,
    edits,
    check: "sweep",
    tests: [],
    faults: "default",
    engine: "raft",
    producers: "2..5",
    followers: "0..1",
    topology: "mesh",
    changes: "off",
    maxSeeds: 200,
    ...sweep,
  };
}
