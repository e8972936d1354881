import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeClock } from "../../src/node/clock.ts";

function makeWorld(): {
  clock: ReturnType<typeof makeClock>;
  pass: (ms: number) => void;
  set: (by: number) => void;
  wall: () => number;
} {
  let wall = 1_000_000;
  let monotonic = 50.5;
  const clock = makeClock(
    () => wall,
    () => monotonic,
  );
  const pass = (ms: number): void => {
    wall += ms;
    monotonic += ms;
  };
  return { clock, pass, set: (by) => void (wall += by), wall: () => wall };
}

describe("the node's clock (docs/protocol.md, section 4, time)", () => {
  it("is the wall clock while that goes forward, also when it is set forward", () => {
    const { clock, pass, set, wall } = makeWorld();
    for (const step of [0, 1, 250, 3]) {
      pass(step);
      expect(clock.now()).toBe(wall());
    }
    set(3_600_000);
    expect(clock.now()).toBe(wall());
    pass(5);
    expect(clock.now()).toBe(wall());
  });

  it("set back, it stands nowhere and goes on at half speed until the wall clock has caught up", () => {
    const { clock, pass, set, wall } = makeWorld();
    const before = clock.now();
    set(-10_000);
    expect(clock.now()).toBe(before);
    for (let passed = 100; passed <= 20_000; passed += 100) {
      pass(100);
      expect(clock.now()).toBe(before + Math.floor(passed / 2));
    }
    expect(clock.now()).toBe(wall());
    pass(100);
    expect(clock.now()).toBe(wall());
  });

  it("slow is slow however often it is asked", () => {
    const { clock, pass, set } = makeWorld();
    const before = clock.now();
    set(-10_000);
    for (let i = 0; i < 4_000; i++) {
      pass(0.25);
      clock.now();
    }
    expect(Math.abs(clock.now() - before - 500)).toBeLessThanOrEqual(1);
  });

  it("never goes back, gives whole milliseconds, and is never behind the wall clock", () => {
    const step = fc.oneof(
      fc.record({ pass: fc.double({ min: 0, max: 5_000, noNaN: true }) }),
      fc.record({ set: fc.integer({ min: -100_000, max: 100_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const { clock, pass, set, wall } = makeWorld();
        let last = clock.now();
        for (const each of steps) {
          if ("pass" in each) pass(each.pass);
          else set(each.set);
          const now = clock.now();
          expect(Number.isInteger(now)).toBe(true);
          expect(now).toBeGreaterThanOrEqual(last);
          expect(now).toBeGreaterThanOrEqual(Math.floor(wall()));
          last = now;
        }
      }),
    );
  });
});
