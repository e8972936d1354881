/** Faulty producers are shown on every node, in bounded time (docs/protocol.md, section 1, "Failure detector"). */
import { describe, expect, it } from "vitest";
import { SILENT_AFTER_MS, WATCH_EVERY_MS } from "../../../src/replica/constants.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

/** Silence, the look after it, and what is under way. */
const SHOWN_MS = SILENT_AFTER_MS + 2 * WATCH_EVERY_MS;

/** How `of` looks from each node that is up. */
function views(stage: Stage, of: number): string[] {
  const { key } = stage.node(of);
  const seers = stage.up.filter((index) => index !== of);
  return seers.map((index) => stage.status(index).producers.find((each) => each.key === key)?.state ?? "unknown");
}
const all = (stage: Stage, of: number, state: string): boolean => views(stage, of).every((each) => each === state);

describe("a producer that dies", () => {
  it.each([false, true])(
    "is faulty on all nodes in bounded time, and is not when it is back; silently: %s",
    (silent) => {
      const stage = Stage.open(4, { followers: 2 });
      const victim = stage.others(stage.leader).find((index) => stage.node(index).isProducer) as number;
      stage.crash(victim, silent);
      stage.until("it is shown as faulty", () => all(stage, victim, "faulty"), SHOWN_MS);
      for (const other of [0, 1, 2, 3].filter((index) => index !== victim))
        expect(all(stage, other, "active")).toBe(true);
      stage.start(victim);
      stage.until("it is shown as active", () => all(stage, victim, "active"), SHOWN_MS);
      stage.commit(stage.leader);
      stage.settle();
    },
  );

  it("and one that is cut off from some: those who do not hear it at all say so", () => {
    const stage = Stage.open(3, { followers: 1 });
    const victim = stage.others(stage.leader)[0] as number;
    stage.cutOff(victim);
    stage.until("it is shown as faulty", () => stage.up.length === 4 && all(stage, victim, "faulty"), 2 * SHOWN_MS);
    stage.heal();
    stage.until("it is shown as active", () => all(stage, victim, "active"), SHOWN_MS);
  });
});

describe("nobody is faulty", () => {
  it("on an idle chain, for minutes", () => {
    const stage = Stage.open(4, { followers: 1 });
    for (let minute = 0; minute < 3; minute++) {
      stage.advance(60_000);
      for (let of = 0; of < 4; of++) expect(views(stage, of)).toEqual(views(stage, of).map(() => "active"));
    }
  });

  it("after a planned stop: it is stopped, and active again when it starts", () => {
    const stage = Stage.open(4, { followers: 1 });
    const victim = stage.others(stage.leader)[0] as number;
    // A process ends when what it said is on its way; a crash takes that, too.
    stage.node(victim).step({ kind: "handOver" });
    stage.advance(100);
    stage.crash(victim);
    stage.advance(3 * SILENT_AFTER_MS);
    expect(views(stage, victim)).toEqual(["stopped", "stopped", "stopped", "stopped"]);
    stage.start(victim);
    stage.until("it is shown as active", () => all(stage, victim, "active"), SHOWN_MS);
  });
});
