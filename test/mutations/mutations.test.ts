/** The simulator finds deliberate faults: a fast part of them here, all of them with `npm run mutations`. */
import { describe, expect, it } from "vitest";
import { CONTROL, MODEL_CONTROL, MUTATIONS, testsControl } from "./mutations.ts";
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
  "S9",
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
];
/** Found within some seconds each. */
const FAST = new Set(["S2", "S4", "S5", "S6", "R1", "H1"]);
/** Of those without a tag: found with the first seeds. */
const FAST_NAMES = new Set([
  "nothing waits for its token",
  "what is irreversible is told before it is on disk",
  "a flush loses a key",
  "what a new leader has to be told is forgotten",
  "a block is left out of the stream",
  "who has lost its record answers heartbeats",
]);

/** Some milliseconds each: the others are run by `npm run mutations` only. */
const FAST_TESTS = new Set(["test/net/link/frame.test.ts", "test/replica/heldBlocks.test.ts"]);

describe("mutations", () => {
  it("there is one for each rule, each under its own name", () => {
    expect(new Set(MUTATIONS.map(({ tag }) => tag))).toEqual(new Set(TAGS));
    expect(new Set(MUTATIONS.map(({ check, name }) => `${check} ${name}`)).size).toBe(MUTATIONS.length);
  });

  it.each(MUTATIONS.flatMap(({ tag, name, edits }) => edits.map((edit) => ({ tag, name, edit }))))(
    "[$tag] $name: the text to be replaced occurs once",
    ({ edit }) => expect(occurrences(edit), edit.find).toBe(1),
  );

  it.each([CONTROL, MODEL_CONTROL])(
    "nothing is found where nothing was changed: $check",
    { timeout: 300_000 },
    async (control) => expect((await runMutation(control)).how).toBe(""),
  );

  it.each(
    MUTATIONS.filter(
      ({ tag, name, check, engine }) =>
        check === "sweep" && engine === "raft" && (FAST.has(tag) || FAST_NAMES.has(name)),
    ),
  )("[$tag] $name: the simulator finds it", { timeout: 300_000 }, async (mutation) => {
    const { caughtAt, how } = await runMutation(mutation);
    expect(caughtAt).toBeDefined();
    expect(how).not.toContain("exception");
  });

  const fast = MUTATIONS.filter(({ tests }) => tests.some((file) => FAST_TESTS.has(file)));
  it("named tests hold where nothing was changed, in a copy of the sources", { timeout: 300_000 }, async () =>
    expect((await runMutation(testsControl(fast))).how).toBe(""),
  );

  it.each(fast)("[$tag] $name: its test finds it", { timeout: 300_000 }, async (mutation) =>
    expect((await runMutation(mutation)).caughtAt).toBeDefined(),
  );

  it.each(MUTATIONS.filter(({ check, tag }) => check === "model" && tag.startsWith("H")))(
    "[$tag] $name: the search of two nodes finds it",
    { timeout: 300_000 },
    async (mutation) => {
      const { caughtAt, how } = await runMutation(mutation);
      expect(caughtAt).toBeDefined();
      expect(how).not.toContain("exception");
    },
  );
});
