import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Block } from "../../chain/block.ts";
import type { BlockNode } from "../../chain/forkDatabase.ts";
import { type BlockRef, compareRefs } from "../../chain/header.ts";
import type { Hello } from "../../consensus/messages.ts";
import { BestChain, type BlockLog, type RawBlock } from "../../consensus/sync/bestChain.ts";
import { Connection } from "../../consensus/sync/connection.ts";
import {
  IDLE_HELLO_MS,
  PUSH_BLOCKS_MAX,
  SEARCH_STALL_MS,
  SEND_BUDGET_BYTES,
  SYNC_LIMITS,
} from "../../consensus/sync/constants.ts";
import { fromUtf8, utf8 } from "../../src/base/bytes.ts";
import { makeLedger, settle } from "../fixtures/memoryLedger.ts";
import { lineOf, type NaiveBlock, naiveChild, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const root = naiveGenesis(genesis);

const CHANGE = { certificate: utf8("certificate of what ended a change"), producers: genesis.configuration };

type Message = { readonly hello: Hello } | { readonly block: RawBlock };

/** A node with one connection: what the replica does around it, without disk and signatures. */
class Peer {
  readonly ledger = makeLedger(genesis).ledger;
  /** Irreversible blocks by height, as chain.db holds them. */
  readonly stored: Block[] = [root.block];
  readonly limits = { ...SYNC_LIMITS };
  /** Height of the newest certificate, by which it is judged who is far behind. */
  anchorHeight = 0;
  /** Height of what the end of a change of the producers proves; 0: there was none. */
  changeProven = 0;
  readonly chain = new BestChain(this.ledger, this.#log(), () => this.anchorHeight, this.limits);
  readonly outgoing: Message[] = [];
  readonly blocksSent: string[] = [];
  /** The state of the link at this end. */
  isActive = true;
  readonly announced: string[] = [];
  conflicts = 0;
  certified: string | undefined;
  connection = this.#connect();

  #connect(): Connection {
    const output = {
      hello: (hello: Hello) => void this.outgoing.push({ hello }),
      block: (block: RawBlock) => {
        this.outgoing.push({ block });
        this.blocksSent.push(block.id);
        return 1;
      },
      announce: ({ id }: BlockRef) => void this.announced.push(id),
      isActive: () => this.isActive,
      isKnown: (id: string) => this.ledger.get(id) !== undefined,
      finalityConflict: () => void this.conflicts++,
    };
    return new Connection(
      this.chain,
      output,
      () => (this.certified === this.ledger.root.id ? utf8(this.certified) : undefined),
      0,
    );
  }

  hold(block: NaiveBlock): void {
    const outcome = this.ledger.add(block.block);
    expect(["added", "known"]).toContain(outcome.kind);
    this.#settle();
  }

  /** A certificate of this block is known; it works once the block is here. */
  certify(id: string): void {
    if (id === root.id) return;
    this.certified = id;
    this.#settle();
  }

  /** A block that is made here. */
  produce(view: number): NaiveBlock | undefined {
    return view < this.ledger.head.view ? undefined : this.#producedOn(view);
  }

  receive(message: Message, now: number): void {
    if ("hello" in message) {
      const certificate = message.hello.rootCertificate && fromUtf8(message.hello.rootCertificate);
      if (certificate !== undefined && message.hello.root.height > this.ledger.bottom.height) this.certify(certificate);
      return this.connection.receiveHello(message.hello, now);
    }
    const { id, view, height } = message.block;
    this.connection.blockReceived({ id, view, height }, now);
    const outcome = this.ledger.add(naiveOf(id).block);
    // One that was on its way while another branch was decided here is of no use any more, and nobody's fault.
    const isLate = !lineOf(naiveOf(id)).some((each) => each.id === this.ledger.bottom.id);
    const expected = isLate ? ["stale", "orphan"] : ["added", "known"];
    expect(expected, "a block sent by a correct node is of use, its parent is there").toContain(outcome.kind);
    this.#settle();
  }

  #settle(): void {
    const node = this.certified === undefined ? undefined : this.ledger.get(this.certified);
    if (node !== undefined) expect(this.ledger.setIrreversible(node).ok).toBe(true);
    for (const event of settle(this.ledger)) {
      if (event.kind === "head") this.connection?.headMoved(0);
      if (event.kind === "final") this.#release(event.nodes);
    }
  }
  #release(nodes: readonly BlockNode[]): void {
    const last = nodes.at(-1) as BlockNode;
    for (const each of nodes) this.stored[each.height] = each.block;
    this.connection?.beforeRelease(last);
    this.ledger.release(last);
  }
  #producedOn(view: number): NaiveBlock {
    const parent = naiveOf(this.ledger.head.id);
    const block = remember(naiveChild(genesis, parent, { view, time: parent.block.header.time + 1 + (view % 7) }));
    this.hold(block);
    return block;
  }
  #log(): BlockLog {
    const rawAt = (height: number): RawBlock | undefined => {
      const block = this.stored[height];
      return block && { ...block, height, view: block.header.view };
    };
    const heightOf = (id: string): number | undefined => {
      const height = this.stored.findIndex((block) => block.id === id);
      return height === -1 ? undefined : height;
    };
    return {
      idAt: (height) => this.stored[height]?.id,
      heightOf,
      blockAt: rawAt,
      changeProving: (height) => (height < this.changeProven ? CHANGE : undefined),
      byId: (id) => rawAt(heightOf(id) ?? -1),
    };
  }
}

