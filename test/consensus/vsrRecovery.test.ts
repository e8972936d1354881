/** What counts of a replica that lost its record (docs/protocol.md, section 6). */
import { describe, expect, it } from "vitest";
import { makeConfiguration } from "../../chain/configuration.ts";
import type { BlockRef } from "../../chain/header.ts";
import type { Ledger } from "../../chain/ledger.ts";
import { jointSets, singleSet } from "../../chain/producerSets.ts";
import { Incarnations } from "../../consensus/vsr/incarnations.ts";
import type { Incarnation, RecoveryResponse } from "../../consensus/vsr/messages.ts";
import { Recovery, RecoveryExchange } from "../../consensus/vsr/recovery.ts";
import { primaryOf } from "../../consensus/vsr/headerRule.ts";
import { Asks, Departures } from "../../consensus/vsr/viewChange.ts";
import { KEYS, testGenesis } from "../fixtures/naiveChain.ts";

const { configuration } = testGenesis();
const [A, B, C] = configuration.producers as [string, string, string];
const [D, E] = KEYS.slice(3) as [string, string];
const SETS = singleSet(configuration);
const ref = (view: number, height: number) => ({ view, height, id: "00".repeat(32) });
/** Knows every block, of this producer set. */
const LEDGER = {
  get: () => ({ sets: SETS, setsAfter: SETS }),
  head: { ...ref(2, 7), sets: SETS, setsAfter: SETS },
} as unknown as Pick<Ledger, "get" | "head">;
const NEVER = new Incarnations([]);

describe("asks for another view", () => {
  it("the view that a majority asks for, or for one above it, while their asks are fresh", () => {
    const asks = new Asks();
    asks.record(A, 5, 100);
    expect(asks.agreed(SETS, 0)).toBe(-1);
    asks.record(B, 7, 200);
    expect(asks.agreed(SETS, 0)).toBe(5);
    expect(asks.agreed(SETS, 150)).toBe(-1);
    asks.record(C, 6, 210);
    expect(asks.agreed(SETS, 150)).toBe(6);
    asks.withdraw(C);
    expect(asks.agreed(SETS, 150)).toBe(-1);
  });

  it("a lower one replaces a higher one: whom it names is gone", () => {
    const asks = new Asks();
    asks.record(A, 9, 100);
    asks.record(A, 5, 200);
    asks.record(B, 5, 200);
    expect(asks.agreed(SETS, 150)).toBe(5);
  });
});

describe("departures [V1] [V2]", () => {
  const left = (head: BlockRef, incarnations = NEVER, sets = SETS) => ({ head, config: sets.hash, incarnations });
  const AGAIN = new Incarnations([{ replica: B, number: 77 }]);

  it("the best head of a majority, the primary's own among them", () => {
    const departures = new Departures();
    departures.record(B, left(ref(2, 9)));
    departures.record(C, left(ref(3, 4)));
    expect(departures.best(A, SETS)).toBeUndefined();
    departures.record(A, left(ref(1, 20)));
    // A majority knows what was decided, whatever the third holds.
    expect(departures.best(A, SETS)).toMatchObject(ref(2, 9));
  });

  it("of all sets that decide", () => {
    const five = singleSet(makeConfiguration([A, B, C, D, E]));
    const joint = jointSets(configuration, makeConfiguration([D, E]), 1);
    for (const [sets, best] of [
      [five, 3],
      [joint, undefined],
    ] as const) {
      const departures = new Departures();
      departures.record(A, left(ref(1, 20), NEVER, sets));
      departures.record(B, left(ref(2, 9), NEVER, sets));
      departures.record(C, left(ref(3, 4), NEVER, sets));
      expect(departures.best(A, sets)?.view).toBe(best);
    }
  });

  it("one that was made by other sets counts once its sender's head has come to those that open the view; the primary's own goes with its head", () => {
    const joint = jointSets(configuration, makeConfiguration([A, B, C, D]), 1);
    const departures = new Departures();
    departures.record(A, left(ref(1, 5)));
    departures.record(B, left(ref(1, 5)));
    departures.record(C, left(ref(1, 7), NEVER, joint));
    expect(departures.best(A, SETS)).toMatchObject(ref(1, 5));
    expect(departures.best(A, joint)).toBeUndefined();
    departures.record(B, left(ref(1, 6), NEVER, joint));
    expect(departures.best(A, joint)).toMatchObject(ref(1, 7));
  });

  it("one that was sent before its sender lost its record does not count, once anybody knows that it did", () => {
    const departures = new Departures();
    departures.record(A, left(ref(1, 1)));
    departures.record(B, left(ref(1, 1)));
    expect(departures.best(A, SETS)).toBeDefined();
    // A has answered B's recovery since.
    departures.record(A, left(ref(1, 1), AGAIN));
    expect(departures.best(A, SETS)).toBeUndefined();
    departures.record(B, left(ref(1, 8), AGAIN));
    expect(departures.best(A, SETS)).toMatchObject(ref(1, 8));
    // What was on the way comes last.
    departures.record(B, left(ref(1, 9)));
    expect(departures.best(A, SETS)).toMatchObject(ref(1, 8));
  });
});

