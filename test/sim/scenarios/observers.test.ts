/** Whom a node outside the producer set names as leader (docs/protocol.md, section 5, "Learners"). */
import { describe, expect, it } from "vitest";
import { LEADER_SIGN_TIMEOUTS } from "../../../consensus/leading/watchedLeader.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

const TIMEOUT_MS = 600;
const OBSERVER = 3;

function open(): Stage {
  const stage = Stage.open(3, { followers: 2 });
  stage.commit(stage.leader);
  stage.settle();
  return stage;
}
const named = (stage: Stage): string | undefined => stage.status(OBSERVER).engine.leader;

describe("an observer names the leader", () => {
  it("as long as it can be reached, however idle the chain is", () => {
    const stage = open();
    stage.advance(60_000);
    expect(named(stage)).toBe(stage.node(stage.leader).key);
  });

  it("no longer than a stated time after no producer is there any more, although it has peers", () => {
    const stage = open();
    const leader = stage.node(stage.leader).key;
    for (const index of [0, 1, 2]) stage.crash(index);
    expect(named(stage)).toBe(leader);
    stage.advance(LEADER_SIGN_TIMEOUTS * TIMEOUT_MS + 50);
    expect(stage.status(OBSERVER).peers).toHaveLength(1);
    expect(named(stage)).toBeUndefined();
    stage.startAll();
    stage.elect();
    stage.settle();
    expect(named(stage)).toBe(stage.node(stage.leader).key);
  });

  it("cut off from it, by way of others", () => {
    const stage = open();
    const { leader } = stage;
    stage.part([OBSERVER], [leader]);
    stage.until(
      "the link is down",
      () => stage.status(OBSERVER).peers.every(({ peer }) => peer !== stage.node(leader).key),
      60_000,
    );
    stage.advance(LEADER_SIGN_TIMEOUTS * TIMEOUT_MS + 50);
    expect(named(stage)).toBe(stage.node(leader).key);
    stage.part(
      [OBSERVER],
      stage.up.filter((index) => index !== OBSERVER),
    );
    stage.advance(60_000);
    expect(named(stage)).toBeUndefined();
  });
});
