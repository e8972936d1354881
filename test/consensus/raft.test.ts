import { describe, expect, it } from "vitest";
import { decodeBlock, encodeBlockParts } from "../../chain/block.ts";
import { VIEW_MAX } from "../../chain/constants.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { lookupOf } from "../../chain/producerSets.ts";
import { CONSENSUS_DEFAULTS, LEADER_STALL_TIMEOUTS, WINDOW_BLOCKS } from "../../consensus/constants.ts";
import { decodeCertificate } from "../../consensus/certificate.ts";
import type { DurableAction } from "../../consensus/engine.ts";
import { headerMessage } from "../../chain/header.ts";
import { type ConsensusMessage, decodePayload, encodeSigned, type SignedContent } from "../../consensus/messages.ts";
import { type RaftRecord, raftRecordMessage } from "../../consensus/raft/messages.ts";
import { Raft } from "../../consensus/raft/raft.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { makeLedger, settle } from "../fixtures/memoryLedger.ts";
import {
  CHAIN_ID,
  fakeSignature,
  KEYS,
  type NaiveBlock,
  naiveChild,
  naiveGenesis,
  testGenesis,
} from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const [SELF, B, C, STRANGER] = KEYS as [string, string, string, string];
const TIMEOUT = CONSENSUS_DEFAULTS.electionTimeoutMs;
const GENESIS_REF = { view: 0, height: 0, id: naiveGenesis(genesis).id };
const FRESH: RaftRecord = { view: 0, ackedHead: GENESIS_REF };

interface Sent {
  /** Undefined: all other producers. */
  readonly to: string | undefined;
  readonly content: SignedContent;
  readonly durable: boolean;
}

/** One replica's engine; the disk answers when told to. */
class Replica {
  readonly ledger = makeLedger(genesis).ledger;
  readonly sent: Sent[] = [];
  readonly waiting: DurableAction[] = [];
  readonly certified: { id: string; certificate: Uint8Array }[] = [];
  readonly answered: { reads: readonly number[]; height: number | undefined }[] = [];
  readonly unreachable = new Set<string>();
  readonly givenBack: ConsensusMessage[] = [];
  persists = 0;
  now = 1_000_000;
  head: NaiveBlock = naiveGenesis(genesis);
  readonly raft: Raft;

  constructor(record: RaftRecord | "lost" = FRESH, held: readonly NaiveBlock[] = [], self = SELF) {
    for (const each of held) this.#add(each);
    this.raft = new Raft(
      {
        self,
        settings: CONSENSUS_DEFAULTS,
        ledger: this.ledger,
        now: () => this.now,
        random: () => 0,
        unicast: (to, content, { durable }) => void this.sent.push({ to, content, durable }),
        multicast: (content, { durable }) => void this.sent.push({ to: undefined, content, durable }),
        giveBack: (message) => void this.givenBack.push(message),
        sign: () => fakeSignature("self"),
        finalityProof: () => undefined,
        reaches: (producer) => !this.unreachable.has(producer),
        readAnswered: (reads, height) => void this.answered.push({ reads, height }),
        persistRecord: () => void this.persists++,
        whenDurable: (action) => void this.waiting.push(action),
        certified: (node, certificate) => {
          this.certified.push({ id: node.id, certificate });
          this.ledger.setIrreversible(node);
          for (const event of settle(this.ledger))
            if (event.kind === "final") this.ledger.release(event.nodes.at(-1) as BlockNode);
          this.raft.irreversibleMoved();
        },
        log: () => undefined,
      },
      record === "lost" ? undefined : record,
    );
    this.raft.start();
  }

