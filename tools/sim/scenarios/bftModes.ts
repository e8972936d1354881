/** The five modes of BFT, as pictures (docs/modes). */
import type { DrawnScenario } from "./drawn.ts";
import { catchUp, idle, leaveFollowerBehind } from "./plays.ts";
import { recordMode } from "./recordMode.ts";

const FOUR = { engine: "bft", producers: 4 } as const;

export const BFT_MODES: readonly DrawnScenario[] = [
  {
    name: "bft-normal",
    title: "BFT, normal: a transaction becomes irreversible in three message delays",
    text:
      "The leader of the view takes a transaction and makes a block at once. Each producer that has executed the block and has it on disk prepares it, to all. Who has prepares of three of four " +
      "has a certificate, and commits; three commits decide. Block, prepares, commits: three messages one after the other, and no answer is waited for before the next block.",
    record: () =>
      recordMode(FOUR, (stage) => {
        stage.commit(stage.leader);
        stage.advance(20);
      }),
  },
  {
    name: "bft-faulty-follower",
    title: "BFT, a follower is down: three of four go on without it",
    text:
      "One producer crashes. The votes of the other three are a quorum, so a transaction is decided as before; no vote may be missing now. When it is back, hellos tell where each stands, " +
      "and the certificate that comes with one makes the block irreversible as soon as it is on disk.",
    record: () =>
      recordMode(FOUR, (stage) => {
        const [victim] = stage.others(stage.leader) as [number];
        stage.crash(victim);
        stage.advance(20);
        stage.commit(stage.leader);
        stage.start(victim);
        stage.settle();
      }),
  },
  {
    name: "bft-faulty-leader",
    title: "BFT, the leader crashes: one view change",
    text:
      "The leader dies, and a transaction waits at each of the others. The broken link is a hint: who has something to decide asks for the next view soon, and tells the greatest block that it knows to be certified. Two that ask are one " +
      "more than may lie, so the third follows. Three view changes are a timeout certificate: the leader of the next view opens it with a block that carries the certificate, and takes the transactions.",
    record: () =>
      recordMode(FOUR, (stage) => {
        const { leader } = stage;
        for (const at of stage.others(leader)) stage.submit(at);
        stage.crash(leader);
        stage.settle();
      }),
  },
  {
    name: "bft-catch-up",
    title: "BFT, a follower of the chain was away and catches up",
    text: "E follows the chain and produces nothing. It was down while four blocks were decided. Hellos give the roles, the blocks are streamed, and the certificate in a hello proves them: E trusts the genesis and mathematics, not its peer.",
    record: () => recordMode({ ...FOUR, followers: 1 }, catchUp, leaveFollowerBehind),
  },
  {
    name: "bft-idle",
    title: "BFT, idle: summaries only",
    text: "Nothing is submitted: no block is made, and nobody suspects anybody. Each producer says every 200 ms where it stands. A second of it.",
    record: () => recordMode(FOUR, idle),
  },
];
