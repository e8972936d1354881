/** Deliberate faults around evidence against producers: each is found by a named test. */
import { mutation, type Mutation } from "./mutation.ts";

const SCENARIOS = "test/sim/scenarios/evidence.test.ts";
const STORE = "src/replica/evidenceStore.ts";

function tested(name: string, file: string, find: string, replace: string, test: string): Mutation {
  return mutation("evidence", name, [{ file, find, replace }], { check: "tests", tests: [test] });
}

export const EVIDENCE: readonly Mutation[] = [
  tested(
    "evidence is not written down",
    "src/replica/wiring.ts",
    "outbox.persistEvidence({ producer: each.producer, kind: each.kind, bytes: each.bytes });",
    "",
    SCENARIOS,
  ),
  tested("evidence is told to nobody", STORE, "this.#host.spread(held.bytes, from);", "", SCENARIOS),
  tested(
    "evidence is not told to who connects",
    "src/replica/replica.ts",
    "for (const { bytes } of this.#parts.evidence.all)",
    "for (const { bytes } of this.#parts.evidence.all.slice(1))",
    SCENARIOS,
  ),
  tested(
    "evidence is told once only",
    STORE,
    "for (const { bytes } of this.all) this.#host.repeat(bytes);",
    "",
    "test/replica/evidenceStore.test.ts",
  ),
  tested(
    "a second piece of a kind is written, too",
    STORE,
    "return !this.#held.has(nameOf(producer, kind));",
    "return !this.#held.has(nameOf(producer, kind)) || this.size < EVIDENCE_PER_PRODUCER;",
    SCENARIOS,
  ),
  tested(
    "to tell what is known costs nothing",
    "src/replica/intake.ts",
    'if (judged === "drop" && kind === "evidence") this.#host.conduct.duplicate(from);',
    "",
    SCENARIOS,
  ),
  tested(
    "signatures of evidence on disk are not checked",
    STORE,
    "evidence.value.claims.every((claim) => this.#host.isSigned(claim))",
    "evidence.value.claims.length > 0",
    "test/replica/evidenceStore.test.ts",
  ),
  tested(
    "what stands beside evidence may be anything",
    "consensus/producerEvidence.ts",
    "if (!given.ok || !wanted.ok || given.value !== wanted.value)",
    "if (!given.ok || !wanted.ok)",
    "test/inspect/evidence.test.ts",
  ),
];