/** Every block of these tests, one object an id. */
const made = new Map<string, NaiveBlock>([[root.id, root]]);
function naiveOf(id: string): NaiveBlock {
  return made.get(id) as NaiveBlock;
}
function remember(block: NaiveBlock): NaiveBlock {
  const known = made.get(block.id) ?? block;
  made.set(known.id, known);
  return known;
}

/** Both ends of one link; what was sent arrives in order. */
class Pair {
  readonly left = new Peer();
  readonly right = new Peer();
  now = 0;
  delivered = 0;
  decided = root;

  open(): void {
    this.left.connection.open();
    this.right.connection.open();
  }
  deliver(from: Peer): boolean {
    const message = from.outgoing.shift();
    if (message === undefined) return false;
    this.delivered++;
    (from === this.left ? this.right : this.left).receive(message, this.now);
    return true;
  }
  /** A push that was cut short goes on, as it does in a replica's next step. */
  pushOn(peer: Peer): boolean {
    const { hasMore } = peer.connection;
    if (hasMore) peer.connection.push();
    return hasMore;
  }
  /** Delivers until nothing is under way. */
  run(): void {
    const { left, right } = this;
    while (this.deliver(left) || this.deliver(right) || this.pushOn(left) || this.pushOn(right))
      expect(this.delivered, "the two talk for ever").toBeLessThan(3_000);
  }
  expectSame(): void {
    const { left, right } = this;
    expect(left.ledger.head.id).toBe(right.ledger.head.id);
    expect([left.connection.phase, right.connection.phase]).toEqual(["idle", "idle"]);
    expect([left.conflicts, right.conflicts]).toEqual([0, 0]);
    for (const peer of [left, right])
      expect(new Set(peer.blocksSent).size, "each block crosses a link once").toBe(peer.blocksSent.length);
  }
}

/** `length` blocks on `from`, of one view. */
function grow(from: NaiveBlock, length: number, view: number): NaiveBlock[] {
  const line: NaiveBlock[] = [];
  for (let parent = from; line.length < length; parent = line.at(-1) as NaiveBlock)
    line.push(remember(naiveChild(genesis, parent, { view })));
  return line;
}
function pairOf(left: readonly NaiveBlock[], right: readonly NaiveBlock[]): Pair {
  const pair = new Pair();
  for (const each of left) pair.left.hold(each);
  for (const each of right) pair.right.hold(each);
  return pair;
}

const EVENTS = [
  "deliverLeft",
  "deliverLeft",
  "deliverRight",
  "deliverRight",
  "produceLeft",
  "produceRight",
  "certify",
] as const;
interface Branch {
  readonly from: number;
  readonly length: number;
  readonly step: number;
  readonly holders: number;
}
interface Event {
  readonly kind: (typeof EVENTS)[number];
  readonly n: number;
}

