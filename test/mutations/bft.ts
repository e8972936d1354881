/**
 * Deliberate faults of BFT, found by seeds with and without liars. What a liar shows and no honest node may take in
 * ([B1] to [B3], [B8], [S9]) is seen at the first block that is taken in; what an honest producer may not sign, when it does.
 */
import { mutation, type Mutation } from "./mutation.ts";

const RULES = "consensus/bft/rules.ts";
const VOTING = "consensus/bft/voting.ts";

function bft(tag: string, name: string, file: string, find: string, replace: string, faults = "default"): Mutation {
  const sweep = { engine: "bft", producers: "4", followers: "0", faults } as const;
  return mutation(tag, name, [{ file, find, replace }], sweep);
}

function tested(name: string, file: string, find: string, replace: string, test: string): Mutation {
  return mutation("bft", name, [{ file, find, replace }], { check: "tests", tests: [test] });
}

/** Of a record that was lost, or is an old one. */
function records(name: string, file: string, find: string, replace: string): Mutation {
  return mutation("record", name, [{ file, find, replace }], {
    check: "tests",
    tests: ["test/sim/scenarios/records.test.ts"],
  });
}

export const BFT: readonly Mutation[] = [
  bft(
    "B1",
    "a block follows one that closes its view",
    RULES,
    'if (parent.closing) return "FOLLOWS_CLOSING"; // [B1]',
    "",
  ),
  bft(
    "B2",
    "a view opens anywhere",
    RULES,
    'return precedes(opening.highest, parent) ? undefined : "NOT_FROM_HIGHEST"; // [B2]',
    "return undefined;",
  ),
  bft(
    "B3",
    "a handoff from a block that does not close",
    RULES,
    'if (!parent.closing) return "PARENT_NOT_CLOSING"; // [B3]',
    "",
  ),
  bft(
    "B4",
    "prepares a second branch of a view",
    RULES,
    "return lastPrepared === undefined || lastPrepared.view !== view || precedes(lastPrepared, block);",
    "return lastPrepared === undefined || precedes(block, block);",
    "churning",
  ),
  bft(
    "B5",
    "votes leave before the record is on disk",
    VOTING,
    "    engine.sendVotes(votes, { durable: true });\n",
    "    engine.sendVotes(votes, { durable: false });\n",
    "churning",
  ),
  bft(
    "B6",
    "commits below a view change",
    RULES,
    "if (block.view < viewChangeSent) return false;\n  if (lastCommitted",
    "if (lastCommitted",
    "churning",
  ),
  bft(
    "B7",
    "a view change reports block 0",
    RULES,
    "  return promises.highQc;\n",
    "  return { ...promises.highQc, height: 0, view: 0 };\n",
    "churning",
  ),
  bft(
    "B8",
    "a timeout certificate shows less than its greatest report",
    RULES,
    "return greatest !== undefined && isSame(greatest, certified);",
    "return greatest !== undefined && certified.height >= 0;",
  ),
  bft(
    "B8",
    "the greatest report is compared by its id alone",
    RULES,
    "return greatest !== undefined && isSame(greatest, certified);",
    "return greatest?.id === certified.id;",
  ),
  bft(
    "bft",
    "a vote that names another place than its block's accuses",
    "consensus/bft/accuser.ts",
    "node === undefined || node.view !== signed.vote.view || node.height !== signed.vote.height",
    "node === undefined",
  ),
  tested(
    "two leaders of one view have one place for their blocks",
    "consensus/bft/accuser.ts",
    "return `${view}/${height}/${producer}`;",
    'return producer === "" ? "" : `${view}/${height}`;',
    "test/consensus/bftEvidence.test.ts",
  ),
  tested(
    "a leader whose block is not valid goes on leading",
    "consensus/bft/bft.ts",
    "else if (node.view === this.#record.view && this.#takesPart()) this",
    "else if (node.view < 0) this",
    "test/sim/scenarios/invalidBlocks.test.ts",
  ),
  tested(
    "blocks are taken however far they are above the root",
    "consensus/bft/bft.ts",
    "return (isFar || ",
    "return ((isFar && header.height < 0) || ",
    "test/sim/scenarios/invalidBlocks.test.ts",
  ),
  bft(
    "S5",
    "bft: own votes count before they are on disk",
    VOTING,
    'engine.whenDurable({ kind: "ownVotes", view: record.view, votes });',
    "this.durable(votes);",
  ),
  bft(
    "S9",
    "what is said to be irreversible is not proven",
    RULES,
    'if (proof === undefined) return "PROOF_MISSING";',
    "if (proof === undefined) return undefined;",
  ),
  records(
    "bft: a restored old backup is not noticed",
    "consensus/bft/bft.ts",
    "if (view <= this.#record.unknownUpTo || !this.#takesPart()) return;",
    "if (view >= 0) return;",
  ),
  records(
    "bft: that a record is old is forgotten with the next restart",
    "consensus/bft/heldRecord.ts",
    "this.#isOutdated = record.outdated === true;",
    "this.#isOutdated = false;",
  ),
  records(
    "bft: who lost its record takes part in views that it may have promised something in",
    "consensus/bft/bft.ts",
    "if (this.#record.promises.highQc.view <= this.#record.unknownUpTo) return;",
    "",
  ),
  records(
    "who lost its record takes part in views that it may have promised something in",
    "consensus/leading/voteRecord.ts",
    "if (head.view <= unknownUpTo) return;",
    "if (head.view < 0 && unknownUpTo < 0) return;",
  ),
];