  get record(): RaftRecord {
    const decoded = raftRecordMessage.decode(this.raft.encodeRecord());
    if (!decoded.ok) throw new Error("record");
    return decoded.value;
  }
  receive(signer: string, content: SignedContent): void {
    this.raft.receive({ ...content, signer, signature: fakeSignature(signer) } as ConsensusMessage);
  }
  /** The disk has everything. */
  flush(): void {
    for (const action of this.waiting.splice(0)) this.raft.durable(action);
  }
  pass(ms: number): void {
    this.now += ms;
    this.raft.tick();
  }
  take(kind: SignedContent["kind"]): Sent[] {
    const found = this.sent.filter((each) => each.content.kind === kind);
    this.sent.length = 0;
    return found;
  }
  /** A block of another producer arrives and is executed. */
  accept(block: NaiveBlock): BlockNode {
    const node = this.#add(block);
    this.raft.headerSeen(node.block.header, node);
    this.raft.headMoved(node);
    return node;
  }
  /** A block of one's own. */
  produce(): BlockNode {
    const node = this.#add(naiveChild(genesis, this.head, { view: this.record.view, producer: SELF }));
    this.raft.headerSeen(node.block.header, node);
    this.raft.lead.produced(node);
    this.raft.headMoved(node);
    return node;
  }
  /** Through pre-vote and vote to leadership of the next view. */
  lead(): void {
    const view = this.record.view + 1;
    this.pass(TIMEOUT);
    this.receive(B, vote(view, SELF, { preVote: true }));
    this.flush();
    this.receive(B, vote(view, SELF));
    expect(this.raft.state).toEqual({ view, leader: SELF, status: "leader" });
    this.sent.length = 0;
  }
  /** Time passes for a leader whose heartbeats are answered. */
  passAnswered(ms: number): void {
    for (let left = ms; left > 0; left -= 100) {
      const { view } = this.record;
      this.receive(B, { kind: "heartbeatReply", content: { view, round: 1 } });
      this.pass(Math.min(100, left));
    }
  }
  #add(block: NaiveBlock): BlockNode {
    this.ledger.add(block.block);
    settle(this.ledger);
    this.head = block;
    return this.ledger.get(block.id) as BlockNode;
  }
}

function vote(view: number, candidate: string, { preVote = false, granted = true } = {}): SignedContent {
  return { kind: "vote", content: { view, candidate, granted, preVote } };
}
function requestVote(view: number, head = GENESIS_REF, { preVote = false, transfer = false } = {}): SignedContent {
  return { kind: "requestVote", content: { view, head, preVote, transfer } };
}
const heartbeat = (view: number, round: number, irreversibleHeight = 0): SignedContent => ({
  kind: "heartbeat",
  content: { view, round, irreversibleHeight },
});
const ackOf = ({ view, height, id }: BlockNode): SignedContent => ({ kind: "ack", content: { view, height, id } });
const voteOf = (sent: readonly Sent[]): unknown =>
  sent.map(({ to, content, durable }) => ({ to, durable, ...(content.content as object) }));

/** Blocks of some views on genesis. */
function chainOf(...views: number[]): NaiveBlock[] {
  const line: NaiveBlock[] = [];
  for (const view of views) line.push(naiveChild(genesis, line.at(-1) ?? naiveGenesis(genesis), { view, producer: B }));
  return line;
}