describe("two nodes with different chains (docs/protocol.md, section 3)", () => {
  const event = fc.record({
    kind: fc.constantFrom(...EVENTS),
    n: fc.nat(100),
  });
  const branches = fc.array(
    fc.record({
      from: fc.nat(100),
      length: fc.integer({ min: 1, max: 40 }),
      step: fc.nat(2),
      holders: fc.integer({ min: 1, max: 3 }),
    }),
    { minLength: 1, maxLength: 4 },
  );

  /** Both hold what the shape says, then everything happens in the order of the events. */
  function play(shape: readonly Branch[], events: readonly Event[]): Pair {
    const pair = new Pair();
    const blocks: NaiveBlock[] = [root];
    let view = 1;
    for (const { from, length, step, holders } of shape) {
      const parent = blocks[from % blocks.length] as NaiveBlock;
      view = Math.max(view, parent.view) + step;
      const line = grow(parent, length, view);
      blocks.push(...line);
      const whole = lineOf(line.at(-1) as NaiveBlock)
        .reverse()
        .slice(1);
      if (holders & 1) for (const each of whole) pair.left.hold(each);
      if (holders & 2) for (const each of whole) pair.right.hold(each);
    }
    pair.open();
    for (const { kind, n } of events) {
      if (kind === "deliverLeft") pair.deliver(pair.left);
      else if (kind === "deliverRight") pair.deliver(pair.right);
      else if (kind === "certify") certifyOne(pair, n);
      else (kind === "produceLeft" ? pair.left : pair.right).produce(++view);
    }
    pair.run();
    return pair;
  }

  it("reach the same head without a timeout, whatever they hold and produce meanwhile; no block comes twice or unfit", () => {
    const events = fc.array(
      event.filter(({ kind }) => kind !== "certify"),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(branches, events, (shape, chosen) => play(shape, chosen).expectSame()),
      { numRuns: 100 },
    );
  });

  it("also when one learns that a block is irreversible which the other lacks: with the next hello at the latest [H2]", () => {
    const learns = fc.property(branches, fc.array(event, { maxLength: 60 }), (shape, chosen) => {
      const pair = play(shape, chosen);
      pair.now += IDLE_HELLO_MS;
      for (const peer of [pair.left, pair.right]) peer.connection.tick(pair.now);
      pair.run();
      pair.expectSame();
      expect(lineOf(naiveOf(pair.left.ledger.head.id))).toContain(pair.decided);
    });
    // The right's head outranks the left's, and its root does not: it must wait for the decided branch.
    const outranked: [Branch[], Event[]] = [
      [
        { from: 0, length: 1, step: 0, holders: 1 },
        { from: 1, length: 3, step: 0, holders: 2 },
      ],
      ["deliverRight", "produceLeft", "certify", "produceRight"].map((kind) => ({ kind, n: 0 }) as Event),
    ];
    fc.assert(learns, { numRuns: 100, examples: [outranked] });
  });

  /** One of the two learns that a block of its chain is irreversible: one on the line of what was decided before. */
  function certifyOne(pair: Pair, n: number): void {
    const peer = n % 2 === 0 ? pair.left : pair.right;
    const line = lineOf(naiveOf(peer.ledger.head.id));
    const candidates = line.slice(0, line.indexOf(pair.decided) + 1);
    const chosen = candidates[(n >> 1) % candidates.length];
    if (chosen === undefined) return;
    pair.decided = chosen;
    peer.certify(chosen.id);
  }

  it("the same chain: idle after one matched pair of hellos, and no block is sent [H1]", () => {
    const line = grow(root, 5, 1);
    const pair = pairOf(line, line);
    pair.open();
    pair.run();
    pair.expectSame();
    expect([pair.left.blocksSent, pair.right.blocksSent]).toEqual([[], []]);
  });

  it("one ahead on the same chain: exactly the missing blocks are streamed, in order", () => {
    const line = grow(root, 30, 1);
    const pair = pairOf(line, line.slice(0, 12));
    pair.open();
    pair.run();
    pair.expectSame();
    expect(pair.left.blocksSent).toEqual(line.slice(12).map((each) => each.id));
    expect(pair.right.blocksSent).toEqual([]);
  });

  it("different forks: only the better one is streamed, from the child of the nearest common ancestor", () => {
    const trunk = grow(root, 20, 1);
    const worse = grow(trunk[9] as NaiveBlock, 25, 2);
    const better = grow(trunk[13] as NaiveBlock, 3, 3);
    const pair = pairOf([...trunk.slice(0, 10), ...worse], [...trunk, ...better]);
    pair.open();
    pair.run();
    pair.expectSame();
    expect(pair.left.blocksSent).toEqual([]);
    expect(pair.right.blocksSent).toEqual([...trunk.slice(10, 14), ...better].map((each) => each.id));
  });

  it("a chain with a higher certified root is better than one with a higher head; its certificate comes first [H2]", () => {
    const decided = grow(root, 3, 1);
    const stray = grow(root, 8, 2);
    const pair = pairOf(decided, stray);
    pair.left.certify((decided[1] as NaiveBlock).id);
    pair.open();
    pair.run();
    pair.expectSame();
    expect(pair.right.ledger.head.id).toBe(decided[2]?.id);
  });

  it("what is new is pushed to an idle peer at once, and goes through a fork switch [H3]", () => {
    const trunk = grow(root, 4, 1);
    const pair = pairOf(trunk, trunk);
    pair.open();
    pair.run();
    const pushed = pair.left.produce(2) as NaiveBlock;
    expect(pair.left.outgoing).toMatchObject([{ block: { id: pushed.id } }]);
    pair.run();
    expect(pair.right.blocksSent, "what was received is not sent back").toEqual([]);
    for (const each of grow(trunk[1] as NaiveBlock, 3, 3)) pair.right.hold(each);
    // A head that does not descend from the one described last: a new hello, before its blocks.
    expect(pair.right.outgoing.map((message) => Object.keys(message)[0])).toEqual(["hello", "block", "block", "block"]);
    pair.run();
    pair.expectSame();
    expect(pair.left.ledger.head.view).toBe(3);
  });

  it("what they sent and is here only now is known to be theirs, and so is what they sent after it [H3]", () => {
    const trunk = grow(root, 2, 1);
    const pair = pairOf(trunk, trunk);
    pair.open();
    pair.run();
    const { left } = pair;
    const line = grow(trunk[1] as NaiveBlock, 4, 2);
    const [first, ...orphans] = line as [NaiveBlock, ...NaiveBlock[]];
    for (const { block, id, view, height } of orphans) {
      expect(left.ledger.add(block).kind).toBe("orphan");
      left.connection.blockReceived({ id, view, height }, 0);
    }
    // Told late of one below those.
    const { id, view, height } = orphans[0] as NaiveBlock;
    left.connection.sentBefore({ id, view, height }, 0);
    left.hold(first);
    expect([left.ledger.head.id, left.blocksSent]).toEqual([orphans.at(-1)?.id, []]);
  });
});

