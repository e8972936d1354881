/** Deliberate faults of the light client and the auditor: each is found by a named test. */
import { mutation, type Mutation } from "./mutation.ts";

const FORKS = "test/client/lightForks.test.ts";
const VECTORS = "test/client/proofVectors.test.ts";
const SETS = "test/consensus/provenSets.test.ts";
const CERTIFICATE = "test/consensus/certificate.test.ts";
const LIGHT = "src/client/light/light.ts";
const NODE = "src/client/light/node.ts";

function tested(name: string, file: string, find: string, replace: string, test: string): Mutation {
  return mutation("light", name, [{ file, find, replace }], { check: "tests", tests: [test] });
}

export const LIGHT_CLIENT: readonly Mutation[] = [
  tested(
    "other changes of the producer set than are known are a lie",
    NODE,
    'if (shown.kind === "proven" || !shown.isOfOthers || trust.above === 0) return shown;',
    "if (trust.above >= 0) return shown;",
    FORKS,
  ),
  tested(
    "evidence has one way of changing the producer set",
    "src/client/light/evidence.ts",
    "...(!isOneWay && { secondProducers: theirs }),",
    "...(isOneWay && { secondProducers: theirs }),",
    FORKS,
  ),
  tested(
    "a proof may begin at another block than was asked for",
    NODE,
    'checked.ok && proof.from !== from ? other("from") : checked',
    "checked",
    FORKS,
  ),
  tested(
    "who lacks the block that is known is not asked for more",
    LIGHT,
    "return isWithout(shown) && before < from ? node.head(before, trust) : shown;",
    "return before <= from ? shown : node.head(before, trust);",
    FORKS,
  ),
  tested(
    "who does not show a block below its head is believed",
    LIGHT,
    "if (silence === undefined) return best;",
    "if (silence === undefined || isWithout(silence)) return best;",
    FORKS,
  ),
  tested(
    "a certificate of prepares proves a block irreversible",
    "consensus/proofMembers.ts",
    "if (!certificate.value.isFinal) throw",
    "if (certificate.value.height < 0) throw",
    VECTORS,
  ),
  tested(
    "a change need not be in the history of what is certified",
    "consensus/producersProof.ts",
    "demandHistory(proof, { height, id: sha256Hex(bytes) }, certificate);",
    'if (sha256Hex(bytes) === "") demandHistory(proof, { height, id: "" }, certificate);',
    VECTORS,
  ),
  tested(
    "a change may begin before the one before it has ended",
    "consensus/producersProof.ts",
    "(last !== undefined && height < last + 2)",
    "(last !== undefined && height < last)",
    SETS,
  ),
  tested(
    "two sets decide about the block that begins their change",
    "consensus/provenSets.ts",
    "from: height + 1, to });",
    "from: height, to });",
    SETS,
  ),
  tested(
    "the new set alone decides from the first block of both on",
    "consensus/provenSets.ts",
    "from = height + 2;",
    "from = height + 1;",
    SETS,
  ),
  tested(
    "both sets prove the block that would begin their change",
    "consensus/provenSets.ts",
    "hash === joint.hash && height > claimed.height ? joint",
    "hash === joint.hash ? joint",
    SETS,
  ),
  tested(
    "a signer counts as often as it signs (acks)",
    "consensus/certificate.ts",
    "!isMember(sets, ack.signer) || signers.has(ack.signer)",
    "!isMember(sets, ack.signer)",
    CERTIFICATE,
  ),
  tested(
    "a certificate has headers of any view",
    "consensus/certificate.ts",
    "header.value.view !== view",
    "header.value.view > view",
    CERTIFICATE,
  ),
  tested(
    "a head that is proven from a kept one is not compared with what --from gives",
    "src/node/cli/audit.ts",
    "if (older !== undefined) {",
    "if (older !== undefined && older.head === undefined) {",
    "test/client/audit.test.ts",
  ),
];
