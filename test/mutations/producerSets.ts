/** Deliberate faults in changes of the producer set (docs/protocol.md, section 4, "Producer sets"). */
import type { EngineName } from "../../chain/genesis.ts";
import { mutation, type Mutation } from "./mutation.ts";

const SETS = "chain/producerSets.ts";

function swept(
  tag: string,
  name: string,
  file: string,
  find: string,
  replace: string,
  engine: EngineName = "raft",
): Mutation {
  return mutation(tag, name, [{ file, find, replace }], { engine, followers: "1..3", changes: "on", maxSeeds: 200 });
}

export const PRODUCER_SETS: readonly Mutation[] = [
  swept(
    "S10",
    "there is no joint phase: the set in force decides until the change has ended",
    SETS,
    "return next === undefined ? [current] : [current, next.configuration];",
    "return next === undefined ? [current] : [current];",
  ),
  swept("S10", "one of two sets is enough", SETS, "return Math.min(...reached);", "return Math.max(...reached);"),
  swept(
    "S10",
    "a leader is elected by the set that is left alone",
    "consensus/raft/raft.ts",
    "return hasMajority(sets, (key) => this.#granted.has(key));",
    "return hasMajority({ ...sets, next: undefined }, (key) => this.#granted.has(key));",
  ),
  swept(
    "S10",
    "vsr: a view is left for by the set that is left alone",
    "consensus/vsr/viewChange.ts",
    "if (hasMajority(sets, (key) => left.has(key)))",
    "if (hasMajority({ ...sets, next: undefined }, (key) => left.has(key)))",
    "vsr",
  ),
  swept(
    "S10",
    "bft: a timeout certificate is judged by the set that is left alone",
    "consensus/bft/viewChanges.ts",
    "if (!hasQuorum(sets, (key) => this.#held.get(key)?.view === view)) return undefined;",
    "if (!hasQuorum({ ...sets, next: undefined }, (key) => this.#held.get(key)?.view === view)) return undefined;",
    "bft",
  ),
  swept(
    "S10",
    "bft: one of two quorums commits",
    "consensus/bft/voting.ts",
    "if (hasQuorum(node.sets, (key) => commits.has(key))) this.#decide(node, commits);",
    "if (hasQuorum({ ...node.sets, next: undefined }, (key) => commits.has(key))) this.#decide(node, commits);",
    "bft",
  ),
  swept(
    "S11",
    "whoever votes counts, a producer or not",
    SETS,
    "return configurationsOf(sets).every((set) => set.producers.filter(hasSpoken).length >= needed(set));",
    "return sets.members.filter(hasSpoken).length >= needed(sets.current);",
  ),
  mutation(
    "S11",
    "who knows of no set that it is in votes for nobody",
    [
      {
        file: "consensus/leading/voteRecord.ts",
        find: "get takesPart(): boolean {\n    return this.#isKnown;",
        replace: "get takesPart(): boolean {\n    return this.#isKnown && this.isMember;",
      },
    ],
    { check: "tests", tests: ["test/consensus/raft.test.ts"] },
  ),
  mutation(
    "S9",
    "raft: a change ends without a proof",
    [
      {
        file: "consensus/leading/changeProof.ts",
        find: 'if (proof === undefined) return { code: "PROOF_MISSING", detail: `irreversible height ${irreversibleHeight}` };',
        replace: "if (proof === undefined) return undefined;",
      },
    ],
    { check: "tests", tests: ["test/consensus/changeProof.test.ts"] },
  ),
];
