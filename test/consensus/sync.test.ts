import { beforeEach, describe, expect, it } from "vitest";
import type { Hello, SyncMessage } from "../../consensus/messages.ts";
import { BestChain, type BlockLog, type RawBlock } from "../../consensus/sync/bestChain.ts";
import {
  GRAFT_AFTER_MS,
  PUSH_BLOCKS_MAX,
  REQUEST_AGAIN_MS,
  REQUESTS_PER_PEER,
  SEARCH_STALL_MS,
  SEND_BUDGET_BYTES,
  WANTED_MAX,
} from "../../consensus/sync/constants.ts";
import { Sync } from "../../consensus/sync/sync.ts";
import { makeLedger, settle } from "../fixtures/memoryLedger.ts";
import { KEYS, type NaiveBlock, naiveChild, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const root = naiveGenesis(genesis);
const [A, B, C] = KEYS as [string, string, string];
/** A block that only the disk holds. */
const STORED: RawBlock = { ...root.block, id: "stored", height: 0, view: 0 };

/** A node's sync machine around a real ledger; its peers are what the test says. */
class Node {
  readonly ledger = makeLedger(genesis).ledger;
  now = 0;
  readonly requests: [to: string, id: string][] = [];
  readonly blocks: { to: string; id: string; requested: boolean }[] = [];
  readonly faults: string[] = [];
  readonly announcements: [to: string, id: string][] = [];
  /** Peers over whose links nothing is streamed. */
  readonly backups = new Set<string>();
  readonly arrivals: [from: string, id: string][] = [];
  readonly grafts: string[] = [];
  diskReads = 0;
  bytesABlock = 1;
  readonly sync = new Sync({
    chain: new BestChain(this.ledger, this.#log()),
    links: {
      isActive: (peer) => !this.backups.has(peer),
      arrived: (id, from) => void this.arrivals.push([from, id]),
      graft: (peer) => void this.grafts.push(peer),
    },
    now: () => this.now,
    sendHello: () => undefined,
    sendBlock: (to, { id }, requested) => {
      this.blocks.push({ to, id, requested });
      return this.bytesABlock;
    },
    sendBlockRequest: (to, id) => void this.requests.push([to, id]),
    sendBlockAnnouncement: (to, { id }) => void this.announcements.push([to, id]),
    adopt: () => undefined,
    acceptBlock: (_from, block) => {
      const outcome = this.ledger.add(block);
      settle(this.ledger);
      return outcome;
    },
    isKnown: (id) => this.ledger.get(id) !== undefined || this.ledger.isOrphan(id),
    lowestMissing: (orphan) => this.ledger.lowestMissing(orphan),
    rootCertificate: () => undefined,
    fault: (_, what) => void this.faults.push(what),
    finalityConflict: () => undefined,
  });

  #log(): BlockLog {
    const byId = (id: string): RawBlock | undefined => {
      this.diskReads++;
      return id === STORED.id ? STORED : undefined;
    };
    return {
      idAt: () => undefined,
      heightOf: () => undefined,
      blockAt: () => undefined,
      changeProving: () => undefined,
      byId,
    };
  }
  hold(blocks: readonly NaiveBlock[]): void {
    for (const { block } of blocks) this.ledger.add(block);
    settle(this.ledger);
  }
  hello(from: string, { view, height, id }: NaiveBlock): void {
    const rootRef = { view: 0, height: 0, id: root.id };
    const locator = [{ height, id }, ...(height > 0 ? [{ height: 0, id: root.id }] : [])];
    const described = { head: { view, height, id }, root: rootRef, locator, irreversibleHeight: 0 };
    const hello: Hello = { seq: 1, echo: 1, ...described };
    this.sync.receive(from, { kind: "hello", hello });
  }
  block(from: string, { block }: NaiveBlock): void {
    this.sync.receive(from, { kind: "block", block });
  }
  respond(from: string, { block }: NaiveBlock): void {
    this.sync.receive(from, { kind: "blockResponse", block });
  }
  pass(ms: number): void {
    this.now += ms;
    this.sync.tick();
  }
}

function grow(length: number, view = 1): NaiveBlock[] {
  const line: NaiveBlock[] = [];
  while (line.length < length) line.push(naiveChild(genesis, line.at(-1) ?? root, { view }));
  return line;
}

let node: Node;
beforeEach(() => {
  node = new Node();
  for (const peer of [A, B, C]) node.sync.peerUp(peer);
});

describe("a request for a block (docs/protocol.md, section 3)", () => {
  it("is not served without budget, nor is the disk read for it: not until the peer has taken what it asked for", () => {
    const request: SyncMessage = { kind: "blockRequest", id: STORED.id };
    node.bytesABlock = SEND_BUDGET_BYTES;
    for (let i = 0; i < 3; i++) node.sync.receive(A, request);
    expect([node.blocks, node.diskReads]).toEqual([[{ to: A, id: STORED.id, requested: true }], 1]);
    node.sync.receive(B, request);
    expect(node.blocks.map(({ to }) => to)).toEqual([A, B]);
    node.sync.drained(A, SEND_BUDGET_BYTES);
    node.sync.receive(A, request);
    expect(node.blocks.map(({ to }) => to)).toEqual([A, B, A]);
  });

  it("for a block that is not held is answered with nothing", () => {
    node.sync.receive(A, { kind: "blockRequest", id: root.id.replace(/./g, "0") });
    expect(node.blocks).toEqual([]);
  });
});

describe("over a backup link (docs/protocol.md, section 2, Broadcast)", () => {
  const line = grow(3);
  const [first, second, third] = line as [NaiveBlock, NaiveBlock, NaiveBlock];
  const announce = (from: string, { view, height, id }: NaiveBlock): void =>
    node.sync.receive(from, { kind: "blockAnnouncement", announced: { view, height, id } });
  beforeEach(() => {
    for (const peer of [A, B, C]) node.hello(peer, root);
    for (const peer of [B, C]) node.backups.add(peer);
  });

  it("a new block is announced, once, and streamed over the active one", () => {
    node.hold([first, second]);
    node.sync.headMoved();
    node.sync.headMoved();
    expect(node.blocks.map(({ to, id }) => [to, id])).toEqual([
      [A, first.id],
      [A, second.id],
    ]);
    expect(node.announcements).toEqual([
      [B, second.id],
      [C, second.id],
    ]);
  });

  it("what was announced counts as not sent: when the link is grafted all of it is streamed [H3]", () => {
    node.hold([first, second]);
    node.sync.headMoved();
    node.backups.delete(B);
    node.blocks.length = 0;
    node.sync.linkChanged(B);
    expect(node.blocks.map(({ to, id }) => [to, id])).toEqual([
      [B, first.id],
      [B, second.id],
    ]);
  });

  it("who announces a block has it and its ancestors: nothing of that is announced or streamed to them", () => {
    announce(B, second);
    node.hold([first, second]);
    node.sync.headMoved();
    expect(node.announcements).toEqual([[C, second.id]]);
    node.hold([third]);
    node.backups.delete(B);
    node.sync.headMoved();
    expect(node.blocks.filter(({ to }) => to === B).map(({ id }) => id)).toEqual([third.id]);
  });

  it("what is announced and does not come in time is grafted for at one announcer, then at the next", () => {
    for (const peer of [B, C]) announce(peer, first);
    node.pass(GRAFT_AFTER_MS - 1);
    expect(node.grafts).toEqual([]);
    node.pass(1);
    expect(node.grafts).toEqual([B]);
    node.pass(2 * GRAFT_AFTER_MS);
    expect(node.grafts).toEqual([B, C]);
  });

  it("what comes by another link in time is not grafted for; what is not here is, though it ranks below the head", () => {
    announce(B, first);
    node.block(A, first);
    node.hold([second]);
    node.pass(2 * GRAFT_AFTER_MS);
    expect(node.grafts).toEqual([]);
    announce(C, naiveChild(genesis, root, { time: first.block.header.time + 1 }));
    node.pass(2 * GRAFT_AFTER_MS);
    expect(node.grafts).toEqual([C]);
    expect(node.arrivals).toEqual([[A, first.id]]);
  });

  it("a peer that announces what it never sends is asked ever more rarely", () => {
    announce(B, first);
    const asked: number[] = [];
    for (let at = 0; at < 20_000; at += GRAFT_AFTER_MS) {
      node.pass(GRAFT_AFTER_MS);
      if (node.grafts.length > asked.length) asked.push(node.now);
    }
    expect(asked.length).toBeLessThan(9);
    expect(asked.length).toBeGreaterThan(3);
  });
});

describe("a block whose parent is not here", () => {
  const line = grow(6);
  const [, second, third, fourth, fifth, sixth] = line as [
    NaiveBlock,
    NaiveBlock,
    NaiveBlock,
    NaiveBlock,
    NaiveBlock,
    NaiveBlock,
  ];

  it("asks its sender for its lowest missing ancestor, once, and not again for each child", () => {
    for (const each of [fourth, fifth, sixth]) node.block(A, each);
    node.block(B, fifth);
    expect(node.requests).toEqual([[A, third.id]]);
    expect([node.sync.requests, node.sync.asked(third.id), node.sync.asked(fourth.id)]).toEqual([1, true, false]);
  });

  it("the answer may be an orphan, too: so on down, until all of them are in", () => {
    for (const each of [fourth, fifth, sixth]) node.block(A, each);
    node.respond(A, third);
    expect(node.requests.slice(1)).toEqual([[A, second.id]]);
    node.hold(line.slice(0, 1));
    node.respond(A, second);
    expect([node.ledger.head.id, node.requests.length, node.sync.requests]).toEqual([sixth.id, 2, 0]);
    expect(node.faults).toEqual([]);
  });

  it("another peer is asked when the answer does not come, each once; then it is given up", () => {
    node.block(A, fourth);
    node.pass(REQUEST_AGAIN_MS - 1);
    expect(node.requests).toHaveLength(1);
    node.pass(1);
    node.pass(REQUEST_AGAIN_MS);
    expect(node.requests).toEqual([A, B, C].map((peer) => [peer, third.id]));
    node.pass(REQUEST_AGAIN_MS);
    expect([node.requests.length, node.sync.requests]).toEqual([3, 0]);
  });

  it("nobody else is asked for what has come by other ways", () => {
    node.block(A, fourth);
    node.hold(line.slice(0, 3));
    node.pass(REQUEST_AGAIN_MS);
    expect([node.requests.length, node.sync.requests]).toEqual([1, 0]);
  });

  /** A block on one that is not here, nor is that one's like. */
  const lone = (n: number): NaiveBlock =>
    naiveChild(genesis, naiveChild(genesis, root, { view: 2, time: root.block.header.time + 1 + n }));

  it("requests are bounded: whoever causes more than its share loses its own oldest, and nobody else's", () => {
    node.block(B, fourth);
    for (let i = 0; i <= REQUESTS_PER_PEER; i++) node.block(A, lone(i));
    expect([node.requests.length, node.sync.requests]).toEqual([REQUESTS_PER_PEER + 2, REQUESTS_PER_PEER + 1]);
    const asked = [third.id, lone(0).block.header.parent, lone(1).block.header.parent].map((id) => node.sync.asked(id));
    expect(asked).toEqual([true, false, true]);
  });

  it("what two need stays when one of them loses it", () => {
    node.block(A, fourth);
    node.block(B, fifth);
    for (let i = 0; i <= REQUESTS_PER_PEER; i++) node.block(A, lone(i));
    expect(node.sync.asked(third.id)).toBe(true);
    for (let i = 0; i <= REQUESTS_PER_PEER; i++) node.block(B, lone(i + 100));
    expect(node.sync.asked(third.id)).toBe(false);
  });

  it("what the engine wants is asked for however many requests peers cause, up to a share of its own", () => {
    for (const peer of [A, B, C]) for (let i = 0; i < REQUESTS_PER_PEER; i++) node.block(peer, lone(i));
    node.sync.want(third.id);
    for (let i = 0; i <= REQUESTS_PER_PEER; i++) node.block(A, lone(i + 100));
    expect(node.sync.asked(third.id)).toBe(true);
    for (let i = 0; i < WANTED_MAX; i++) node.sync.want(`wanted ${i}`);
    expect([node.sync.asked(third.id), node.sync.asked("wanted 0")]).toEqual([false, true]);
  });

  it("those of peers that are gone go on with others, and have one share together", () => {
    node.block(A, fourth);
    node.sync.peerDown(A);
    node.pass(REQUEST_AGAIN_MS);
    expect(node.requests.slice(1)).toEqual([[B, third.id]]);
    for (let life = 0; life < 3; life++) {
      const fresh = `fresh key ${life}`;
      node.sync.peerUp(fresh);
      for (let i = 0; i < REQUESTS_PER_PEER; i++) node.block(fresh, lone(life * 100 + i));
      node.sync.peerDown(fresh);
    }
    expect([node.sync.requests, node.sync.asked(third.id)]).toEqual([REQUESTS_PER_PEER, false]);
  });

  it("a response that nobody asked for is not taken in", () => {
    node.respond(A, line[0] as NaiveBlock);
    expect(node.ledger.head.height).toBe(0);
  });
});

describe("who waits for a peer's better chain", () => {
  const theirs = grow(2, 5);
  const head = theirs[1] as NaiveBlock;

  it("asks that peer for its head when nothing came in time, though its own head moved by what others sent", () => {
    node.hello(A, head);
    expect(node.sync.connections().get(A)?.phase).toBe("initLow");
    node.now = SEARCH_STALL_MS - 1;
    node.hold(grow(1));
    node.sync.headMoved();
    node.sync.tick();
    expect(node.requests).toEqual([]);
    node.pass(1);
    expect(node.requests).toEqual([[A, head.id]]);
    // With its head comes what it takes to find the rest.
    node.respond(A, head);
    expect(node.requests.slice(1)).toEqual([[A, theirs[0]?.id]]);
    node.respond(A, theirs[0] as NaiveBlock);
    expect(node.ledger.head.id).toBe(head.id);
  });

  it("asks for nothing that is here already, as an orphan, say", () => {
    node.hello(A, head);
    node.block(B, head);
    node.requests.length = 0;
    node.pass(SEARCH_STALL_MS);
    expect(node.requests.filter(([, id]) => id === head.id)).toEqual([]);
  });
});

/** A node with a chain, when its peers come. */
function nodeWith(length: number): Node {
  const made = new Node();
  made.hold(grow(length));
  for (const peer of [A, B, C]) made.sync.peerUp(peer);
  return made;
}

it("pushes that were cut short go on for every peer, as long as there is more, and end when the budget does", () => {
  node = nodeWith(2 * PUSH_BLOCKS_MAX + 1);
  for (const peer of [A, B]) node.hello(peer, root);
  const sentTo = (): number[] => [A, B, C].map((peer) => node.blocks.filter(({ to }) => to === peer).length);
  expect(sentTo()).toEqual([PUSH_BLOCKS_MAX, PUSH_BLOCKS_MAX, 0]);
  // A has room for one more, B for none, after what it asked for.
  node.bytesABlock = SEND_BUDGET_BYTES;
  node.sync.receive(B, { kind: "blockRequest", id: STORED.id });
  expect([node.sync.pushOn(), sentTo()]).toEqual([false, [PUSH_BLOCKS_MAX + 1, PUSH_BLOCKS_MAX + 1, 0]]);
  node.bytesABlock = 1;
  node.sync.drained(A, SEND_BUDGET_BYTES);
  expect([node.sync.pushOn(), sentTo()]).toEqual([false, [2 * PUSH_BLOCKS_MAX + 1, PUSH_BLOCKS_MAX + 1, 0]]);
});

it("that there is more is said while one of the peers lacks something and may be sent it", () => {
  node = nodeWith(2 * PUSH_BLOCKS_MAX + 1);
  node.hello(A, root);
  expect([node.sync.pushOn(), node.sync.pushOn(), node.sync.pushOn()]).toEqual([true, false, false]);
  expect(node.blocks).toHaveLength(2 * PUSH_BLOCKS_MAX + 1);
});
