/** The five modes of Raft, as pictures (docs/modes). */
import type { DrawnScenario } from "./drawn.ts";
import { catchUp, faultyFollower, faultyLeader, idle, leaveFollowerBehind, normal } from "./plays.ts";
import { recordMode } from "./recordMode.ts";

const THREE = { engine: "raft", producers: 3 } as const;

export const RAFT_MODES: readonly DrawnScenario[] = [
  {
    name: "raft-normal",
    title: "Raft, normal: a transaction becomes irreversible",
    text:
      "A follower accepts a transaction and forwards it to the leader. Nothing of the leader's is in flight, so it makes a block at once, " +
      "sends it and writes it to disk at the same time. A follower acks when block and record are on its disk. With its own write and one " +
      "ack the leader has a majority of three: it broadcasts the certificate, and each node tells `irreversible` when its disk knows it.",
    record: () => recordMode(THREE, normal),
  },
  {
    name: "raft-faulty-follower",
    title: "Raft, a follower is down: the others go on without it",
    text:
      "One follower crashes. Two of three are a majority, so a transaction is decided as before, with the one ack that comes. When the follower " +
      "is back, both sides say hello, and the first who has heard its answer sends what it lacks. The certificate came with the hello: the block is irreversible as soon as it is on disk.",
    record: () => recordMode(THREE, faultyFollower),
  },
  {
    name: "raft-faulty-leader",
    title: "Raft, the leader crashes: another is elected",
    text:
      "The leader's process dies and the kernel closes its links: a hint to ask for votes early. Whose short random delay ends first asks for a " +
      "pre-vote, which changes nothing, and then for the vote, which is on disk before it is sent, as the answer is. The new leader opens its " +
      "view with an empty block; with it all that its predecessors left becomes decided.",
    record: () => recordMode(THREE, faultyLeader),
  },
  {
    name: "raft-catch-up",
    title: "Raft, a follower of the chain was away and catches up",
    text:
      "D follows the chain and produces nothing. It was down while four blocks were decided. Hellos tell each side where the other stands; one " +
      "pair that matches gives the roles: here the first to connect streams from the child of the highest common block, and nothing is left for the others.",
    record: () => recordMode({ ...THREE, followers: 1 }, catchUp, leaveFollowerBehind),
  },
  {
    name: "raft-idle",
    title: "Raft, idle: heartbeats only",
    text: "Nothing is submitted: no block is made. The leader says every 100 ms that it is there, and who answers keeps it in office. A second of it.",
    record: () => recordMode(THREE, idle),
  },
];