describe("election (docs/protocol.md, section 5)", () => {
  it("asks for pre-votes after the timeout, changing nothing; a majority makes it stand, once its own vote is durable it counts [S5]", () => {
    const replica = new Replica();
    expect(replica.raft.deadline).toBe(replica.now + TIMEOUT);
    replica.pass(TIMEOUT - 1);
    expect(replica.sent).toEqual([]);
    replica.pass(1);
    expect(replica.take("requestVote")).toMatchObject([
      { to: undefined, durable: false, content: { content: { view: 1, preVote: true } } },
    ]);
    expect([replica.record, replica.persists]).toEqual([FRESH, 0]);

    replica.receive(B, vote(1, SELF, { preVote: true }));
    expect(replica.record).toMatchObject({ view: 1, votedFor: SELF });
    expect(replica.take("requestVote")).toMatchObject([
      { to: undefined, durable: true, content: { content: { view: 1, preVote: false } } },
    ]);
    replica.receive(B, vote(1, SELF));
    expect(replica.raft.state.status).toBe("candidate");
    replica.flush();
    expect(replica.raft.state).toEqual({ view: 1, leader: SELF, status: "leader" });
  });

  it("a vote for another, of another view or of another kind does not count [S8]", () => {
    const replica = new Replica();
    replica.pass(TIMEOUT);
    for (const wrong of [vote(1, C, { preVote: true }), vote(2, SELF, { preVote: true }), vote(1, SELF)])
      replica.receive(B, wrong);
    replica.receive(STRANGER, vote(1, SELF, { preVote: true }));
    expect(replica.record.view).toBe(0);
  });

  it("one vote a view [R1], for the same candidate again; durable before it is said", () => {
    const replica = new Replica();
    replica.receive(B, requestVote(1));
    replica.receive(C, requestVote(1));
    replica.receive(B, requestVote(1));
    expect(voteOf(replica.take("vote"))).toEqual([
      { to: B, durable: true, view: 1, candidate: B, granted: true, preVote: false },
      { to: C, durable: true, view: 1, candidate: C, granted: false, preVote: false },
      { to: B, durable: true, view: 1, candidate: B, granted: true, preVote: false },
    ]);
    expect(replica.record).toMatchObject({ view: 1, votedFor: B });
  });

  it("only for a candidate whose head is at least one's own, view first [S1]", () => {
    const held = chainOf(1, 2, 2);
    const ref = (view: number, height: number): typeof GENESIS_REF => ({ view, height, id: GENESIS_REF.id });
    const cases: [typeof GENESIS_REF, boolean][] = [
      [ref(1, 9), false],
      [ref(2, 2), false],
      [ref(2, 3), true],
      [ref(2, 4), true],
      [ref(3, 1), true],
    ];
    for (const [head, granted] of cases) {
      for (const preVote of [true, false]) {
        const replica = new Replica({ view: 2, ackedHead: GENESIS_REF }, held);
        replica.receive(C, requestVote(3, head, { preVote }));
        expect(voteOf(replica.take("vote")), `${head.view} ${head.height}`).toMatchObject([{ granted, preVote }]);
      }
    }
  });

  it("who hears its leader refuses to disrupt it, unless the leader asked for it; a pre-vote never changes the record", () => {
    const replica = new Replica();
    replica.receive(B, heartbeat(1, 1));
    replica.sent.length = 0;
    replica.receive(C, requestVote(2, GENESIS_REF, { preVote: true }));
    expect(voteOf(replica.take("vote"))).toMatchObject([{ granted: false, preVote: true, view: 1 }]);
    replica.receive(C, requestVote(2));
    expect([replica.record.view, replica.sent]).toEqual([1, []]);
    replica.receive(C, requestVote(2, GENESIS_REF, { transfer: true }));
    expect(replica.record).toMatchObject({ view: 2, votedFor: C });
  });

  it("a broken link to the leader is a hint: the pre-vote comes early; to another node it is none", () => {
    const replica = new Replica();
    replica.receive(B, heartbeat(1, 1));
    replica.raft.linkBroke(C);
    expect(replica.raft.deadline).toBe(replica.now + TIMEOUT);
    replica.raft.linkBroke(B);
    expect(replica.raft.deadline).toBe(replica.now);
  });

  it("a higher view in any answer ends the candidacy", () => {
    const replica = new Replica();
    replica.pass(TIMEOUT);
    replica.receive(B, vote(7, SELF, { preVote: true, granted: false }));
    expect(replica.raft.state).toEqual({ view: 7, leader: undefined, status: "follower" });
    expect(replica.record.votedFor).toBeUndefined();
  });
});

describe("acks", () => {
  it("are sent for heads of the own view only [S4], after the record that names them", () => {
    const replica = new Replica();
    const [old, next] = chainOf(1, 2) as [NaiveBlock, NaiveBlock];
    replica.receive(C, requestVote(2));
    replica.sent.length = 0;
    const below = replica.accept(old);
    expect(replica.take("ack")).toEqual([]);
    expect(replica.record.ackedHead).toEqual(GENESIS_REF);
    const before = replica.persists;
    const node = replica.accept(next);
    expect(replica.take("ack")).toEqual([{ to: B, durable: true, content: ackOf(node) }]);
    expect(replica.record.ackedHead).toMatchObject({ id: node.id });
    expect(replica.persists).toBe(before + 1);
    expect(below.view).toBe(1);
  });

  it("are sent again with a heartbeat while the block is not decided", () => {
    const replica = new Replica();
    const node = replica.accept(chainOf(1)[0] as NaiveBlock);
    replica.sent.length = 0;
    replica.receive(B, heartbeat(1, 1, 0));
    expect(replica.take("ack")).toEqual([{ to: B, durable: true, content: ackOf(node) }]);
    replica.receive(B, heartbeat(1, 2, 1));
    expect(replica.take("ack")).toEqual([]);
  });
});