describe("roles", () => {
  it("are taken only when the peer echoes my newest hello [H1]", () => {
    const line = grow(root, 3, 1);
    const { left, right } = pairOf(line, line.slice(0, 1));
    left.connection.open();
    right.connection.open();
    const [hello] = right.outgoing as [{ hello: Hello }];
    left.connection.receiveHello({ ...hello.hello, echo: 0 }, 0);
    expect([left.connection.phase, left.blocksSent]).toEqual(["start", []]);
    left.connection.receiveHello({ ...hello.hello, echo: 99 }, 0);
    expect(left.connection.phase).toBe("start");
    left.connection.receiveHello({ ...hello.hello, echo: 1 }, 0);
    expect(left.blocksSent).toHaveLength(2);
  });

  it("an older hello that comes late changes nothing", () => {
    const { left, right } = pairOf(grow(root, 2, 1), []);
    left.connection.open();
    right.connection.open();
    const [hello] = right.outgoing as [{ hello: Hello }];
    left.connection.receiveHello({ ...hello.hello, seq: 5 }, 0);
    const before = left.outgoing.length;
    left.connection.receiveHello({ ...hello.hello, seq: 4, echo: 1 }, 0);
    expect([left.connection.phase, left.outgoing.length]).toEqual(["start", before]);
  });
});

