import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OWED_BYTES_MAX, OWED_PERSISTS_MAX } from "../../src/replica/constants.ts";
import { type AfterPersist, Outbox } from "../../src/replica/outbox.ts";
import type { Effect, PersistedBlock } from "../../src/replica/types.ts";

const RECORD = Uint8Array.of(1);
const block = (height: number): PersistedBlock => ({
  height,
  id: `block ${height}`,
  parent: `block ${height - 1}`,
  header: RECORD,
  signature: RECORD,
  body: RECORD,
});
const action = (height: number): AfterPersist => ({
  kind: "action",
  action: { kind: "ownAck", view: 1, height, id: `block ${height}` },
});
const finish = (outbox: Outbox): Effect[] => outbox.finish(() => RECORD);
const persistOf = (effects: readonly Effect[]): Extract<Effect, { kind: "persist" }> | undefined =>
  effects.find((effect) => effect.kind === "persist");
const sendsOf = (effects: readonly Effect[]): Extract<Effect, { kind: "send" }>[] =>
  effects.filter((effect) => effect.kind === "send");

describe("effects of a step (DESIGN section 3, rule 1)", () => {
  it("one persist a step carries everything, and comes before all other effects", () => {
    const outbox = new Outbox();
    outbox.effect({ kind: "continue" });
    outbox.send("a", "urgent", [], true);
    outbox.persistBlock(block(1));
    outbox.persistRecord();
    outbox.persistBlock(block(2));
    outbox.persistIrreversible({ height: 1, id: "block 1", certificate: RECORD, frontier: RECORD });
    const effects = finish(outbox);
    expect(effects.map((effect) => effect.kind)).toEqual(["persist", "send", "continue"]);
    expect(persistOf(effects)).toMatchObject({
      token: 1,
      record: RECORD,
      blocks: [block(1), block(2)],
      irreversible: { height: 1 },
    });
    expect(finish(outbox)).toEqual([]);
  });

  it("the record as it is at the end of the step goes to disk, and only when it changed", () => {
    const outbox = new Outbox();
    outbox.persistBlock(block(1));
    expect(persistOf(finish(outbox))).not.toHaveProperty("record");
    outbox.persistRecord();
    const late = Uint8Array.of(9);
    expect(persistOf(outbox.finish(() => late))).toMatchObject({ record: late, blocks: [] });
  });

  it("the disk owes too much when it has not taken so many writes, or so many bytes", () => {
    const outbox = new Outbox();
    for (let i = 0; i < OWED_PERSISTS_MAX; i++) {
      outbox.persistRecord();
      finish(outbox);
    }
    expect(outbox.owesTooMuch).toBe(false);
    outbox.persistRecord();
    finish(outbox);
    expect(outbox.owesTooMuch).toBe(true);
    outbox.persisted(OWED_PERSISTS_MAX);
    expect(outbox.owesTooMuch).toBe(false);
    outbox.persistBlock({ ...block(1), body: new Uint8Array(OWED_BYTES_MAX) });
    finish(outbox);
    expect(outbox.owesTooMuch).toBe(true);
    outbox.persisted(OWED_PERSISTS_MAX + 1);
    expect(outbox.owesTooMuch).toBe(true);
    outbox.persisted(OWED_PERSISTS_MAX + 2);
    expect(outbox.owesTooMuch).toBe(false);
  });

  it("a durable message waits for this step's token, another does not", () => {
    const outbox = new Outbox();
    outbox.send("a", "urgent", [], true);
    outbox.send("b", "urgent", [], false);
    outbox.persistRecord();
    expect(sendsOf(finish(outbox))).toEqual([
      { kind: "send", to: "a", lane: "urgent", parts: [], after: 1 },
      { kind: "send", to: "b", lane: "urgent", parts: [] },
    ]);
  });

  it("a durable message of a later step waits for what was persisted before, unless all of it is on disk", () => {
    const outbox = new Outbox();
    outbox.persistRecord();
    finish(outbox);
    outbox.send("a", "urgent", [], true);
    expect(sendsOf(finish(outbox))).toMatchObject([{ after: 1 }]);
    outbox.persisted(1);
    outbox.send("a", "urgent", [], true);
    expect(sendsOf(finish(outbox))[0]).not.toHaveProperty("after");
  });
});

describe("what is counted only when it is durable [S5]", () => {
  it("comes back with its token or a later one, in order, once; never before", () => {
    const step = fc.record({
      kind: fc.constantFrom("persist", "after", "finish", "finish", "persisted"),
      n: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const outbox = new Outbox();
        const given: { readonly token: number; readonly height: number }[] = [];
        let open: number[] = [];
        let [token, durable, next, dirty] = [0, 0, 1, false];
        for (const { kind, n } of steps) {
          if (kind === "persist") {
            outbox.persistBlock(block(next));
            dirty = true;
          } else if (kind === "after") {
            outbox.whenDurable(action(next));
            open.push(next++);
          } else if (kind === "finish") {
            const immediate = outbox.takeImmediate();
            expect(immediate).toEqual(dirty || token > durable ? [] : open.map(action));
            if (immediate.length > 0) open = [];
            const persist = persistOf(finish(outbox));
            expect(persist?.token).toBe(dirty ? token + 1 : undefined);
            token = persist?.token ?? token;
            for (const height of open) given.push({ token, height });
            [open, dirty] = [[], false];
          } else {
            durable = Math.min(token, durable + n);
            const ready = given.filter((each) => each.token <= durable);
            expect(outbox.persisted(durable)).toEqual(ready.map((each) => action(each.height)));
            given.splice(0, ready.length);
          }
          expect(outbox.outstanding).toBe(token - durable);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("a token that was never given out is a bug of the shell", () => {
    expect(() => new Outbox().persisted(1)).toThrow();
  });
});