describe("deciding", () => {
  it("a block of the own view that a majority holds is irreversible, the own ack counting once durable [S3] [S5]", () => {
    const replica = new Replica();
    replica.lead();
    const node = replica.produce();
    replica.receive(B, ackOf(node));
    expect(replica.certified).toEqual([]);
    replica.flush();
    expect(replica.certified.map((each) => each.id)).toEqual([node.id]);
    const { certificate } = replica.certified[0] as (typeof replica.certified)[0];
    const decoded = decodeCertificate(certificate, CHAIN_ID, lookupOf(genesis.configuration));
    expect(decoded.ok && [decoded.value.id, decoded.value.claims.map((claim) => claim.key).sort()]).toEqual([
      node.id,
      [SELF, B].sort(),
    ]);
  });

  it("blocks of older views become so only through one of the own (Raft's figure 8) [S3]", () => {
    const replica = new Replica({ view: 0, ackedHead: GENESIS_REF }, []);
    const [old] = chainOf(1) as [NaiveBlock];
    const node = replica.accept(old);
    replica.pass(TIMEOUT);
    replica.receive(C, vote(2, SELF, { preVote: true }));
    replica.flush();
    replica.receive(C, vote(2, SELF));
    expect(replica.raft.state.status).toBe("leader");
    for (const each of [B, C]) {
      replica.receive(each, ackOf(node));
      replica.receive(each, { kind: "ack", content: { view: 2, height: node.height, id: node.id } });
    }
    replica.flush();
    expect(replica.certified).toEqual([]);
    const mine = replica.produce();
    replica.receive(C, ackOf(mine));
    replica.flush();
    expect(replica.certified.map((each) => each.id)).toEqual([mine.id]);
    expect(replica.ledger.bottom.id).toBe(mine.id);
  });

  it("acks of strangers, of other views or for unknown blocks count for nothing", () => {
    const replica = new Replica();
    replica.lead();
    const node = replica.produce();
    replica.flush();
    replica.receive(STRANGER, ackOf(node));
    replica.receive(B, { kind: "ack", content: { view: 2, height: node.height, id: node.id } });
    replica.receive(B, { kind: "ack", content: { view: 1, height: node.height + 1, id: node.id } });
    replica.receive(B, { kind: "ack", content: { view: 1, height: node.height, id: KEYS[0] as string } });
    expect(replica.certified).toEqual([]);
  });
});

describe("an ack that overtakes its block", () => {
  it("waits for it, and counts when it comes", () => {
    const leader = new Replica();
    leader.lead();
    const view = leader.record.view;
    const block = naiveChild(genesis, leader.head, { view, producer: SELF });
    leader.receive(B, { kind: "ack", content: { view, height: block.block.header.height, id: block.id } });
    expect(leader.raft.lead.earlyVotes).toMatchObject({ waiting: 1 });
    const node = leader.produce();
    expect(node.id).toBe(block.id);
    leader.flush();
    expect(leader.certified.map(({ id }) => id)).toEqual([block.id]);
    expect(leader.raft.lead.earlyVotes).toMatchObject({ waiting: 0, counted: 1 });
  });
});

