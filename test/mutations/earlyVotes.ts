/** Deliberate faults with votes that overtake their block. */
import { mutation, type Mutation } from "./mutation.ts";

const EARLY = "consensus/earlyVotes.ts";
const VOTING = "consensus/bft/voting.ts";
const EARLY_TEST = "test/consensus/earlyVotes.test.ts";
const RAFT_TEST = "test/consensus/raft.test.ts";
const SCENARIO = "test/sim/scenarios/earlyVotes.test.ts";

function tested(name: string, file: string, find: string, replace: string, test: string): Mutation {
  return mutation("early", name, [{ file, find, replace }], { check: "tests", tests: [test] });
}

export const EARLY_VOTES: readonly Mutation[] = [
  tested(
    "a prepare or commit is dropped when early",
    VOTING,
    "if (ledger.get(signed.vote.id) === undefined) this.#hold(signer, signed);",
    "if (ledger.get(signed.vote.id) === undefined) continue;",
    SCENARIO,
  ),
  tested(
    "an ack is dropped when early",
    "consensus/leading/term.ts",
    "return this.#early.hold({ signer, place: `${ack.height}`, block: ack, vote: { ack, signature } });",
    "return;",
    RAFT_TEST,
  ),
  tested(
    "early votes of a signer have no bound",
    EARLY,
    "if (held.size <= EARLY_VOTES_MAX) return;",
    "if (held.size > 0) return;",
    EARLY_TEST,
  ),
  tested("early votes wait for ever", EARLY, "if (now < early.until) break;", "break;", EARLY_TEST),
  tested(
    "early votes wait for a block to expire",
    "consensus/bft/bft.ts",
    "    this.#voting.expire();\n",
    "",
    SCENARIO,
  ),
  tested(
    "votes are not sent again with a block that was sent",
    "src/replica/wiring.ts",
    "if (sentBytes !== undefined) parts.engine.blockSent?.(to, block.id);",
    "",
    SCENARIO,
  ),
];
