/** A block that a quorum prepared and that is not valid here: more lie than are borne, or this node is broken. It halts. */
import { describe, expect, it } from "vitest";
import { handoffEntry } from "../../../consensus/bft/certificates.ts";
import { bftRecordMessage } from "../../../consensus/bft/messages.ts";
import type { Effect } from "../../../src/replica/types.ts";
import { workshopOf } from "../../../tools/sim/scenarios/bftStage.ts";
import { blockFrame } from "../../../tools/sim/scenarios/forge.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

const LEADER = 1;

/** The other three certify a first block whose state is not what follows. @returns why the honest one halted */
function certified(order: "block first" | "votes first"): {
  readonly stage: Stage;
  readonly honest: number;
  readonly why: string | undefined;
} {
  const stage = Stage.closed(4, { engine: "bft", seed: 4, byzantine: 3 });
  const [honest] = stage.simulation.honest.map(({ index }) => index) as [number];
  expect(honest).not.toBe(LEADER);
  let halt: Extract<Effect, { kind: "halt" }> | undefined;
  stage.simulation.onlookers.push({
    stepped: (_, __, effects) => {
      halt ??= effects.find((effect) => effect.kind === "halt");
    },
  });
  stage.start(honest);
  const puppets = stage.others(honest).map((index) => stage.puppet(index));
  for (const puppet of puppets) {
    puppet.connect(honest);
    puppet.signed(honest, { kind: "summary", content: { view: 0, round: 1, irreversibleHeight: 0 } });
  }
  const zero = stage.head(honest);
  const fields = { time: zero.block.header.time + 1, stateHash: "f".repeat(64) };
  const entry = handoffEntry(new Uint8Array(0));
  const block = workshopOf(stage, LEADER).emptyChild(zero, 1, fields, { entry });
  const vote = (): void => {
    for (const puppet of puppets) {
      const workshop = workshopOf(stage, puppet.index);
      const prepare = workshop.vote(false, { view: 1, height: 1, id: block.id });
      puppet.unicast(honest, "urgent", workshop.votes([prepare]));
    }
    stage.advance(100);
  };
  const show = (): void => {
    puppets.find(({ index }) => index === LEADER)?.say(honest, "chain", blockFrame(block));
    stage.advance(100);
  };
  for (const act of order === "block first" ? [show, vote] : [vote, show]) {
    expect(halt).toBeUndefined();
    act();
  }
  return { stage, honest, why: halt?.why };
}

describe("a certified block that is not valid here", () => {
  it("halts who has found it invalid before, and was never voted for", () => {
    const { stage, honest, why } = certified("block first");
    expect(why).toMatch(/^block \w+ is certified and not valid here: /);
    expect(stage.status(honest).engine.status).toBe("halted");
    const record = bftRecordMessage.decode(stage.node(honest).disk.record as Uint8Array);
    expect(record.ok && [record.value.lastPrepared, record.value.lastCommitted]).toEqual([undefined, undefined]);
  });

  it("halts who executes it afterwards", () => {
    const { stage, honest, why } = certified("votes first");
    expect(why).toMatch(/^block \w+ is certified and not valid here: /);
    expect(stage.status(honest).engine.status).toBe("halted");
  });
});
