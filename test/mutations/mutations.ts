/**
 * Deliberate faults, at least one for each safety rule of docs/protocol.md that the code has so far. The simulator must
 * find each within `maxSeeds` seeds; one that it does not find is a hole in the simulator.
 */
import { BFT } from "./bft.ts";
import { BROADCAST_TREE } from "./broadcastTree.ts";
import { ROUTING_SWEPT } from "./routing.ts";
import { BY_TESTS } from "./byTests.ts";
import { DISCOVERING } from "./discovery.ts";
import { BEYOND_TAGS } from "./beyondTags.ts";
import { EARLY_VOTES } from "./earlyVotes.ts";
import { EVIDENCE } from "./evidence.ts";
import { FAR_BEHIND } from "./farBehind.ts";
import { LIGHT_CLIENT } from "./lightClient.ts";
import { mutation, type Mutation } from "./mutation.ts";
import { PRODUCER_CHANGE } from "./producerChange.ts";
import { PRODUCER_SETS } from "./producerSets.ts";
import { VSR } from "./vsr.ts";

const RAFT = "consensus/raft/raft.ts";
const LEADING = "consensus/leading/messages.ts";
const TERM = "consensus/leading/term.ts";
const VOTE_RECORD = "consensus/leading/voteRecord.ts";
const ACK_TABLE = "consensus/leading/ackTable.ts";
const READ_ROUNDS = "consensus/leading/readRounds.ts";
const CONNECTION = "consensus/sync/connection.ts";
const PEER_KNOWLEDGE = "consensus/sync/peerKnowledge.ts";
const SYNC = "consensus/sync/sync.ts";

/** The same or another fault, to be found by the search of two nodes. */
function modelled(tag: string, name: string, file: string, find: string, replace: string): Mutation {
  return mutation(tag, name, [{ file, find, replace }], { check: "model" });
}

/** No fault at all: the runner's own check. Were something found, whatever is found of the mutations would mean nothing. */
export const CONTROL: Mutation = mutation("--", "nothing is changed", [], { maxSeeds: 20 });
export const MODEL_CONTROL: Mutation = { ...CONTROL, check: "model" };

/** All test files that must find any of these. */
export function testsControl(mutations: readonly Mutation[]): Mutation {
  return { ...CONTROL, check: "tests", tests: [...new Set(mutations.flatMap(({ tests }) => tests))] };
}

