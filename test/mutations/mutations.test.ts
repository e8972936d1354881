/** The simulator finds deliberate faults: a fast part of them here, all of them with `npm run mutations`. */
import { describe, expect, it } from "vitest";
import { CONTROL, MUTATIONS, testsControl } from "./mutations.ts";
import { occurrences, runMutation } from "./runner.ts";

/** Rules of docs/protocol.md that the code has so far. */
const TAGS = [
  "S1",
  "S2",
  "S3",
  "S4",
  "S5",
  "S6",
  "S7",
  "S8",
  "S9",
  "S10",
  "S11",
  "B1",
  "B2",
  "B3",
  "B4",
  "B5",
  "B6",
  "B7",
  "B8",
  "R1",
  "R2",
  "V1",
  "V2",
  "H1",
  "H2",
  "H3",
  "storage",
  "link",
  "mempool",
  "sync",
  "record",
  "range",
  "routing",
  "tree",
  "discovery",
  "early",
  "bft",
  "evidence",
  "change",
  "light",
];
/** One of a kind, found with the first seeds. */
const FAST_NAMES = new Set([
  "an ack leaves before its block is durable",
  "a leader counts its own ack before it is durable",
  "votes twice in a view",
  "nothing waits for its token",
  "what is irreversible is told before it is on disk",
  "a flush loses a key",
  "what a new leader has to be told is forgotten",
  "a block is left out of the stream",
  "who has lost its record answers heartbeats",
]);

/** One for each of [H1] to [H3]. */
const FAST_MODEL = new Set([
  "takes a role from any hello",
  "does not adopt a hello's certificate",
  "sends on from a height, whatever branch it was on",
]);
/** Those of quick test files. */
const FAST_TESTED = new Set([
  "the last piece of a frame is lost",
  "a lane takes more than its cap",
  "who sent a block that was not taken in is forgotten",
]);

/** Each of these names is of a mutation that is there. */
const FAST = [...FAST_NAMES, ...FAST_MODEL, ...FAST_TESTED];

describe("mutations", () => {
  it("there is one for each rule, each under its own name", () => {
    expect(new Set(MUTATIONS.map(({ tag }) => tag))).toEqual(new Set(TAGS));
    expect(new Set(MUTATIONS.map(({ check, name }) => `${check} ${name}`)).size).toBe(MUTATIONS.length);
    expect(FAST.filter((name) => MUTATIONS.every((each) => each.name !== name))).toEqual([]);
  });

  it.each(MUTATIONS.flatMap(({ tag, name, edits }) => edits.map((edit) => ({ tag, name, edit }))))(
    "[$tag] $name: the text to be replaced occurs once",
    ({ edit }) => expect(occurrences(edit), edit.find).toBe(1),
  );

  it("nothing is found where nothing was changed", { timeout: 300_000 }, async () =>
    expect((await runMutation(CONTROL)).how).toBe(""),
  );

  it.each(MUTATIONS.filter(({ name, check }) => check === "sweep" && FAST_NAMES.has(name)))(
    "[$tag] $name: the simulator finds it",
    { timeout: 300_000 },
    async (mutation) => {
      const { caughtAt, how } = await runMutation(mutation);
      expect(caughtAt).toBeDefined();
      expect(how).not.toContain("exception");
    },
  );

  const fast = MUTATIONS.filter(({ check, name }) => check === "tests" && FAST_TESTED.has(name));
  it("named tests hold where nothing was changed, in a copy of the sources", { timeout: 300_000 }, async () =>
    expect((await runMutation(testsControl(fast))).how).toBe(""),
  );

  it.each(fast)("[$tag] $name: its test finds it", { timeout: 300_000 }, async (mutation) =>
    expect((await runMutation(mutation)).caughtAt).toBeDefined(),
  );

  it.each(MUTATIONS.filter(({ check, name }) => check === "model" && FAST_MODEL.has(name)))(
    "[$tag] $name: the search of two nodes finds it",
    { timeout: 300_000 },
    async (mutation) => {
      const { caughtAt, how } = await runMutation(mutation);
      expect(caughtAt).toBeDefined();
      expect(how).not.toContain("exception");
    },
  );
});
