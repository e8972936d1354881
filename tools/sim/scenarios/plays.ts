/** What is to be seen of more than one engine (docs/modes). */
import type { Play } from "./recordMode.ts";
import type { Stage } from "./stage.ts";

/** A transaction that a follower of the leader was given becomes irreversible. */
export const normal: Play = (stage) => {
  stage.commit(stage.others(stage.leader)[0] as number);
  stage.advance(20);
};

/** A follower of the leader dies, the others decide something, it comes back. */
export const faultyFollower: Play = (stage) => {
  const [other, victim] = stage.others(stage.leader) as [number, number];
  stage.crash(victim);
  stage.advance(20);
  stage.commit(other);
  stage.start(victim);
  stage.settle();
};

export const faultyLeader: Play = (stage) => {
  stage.crash(stage.leader);
  stage.elect();
  stage.advance(20);
};

/** The last node, which produces nothing, goes, and misses four blocks. */
export const leaveFollowerBehind: Play = (stage) => {
  stage.crash(follower(stage));
  for (let i = 0; i < 4; i++) stage.commit(stage.leader);
  stage.advance(500);
};

/** It comes back. */
export const catchUp: Play = (stage) => {
  stage.start(follower(stage));
  stage.settle();
};

/** A second. */
export const idle: Play = (stage) => stage.advance(1_000);

function follower({ simulation }: Stage): number {
  return simulation.nodes.length - 1;
}