describe("leading", () => {
  it("opens its view with a block at once [S2], and has at most W undecided blocks", () => {
    const replica = new Replica();
    expect(replica.raft.lead.production()).toBeUndefined();
    replica.lead();
    expect(replica.raft.lead.production()).toEqual({ view: 1, opening: true });
    for (let i = 0; i < WINDOW_BLOCKS; i++) {
      replica.produce();
      if (i < WINDOW_BLOCKS - 1) expect(replica.raft.lead.production()).toEqual({ view: 1, opening: false });
    }
    expect(replica.raft.lead.production()).toBeUndefined();
  });

  it("a new leader opens its view although W blocks of its predecessors are undecided, and then waits: with its own block all are decided", () => {
    const held = chainOf(...Array.from({ length: WINDOW_BLOCKS }, () => 1));
    const replica = new Replica({ view: 1, ackedHead: GENESIS_REF }, held);
    replica.lead();
    expect(replica.raft.lead.production()).toEqual({ view: 2, opening: true });
    const node = replica.produce();
    expect([node.height, replica.raft.lead.production()]).toEqual([WINDOW_BLOCKS + 1, undefined]);
    replica.receive(B, ackOf(node));
    replica.flush();
    expect(replica.certified.map(({ id }) => id)).toEqual([node.id]);
    expect(replica.raft.lead.production()).toEqual({ view: 2, opening: false });
  });

  it("heartbeats carry a growing round; one without a quorum of replies steps down", () => {
    const replica = new Replica();
    replica.lead();
    const { heartbeatMs } = CONSENSUS_DEFAULTS;
    for (let round = 2; round <= 4; round++) {
      replica.pass(heartbeatMs);
      expect(replica.take("heartbeat")).toMatchObject([{ content: { content: { view: 1, round } } }]);
    }
    replica.receive(C, { kind: "heartbeatReply", content: { view: 1, round: 4 } });
    replica.pass(TIMEOUT - 1);
    expect(replica.raft.state.status).toBe("leader");
    replica.pass(1);
    expect(replica.raft.state).toEqual({ view: 1, leader: undefined, status: "follower" });
    expect(replica.raft.lead.production()).toBeUndefined();
  });

  it("one whose blocks do not become irreversible gives up its view, although it is answered", () => {
    const replica = new Replica();
    replica.lead();
    replica.produce();
    replica.passAnswered(LEADER_STALL_TIMEOUTS * TIMEOUT);
    expect(replica.raft.state.status).toBe("leader");
    replica.passAnswered(1);
    expect(replica.raft.state.status).toBe("follower");
  });

  it("a leader that was idle for longer than that is not deposed by its first block, but by a first block that stays undecided", () => {
    const patience = LEADER_STALL_TIMEOUTS * TIMEOUT;
    const replica = new Replica();
    replica.lead();
    replica.receive(B, ackOf(replica.produce()));
    replica.flush();
    replica.passAnswered(2 * patience);
    replica.produce();
    replica.passAnswered(patience / 2);
    expect([replica.certified.length, replica.raft.state.status]).toEqual([1, "leader"]);
    // More blocks behind it are no progress.
    replica.produce();
    replica.passAnswered(patience / 2);
    expect(replica.raft.state.status).toBe("leader");
    replica.passAnswered(1);
    expect(replica.raft.state.status).toBe("follower");
  });

  it("a higher view, in a header, a reply or a heartbeat, moves every replica to it", () => {
    const [block] = chainOf(5) as [NaiveBlock];
    const moves: ((replica: Replica) => void)[] = [
      (replica) => void replica.accept(block),
      (replica) => replica.receive(B, { kind: "heartbeatReply", content: { view: 5, round: 0 } }),
      (replica) => replica.receive(B, heartbeat(5, 1)),
    ];
    for (const move of moves) {
      const replica = new Replica();
      replica.lead();
      move(replica);
      expect([replica.record.view, replica.record.votedFor, replica.raft.state.status]).toEqual([
        5,
        undefined,
        "follower",
      ]);
    }
  });

  it("rounds count anew in a view that one stood for oneself: whoever wins it is heard from the first", () => {
    const replica = new Replica();
    for (let round = 1; round <= 5; round++) replica.receive(B, heartbeat(1, round));
    replica.pass(TIMEOUT);
    replica.receive(C, vote(2, SELF, { preVote: true }));
    expect(replica.record).toMatchObject({ view: 2, votedFor: SELF });
    replica.sent.length = 0;
    replica.receive(C, heartbeat(2, 1));
    expect(replica.take("heartbeatReply")).toMatchObject([{ to: C, content: { content: { view: 2, round: 1 } } }]);
  });

  it("an old leader's heartbeat is answered with the view it missed, an old round with nothing", () => {
    const replica = new Replica();
    replica.receive(B, heartbeat(3, 2));
    expect(replica.take("heartbeatReply")).toMatchObject([{ to: B, content: { content: { view: 3, round: 2 } } }]);
    replica.receive(B, heartbeat(3, 2));
    replica.receive(B, heartbeat(3, 1));
    expect(replica.take("heartbeatReply")).toEqual([]);
    replica.receive(C, heartbeat(2, 9));
    expect(replica.take("heartbeatReply")).toMatchObject([{ to: C, content: { content: { view: 3 } } }]);
    expect(replica.raft.state.leader).toBe(B);
  });

  it("leadership is handed over to who is named by its leader, in its view", () => {
    const replica = new Replica();
    replica.receive(B, heartbeat(3, 1));
    for (const [signer, view, target] of [
      [B, 3, C],
      [C, 3, SELF],
      [B, 2, SELF],
    ] as const) {
      replica.receive(signer, { kind: "timeoutNow", content: { view, target } });
    }
    expect(replica.record.view).toBe(3);
    replica.receive(B, { kind: "timeoutNow", content: { view: 3, target: SELF } });
    expect(replica.take("requestVote")).toMatchObject([
      { content: { content: { view: 4, transfer: true, preVote: false } } },
    ]);
  });
});

