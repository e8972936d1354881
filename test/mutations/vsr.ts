/** Deliberate faults in Viewstamped Replication (docs/protocol.md, sections 4 and 6). */
import { mutation, type Mutation } from "./mutation.ts";

const ENGINE = "consensus/vsr/vsr.ts";
const VOTE_RECORD = "consensus/leading/voteRecord.ts";
const VIEW_CHANGE = "consensus/vsr/viewChange.ts";
const RECOVERY = "consensus/vsr/recovery.ts";

function swept(tag: string, name: string, file: string, find: string, replace: string, faults = "default"): Mutation {
  return mutation(tag, name, [{ file, find, replace }], { engine: "vsr", faults, maxSeeds: 400 });
}

export const VSR: readonly Mutation[] = [
  swept(
    "V1",
    "a primary opens its view with one departure too few",
    VIEW_CHANGE,
    "if (hasMajority(sets, (key) => left.has(key)))",
    "if (left.size >= sets.current.producers.length / 2 - 1)",
    "churning",
  ),
  swept(
    "V1",
    "a primary opens its view on its own head, whatever the others hold",
    ENGINE,
    "if (isAtLeast(this.#host.ledger.head, best)) this.#lead();",
    "if (best.height >= 0) this.#lead();",
    "churning",
  ),
  swept(
    "V2",
    "a replica that lost its record takes part at once",
    ENGINE,
    "if (!this.#record.takesPart) this.#recovery.begin();",
    "if (!this.#record.takesPart) this.#record.restore({ view: head.view, ackedHead: refOf(head) });",
    "forgetful",
  ),
  swept(
    "V2",
    "a recovery ends without the primary's answer",
    RECOVERY,
    "if (newest === undefined) return this.#toldByRest();",
    "if (newest === undefined && !this.#isMajority(this.#ledger.head.setsAfter)) return undefined; " +
      "if (newest === undefined) return { view: Math.max(...[...this.#answers.values()].map((each) => each.view)), head: { view: 0, height: 0, id: this.#self } };",
    "forgetful",
  ),
  swept(
    "V2",
    "vsr: start makes the record that is lost",
    "consensus/engines.ts",
    "new Vsr(host, held(record, vsrRecordMessage))",
    "new Vsr(host, held(record, vsrRecordMessage) ?? { view: 0, ackedHead: root, incarnations: [] })",
    "forgetful",
  ),
  mutation(
    "V2",
    "vsr: a restored old backup is not noticed",
    [
      {
        file: VOTE_RECORD,
        find: "if (!this.takesPart || !this.#rules.isAbove(message, this.#content)) return false;",
        replace: "if (message.kind.length > 0) return false;",
      },
    ],
    { check: "tests", tests: ["test/sim/conformance.test.ts"] },
  ),
  swept(
    "V1",
    "vsr: who has left its view asks for no other when that one is not opened",
    ENGINE,
    "else this.#askFor(this.#nextView());",
    "else if (this.#isNormal) this.#askFor(this.#nextView());\n    else this.#timer.reset();",
    "crashing",
  ),
  mutation(
    "V2",
    "what an earlier incarnation has said counts",
    [
      {
        file: "consensus/vsr/incarnations.ts",
        find: "incarnations.of(replica) <= own",
        replace: "incarnations.of(replica) >= 0 && own >= 0",
      },
    ],
    { check: "tests", tests: ["test/consensus/vsrRecovery.test.ts"] },
  ),
  mutation(
    "V2",
    "who recovers takes over nobody's incarnation",
    [
      {
        file: RECOVERY,
        find: "for (const { replica, number } of this.#exchange.incarnations) this.incarnations.raise(replica, number);",
        replace: "",
      },
    ],
    { check: "tests", tests: ["test/consensus/vsrRecovery.test.ts", "test/sim/scenarios/viewChanges.test.ts"] },
  ),
  mutation(
    "V2",
    "the answer of an earlier incarnation counts",
    [
      {
        file: RECOVERY,
        find: "return new Map([...this.#said].filter(([replica]) => isLatest(replica, this.#said)));",
        replace: "return isLatest(this.#self, this.#said) ? this.#said : new Map(this.#said);",
      },
    ],
    { check: "tests", tests: ["test/consensus/vsrRecovery.test.ts"] },
  ),
  mutation(
    "V2",
    "vsr: who is between two views answers no recovery, whatever the operator has confirmed",
    [
      {
        file: ENGINE,
        find: "if (!this.#isNormal && !lostWithOthers) return;",
        replace: "if (!this.#isNormal) return;",
      },
    ],
    { check: "tests", tests: ["test/sim/scenarios/viewChanges.test.ts"] },
  ),
  mutation(
    "V2",
    "vsr: where the highest view has no primary left, what one of a lower view tells is left out",
    [{ file: RECOVERY, find: ", ...answers.flatMap(({ head }) => head ?? [])]", replace: "]" }],
    { check: "tests", tests: ["test/consensus/vsrRecovery.test.ts"] },
  ),
  mutation(
    "S8",
    "vsr: a departure counts for whomever it is taken to",
    [
      {
        file: ENGINE,
        find: "if (primary !== this.#host.self) return; // [S8]",
        replace: "if (primary === signer) return;",
      },
    ],
    { check: "tests", tests: ["test/sim/scenarios/viewChanges.test.ts"] },
  ),
  mutation(
    "V2",
    "a departure that was made by other producer sets counts",
    [{ file: VIEW_CHANGE, find: "(replica === primary || config === sets.hash) &&", replace: "config.length > 0 &&" }],
    {
      check: "tests",
      tests: ["test/consensus/vsrRecovery.test.ts", "test/sim/scenarios/viewChanges.test.ts"],
    },
  ),
  mutation(
    "S4",
    "vsr: a block of an earlier view is acknowledged",
    [
      {
        file: VOTE_RECORD,
        find: "if (!this.takesPart || this.#isRecovering || node.view !== this.view) return;",
        replace: "if (!this.takesPart || this.#isRecovering) return;",
      },
      {
        file: ENGINE,
        find: "if (this.#isNormal && this.#record.view > 0) this.#record.ack(",
        replace: "if (this.#record.view > 0) this.#record.ack(",
      },
    ],
    { engine: "vsr", faults: "churning", maxSeeds: 400 },
  ),
  swept(
    "S5",
    "vsr: a primary's own departure counts before it is on disk",
    ENGINE,
    'if (departedTo === this.#host.self) this.#host.whenDurable({ kind: "ownViewChange", view });',
    "if (departedTo === this.#host.self) this.#countDeparture(this.#host.self);",
  ),
  swept(
    "S5",
    "vsr: a view is not recorded",
    VOTE_RECORD,
    "if (this.takesPart) this.#host.persistRecord();",
    "if (this.takesPart && change.view === undefined) this.#host.persistRecord();",
  ),
  swept(
    "S7",
    "vsr: a primary that restarts in its own view leads on",
    ENGINE,
    "    if (!this.#isNormal) this.#asked = view;\n    this.#fallSilent();",
    "    if (this.#isMine() && this.#isNormal && view > 0) return this.#lead();\n    if (!this.#isNormal) this.#asked = view;\n    this.#fallSilent();",
    "churning",
  ),
];