describe("the recovery exchange [V2]", () => {
  const answer = (view: number, head?: number, nonce = 5, replica = A, incarnations: Incarnation[] = []) => ({
    replica,
    nonce,
    view,
    ...(head === undefined ? {} : { head: ref(view, head) }),
    incarnations,
  });
  // Whose view is whose.
  const viewOf = (key: string): number => [3, 4, 5].find((view) => primaryOf(SETS, view) === key) as number;

  it("ends with a majority of the others, the primary of the highest view among them", () => {
    const exchange = new RecoveryExchange(LEDGER, A, 5);
    expect(exchange.answered(C, answer(viewOf(B)))).toBeUndefined();
    expect(exchange.answered(B, answer(viewOf(B), 9))).toEqual({ view: viewOf(B), head: ref(viewOf(B), 9) });
  });

  it("not with a primary of a view that others have left", () => {
    const exchange = new RecoveryExchange(LEDGER, A, 5);
    expect(exchange.answered(C, answer(viewOf(B) + 3))).toBeUndefined();
    expect(exchange.answered(B, answer(viewOf(B), 9))).toBeUndefined();
    expect(exchange.answered(B, answer(viewOf(B) + 3, 12))).toMatchObject({ view: viewOf(B) + 3 });
  });

  it("not with its own answers, those for others, and those for an earlier nonce", () => {
    const exchange = new RecoveryExchange(LEDGER, A, 5);
    expect(exchange.answered(A, answer(viewOf(A), 9))).toBeUndefined();
    expect(exchange.answered(B, answer(viewOf(B), 9, 4))).toBeUndefined();
    expect(exchange.answered(B, answer(viewOf(B), 9, 5, C))).toBeUndefined();
    expect(exchange.answered(C, answer(viewOf(B)))).toBeUndefined();
  });

  it("others have lost theirs, too, as the operator confirms: whoever has not has to answer, and what nobody knows is what it holds itself", () => {
    const alone = new RecoveryExchange(LEDGER, A, 5);
    alone.asked(C);
    expect(alone.answered(B, answer(viewOf(C)))).toBeUndefined();
    const confirmed = new RecoveryExchange(LEDGER, A, 5, true);
    expect(confirmed.answered(B, answer(viewOf(C)))).toBeUndefined();
    confirmed.asked(C);
    expect(confirmed.answered(B, answer(viewOf(C)))).toEqual({ view: viewOf(C), head: ref(2, 7) });
    expect(confirmed.answered(B, answer(viewOf(B), 9))).toEqual({ view: viewOf(B), head: ref(viewOf(B), 9) });
  });

  it("the highest view has no primary left, but one of a lower view tells: no less than that may have been promised", () => {
    const confirmed = new RecoveryExchange(LEDGER, A, 5, true);
    expect(confirmed.answered(B, answer(viewOf(B), 9))).toBeUndefined();
    const view = viewOf(B) + 1;
    expect(confirmed.answered(C, answer(view))).toEqual({ view, head: ref(viewOf(B), 9) });
  });

  it("a clock that went back: who asked with a greater nonce before asks with one above that", () => {
    const exchange = new RecoveryExchange(LEDGER, A, 5);
    expect(exchange.answered(C, answer(viewOf(B)))).toBeUndefined();
    expect(exchange.answered(B, answer(viewOf(B), 9, 40))).toBeUndefined();
    expect(exchange.nonce).toBe(41);
    expect(exchange.answered(B, answer(viewOf(B), 9, 41))).toBeUndefined();
    expect(exchange.answered(C, answer(viewOf(B), undefined, 41))).toBeDefined();
  });
});

