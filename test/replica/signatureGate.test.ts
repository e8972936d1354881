import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SignatureClaim } from "../../chain/signing.ts";
import { SignatureGate } from "../../src/replica/signatureGate.ts";

const CLAIM: SignatureClaim = { key: "", digest: new Uint8Array(0), signature: new Uint8Array(0) };
const QUEUES = ["a", "b"];
const MAX = 5;
const MAX_BYTES = 100;

describe("messages that wait for their signatures", () => {
  it("come out in the order they went in, queue by queue, whatever order checks end in; nothing passes what waits", () => {
    const step = fc.record({
      kind: fc.constantFrom("submit", "submit", "checked", "drop"),
      queue: fc.nat(1),
      signed: fc.boolean(),
      n: fc.nat(9),
      valid: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const gate = new SignatureGate<number>({ maxWaiting: MAX, maxBytes: MAX_BYTES });
        const queues = QUEUES.map(() => [] as { item: number; batch: number | undefined; valid: boolean }[]);
        let open: number[] = [];
        steps.forEach(({ kind, queue, signed, n, valid }, item) => {
          const model = queues[queue] as (typeof queues)[0];
          if (kind === "submit") {
            const answer = gate.submit(QUEUES[queue] as string, item, 1, signed ? [CLAIM] : []);
            if (!signed && model.length === 0) return expect(answer).toBe("pass");
            if (model.length === MAX) return expect(answer).toBe("full");
            if (signed) open.push(answer as number);
            else expect(answer).toBe("waits");
            model.push({ item, batch: signed ? (answer as number) : undefined, valid: true });
          } else if (kind === "drop") {
            gate.drop(QUEUES[queue] as string);
            model.length = 0;
          } else if (open.length > 0) {
            const batch = open[n % open.length] as number;
            open = open.filter((each) => each !== batch);
            for (const each of queues.flat())
              if (each.batch === batch) Object.assign(each, { batch: undefined, valid });
            const home = queues.find((each) => each[0] !== undefined && each[0].batch === undefined);
            const end = home?.findIndex((each) => each.batch !== undefined) ?? 0;
            const released = home?.splice(0, end === -1 ? home.length : end) ?? [];
            expect(gate.checked(batch, valid)).toEqual(
              released.map((each) => ({ item: each.item, valid: each.valid })),
            );
          }
          expect(gate.waiting).toBe(queues.flat().length);
        });
      }),
      { numRuns: 500 },
    );
  });

  it("a queue keeps at most its bytes, and gives them back", () => {
    const gate = new SignatureGate<string>({ maxWaiting: MAX, maxBytes: MAX_BYTES });
    const first = gate.submit("a", "large", 2 * MAX_BYTES, [CLAIM]) as number; // alone, anything may wait
    expect(gate.submit("a", "small", 1, [CLAIM])).toBe("full");
    expect(gate.submit("b", "other queue", MAX_BYTES, [CLAIM])).toBeTypeOf("number");
    gate.checked(first, true);
    expect(gate.submit("a", "small", MAX_BYTES, [CLAIM])).toBeTypeOf("number");
    expect(gate.submit("a", "one more", 1, [CLAIM])).toBe("full");
  });

  it("the answer of a check that is over, or of a peer that is gone, lets nothing through", () => {
    const gate = new SignatureGate<string>({ maxWaiting: MAX, maxBytes: MAX_BYTES });
    const batch = gate.submit("a", "old", 1, [CLAIM]) as number;
    gate.drop("a");
    const next = gate.submit("a", "new", 1, [CLAIM]) as number;
    expect(gate.checked(batch, true)).toEqual([]);
    expect(gate.checked(next, true)).toEqual([{ item: "new", valid: true }]);
    expect(gate.checked(next, true)).toEqual([]);
  });
});
