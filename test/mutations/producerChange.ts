/** Deliberate faults of changes of the producer set beyond [S10] and [S11]: who may propose, once, and what is proven of it. */
import { mutation, type Mutation } from "./mutation.ts";

const JUDGED = ["test/chain/producerChange.test.ts", "test/chain/producerChangeExecution.test.ts"];
const PROVEN = ["test/client/light.test.ts"];

function tested(name: string, file: string, find: string, replace: string, tests: readonly string[]): Mutation {
  return mutation("change", name, [{ file, find, replace }], { check: "tests", tests });
}

export const PRODUCER_CHANGE: readonly Mutation[] = [
  tested(
    "an old approval counts again when the chain comes back to a set",
    "chain/producerChange.ts",
    "proposal.base !== base.configuration.hash || proposal.changesBefore !== base.changes",
    "proposal.base !== base.configuration.hash",
    JUDGED,
  ),
  tested(
    "a producer who signs twice approves twice",
    "chain/producerChange.ts",
    "return new Set(members.map(({ producer }) => producer)).size;",
    "return members.length;",
    JUDGED,
  ),
  tested(
    "anybody's approval counts",
    "chain/producerChange.ts",
    "approvals.filter(({ producer }) => isProducer(configuration, producer))",
    "approvals.filter(() => configuration !== undefined)",
    JUDGED,
  ),
  tested(
    "approvals are not checked where a transaction comes in",
    "chain/transactionClaims.ts",
    "return author === undefined ? approvals : [author, ...approvals];",
    "return author === undefined ? [] : [author];",
    JUDGED,
  ),
  tested(
    "an application sees the record of the producer set",
    "chain/executionBudget.ts",
    "if (key === PRODUCER_SET_KEY) return undefined;",
    "",
    JUDGED,
  ),
  tested(
    "a change is not counted",
    "chain/execution.ts",
    "if (this.#proposing !== undefined) recordChange",
    "if (this.#proposing === null) recordChange",
    JUDGED,
  ),
  tested(
    "a new set vouches for itself",
    "consensus/provenSets.ts",
    "return (hash, height) => (hash === joint.hash && height > claimed.height ? joint : known(hash, height));",
    "return provenSets(first, [...before, claimed]);",
    ["test/client/proofVectors.test.ts"],
  ),
  tested(
    "the old set still decides after a change",
    "consensus/provenSets.ts",
    "known.push({ sets: singleSet(current), from, to: height });",
    "known.push({ sets: singleSet(current), from, to });",
    PROVEN,
  ),
  tested(
    "a change is left out unnoticed",
    "consensus/producersProof.ts",
    "header.configuration !== current.hash || ",
    "",
    PROVEN,
  ),
  tested(
    "who joins the producers has no ways told",
    "net/transport/routing.ts",
    "if (isProducer) this.#changed.add(self);",
    "",
    ["test/net/routing.test.ts"],
  ),
];