export const MUTATIONS: readonly Mutation[] = [
  mutation(
    "S1",
    "elections compare heads by height alone",
    [
      {
        file: LEADING,
        find: "return a.view !== b.view ? a.view > b.view : a.height >= b.height;",
        replace: "return a.height >= b.height;",
      },
    ],
    { faults: "churning", maxSeeds: 600 },
  ),
  mutation(
    "S1",
    "elections compare heads by view alone",
    [
      {
        file: LEADING,
        find: "return a.view !== b.view ? a.view > b.view : a.height >= b.height;",
        replace: "return a.view >= b.view;",
      },
    ],
    { faults: "churning", maxSeeds: 600 },
  ),
  mutation(
    "S1",
    "fork choice compares heights first",
    [
      {
        file: "chain/header.ts",
        find: "if (a.view !== b.view) return a.view - b.view;",
        replace: "if (a.height !== b.height) return a.height - b.height;",
      },
    ],
    { faults: "churning", maxSeeds: 600 },
  ),
  mutation("S2", "a new leader waits for a transaction to open its view", [
    {
      file: TERM,
      find: "if (next === undefined) return { view: this.#hooks.view, opening: !this.#opened };",
      replace: "if (next === undefined) return { view: this.#hooks.view, opening: false };",
    },
  ]),
  mutation(
    "S3",
    "acks of earlier views count",
    [
      {
        file: RAFT,
        find: "if (ack.view === this.#record.view) this.lead.term?.acked(signer, ack, signature);",
        replace: "this.lead.term?.acked(signer, ack, signature);",
      },
      {
        file: ACK_TABLE,
        find: "if (at.view !== head.view) return undefined;",
        replace: "",
      },
    ],
    { faults: "churning", maxSeeds: 600 },
  ),
  mutation(
    "S4",
    "acks a block of an earlier view than its own",
    [
      {
        file: VOTE_RECORD,
        find: "if (!this.takesPart || this.#isRecovering || node.view !== this.view) return;",
        replace: "if (!this.takesPart || this.#isRecovering) return;",
      },
    ],
    { faults: "churning", maxSeeds: 600 },
  ),
  mutation("S5", "an ack leaves before its block is durable", [
    {
      file: VOTE_RECORD,
      find: "this.#host.unicast(producer, ackOf(node), { durable: true });",
      replace: "this.#host.unicast(producer, ackOf(node), { durable: false });",
    },
  ]),
  mutation("S5", "a vote leaves before it is durable", [
    {
      file: RAFT,
      find: 'this.#host.unicast(candidate, { kind: "vote", content }, { durable: true });',
      replace: 'this.#host.unicast(candidate, { kind: "vote", content }, { durable: false });',
    },
  ]),
  mutation("S5", "a candidate asks before its own vote is durable", [
    {
      file: RAFT,
      find: 'this.#host.multicast({ kind: "requestVote", content }, { durable: true });',
      replace: 'this.#host.multicast({ kind: "requestVote", content }, { durable: false });',
    },
  ]),
  mutation("S5", "a leader counts its own ack before it is durable", [
    {
      file: RAFT,
      find: 'this.#record.ack(to, this.#role === "leader");',
      replace: 'this.#record.ack(to, this.#role === "leader");\n    this.lead.term?.ownAckDurable(to.id);',
    },
  ]),
  mutation(
    "S5",
    "a candidate counts its own vote before it is durable",
    [
      {
        file: RAFT,
        find: 'this.#host.whenDurable({ kind: "ownVote", view });',
        replace: 'this.durable({ kind: "ownVote", view });',
      },
    ],
    { producers: "1", followers: "1" },
  ),
  mutation("S5", "a new view is not persisted", [
    {
      file: VOTE_RECORD,
      find: "if (this.takesPart) this.#host.persistRecord();",
      replace: "if (this.takesPart && change.view === undefined) this.#host.persistRecord();",
    },
  ]),
  mutation(
    "S6",
    "a replica takes part before it has back what it acked",
    [
      {
        file: VOTE_RECORD,
        find: "this.#isRecovering = !holds && bottom.height < ackedHead.height;",
        replace: "this.#isRecovering = holds && bottom.height + ackedHead.height < 0;",
      },
    ],
    { faults: "rotting" },
  ),
  mutation("S7", "a leader that restarts leads on", [
    {
      file: RAFT,
      find: "// A leader restarted in its own view comes back as a follower: it stays silent there and asks for the next [S7].",
      replace: "if (this.#record.content.votedFor === this.#host.self) return this.#lead();",
    },
  ]),
  mutation("R1", "votes twice in a view", [
    { file: RAFT, find: "if (votedFor !== undefined && votedFor !== candidate) return false; // [R1]", replace: "" },
  ]),
  mutation(
    "R1",
    "votes for a candidate whose head is below its own",
    [
      {
        file: RAFT,
        find: "return isAtLeast(request.head, this.#host.ledger.head); // [S1]",
        replace: "return true;",
      },
      {
        file: RAFT,
        find: "const granted = mayFollow && isAtLeast(request.head, head); // [S1]",
        replace: "const granted = mayFollow && head.height >= 0;",
      },
    ],
    { faults: "churning", maxSeeds: 600 },
  ),
  mutation("H1", "takes a role from any hello", [
    {
      file: CONNECTION,
      find: "if (hello.echo === this.#mine?.seq) this.#takeRoles(this.#mine, hello);",
      replace: "if (this.#mine !== undefined) this.#takeRoles(this.#mine, hello);",
    },
  ]),
  mutation(
    "H2",
    "does not adopt a hello's certificate",
    [
      {
        file: SYNC,
        find: "if (certificate !== undefined) this.#host.adopt(certificate, from);",
        replace: "",
      },
    ],
    { faults: "lossy", producers: "2..3" },
  ),
  mutation("H3", "sends on from a height, whatever branch it was on", [
    {
      file: PEER_KNOWLEDGE,
      find: "const height = this.#chain.highestAncestorOf(tip.id);",
      replace: "const height = tip.height;",
    },
  ]),
  mutation(
    "H3",
    "does not count what it received as known to the sender",
    [
      {
        file: CONNECTION,
        find: "const toldOf = [this.#lastReceived, this.#theirs?.head, this.#awaited.newest];",
        replace: "const toldOf = [this.#theirs?.head, this.#awaited.newest];",
      },
    ],
    { maxSeeds: 600 },
  ),
  mutation("R2", "a leader answers reads without a round", [
    { file: READ_ROUNDS, find: "this.#host.confirmed() < asked.round", replace: "this.#host.confirmed() < 0" },
  ]),
  mutation("R2", "replies to earlier rounds count for a read", [
    { file: READ_ROUNDS, find: "this.#host.confirmed() < asked.round", replace: "this.#host.confirmed() < 1" },
  ]),
  mutation(
    "R2",
    "a leader answers reads before a block of its view is decided",
    [
      {
        file: TERM,
        find: "return root.view === this.#hooks.view ? root.height : undefined;",
        replace: "return root.height;",
      },
    ],
    { maxSeeds: 600 },
  ),
  mutation("R2", "a read does not wait until the state here has reached its index", [
    {
      file: "src/replica/linearizableReads.ts",
      find: "next !== undefined && next.height <= height;",
      replace: "next !== undefined && height >= 0;",
    },
  ]),
  modelled(
    "H1",
    "takes a role from any hello",
    CONNECTION,
    "if (hello.echo === this.#mine?.seq) this.#takeRoles(this.#mine, hello);",
    "if (this.#mine !== undefined) this.#takeRoles(this.#mine, hello);",
  ),
  modelled(
    "H1",
    "switches to another branch without a new hello",
    CONNECTION,
    "if (!this.#chain.extends(this.#mine.head)) this.#sendHello(this.#fullLocator());",
    "if (this.#mine.seq < 0) this.#sendHello(this.#fullLocator());",
  ),
  modelled(
    "H2",
    "does not adopt a hello's certificate",
    SYNC,
    "if (certificate !== undefined) this.#host.adopt(certificate, from);",
    "",
  ),
  modelled(
    "H3",
    "sends on from a height, whatever branch it was on",
    PEER_KNOWLEDGE,
    "const height = this.#chain.highestAncestorOf(tip.id);",
    "const height = tip.height;",
  ),
  modelled(
    "H3",
    "does not count what it received as known to the sender",
    CONNECTION,
    "const toldOf = [this.#lastReceived, this.#theirs?.head, this.#awaited.newest];",
    "const toldOf = [this.#theirs?.head, this.#awaited.newest];",
  ),
  modelled(
    "H3",
    "remembers of a peer only the branch it learned of last",
    PEER_KNOWLEDGE,
    "this.#tips = [...this.#tips.filter((tip) => !this.#chain.precedes(tip, block)), { view, height, id }];",
    "this.#tips = [{ view, height, id }];",
  ),
  modelled(
    "H1",
    "waits on for a peer that it has overtaken",
    CONNECTION,
    'else if (this.#phase === "initLow") this.#leaveLow();',
    "",
  ),
  modelled(
    "H2",
    "a newer certificate of an absent block hides that of the root",
    "consensus/finality.ts",
    "return height > root.height && id !== this.#newest?.id && this.#ledger.get(id) !== undefined;",
    "return height > root.height && id !== this.#newest?.id && this.#ledger.get(id) === root;",
  ),
  modelled(
    "H3",
    "compares heads without their roots",
    CONNECTION,
    "if (a.root.height !== b.root.height) return a.root.height - b.root.height;",
    "",
  ),
  ...ROUTING_SWEPT,
  ...BEYOND_TAGS,
  ...FAR_BEHIND,
  ...BY_TESTS,
  ...PRODUCER_CHANGE,
  ...BROADCAST_TREE,
  ...VSR,
  ...PRODUCER_SETS,
  ...BFT,
  ...DISCOVERING,
  ...EARLY_VOTES,
  ...EVIDENCE,
  ...LIGHT_CLIENT,
];