describe("after a restart", () => {
  const held = chainOf(1, 1, 1);
  const acked = held[1] as NaiveBlock;
  const record: RaftRecord = { view: 1, votedFor: B, ackedHead: { view: 1, height: 2, id: acked.id } };

  it("a replica that lacks what it acked is recovering: no vote, no pre-vote, no ack, no candidacy [S6]", () => {
    const replica = new Replica(record, held.slice(0, 1));
    expect(replica.raft.state.status).toBe("recovering");
    replica.receive(C, requestVote(2, { view: 1, height: 9, id: acked.id }));
    replica.receive(C, requestVote(3, { view: 1, height: 9, id: acked.id }, { preVote: true }));
    expect((voteOf(replica.take("vote")) as { granted: boolean }[]).map((each) => each.granted)).toEqual([
      false,
      false,
    ]);
    replica.pass(3 * TIMEOUT);
    expect(replica.take("requestVote")).toEqual([]);
  });

  it("until its head is there again, or what is irreversible has passed it [S6]", () => {
    const again = new Replica(record, held.slice(0, 1));
    again.accept(acked);
    expect(again.raft.state.status).toBe("follower");
    expect(again.take("ack")).toHaveLength(1);
    expect(new Replica(record, held).raft.state.status).toBe("follower");
    const other = naiveChild(genesis, naiveGenesis(genesis), { view: 2, producer: C });
    expect(new Replica(record, [other]).raft.state.status).toBe("follower");
  });

  it("a leader restarted in its own view is silent there and asks for the next [S7]", () => {
    const own = naiveChild(genesis, naiveGenesis(genesis), { view: 4, producer: SELF });
    const replica = new Replica({ view: 4, votedFor: SELF, ackedHead: { view: 4, height: 1, id: own.id } }, [own]);
    expect([replica.raft.state.status, replica.raft.lead.production()]).toEqual(["follower", undefined]);
    replica.pass(TIMEOUT);
    expect(replica.sent.map(({ content }) => content)).toMatchObject([{ kind: "requestVote", content: { view: 5 } }]);
  });

  it("a head that was restored but not acked is acked on a heartbeat that shows it undecided, the record first", () => {
    const [block] = chainOf(1) as [NaiveBlock];
    const replica = new Replica({ view: 1, ackedHead: GENESIS_REF }, [block]);
    const { view, height, id } = block;
    const before = replica.persists;
    replica.receive(B, heartbeat(1, 1, height));
    expect([replica.take("ack"), replica.persists]).toEqual([[], before]);
    replica.receive(B, heartbeat(1, 2, height - 1));
    const ack = { to: B, durable: true, content: { kind: "ack", content: { view, height, id } } };
    expect(replica.take("ack")).toEqual([ack]);
    expect([replica.record.ackedHead, replica.persists]).toEqual([{ view, height, id }, before + 1]);
    replica.receive(B, heartbeat(1, 3, height - 1));
    expect([replica.take("ack"), replica.persists]).toEqual([[ack], before + 1]);
  });

  it("such a head is not acked in another view than its own [S4]", () => {
    const replica = new Replica({ view: 2, ackedHead: GENESIS_REF }, chainOf(1));
    replica.receive(C, heartbeat(2, 1));
    expect([replica.take("ack"), replica.record.ackedHead]).toEqual([[], GENESIS_REF]);
  });

  it("the vote given before is kept: no second one in that view [R1]", () => {
    const replica = new Replica(record, held);
    replica.receive(C, requestVote(1, { view: 1, height: 9, id: acked.id }));
    expect(voteOf(replica.take("vote"))).toMatchObject([{ granted: false }]);
  });

  it("without its record it takes no part, whatever it holds", () => {
    const replica = new Replica("lost", held);
    replica.now += 10 * TIMEOUT;
    replica.raft.tick();
    replica.receive(B, requestVote(9, { view: 9, height: 9, id: acked.id }));
    replica.receive(B, heartbeat(1, 1));
    expect(
      replica.sent.filter(
        ({ content }) => content.kind === "vote" || content.kind === "ack" || content.kind === "requestVote",
      ),
    ).toEqual([]);
    expect([replica.raft.state.status, replica.raft.deadline]).toEqual(["recovering", Number.POSITIVE_INFINITY]);
  });
});

