import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type EffectHandlers, ReplicaDriver, type TellEffect } from "../../src/node/replicaDriver.ts";
import type { Replica } from "../../src/replica/replica.ts";
import type { Effect, Input } from "../../src/replica/types.ts";

const send = (to: string, after?: number): Effect => ({
  kind: "send",
  to,
  lane: "urgent",
  parts: [],
  ...(after !== undefined && { after }),
});
const log: Effect = { kind: "log", level: "info", layer: "node", message: "hello" };

/** A driver around a replica that answers each input as told; everything it does is written down in order. */
function makeDriver(answer: (input: Input) => readonly Effect[] = () => []) {
  const done: string[] = [];
  const inputs: Input[] = [];
  const crashes: Error[] = [];
  const world = {
    now: 1_000,
    check: (): Promise<readonly boolean[]> => Promise.resolve([true]),
    tell: (_effect: TellEffect): void => undefined,
  };
  const step = (input: Input): Effect[] => {
    inputs.push(input);
    return [...answer(input)];
  };
  const handlers: EffectHandlers = {
    persist: ({ token }) => void done.push(`persist ${token}`),
    send: (to) => void done.push(`send ${to}`),
    checkSignature: ({ key }) => key === "good",
    checkSignatures: () => world.check(),
    flush: ({ flush }) => void done.push(`flush ${flush.height}`),
    tell: (effect) => {
      done.push(effect.kind);
      world.tell(effect);
    },
  };
  const driver = new ReplicaDriver(
    { step } as unknown as Replica,
    { now: () => world.now },
    handlers,
    (error) => void crashes.push(error),
  );
  return { driver, done, inputs, crashes, world };
}
const tick: Input = { kind: "tick" };
const claim = (key: string) => ({ key, digest: new Uint8Array(32), signature: new Uint8Array(64) });
const many = Array.from({ length: 20 }, () => claim("good"));
const kinds = (inputs: readonly Input[]): string[] => inputs.map((input) => input.kind);

describe("durable before visible (DESIGN section 3, rule 1)", () => {
  it("a message that names a token leaves when that token came back, not before; others leave at once", () => {
    const { driver, done } = makeDriver((input) =>
      input.kind === "tick" ? [{ kind: "persist", token: 2, blocks: [] }, send("durable", 2), send("plain")] : [],
    );
    driver.step(tick);
    expect(done).toEqual(["persist 2", "send plain"]);
    driver.persisted(1);
    expect([done.length, driver.heldSends]).toEqual([2, 1]);
    driver.persisted(2);
    expect(done).toEqual(["persist 2", "send plain", "send durable"]);
  });

  it("held messages leave in order, up to the token that came back; a token brings the earlier ones", () => {
    const given = [send("a", 1), send("b", 2), send("c", 2), send("d", 3)];
    const { driver, done } = makeDriver((input) => (input.kind === "tick" ? given : []));
    driver.step(tick);
    driver.persisted(2);
    expect(done).toEqual(["send a", "send b", "send c"]);
    driver.persisted(3);
    expect(done.at(-1)).toBe("send d");
  });

  it("one whose token is on disk already leaves at once", () => {
    const { driver, done } = makeDriver((input) => (input.kind === "tick" ? [send("a", 5)] : []));
    driver.persisted(5);
    driver.step(tick);
    expect(done).toEqual(["send a"]);
  });

  it("held messages leave before the replica hears of the token: what it says next comes after them", () => {
    const { driver, done } = makeDriver((input) => (input.kind === "tick" ? [send("held", 1)] : [send("next")]));
    driver.step(tick);
    driver.persisted(1);
    expect(done).toEqual(["send held", "send next"]);
  });
});