describe("finality", () => {
  it("another block irreversible at a height where mine is: told, and nothing is streamed", () => {
    const [mine, theirs] = [grow(root, 3, 1), grow(root, 3, 2)];
    const pair = pairOf(mine, theirs);
    pair.left.certify((mine[1] as NaiveBlock).id);
    pair.right.certify((theirs[1] as NaiveBlock).id);
    pair.open();
    // Without certificates of the other: it is the hello's root that tells.
    for (const peer of [pair.left, pair.right]) {
      const [message] = peer.outgoing.splice(0) as [{ hello: Hello }];
      const { rootCertificate: _, ...hello } = message.hello;
      (peer === pair.left ? pair.right : pair.left).connection.receiveHello({ ...hello, echo: 1 }, 0);
    }
    expect([pair.left.conflicts, pair.right.conflicts]).toEqual([1, 1]);
    expect([pair.left.blocksSent, pair.right.blocksSent]).toEqual([[], []]);
  });
});

describe("who is far behind", () => {
  it.each([
    [5, "is shown the change that it can judge", true],
    [6, "and has what the change's end proves is shown the newest certificate", false],
  ])("by its irreversible block %i, whatever is its root, %s", (irreversibleHeight, _, isShown) => {
    const chain = grow(root, 40, 1);
    const { right } = pairOf(chain.slice(0, 8), chain.slice(0, 30));
    right.limits.farBehindBlocks = 10;
    right.changeProven = 6;
    right.certify((chain[29] as NaiveBlock).id);
    right.anchorHeight = 30;
    right.connection.open();
    const { id } = chain[7] as NaiveBlock;
    const [head, locator] = [{ view: 1, height: 8, id }, [{ height: 8, id }]];
    right.connection.receiveHello({ seq: 1, echo: 1, head, root: head, locator, irreversibleHeight }, 0);
    const last = right.outgoing.flatMap((each) => ("hello" in each ? [each.hello] : [])).at(-1);
    expect(last?.rootCertificate).toEqual(isShown ? CHANGE.certificate : utf8((chain[29] as NaiveBlock).id));
  });

  it.each([
    ["", 0],
    [", also when it was nearer than it had told", 25],
  ])("says so when it has pulled from others what this peer had: it is streamed to again%s", (_, nearer) => {
    const chain = grow(root, 40, 1);
    const pair = pairOf([], chain.slice(0, 30));
    const { left, right } = pair;
    const haveAll = (peer: Peer, height: number): void => {
      for (const block of chain.slice(peer.ledger.bottom.height, height)) peer.hold(block);
      peer.certify((chain[height - 1] ?? root).id);
    };
    for (const peer of [left, right]) peer.limits.farBehindBlocks = 10;
    haveAll(right, 30);
    right.anchorHeight = 30;
    pair.open();
    haveAll(left, nearer);
    pair.run();
    expect([right.connection.state.isPulled, right.blocksSent]).toEqual([true, []]);
    haveAll(left, 35);
    pair.run();
    expect([left.connection.phase, right.connection.state.isPulled]).toEqual(["idle", false]);
    for (const block of chain.slice(35)) right.hold(block);
    pair.run();
    pair.expectSame();
  });
});