describe("a leader that hands over", () => {
  function leading(): Replica {
    const replica = new Replica();
    replica.lead();
    const node = replica.produce();
    replica.flush();
    replica.receive(B, ackOf(node));
    replica.sent.length = 0;
    return replica;
  }
  const asked = (replica: Replica): (string | undefined)[] => replica.take("timeoutNow").map(({ to }) => to);

  it("stops producing and asks who holds its head; another only once it holds it, too", () => {
    const replica = leading();
    replica.raft.lead.handOver();
    expect([replica.raft.lead.production(), asked(replica)]).toEqual([undefined, [B]]);
    replica.receive(C, ackOf(replica.ledger.head));
    expect(asked(replica)).toEqual([]);
    replica.passAnswered(TIMEOUT / 4);
    expect(asked(replica)).toEqual([C]);
    expect(replica.raft.lead.isHandingOver).toBe(true);
  });

  it("who was asked is gone and nobody else holds its head: it waits, with a time to come, and then leads on", () => {
    const replica = leading();
    replica.raft.lead.handOver();
    replica.unreachable.add(B);
    replica.passAnswered(TIMEOUT / 4);
    expect(replica.raft.deadline).toBeGreaterThan(replica.now);
    replica.passAnswered(TIMEOUT);
    expect([replica.raft.lead.isHandingOver, replica.raft.lead.production()]).toEqual([
      false,
      { view: 1, opening: false },
    ]);
  });

  it("opens its view first: without a block of it nobody can hold its head", () => {
    const replica = new Replica();
    replica.lead();
    replica.raft.lead.handOver();
    expect(replica.raft.lead.production()).toEqual({ view: 1, opening: true });
    replica.receive(B, ackOf(replica.produce()));
    expect([asked(replica), replica.raft.lead.production()]).toEqual([[B], undefined]);
  });

  it("votes for its successor although it leads, and is not done before that one has decided a block", () => {
    const replica = leading();
    replica.raft.lead.handOver();
    const { view, height, id } = replica.ledger.head;
    replica.sent.length = 0;
    replica.receive(B, requestVote(2, { view, height, id }, { transfer: true }));
    expect(voteOf(replica.take("vote"))).toMatchObject([{ view: 2, candidate: B, granted: true }]);
    expect([replica.raft.state.status, replica.raft.lead.isHandingOver]).toEqual(["follower", true]);
  });

  it("stands for election no more, not even when it is asked to", () => {
    const replica = new Replica();
    replica.receive(B, heartbeat(1, 1));
    replica.raft.lead.handOver();
    replica.sent.length = 0;
    replica.receive(B, { kind: "timeoutNow", content: { view: 1, target: SELF } });
    replica.pass(3 * TIMEOUT);
    expect(replica.take("requestVote")).toEqual([]);
    expect(replica.raft.lead.isHandingOver).toBe(false);
  });
});

describe("a follower of the chain", () => {
  it("votes when it is asked: who counts judges who is a member, and its own chain may be behind [S11]", () => {
    const replica = new Replica(FRESH, [], STRANGER);
    const content = { view: 1, head: GENESIS_REF, preVote: false, transfer: false };
    replica.receive(B, { kind: "requestVote", content });
    const [answer] = replica.take("vote");
    expect(answer).toMatchObject({
      to: B,
      content: { content: { view: 1, candidate: B, granted: true } },
      durable: true,
    });
    expect(replica.record.votedFor).toBe(B);
    // Once a view, like everybody [R1].
    replica.receive(C, { kind: "requestVote", content });
    expect(replica.take("vote")[0]).toMatchObject({ to: C, content: { content: { granted: false } } });
    // It asks for nobody's vote.
    replica.pass(10 * TIMEOUT);
    expect(replica.take("requestVote")).toEqual([]);
  });

  it("watches: knows view and leader by the headers, says nothing", () => {
    const replica = new Replica("lost", [], STRANGER);
    replica.accept(chainOf(3)[0] as NaiveBlock);
    replica.receive(B, heartbeat(3, 1));
    replica.receive(B, requestVote(9));
    expect(replica.raft.state).toEqual({ view: 3, leader: B, status: "observer" });
    expect(replica.sent).toEqual([]);
  });

  it("that restarts knows who made the head as the leader; a producer that restarts waits to hear one", () => {
    const held = chainOf(3);
    expect(new Replica("lost", held, STRANGER).raft.state).toEqual({ view: 3, leader: B, status: "observer" });
    expect(new Replica("lost", [], STRANGER).raft.state).toEqual({ view: 0, leader: undefined, status: "observer" });
    const record = { view: 3, ackedHead: GENESIS_REF };
    expect(new Replica(record, held).raft.state).toEqual({ view: 3, leader: undefined, status: "follower" });
  });
});

