/** Records that were lost, or under BFT are old ones (docs/protocol.md, section 4): what was promised is not promised otherwise. */
import { describe, expect, it } from "vitest";
import { handoffEntry } from "../../../consensus/bft/certificates.ts";
import { bftRecordMessage } from "../../../consensus/bft/messages.ts";
import { openBft, workshopOf } from "../../../tools/sim/scenarios/bftStage.ts";
import { blockFrame } from "../../../tools/sim/scenarios/forge.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

function isOutdated(stage: Stage, index: number): boolean {
  const record = bftRecordMessage.decode(stage.node(index).disk.record as Uint8Array);
  return record.ok && record.value.outdated === true;
}

describe("a producer restored from an old backup, under BFT", () => {
  const VOTER = 2;

  /** It voted for what was decided, died, and comes back with the directory that it had before. */
  function restored(): Stage {
    const stage = openBft(4, { backsUp: true });
    stage.commit(stage.leader, 3);
    stage.crash(VOTER);
    stage.node(VOTER).damageDisk("backup");
    stage.simulation.watch.damaged(stage.node(VOTER), "backup");
    return stage;
  }

  /** The leader of view 1 lies: it makes another first block of its view, for this producer alone. */
  function secondBlock(stage: Stage): void {
    const zero = stage.simulation.genesisBlock;
    const liar = stage.puppet(1);
    const node = stage.node(0).replica.ledger.get(zero.id) ?? stage.node(VOTER).replica.ledger.bottom;
    const entry = handoffEntry(new Uint8Array(0));
    const block = workshopOf(stage, 1).emptyChild(node, 1, { time: zero.header.time + 99 }, { entry });
    liar.connect(VOTER);
    liar.say(VOTER, "chain", blockFrame(block));
  }

  it("is told by those that heard its votes, votes for no other block of their places, and takes no part after a restart", () => {
    const stage = restored();
    // Nothing but urgent messages reaches it: it has only its record to go by.
    stage.simulation.network.clog(VOTER);
    stage.start(VOTER);
    stage.until("it knows that its record is old", () => isOutdated(stage, VOTER), 2_000);
    secondBlock(stage);
    stage.advance(3_000);
    expect(stage.head(VOTER).height).toBe(1);
    stage.simulation.network.unclog(VOTER);
    // Who restarts has nothing to give back any more.
    for (const index of [0, 3, VOTER]) {
      stage.crash(index);
      stage.start(index);
    }
    stage.settle();
    stage.advance(2_000);
    expect(stage.status(VOTER).engine.status).toBe("recovering");
    expect(stage.head(VOTER).height).toBeGreaterThan(1);
  });

  it("is not missed: the others decide, and it follows", () => {
    const stage = restored();
    stage.start(VOTER);
    stage.commit(stage.leader, 2);
    stage.settle();
    expect(isOutdated(stage, VOTER)).toBe(true);
    expect(stage.height(VOTER)).toBe(stage.height(stage.leader));
  });

  it("votes for nothing before it has heard of a quorum", () => {
    const stage = restored();
    stage.cutOff(VOTER);
    stage.start(VOTER);
    secondBlock(stage);
    stage.advance(3_000);
    expect(stage.head(VOTER).height).toBe(1);
  });

  it("what remains: where all that heard its votes have restarted since, it votes twice", () => {
    const stage = restored();
    for (const index of [0, 1, 3]) {
      stage.crash(index);
      stage.start(index);
    }
    stage.simulation.network.clog(VOTER);
    stage.start(VOTER);
    stage.advance(1_000);
    secondBlock(stage);
    expect(() => stage.advance(3_000)).toThrow("votes of one producer and view lie on one chain [B4]");
  });
});

describe.each([
  ["raft", 3],
  ["bft", 4],
] as const)("a lost record whose loss the operator confirms, under %s", (engine, producers) => {
  /** One that follows has lost its record while it was down. */
  function lost(confirmed: boolean): { readonly stage: Stage; readonly loser: number; readonly leader: number } {
    const stage = Stage.open(producers, { engine });
    const { leader } = stage;
    stage.commit(leader, 3);
    const loser = stage.others(leader)[0] as number;
    stage.crash(loser);
    stage.node(loser).damageDisk(confirmed ? "confirmed" : "record");
    stage.simulation.watch.damaged(stage.node(loser), confirmed ? "confirmed" : "record");
    stage.start(loser);
    stage.advance(200);
    return { stage, loser, leader };
  }
  const status = (stage: Stage, index: number): string => stage.status(index).engine.status;
  const view = (stage: Stage, index: number): number => stage.head(index).view;

  /** Another leader opens a view. */
  function nextView(stage: Stage, leader: number, loser: number): void {
    const before = view(stage, leader);
    if (stage.leader === leader) stage.stop(leader);
    stage.start(leader);
    const [third] = stage.others(leader, loser) as [number];
    stage.until("another view is open", () => view(stage, third) > before, 10_000);
    stage.commit(third);
  }

  it("takes no part in the views that it may have promised something in", () => {
    const { stage, loser, leader } = lost(true);
    const known = view(stage, loser);
    stage.submit(leader, 3);
    for (let ms = 0; ms < 3_000; ms += 10) {
      stage.advance(10);
      if (status(stage, loser) !== "recovering") expect(view(stage, loser)).toBeGreaterThan(known);
    }
    // Raft's leader hears of a later view by its replies; under BFT the leader leads on.
    expect(status(stage, loser)).toBe(engine === "raft" ? "follower" : "recovering");
  });

  it("takes part in a later view, which the others open: where it is needed, it is there", () => {
    const { stage, loser, leader } = lost(true);
    if (engine === "bft") nextView(stage, leader, loser);
    stage.until("it takes part again", () => status(stage, loser) !== "recovering", 10_000);
    const [spare] = stage.others(loser, stage.leader) as [number];
    stage.crash(spare);
    stage.commit(loser, 2);
    // After a restart, too.
    stage.crash(loser);
    stage.start(loser);
    stage.commit(loser, 2);
    stage.start(spare);
    stage.settle();
  });

  it("without the word of its operator it never takes part", () => {
    const { stage, loser, leader } = lost(false);
    nextView(stage, leader, loser);
    stage.advance(5_000);
    expect(status(stage, loser)).toBe("recovering");
  });
});