describe("budget and time", () => {
  it("no more bytes are under way than the budget, and what the link took is sent on", () => {
    const line = grow(root, 6, 1);
    const { left, right } = pairOf(line, []);
    left.connection.spend(SEND_BUDGET_BYTES - 2);
    left.connection.open();
    right.connection.open();
    const [hello] = right.outgoing as [{ hello: Hello }];
    left.connection.receiveHello({ ...hello.hello, echo: 1 }, 0);
    expect([left.blocksSent.length, left.connection.hasBudget, left.connection.phase]).toEqual([2, false, "syncing"]);
    left.connection.drained(3);
    expect(left.blocksSent).toHaveLength(5);
    left.connection.drained(2);
    expect([left.blocksSent.length, left.connection.phase]).toEqual([6, "idle"]);
  });

  /** The left has `length` blocks, the right none and says so; the left has begun to send. */
  function pushing(length: number): Pair & { hello: Hello } {
    const pair = pairOf(grow(root, length, 1), []);
    pair.left.connection.open();
    pair.right.connection.open();
    const [{ hello }] = pair.right.outgoing as [{ hello: Hello }];
    pair.left.connection.receiveHello({ ...hello, echo: 1 }, 0);
    return Object.assign(pair, { hello });
  }

  it("a push sends at most PUSH_BLOCKS_MAX blocks a step, and goes on with the next", () => {
    const { left } = pushing(2 * PUSH_BLOCKS_MAX + 5);
    const seen = [];
    for (let step = 0; step < 4; step++) {
      seen.push([left.blocksSent.length, left.connection.hasMore, left.connection.phase]);
      left.connection.push();
    }
    expect(seen).toEqual([
      [PUSH_BLOCKS_MAX, true, "syncing"],
      [2 * PUSH_BLOCKS_MAX, true, "syncing"],
      [2 * PUSH_BLOCKS_MAX + 5, false, "idle"],
      [2 * PUSH_BLOCKS_MAX + 5, false, "idle"],
    ]);
  });

  it("it has no more to do when the budget is spent, until the link has taken something", () => {
    const { left } = pushing(2 * PUSH_BLOCKS_MAX);
    left.connection.spend(SEND_BUDGET_BYTES);
    left.connection.push();
    expect([left.blocksSent.length, left.connection.hasMore]).toEqual([PUSH_BLOCKS_MAX, false]);
    left.connection.drained(SEND_BUDGET_BYTES);
    expect(left.blocksSent).toHaveLength(2 * PUSH_BLOCKS_MAX);
  });

  it("nor when the peer has a better chain by now", () => {
    const { left, hello } = pushing(2 * PUSH_BLOCKS_MAX);
    const head = naiveChild(genesis, root, { view: 9 });
    left.connection.receiveHello({ ...hello, seq: 2, echo: 1, head: { view: 9, height: 1, id: head.id } }, 0);
    expect([left.connection.phase, left.connection.hasMore]).toEqual(["initLow", false]);
    left.connection.push();
    expect(left.blocksSent).toHaveLength(PUSH_BLOCKS_MAX);
  });

  /** The left waits for the right's better chain. */
  function waiting(): Pair {
    const pair = pairOf(grow(root, 1, 1), grow(root, 2, 3));
    pair.left.connection.open();
    pair.right.connection.open();
    const [{ hello }] = pair.right.outgoing as [{ hello: Hello }];
    pair.left.connection.receiveHello({ ...hello, echo: 1 }, 0);
    expect(pair.left.connection.phase).toBe("initLow");
    return pair;
  }

  it("who waits for a better chain gets its head named when the time is over, to ask for it; nobody else does", () => {
    const { left, right } = waiting();
    expect(left.connection.tick(SEARCH_STALL_MS - 1)).toBeUndefined();
    expect(left.connection.tick(SEARCH_STALL_MS)).toMatchObject({ view: 3, height: 2, id: right.ledger.head.id });
    const pair = pairOf([], []);
    pair.open();
    expect(pair.left.connection.tick(SEARCH_STALL_MS)).toBeUndefined();
    pair.run();
    expect(pair.left.connection.tick(SEARCH_STALL_MS + IDLE_HELLO_MS)).toBeUndefined();
  });

  it("it is their head that is named, not a block that was sent to them and is no part of their chain", () => {
    const pair = pairOf(grow(root, 1, 1), grow(root, 2, 3));
    const { left, right } = pair;
    left.hold(naiveChild(genesis, naiveOf(left.ledger.head.id), { view: 9 }));
    left.connection.open();
    right.connection.open();
    const [{ hello }] = right.outgoing as [{ hello: Hello }];
    left.connection.receiveHello({ ...hello, head: hello.root, locator: [], echo: 1 }, 0);
    expect(left.blocksSent).toContain(left.ledger.head.id);
    // They have decided a branch of their own since.
    const { view, height, id } = right.ledger.head;
    const decided = { view, height: height - 1, id: right.chain.idAt(height - 1) as string };
    left.connection.receiveHello({ ...hello, seq: 2, echo: 1, head: { view, height, id }, root: decided }, 0);
    expect(left.connection.phase).toBe("initLow");
    expect(left.connection.tick(SEARCH_STALL_MS)).toEqual({ view, height, id });
  });

  it("a head that moves by what others send does not postpone the time of who waits, but that of an idle connection", () => {
    const { left } = waiting();
    left.connection.headMoved(SEARCH_STALL_MS / 2);
    expect([left.connection.phase, left.connection.deadline]).toEqual(["initLow", SEARCH_STALL_MS]);
    const pair = pairOf([], []);
    pair.open();
    pair.run();
    pair.left.connection.headMoved(SEARCH_STALL_MS / 2);
    expect(pair.left.connection.deadline).toBe(SEARCH_STALL_MS / 2 + IDLE_HELLO_MS);
  });

  it("who has their blocks and is still executing them waits, though its root has passed the one they told", () => {
    const line = grow(root, 4, 1);
    const { left, right } = pairOf(line.slice(0, 2), line);
    left.connection.open();
    right.connection.open();
    const [{ hello }] = right.outgoing as [{ hello: Hello }];
    left.connection.receiveHello({ ...hello, echo: 1 }, 0);
    const said = left.outgoing.length;
    for (const { block } of line.slice(2)) {
      left.connection.blockReceived({ view: 1, height: block.header.height, id: block.id }, 0);
      expect(left.ledger.add(block).kind).toBe("added");
    }
    const decided = left.ledger.get((line[1] as NaiveBlock).id) as BlockNode;
    expect(left.ledger.setIrreversible(decided).ok).toBe(true);
    left.connection.headMoved(0);
    expect([left.connection.phase, left.outgoing.length]).toEqual(["initLow", said]);
    // One more comes by the stream, and is not executed yet when their head is.
    settle(left.ledger);
    const [next] = grow(line[3] as NaiveBlock, 1, 1) as [NaiveBlock];
    left.connection.blockReceived({ view: 1, height: 5, id: next.id }, 0);
    expect(left.ledger.add(next.block).kind).toBe("added");
    left.connection.headMoved(0);
    expect([left.connection.phase, left.outgoing.length]).toEqual(["idle", said]);
  });

  it("a hello that their own stream has passed is answered by the same hello as before: a new one would be passed, too", () => {
    const line = grow(root, 20, 1);
    const { left } = pairOf(line.slice(0, 5), []);
    left.connection.open();
    for (const { block } of line.slice(5))
      left.receive({ block: { ...block, height: block.header.height, view: 1 } }, 0);
    const { view, height, id } = { view: 1, height: 12, id: (line[11] as NaiveBlock).id };
    const genesisRef = { view: 0, height: 0, id: root.id };
    const described = { root: genesisRef, locator: [{ height, id }], irreversibleHeight: 0 };
    const hello: Hello = { seq: 7, echo: 1, head: { view, height, id }, ...described };
    left.connection.receiveHello(hello, 0);
    const hellos = left.outgoing.flatMap((each) => ("hello" in each ? [each.hello] : []));
    expect(hellos.map(({ seq, echo }) => [seq, echo])).toEqual([
      [1, 0],
      [1, 7],
    ]);
    expect(left.connection.phase).toBe("idle");
  });

  it("without progress the chain is described afresh: soon while searching, later when idle", () => {
    const { left } = pairOf([], []);
    left.connection.open();
    expect(left.connection.deadline).toBe(SEARCH_STALL_MS);
    left.connection.tick(SEARCH_STALL_MS - 1);
    expect(left.outgoing).toHaveLength(1);
    left.connection.tick(SEARCH_STALL_MS);
    expect(left.outgoing.map((each) => "hello" in each && each.hello.seq)).toEqual([1, 2]);
    const pair = pairOf([], []);
    pair.open();
    pair.run();
    expect(pair.left.connection.deadline).toBe(IDLE_HELLO_MS);
  });

  it("the peer's head is the greatest that is known of it, and as high it has blocks, announced ones included", () => {
    const line = grow(root, 4, 1);
    const { left, right } = pairOf(line.slice(0, 1), []);
    right.connection.open();
    const [hello] = right.outgoing as [{ hello: Hello }];
    expect(left.connection.peerHeight).toBeUndefined();
    left.connection.receiveHello(hello.hello, 0);
    expect([left.connection.peerHead?.height, left.connection.peerHeight]).toEqual([0, 0]);
    const refs = line.map(({ id, view, height }) => ({ id, view, height }));
    left.connection.blockReceived(refs[2] as (typeof refs)[0], 0);
    expect(left.connection.peerHead).toEqual(refs[2]);
    expect(compareRefs(refs[2] as (typeof refs)[0], refs[0] as (typeof refs)[0])).toBeGreaterThan(0);
    left.connection.announcementReceived(refs[3] as (typeof refs)[0], 0);
    expect(left.connection.peerHeight).toBe(4);
  });
});