describe("views above VIEW_MAX are refused wherever they come in: what follows a view must be a safe integer", () => {
  const id = GENESIS_REF.id;
  const contents = (view: number): SignedContent[] => [
    requestVote(view),
    vote(view, SELF),
    { kind: "ack", content: { view, height: 1, id } },
    heartbeat(view, 1),
    { kind: "heartbeatReply", content: { view, round: 1 } },
    { kind: "timeoutNow", content: { view, target: SELF } },
  ];
  it.each(contents(0).map(({ kind }, i) => [kind, i] as const))("in a signed %s", (_kind, i) => {
    const decode = (view: number): boolean => {
      const message = { ...(contents(view)[i] as SignedContent), signer: B, signature: fakeSignature(B) };
      return decodePayload(
        CHAIN_ID,
        encodeSigned(CHAIN_ID, message.signer, message, () => message.signature),
      ).ok;
    };
    expect([decode(VIEW_MAX), decode(VIEW_MAX + 1), decode(Number.MAX_SAFE_INTEGER)]).toEqual([true, false, false]);
  });

  it("in a block", () => {
    const { block } = chainOf(1)[0] as NaiveBlock;
    const decode = (view: number): boolean => {
      const headerBytes = headerMessage.encode({ ...block.header, view });
      return decodeBlock(concatBytes(...encodeBlockParts({ ...block, headerBytes }))).ok;
    };
    expect([decode(VIEW_MAX), decode(VIEW_MAX + 1), decode(Number.MAX_SAFE_INTEGER)]).toEqual([true, false, false]);
  });
});

describe("a record restored from an old backup (docs/protocol.md, section 4)", () => {
  const old = (): Replica => new Replica({ view: 3, votedFor: B, ackedHead: GENESIS_REF });
  const ack = (view: number, height: number): SignedContent => ({
    kind: "ack",
    content: { view, height, id: naiveGenesis(genesis).id },
  });
  const promised = [
    ["a vote of a higher view", vote(7, B)],
    ["a vote of its view for another", vote(3, C)],
    ["a candidacy of its view, where it voted for another", requestVote(3)],
    ["an ack of a higher block", ack(3, 1)],
  ] as const;

  it.each(promised)(
    "%s, given back: it is recovering for good, and votes for nobody, also after a restart",
    (_, own) => {
      const replica = old();
      replica.receive(SELF, own);
      expect([replica.raft.state.status, replica.record.outdated, replica.persists]).toEqual(["recovering", true, 1]);
      for (const restarted of [replica, new Replica(replica.record)]) {
        restarted.receive(C, requestVote(8));
        restarted.pass(10 * TIMEOUT);
        restarted.accept(chainOf(9)[0] as NaiveBlock);
        expect([restarted.sent, restarted.raft.state.status]).toEqual([[], "recovering"]);
      }
    },
  );

  it("what the record knows, what promises nothing and what others say is no sign of it", () => {
    const replica = old();
    const mine = [vote(2, C), vote(3, B), ack(0, 0), vote(7, C, { granted: false }), vote(7, C, { preVote: true })];
    for (const content of [...mine, requestVote(4, GENESIS_REF, { preVote: true }), heartbeat(3, 1)])
      replica.receive(SELF, content);
    expect([replica.persists, replica.record]).toEqual([0, { view: 3, votedFor: B, ackedHead: GENESIS_REF }]);
    replica.receive(C, vote(7, C));
    expect(replica.record.outdated).toBeUndefined();
  });

  it("a leader that finds it steps down", () => {
    const replica = new Replica();
    replica.lead();
    replica.receive(SELF, vote(5, C));
    expect(replica.raft.state).toMatchObject({ leader: undefined, status: "recovering" });
    expect(replica.raft.lead.production()).toBeUndefined();
  });

  it("gives back the newest promises of each kind, to their signer, as they were signed", () => {
    const replica = new Replica();
    replica.lead();
    for (const content of [vote(4, SELF), vote(2, SELF), ack(2, 5), ack(2, 3), ack(1, 9), requestVote(2)])
      replica.receive(B, content);
    replica.receive(B, vote(9, SELF, { granted: false }));
    replica.receive(B, requestVote(9, GENESIS_REF, { preVote: true }));
    replica.receive(STRANGER, vote(4, SELF));
    for (const peer of [STRANGER, C]) replica.raft.linkUp(peer);
    expect(replica.givenBack).toEqual([]);
    replica.raft.linkUp(B);
    expect(replica.givenBack).toEqual(
      [vote(4, SELF), ack(2, 5), requestVote(2)].map((each) => ({ ...each, signer: B, signature: fakeSignature(B) })),
    );
  });
});