describe("one step at a time", () => {
  it("an input that comes while effects are carried out waits for its turn", () => {
    const { driver, inputs, done, world } = makeDriver((input) =>
      input.kind === "tick" ? [log, send("after the log")] : [send("second")],
    );
    world.tell = () => {
      driver.step({ kind: "peerUp", peer: "x" });
      expect(kinds(inputs)).toEqual(["tick"]);
    };
    driver.step(tick);
    expect(kinds(inputs)).toEqual(["tick", "peerUp"]);
    expect(done).toEqual(["log", "send after the log", "send second"]);
  });

  it("`continue` lets the event loop go round before the next slice", async () => {
    const { driver, inputs } = makeDriver((input) => (input.kind === "tick" ? [{ kind: "continue" }] : []));
    driver.step(tick);
    expect(kinds(inputs)).toEqual(["tick"]);
    driver.step({ kind: "peerUp", peer: "x" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(kinds(inputs)).toEqual(["tick", "peerUp", "continue"]);
  });

  it("few signatures are checked at once, and come back before anything else", () => {
    const { driver, inputs } = makeDriver((input) =>
      input.kind === "tick" ? [{ kind: "checkSignatures", batch: 7, claims: [claim("good"), claim("bad")] }] : [],
    );
    driver.step(tick);
    expect(inputs.at(-1)).toEqual({ kind: "signaturesChecked", batch: 7, valid: [true, false] });
  });

  it("many are checked elsewhere, and come back with their batch", async () => {
    const { driver, inputs, world } = makeDriver((input) =>
      input.kind === "tick" ? [{ kind: "checkSignatures", batch: 7, claims: many }] : [],
    );
    const valid = [true, false];
    world.check = () => Promise.resolve(valid);
    driver.step(tick);
    await vi.waitFor(() => expect(inputs.at(-1)).toEqual({ kind: "signaturesChecked", batch: 7, valid }));
  });
});

describe("the timer", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const pass = (world: { now: number }, ms: number): void => {
    world.now += ms;
    vi.advanceTimersByTime(ms);
  };

  it("ticks when its time has come, never before, also when the clock runs slow", () => {
    const { driver, inputs, world } = makeDriver((input) =>
      input.kind === "peerUp" ? [{ kind: "setTimer", at: 1_100.5 }] : [],
    );
    driver.step({ kind: "peerUp", peer: "x" });
    pass(world, 100);
    expect(kinds(inputs)).toEqual(["peerUp"]);
    vi.advanceTimersByTime(50);
    expect(kinds(inputs)).toEqual(["peerUp"]);
    pass(world, 1);
    expect(kinds(inputs)).toEqual(["peerUp", "tick"]);
  });

  it("that fires late, because the process stood still, ticks after what has come meanwhile", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { driver, inputs, world } = makeDriver((input) =>
      input.kind === "peerUp" ? [{ kind: "setTimer", at: 1_100 }] : [],
    );
    driver.step({ kind: "peerUp", peer: "x" });
    world.now += 700;
    vi.advanceTimersByTime(100);
    driver.step({ kind: "drained", peer: "x", lane: "bulk", bytes: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(kinds(inputs)).toEqual(["peerUp", "drained", "tick"]);
  });

  it("is replaced by the next, and none is set for Infinity", () => {
    const ats = [1_100, 1_500, Number.POSITIVE_INFINITY];
    const { driver, inputs, world } = makeDriver((input) =>
      input.kind === "peerUp" ? [{ kind: "setTimer", at: ats.shift() as number }] : [],
    );
    driver.step({ kind: "peerUp", peer: "x" });
    driver.step({ kind: "peerUp", peer: "x" });
    pass(world, 499);
    expect(kinds(inputs)).toEqual(["peerUp", "peerUp"]);
    pass(world, 1);
    expect(kinds(inputs)).toEqual(["peerUp", "peerUp", "tick"]);
    driver.step({ kind: "peerUp", peer: "x" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("a far time is waited for in parts: Node's timers end at 2^31 - 1 ms", () => {
    const { driver, inputs, world } = makeDriver((input) =>
      input.kind === "peerUp" ? [{ kind: "setTimer", at: 1_000 + 2 ** 32 }] : [],
    );
    driver.step({ kind: "peerUp", peer: "x" });
    pass(world, 2 ** 31);
    expect(kinds(inputs)).toEqual(["peerUp"]);
    pass(world, 2 ** 31);
    expect(kinds(inputs)).toEqual(["peerUp", "tick"]);
  });
});

describe("the end", () => {
  it("a step that throws is a bug: it is told once, and nothing is stepped or sent any more", () => {
    const { driver, inputs, crashes, done } = makeDriver((input) => {
      if (input.kind === "peerUp") throw new Error("a bug");
      return [send("held", 1)];
    });
    driver.step(tick);
    driver.step({ kind: "peerUp", peer: "x" });
    driver.step(tick);
    driver.persisted(1);
    expect(crashes.map((error) => error.message)).toEqual(["a bug"]);
    expect(kinds(inputs)).toEqual(["tick", "peerUp"]);
    expect(done).toEqual([]);
  });

  it("a check of signatures that fails is one, too", async () => {
    const { driver, crashes, world } = makeDriver(() => [{ kind: "checkSignatures", batch: 1, claims: many }]);
    world.check = () => Promise.reject(new Error("no pool"));
    driver.step(tick);
    await vi.waitFor(() => expect(crashes.map((error) => error.message)).toEqual(["no pool"]));
  });

  it("stopped in the middle of a step, the effects after that are not carried out, and no timer is left", () => {
    vi.useFakeTimers();
    const { driver, done, world } = makeDriver(() => [log, send("x"), { kind: "setTimer", at: 2_000 }]);
    world.tell = () => driver.stop();
    driver.step(tick);
    expect([done, vi.getTimerCount()]).toEqual([["log"], 0]);
    vi.useRealTimers();
  });
});
