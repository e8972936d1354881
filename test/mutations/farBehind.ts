/** Deliberate faults in range catch-up, found where nodes fall behind all the time and one of their sources lies. */
import { mutation, type Edit, type Mutation } from "./mutation.ts";

const RANGE = "consensus/sync/range.ts";
const PULL = "consensus/sync/rangePull.ts";

function edited(name: string, edits: readonly Edit[], sweep: Partial<Mutation> = {}): Mutation {
  return mutation("range", name, edits, { faults: "lying", followers: "1..2", ...sweep });
}

export const FAR_BEHIND: readonly Mutation[] = [
  edited("the proof of a range is not checked", [
    {
      file: RANGE,
      find: "if (!isProven(last, proof.path, anchor)) return",
      replace: "if (proof.path.length > 99) return",
    },
  ]),
  edited("the links inside a range are not checked", [
    {
      file: RANGE,
      find: "if (below !== undefined && block.header.parent !== below.id) return",
      replace: "if (below !== undefined && block.header.parent === below.id + below.id) return",
    },
  ]),
  edited("an anchor's certificate is taken without its signatures", [
    {
      file: "src/replica/intake.ts",
      find: 'return { arrival: { kind: "certificate", certificate }, claims: this.#unverified(certificate.claims) };',
      replace: 'return { arrival: { kind: "certificate", certificate }, claims: [] };',
    },
  ]),
  edited(
    "a range that does not come is not asked of anybody else",
    [
      {
        file: PULL,
        find: 'if (state.kind === "asked") earliest = Math.min(earliest, state.deadline);',
        replace: "earliest = Math.max(earliest, state.kind.length);",
      },
      {
        file: PULL,
        find: 'if (batch.state.kind !== "asked" || now < batch.state.deadline) continue;',
        replace: 'if (batch.state.kind !== "asked" || now < batch.state.deadline + 1e12) continue;',
      },
    ],
    { check: "tests", tests: ["test/consensus/rangePull.test.ts"] },
  ),
  edited("a node pulls once, from the beginning, and never again", [
    {
      file: "src/replica/catchUp.ts",
      find: "if (!this.#pull.isPulling && this.#isFarBehind()) this.#begin();",
      replace:
        "if (!this.#pull.isPulling && this.#host.ledger.root.height === 0 && this.#isFarBehind()) this.#begin();",
    },
  ]),
  edited(
    "ranges are asked for without a bound",
    [
      { file: PULL, find: "if (index > 0 && ranges >= this.#host.limits.pullRanges) return;", replace: "" },
      { file: PULL, find: "while (state.batches.length < pullRanges) {", replace: "while (pullRanges > 0) {" },
    ],
    { producers: "3..5" },
  ),
];
