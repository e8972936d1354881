/** Of every engine: what a disk loses is never something that was promised. */
import { NO_WORKLOAD } from "../profile.ts";
import type { Damage } from "../schedule.ts";
import type { Stage } from "../scenarios/stage.ts";
import {
  crash,
  decide,
  demand,
  demandDecided,
  demandStandstill,
  open,
  type Scenario,
  type Subject,
} from "./subject.ts";

/** Of a node's writes, those at which it dies: of a view's opening, and under load. */
const WRITES = [1, 3, 8, 13];

export const DISKS: readonly Scenario[] = [
  {
    name: "torn write",
    demand:
      "a producer, or all of them, die as a write is on disk and those after it are not, or some of them: nothing told is lost",
    run: (subject) => {
      for (const [round, write] of WRITES.entries()) {
        const stage = open(subject, 1, { seed: 5 + round, workload: { ...NO_WORKLOAD, transactionsPerSecond: 30 } });
        const all = stage.others();
        const victims = round % 2 === 0 ? [stage.leader] : all;
        let left = write;
        let died = false;
        stage.simulation.onlookers.push({
          persisted: ({ index }) => {
            if (index !== victims[0] || --left !== 0) return;
            died = true;
            const { queue } = stage.simulation;
            queue.schedule(queue.now, () => victims.forEach((each) => stage.crash(each)));
          },
        });
        stage.underLoad(() => {
          stage.until("it came so far", () => died, 3_000);
          stage.advance(300);
          stage.startAll();
          stage.advance(700);
        });
      }
    },
  },
  {
    name: "lost record",
    demand: "a producer whose vote record is gone or does not read is recovering, and counts for no quorum",
    run: (subject) => {
      const stage = open(subject, 1);
      const old = stage.leader;
      const [victim] = stage.others(old) as [number];
      stage.crash(victim);
      damage(stage, victim, "record");
      // Without the leader nobody can tell what it had promised.
      stage.crash(old);
      stage.start(victim);
      const ids = demandStandstill(stage, 10_000);
      demand(stage.status(victim).engine.status === "recovering", "it says that it is recovering");
      stage.start(old);
      stage.settle();
      demandDecided(stage, ids);
      demandBack(stage, victim, subject);
    },
  },
  {
    name: "lost disk",
    demand:
      "a producer without anything gets the chain from the others, and counts for no quorum before they can tell what it promised",
    run: (subject) => {
      const stage = open(subject, 1);
      for (let i = 0; i < 10; i++) decide(stage, stage.leader, 1_000);
      const [victim] = stage.others(stage.leader) as [number];
      stage.crash(victim);
      stage.loseDisk(victim);
      stage.start(victim);
      stage.settle();
      demandBack(stage, victim, subject);
      crash(stage, stage.others(victim, stage.leader)[0] as number);
      if (subject.recoversRecord) decide(stage, stage.leader, 1_000);
      else demandStandstill(stage, 6_000);
    },
  },
  {
    name: "records lost beyond what is borne",
    demand:
      "one producer more than may fail has lost its record: nothing is decided until an operator confirms it for that one; then it goes on, with everything",
    notFor: {
      raft: "each comes back by a confirmation, and needs the others to open a view without it: with too few of them it is a new chain (decision 074)",
      bft: "as under Raft",
    },
    run: (subject) => {
      const stage = open(subject, 1);
      for (let i = 0; i < 5; i++) decide(stage, stage.leader, 1_000);
      for (const withLeader of [false, true]) {
        const victims = withLeader
          ? [stage.leader, stage.others(stage.leader)[0] as number]
          : stage.others(stage.leader);
        crash(stage, ...victims);
        for (const victim of victims) damage(stage, victim, "record");
        stage.startAll();
        demandStandstill(stage, 6_000);
        for (const victim of victims)
          demand(stage.status(victim).engine.status === "recovering", "they say that they are recovering");
        const [first] = victims as [number];
        crash(stage, first);
        damage(stage, first, "confirmed");
        stage.start(first);
        for (const victim of victims) demandBack(stage, victim, subject);
        decide(stage, first, 1_000);
        stage.settle();
      }
    },
  },
  {
    name: "restored backup",
    demand:
      "a producer that comes back from an old backup is told what it promised, and counts for no quorum from then on",
    run: (subject) => {
      // One is cut off; the others decide with the voter, who then comes back as it was before.
      const stage = open(subject, 1, { seed: 3, backsUp: true });
      const { leader } = stage;
      const [voter, away] = stage.others(leader) as [number, number];
      stage.cutOff(away);
      for (let i = 0; i < 3; i++) decide(stage, leader, 1_000);
      stage.crash(voter);
      damage(stage, voter, "backup");
      stage.simulation.network.clog(voter);
      stage.start(voter);
      const isRecovering = (): boolean => stage.status(voter).engine.status === "recovering";
      stage.until("it knows that its record is old", isRecovering, 3_000);
      // With the one that has nothing of all that it would be a majority.
      stage.cutOff(leader);
      stage.join([voter], [away]);
      demandStandstill(stage, 8_000);
      stage.heal();
      stage.settle();
    },
  },
];

/** Takes it part again, where the others can tell what it promised? */
function demandBack(stage: Stage, index: number, { recoversRecord }: Subject): void {
  const isBack = (): boolean => stage.status(index).engine.status !== "recovering";
  if (recoversRecord) stage.until("it takes part again", isBack, 5_000);
  else stage.advance(5_000);
  demand(isBack() === recoversRecord, "it does not take part on its own word");
}

function damage(stage: Stage, index: number, what: Damage): void {
  stage.node(index).damageDisk(what);
  stage.simulation.watch.damaged(stage.node(index), what);
}
