/**
 * Forks (docs/testing.md, section 2). Where the branches have to be exact, their producers are scripted: node 3 watches
 * and is told blocks in the order that the title says. In branches, `2/3` is a block of view 2 at height 3.
 */
import { describe, expect, it } from "vitest";
import type { Block } from "../../../chain/block.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";
import { blockFrame } from "../../../tools/sim/scenarios/forge.ts";
import type { Puppet } from "../../../tools/sim/scenarios/puppet.ts";

/** Node 3, who watches, and three producers who say what they are told to say. */
class Watched {
  readonly stage = Stage.closed(3, { followers: 1 });
  readonly forge = this.stage.forge;
  readonly genesis = this.forge.genesis;
  readonly #producers: readonly Puppet[] = [0, 1, 2].map((index) => this.stage.puppet(index));

  constructor() {
    this.stage.startAll();
    for (const producer of this.#producers) producer.connect(3);
    this.stage.advance(10);
  }

  get producer(): Puppet {
    return this.#producers[0] as Puppet;
  }
  get headId(): string {
    return this.stage.head(3).id;
  }

  /** A producer tells them one after the other. */
  tell(...blocks: readonly Block[]): void {
    for (const block of blocks) this.producer.say(3, "chain", blockFrame(block));
    this.stage.advance(50);
  }
}

function last<T>(list: readonly T[]): T {
  return list.at(-1) as T;
}

describe("the best branch", () => {
  it("switches to a longer one of the same view, to a shorter one of a higher view, and back again", () => {
    const watched = new Watched();
    const { forge, genesis } = watched;
    const old = forge.chain(genesis, 1, 0, 3);
    const short = forge.chain(genesis, 2, 1, 1);
    const back = forge.chain(last(old), 3, 2, 2);
    watched.tell(old[0] as Block);
    expect(watched.headId).toBe(old[0]?.id);
    watched.tell(...old.slice(1));
    expect(watched.headId).toBe(last(old).id);
    watched.tell(...short);
    expect(watched.headId).toBe(last(short).id);
    watched.tell(...back);
    expect(watched.headId).toBe(last(back).id);
  });

  it("an invalid block in the middle of it: the head is the block before, until another branch is better", () => {
    const watched = new Watched();
    const { forge, genesis } = watched;
    const [first, second] = forge.chain(genesis, 1, 0, 2) as [Block, Block];
    const wrong = forge.changed(second, { stateHash: "e".repeat(64) }, 0);
    const above = forge.wrongChild(wrong, 0, { historyRoot: forge.historyRootAfter([first, wrong]) });
    watched.tell(first, wrong, above);
    expect(watched.headId).toBe(first.id);
    const right = forge.chain(first, 2, 1, 2);
    watched.tell(...right);
    expect(watched.headId).toBe(last(right).id);
  });

  it("a fork before an invalid block is taken, one after it is not, however long it is", () => {
    const watched = new Watched();
    const { forge, genesis } = watched;
    const [first, second] = forge.chain(genesis, 1, 0, 2) as [Block, Block];
    const wrong = forge.changed(second, { receiptRoot: "e".repeat(64) }, 0);
    watched.tell(first, wrong);
    expect(watched.headId).toBe(first.id);
    // After it, in higher views than anything valid.
    const historyRoot = forge.historyRootAfter([first, wrong]);
    watched.tell(forge.wrongChild(wrong, 1, { historyRoot, view: 5 }));
    expect(watched.headId).toBe(first.id);
    watched.tell(second);
    expect(watched.headId).toBe(second.id);
    const before = forge.chain(genesis, 6, 2, 1);
    watched.tell(...before);
    expect(watched.headId).toBe(last(before).id);
  });

  it("a block that is better after another was decided changes nothing: the decided one stays", () => {
    const stage = Stage.open(3, { followers: 2 });
    const stranger = stage.puppet(4);
    stage.commit(stage.leader, 3);
    const decided = stage.height(3);
    const { id } = stage.head(3);
    // A producer's true signature, a view that nobody has reached, and a parent below what is decided.
    const parent = stage.simulation.watch.block(stage.simulation.watch.finality.idAt(decided - 1) as string);
    const better = stage.forge.block(parent, 90, 0);
    stranger.connect(3);
    stranger.say(3, "chain", blockFrame(better));
    stage.advance(1_000);
    expect(stage.head(3).id).toBe(id);
    expect(stage.status(3).halted).toBeUndefined();
  });

  it("a truncated fork: the end of a better branch comes without its middle, which is then asked for", () => {
    const watched = new Watched();
    const { forge, genesis, producer, stage } = watched;
    const old = forge.chain(genesis, 1, 0, 2);
    const better = forge.chain(genesis, 2, 1, 4);
    watched.tell(...old, last(better));
    expect(watched.headId).toBe(last(old).id);
    for (const block of better.slice(0, -1).reverse()) {
      // Parents are asked for one after the other, from whoever sent the child.
      expect(last(producer.heard.filter(({ frame }) => frame[0] === 3)).lane).toBe("chain");
      producer.say(3, "chain", blockFrame(block, true));
      stage.advance(20);
    }
    expect(watched.headId).toBe(last(better).id);
  });

  it("orphans before parents, newest first: all are taken in when the oldest comes", () => {
    const watched = new Watched();
    const { forge, genesis } = watched;
    const blocks = forge.chain(genesis, 1, 0, 6);
    watched.tell(...blocks.slice(1).reverse());
    expect(watched.headId).toBe(genesis.id);
    watched.tell(blocks[0] as Block);
    expect(watched.headId).toBe(last(blocks).id);
    expect(watched.stage.status(3).sizes["orphanBytes"]).toBe(0);
  });

  it("an equivocating producer, beyond what Raft promises: nobody crashes or halts, and the next view ends the difference", () => {
    const stage = Stage.closed(5);
    const liar = stage.puppet(4);
    stage.startAll();
    stage.elect();
    stage.commit(0);
    const { view } = stage.status(stage.leader).engine;
    const head = stage.simulation.watch.block(stage.head(stage.leader).id);
    const one = stage.forge.block(head, view + 1, 4);
    const other = stage.forge.changed(one, { time: one.header.time + 1 }, 4);
    for (const index of [0, 1, 2, 3]) {
      liar.connect(index);
      liar.say(index, "chain", blockFrame(index < 2 ? one : other));
    }
    stage.advance(100);
    stage.elect();
    stage.commit(0);
    stage.settle();
    for (const index of [0, 1, 2, 3]) expect(stage.status(index).halted).toBeUndefined();
  });
});

describe("producing", () => {
  it("while the chain switches to a better branch: the block is given up and made again on top of it", () => {
    const stage = Stage.open(4);
    const { leader } = stage;
    const usurper = stage.puppet(stage.others(leader)[0] as number);
    usurper.connect(leader);
    stage.advance(200);
    const parent = stage.simulation.watch.block(stage.head(leader).id);
    const better = stage.forge.block(parent, stage.status(leader).engine.view + 1, usurper.index);
    const ids = stage.submit(leader, 2_000);
    stage.until("it is filling a block", () => stage.node(leader).replica.ledger.producing, 1_000);
    usurper.say(leader, "chain", blockFrame(better));
    stage.until("it has switched", () => stage.head(leader).id === better.id, 500);
    expect(stage.node(leader).replica.ledger.producing).toBe(false);
    stage.elect();
    stage.settle();
    for (const id of ids) expect(stage.placeOf(id)).toBeDefined();
    expect(stage.simulation.watch.finality.idAt(better.header.height)).toBe(better.id);
  });

  it("transactions of abandoned blocks wait again and come into the chain once", () => {
    const stage = Stage.open(5, { seed: 3 });
    const old = stage.leader;
    stage.cutOff(old);
    const lost = stage.submit(old, 40);
    stage.commit(stage.elect(old, 6_000), 10);
    stage.heal();
    stage.settle();
    for (const id of lost) expect(stage.placeOf(id)).toBeDefined();
  });
});
