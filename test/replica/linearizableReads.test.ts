/** Linearizable reads of a node: questions to the leader, and those of others to a leader [R2]. */
import { describe, expect, it } from "vitest";
import { READ_ASK_AGAIN_MS, READ_ASKERS_MAX, READ_PATIENCE_MS, READS_MAX } from "../../src/replica/constants.ts";
import { LinearizableReads } from "../../src/replica/linearizableReads.ts";
import { questionNumbers } from "../../src/replica/wiring.ts";
import { toHex } from "../../src/base/bytes.ts";
import { fakeSignature } from "../fixtures/naiveChain.ts";

class Node {
  now = 1_000;
  view = 1;
  leader: string | undefined = "leader";
  height = 5;
  readonly engine: number[] = [];
  readonly sent: { to: string; number: number; height?: number }[] = [];
  readonly told: unknown[] = [];
  #drawn = 0;
  readonly reads = new LinearizableReads({
    self: "self",
    now: () => this.now,
    view: () => this.view,
    leader: () => this.leader,
    irreversibleHeight: () => this.height,
    askEngine: (question) => void this.engine.push(question),
    ask: (to, number) => void this.sent.push({ to, number }),
    answer: (to, number, height) => void this.sent.push({ to, number, height }),
    readable: (requests, height) => void this.told.push({ requests, height }),
    refused: (requests, why) => void this.told.push({ requests, why }),
    drawNumber: () => ++this.#drawn,
  });
  read(...requests: number[]): void {
    for (const request of requests) this.reads.read(request);
    this.reads.proceed();
  }
  pass(ms: number): void {
    this.now += ms;
    this.reads.tick();
    this.reads.proceed();
  }
  reply(number: number, height: number, from = "leader"): void {
    this.reads.receiveReply(from, number, height);
    this.reads.proceed();
  }
}

it("numbers of questions follow neither from those before nor from what others know: each is part of a signature", () => {
  const numbersOf = (secret: string): number[] => {
    const sign = (digest: Uint8Array): Uint8Array => fakeSignature(`${secret} ${toHex(digest)}`);
    const numbers = questionNumbers({ seed: 7, sign });
    return [numbers(), numbers(), numbers()];
  };
  const [ours, theirs] = [numbersOf("ours"), numbersOf("theirs")];
  expect(new Set([...ours, ...theirs]).size).toBe(6);
  for (const each of ours) expect(Number.isSafeInteger(each)).toBe(true);
  expect((ours[1] as number) - (ours[0] as number)).not.toBe((ours[2] as number) - (ours[1] as number));
});

describe("a node that asks", () => {
  it("asks once for all that wait, and reads when its own state has reached the answer", () => {
    const node = new Node();
    node.read(1, 2);
    node.read(3);
    expect(node.sent).toEqual([{ to: "leader", number: 1 }]);
    node.reply(1, 7);
    expect(node.told).toEqual([]);
    expect(node.sent[1]).toEqual({ to: "leader", number: 2 });
    node.height = 7;
    node.reads.proceed();
    expect(node.told).toEqual([{ requests: [1, 2], height: 7 }]);
  });

  it("only the leader that was asked answers, and only this question", () => {
    const node = new Node();
    node.read(1);
    node.reply(1, 5, "another");
    node.reply(2, 5);
    expect(node.told).toEqual([]);
    node.reply(1, 5);
    expect(node.told).toEqual([{ requests: [1], height: 5 }]);
  });

  it("asks again under the same number: a slow answer to the first question is as good", () => {
    const node = new Node();
    node.read(1);
    for (let i = 0; i < 3; i++) node.pass(READ_ASK_AGAIN_MS);
    expect(node.sent).toEqual(Array.from({ length: 4 }, () => ({ to: "leader", number: 1 })));
    node.reply(1, 5);
    expect(node.told).toEqual([{ requests: [1], height: 5 }]);
  });

  it("asks the next leader, and takes no answer of the one before", () => {
    const node = new Node();
    node.read(1);
    node.leader = "next";
    node.view = 2;
    node.pass(1);
    expect(node.sent[1]).toEqual({ to: "next", number: 2 });
    node.reply(1, 5);
    expect(node.told).toEqual([]);
  });

  it("refuses what found no leader in time, what fell behind, and what is too much", () => {
    const node = new Node();
    node.leader = undefined;
    node.read(1);
    expect(node.reads.deadline).toBe(1_000 + READ_PATIENCE_MS);
    node.pass(READ_PATIENCE_MS);
    node.leader = "leader";
    node.read(2);
    node.reply(1, 9);
    node.pass(READ_PATIENCE_MS);
    expect(node.told).toEqual([
      { requests: [1], why: "noLeader" },
      { requests: [2], why: "behind" },
    ]);
    expect([node.reads.waiting, node.reads.deadline]).toEqual([0, Number.POSITIVE_INFINITY]);
    node.read(...Array.from({ length: READS_MAX + 1 }, (_, i) => 10 + i));
    expect(node.told.at(-1)).toEqual({ requests: [10 + READS_MAX], why: "busy" });
  });
});

describe("a leader that is asked", () => {
  it("has one question of each peer at its engine; the newest of those that came since follows", () => {
    const node = new Node();
    node.reads.receiveIndex("a", 1);
    node.reads.receiveIndex("a", 1);
    node.reads.receiveIndex("a", 2);
    node.reads.receiveIndex("a", 3);
    node.reads.receiveIndex("b", 1);
    expect([node.engine, node.reads.askers]).toEqual([[1, 2], 2]);
    node.reads.engineAnswered([1, 2], 8);
    expect(node.sent).toEqual([
      { to: "a", number: 1, height: 8 },
      { to: "b", number: 1, height: 8 },
    ]);
    expect(node.engine).toEqual([1, 2, 3]);
    node.reads.engineAnswered([3], 8);
    expect(node.sent[2]).toEqual({ to: "a", number: 3, height: 8 });
    expect(node.reads.askers).toBe(0);
    // The same question again is no other one.
    node.reads.receiveIndex("c", 1);
    node.reads.receiveIndex("c", 1);
    node.reads.engineAnswered([4], 8);
    expect([node.engine, node.reads.askers]).toEqual([[1, 2, 3, 4], 0]);
  });

  it("says nothing when it leads no more, and forgets who is gone", () => {
    const node = new Node();
    node.reads.receiveIndex("a", 1);
    node.reads.receiveIndex("b", 1);
    node.reads.peerDown("b");
    node.reads.engineAnswered([1], undefined);
    node.reads.engineAnswered([2], 8);
    expect([node.sent, node.reads.askers]).toEqual([[], 0]);
  });

  it("has room for so many, whoever they say they are: the others ask again", () => {
    const node = new Node();
    for (let i = 0; i <= READ_ASKERS_MAX; i++) node.reads.receiveIndex(`asker ${i}`, 1);
    expect([node.reads.askers, node.engine.length]).toEqual([READ_ASKERS_MAX, READ_ASKERS_MAX]);
  });
});