describe("who recovers remembers what the others do [V2]", () => {
  const NONCE = 50;
  interface Answered {
    readonly to: string;
    readonly answer: RecoveryResponse;
  }

  /** A replica that knows nothing of anybody, in a view whose block 9 is here; what it answers is kept. */
  function replica(self: string, answers: Answered[] = [], withOthers = false): Recovery {
    const host = {
      self,
      now: () => NONCE,
      ledger: { ...LEDGER, isProducer: () => true },
      persistRecord: () => undefined,
      unicast: (to: string, { content }: { content: RecoveryResponse }) => void answers.push({ to, answer: content }),
    };
    return new Recovery(host as unknown as ConstructorParameters<typeof Recovery>[0], [], withOthers);
  }

  /** What a replica that remembers these answers a recovery of A. */
  function answerTo(nonce: number, head: BlockRef | undefined, remembered: readonly Incarnation[]): RecoveryResponse {
    const answers: Answered[] = [];
    const remembering = replica(B, answers);
    for (const { replica: other, number } of remembered) remembering.incarnations.raise(other, number);
    remembering.answer(A, nonce, 3, head);
    expect(answers[0]?.to).toBe(A);
    return answers[0]?.answer as RecoveryResponse;
  }

  const OF_C = { replica: C, number: 7 };

  it("an answer tells of all that its signer remembers, of the one who asks, too", () => {
    expect(answerTo(NONCE, undefined, [OF_C]).incarnations).toEqual([OF_C, { replica: A, number: NONCE }]);
  });

  it("of every answer that counts", () => {
    const recovering = replica(A);
    recovering.begin();
    expect(recovering.answered(B, answerTo(NONCE, undefined, [OF_C]))).toBeUndefined();
    expect(recovering.answered(C, answerTo(NONCE, ref(3, 9), [OF_C, { replica: D, number: 2 }]))).toBeDefined();
    expect([A, C, D].map((key) => recovering.incarnations.of(key))).toEqual([NONCE, 7, 2]);
  });

  it("where no primary is left to tell of its head, too", () => {
    const recovering = replica(A, [], true);
    recovering.begin();
    recovering.asked(C);
    expect(recovering.answered(B, answerTo(NONCE, undefined, [OF_C]))).toBeDefined();
    expect(recovering.incarnations.of(C)).toBe(7);
  });

  it("an answer does not count whose signer has lost its record since, as another one knows: it may have come back without a trace of this recovery", () => {
    const recovering = replica(A);
    recovering.begin();
    expect(recovering.answered(B, answerTo(NONCE, undefined, []))).toBeUndefined();
    const ofB = { replica: B, number: 8 };
    expect(recovering.answered(C, answerTo(NONCE, ref(3, 9), [OF_C, ofB]))).toBeUndefined();
    // It answers again, and remembers it.
    expect(recovering.answered(B, answerTo(NONCE, undefined, [ofB]))).toBeDefined();
  });
});

it("the keys of the test chain are three", () => expect(KEYS.length).toBeGreaterThanOrEqual(3));
