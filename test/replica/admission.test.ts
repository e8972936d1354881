import { describe, expect, it } from "vitest";
import type { Engine } from "../../consensus/engine.ts";
import { Finality } from "../../consensus/finality.ts";
import { Admission } from "../../src/replica/admission.ts";
import { Outbox } from "../../src/replica/outbox.ts";
import { makeLedger } from "../fixtures/memoryLedger.ts";
import { KEYS, naiveChild, naiveGenesis, START_TIME, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const root = naiveGenesis(genesis);
const [, A, B] = KEYS as [string, string, string];
const TOLERANCE_MS = 500;

/** @param isSurplus what the engine says of every block */
function make(isSurplus = false) {
  const { ledger } = makeLedger(genesis);
  const clock = { now: START_TIME };
  const sentBefore: [string, readonly string[]][] = [];
  const released: string[] = [];
  const engine = { headerSeen: () => undefined, isSurplus: () => isSurplus } as unknown as Engine;
  const admission = new Admission({
    uncheckedUpTo: 0,
    ledger,
    finality: new Finality(ledger, undefined),
    outbox: new Outbox(),
    clockToleranceMs: TOLERANCE_MS,
    now: () => clock.now,
    engine: () => engine,
    irreversibleIdAt: () => undefined,
    proofOf: () => undefined,
    released: (from) => void released.push(from),
    sentBefore: (peers, { id }) => void sentBefore.push([id, peers]),
    log: () => undefined,
    halt: (why) => {
      throw new Error(why);
    },
  });
  return { admission, ledger, clock, sentBefore, released };
}

describe("what is taken into the ledger", () => {
  const ahead = naiveChild(genesis, root, { time: START_TIME + 2 * TOLERANCE_MS }).block;

  it("a block of a time that is ahead waits for it, and comes with everybody who has sent it", () => {
    const { admission, ledger, clock, released, sentBefore } = make();
    for (const peer of [A, B]) expect(admission.accept(peer, ahead).kind).toBe("held");
    expect([admission.isKnown(ahead.id), ledger.get(ahead.id)]).toEqual([true, undefined]);
    expect(admission.deadline).toBe(START_TIME + TOLERANCE_MS);
    clock.now = admission.deadline;
    admission.releaseHeld();
    expect(ledger.get(ahead.id)?.id).toBe(ahead.id);
    expect([released, sentBefore]).toEqual([[A], [[ahead.id, [A, B]]]]);
  });

  it("one that is here is not held, whatever its time: whoever sends it is known to have it (BFT, seed 1483)", () => {
    const { admission, ledger } = make();
    ledger.add(ahead);
    expect(admission.accept(A, ahead).kind).toBe("known");
    expect(admission.held).toBe(0);
  });

  it("one too many of its place is not taken in; asked for later, its first sender is known to have it (BFT, seed 853)", () => {
    const { admission, ledger, sentBefore } = make(true);
    const { block } = naiveChild(genesis, root);
    expect(admission.accept(A, block).kind).toBe("surplus");
    expect(ledger.get(block.id)).toBeUndefined();
    expect(admission.accept(B, block, true).kind).toBe("added");
    expect(sentBefore).toEqual([[block.id, [A]]]);
  });

  it("one without its parent waits; when that comes, by whomever, all who sent it are known to have it (BFT, seed 75)", () => {
    const { admission, sentBefore } = make();
    const parent = naiveChild(genesis, root);
    const child = naiveChild(genesis, parent);
    const grandchild = naiveChild(genesis, child);
    for (const peer of [A, B]) expect(admission.accept(peer, grandchild.block).kind).toBe("orphan");
    expect(admission.accept(B, child.block, true).kind).toBe("orphan");
    expect(sentBefore).toEqual([]);
    expect(admission.accept(A, parent.block).kind).toBe("added");
    expect(sentBefore).toEqual([
      [child.id, [B]],
      [grandchild.id, [A, B]],
    ]);
  });

  it("who sent a block and lost its link may have lost the block, too: its next link begins anew [H3]", () => {
    const { admission, clock, sentBefore } = make();
    const parent = naiveChild(genesis, root);
    const child = naiveChild(genesis, parent);
    for (const peer of [A, B]) admission.accept(peer, child.block);
    admission.accept(A, ahead);
    admission.peerDown(A);
    admission.accept(B, parent.block);
    clock.now = admission.deadline;
    admission.releaseHeld();
    expect(sentBefore).toEqual([[child.id, [B]]]);
  });

  it("nor does it come back as a sender when what it sent waits on, for its parent", () => {
    const { admission, clock, released, sentBefore } = make();
    const parent = naiveChild(genesis, root);
    const late = naiveChild(genesis, parent, { time: ahead.header.time });
    admission.accept(A, late.block);
    admission.peerDown(A);
    clock.now = admission.deadline;
    admission.releaseHeld();
    expect([released, admission.isKnown(late.id)]).toEqual([[A], true]);
    admission.accept(B, parent.block);
    expect(sentBefore).toEqual([]);
  });

  it("what is not valid is nobody's", () => {
    const { admission, sentBefore, ledger } = make();
    const parent = naiveChild(genesis, root);
    const wrong = naiveChild(genesis, parent, { wrong: { height: 7 } });
    expect(admission.accept(A, wrong.block).kind).toBe("orphan");
    admission.accept(A, parent.block);
    expect([admission.accept(B, wrong.block).kind, ledger.get(wrong.id), sentBefore]).toEqual([
      "rejected",
      undefined,
      [],
    ]);
  });
});
