import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SignatureClaim } from "../../chain/signing.ts";
import { CHECKS_AT_FIRST } from "../../src/replica/constants.ts";
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
      claims: fc.constantFrom(0, 1, 3, 8),
      n: fc.nat(9),
      valid: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        /** Batches under way, and which message they are of. */
        let open: { batch: number; item: number }[] = [];
        const gate = new SignatureGate<number>({ maxWaiting: MAX, maxBytes: MAX_BYTES }, (batch, claims) =>
          open.push({ batch, item: Number(claims[0]?.key) }),
        );
        const queues = QUEUES.map(() => [] as { item: number; unchecked: number; valid: boolean }[]);
        steps.forEach(({ kind, queue, claims, n, valid }, item) => {
          const model = queues[queue] as (typeof queues)[0];
          if (kind === "submit") {
            const claimed = Array.from({ length: claims }, () => ({ ...CLAIM, key: `${item}` }));
            const answer = gate.submit(QUEUES[queue] as string, item, 1, claimed);
            if (claims === 0 && model.length === 0) return expect(answer).toBe("pass");
            if (model.length === MAX) return expect(answer).toBe("full");
            expect(answer).toBe("waits");
            model.push({ item, unchecked: claims, valid: true });
          } else if (kind === "drop") {
            gate.drop(QUEUES[queue] as string);
            open = open.filter((each) => !model.some(({ item: gone }) => gone === each.item));
            model.length = 0;
          } else if (open.length > 0) {
            const [batch] = open.splice(n % open.length, 1) as [(typeof open)[0]];
            const before = open.length;
            const out = gate.checked(batch.batch, valid);
            const home = queues.find((each) => each.some((waiting) => waiting.item === batch.item)) ?? [];
            const entry = home.find((waiting) => waiting.item === batch.item);
            if (entry !== undefined && !valid) entry.valid = false;
            // In order, each with what its own checks said, and none that has a batch under way.
            expect(out.map((each) => each.item)).toEqual(home.slice(0, out.length).map((each) => each.item));
            for (const { item: released, valid: isValid } of out) {
              expect(isValid).toBe(home.find((each) => each.item === released)?.valid);
              expect(open.slice(0, before).some((each) => each.item === released)).toBe(false);
            }
            home.splice(0, out.length);
          }
          expect(gate.waiting).toBe(queues.flat().length);
        });
        // Nothing is forgotten: when all checks have ended, all is out.
        for (let next = open.shift(); next !== undefined; next = open.shift()) gate.checked(next.batch, true);
        expect(gate.waiting).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it("a queue keeps at most its bytes, and gives them back", () => {
    const { gate, batches } = makeGate();
    gate.submit("a", "large", 2 * MAX_BYTES, [CLAIM]); // alone, anything may wait
    expect(gate.submit("a", "small", 1, [CLAIM])).toBe("full");
    expect(gate.submit("b", "other queue", MAX_BYTES, [CLAIM])).toBe("waits");
    gate.checked(batches[0]?.batch as number, true);
    expect(gate.submit("a", "small", MAX_BYTES, [CLAIM])).toBe("waits");
    expect(gate.submit("a", "one more", 1, [CLAIM])).toBe("full");
  });

  it("the answer of a check that is over, or of a peer that is gone, lets nothing through", () => {
    const { gate, batches } = makeGate();
    gate.submit("a", "old", 1, [CLAIM]);
    gate.drop("a");
    gate.submit("a", "new", 1, [CLAIM]);
    const [old, next] = batches.map(({ batch }) => batch) as [number, number];
    expect(gate.checked(old, true)).toEqual([]);
    expect(gate.checked(next, true)).toEqual([{ item: "new", valid: true }]);
    expect(gate.checked(next, true)).toEqual([]);
  });

  it("earn their checks: a few at first, one more with each valid one, and after an invalid one a few again", () => {
    const { gate, batches } = makeGate({ maxWaiting: 1_000, maxBytes: 1_000 });
    const inCheck = (): number => batches.reduce((sum, { claims }) => sum + claims, 0);
    for (let i = 0; i < 100; i++) gate.submit("a", "x", 1, [CLAIM]);
    expect(inCheck()).toBe(CHECKS_AT_FIRST);
    for (const { batch } of batches.splice(0)) gate.checked(batch, true);
    expect(inCheck()).toBe(2 * CHECKS_AT_FIRST);
    for (const { batch } of batches.splice(0)) gate.checked(batch, false);
    expect(inCheck()).toBe(CHECKS_AT_FIRST);
  });

  it("one with more claims than are allowed is checked in portions, and no further than its first invalid one", () => {
    const { gate, batches } = makeGate();
    const claims = Array.from({ length: 10 * CHECKS_AT_FIRST }, () => CLAIM);
    gate.submit("a", "many", 1, claims);
    expect(batches).toMatchObject([{ claims: CHECKS_AT_FIRST }]);
    expect(gate.checked(1, true)).toEqual([]);
    expect(batches.at(-1)).toMatchObject({ claims: 2 * CHECKS_AT_FIRST });
    expect(gate.checked(2, false)).toEqual([{ item: "many", valid: false }]);
    expect(batches).toHaveLength(2);
  });
});

/** A gate, and the batches that it has had checked. */
function makeGate(bounds = { maxWaiting: MAX, maxBytes: MAX_BYTES }): {
  gate: SignatureGate<string>;
  batches: { batch: number; claims: number }[];
} {
  const batches: { batch: number; claims: number }[] = [];
  const gate = new SignatureGate<string>(bounds, (batch, claims) => batches.push({ batch, claims: claims.length }));
  return { gate, batches };
}
