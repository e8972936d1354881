/** Redial, circuit breakers, and addresses that others told (docs/protocol.md, section 1, "Failure detector"). */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Dialer, type Target } from "../../../net/link/dialer.ts";
import { DEFAULT_LIMITS } from "../../../net/link/index.ts";
import type { PeerKey, TargetInfo } from "../../../net/link/index.ts";

const ADDRESS = "/ip4/192.0.2.1/tcp/26600";
const [A, B] = ["a".repeat(64), "b".repeat(64)] as [PeerKey, PeerKey];
const { redialMinMs, redialMaxMs, breakerFailures, breakerOpenMs, stableLinkMs, departedRedialMs } = DEFAULT_LIMITS;

/** A dialer whose dials come to what the test says; random numbers are `roll`. */
class Bench {
  roll = 0;
  readonly dials: { readonly target: Target; readonly peer: PeerKey | undefined; readonly atMs: number }[] = [];
  readonly linked = new Set<PeerKey>();
  readonly dialer = new Dialer({
    limits: DEFAULT_LIMITS,
    log: () => undefined,
    random: () => this.roll,
    dial: (target, peer) => void this.dials.push({ target, peer, atMs: performance.now() }),
    needless: (peer) => this.linked.has(peer),
    full: () => false,
  });

  get target(): TargetInfo {
    return this.dialer.infos()[0] as TargetInfo;
  }
  get last(): Target {
    return this.dials.at(-1)?.target as Target;
  }
  /** The dial that is under way fails. @returns ms until the next */
  fail(reason: Parameters<Dialer["ended"]>[1] = "connectionLost", withinMs = 60_000): number | undefined {
    const [before, now] = [this.dials.length, performance.now()];
    this.dialer.ended(this.last, reason, "x");
    vi.advanceTimersByTime(withinMs);
    const next = this.dials[before];
    return next && next.atMs - now;
  }
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** The first dial is at once. */
function bench(roll: number): Bench {
  const made = new Bench();
  made.roll = roll;
  made.dialer.set(ADDRESS, undefined);
  vi.advanceTimersByTime(0);
  expect(made.dials).toHaveLength(1);
  return made;
}

describe("redial", () => {
  test("waits at random up to a ceiling that doubles with every failure: full jitter", () => {
    const most = bench(0.999_999);
    for (let failures = 1; failures < breakerFailures; failures++)
      expect(most.fail()).toBeCloseTo(redialMinMs * 2 ** failures, -1);
    const least = bench(0);
    for (let failures = 1; failures < breakerFailures; failures++) expect(least.fail()).toBe(0);
    const half = bench(0.5);
    expect(half.fail()).toBe(redialMinMs);
  });

  test("never waits longer than the greatest ceiling, however often it failed", () => {
    const patient = new Bench();
    patient.roll = 0.999_999;
    const limits = { ...DEFAULT_LIMITS, breakerFailures: 1_000 };
    const dials: number[] = [];
    const dialer = new Dialer({
      limits,
      log: () => undefined,
      random: () => 0.999_999,
      dial: (target) => {
        dials.push(performance.now());
        queueMicrotask(() => dialer.ended(target, "connectionLost", "x"));
      },
      needless: () => false,
      full: () => false,
    });
    dialer.set(ADDRESS, undefined);
    return vi.advanceTimersByTimeAsync(10 * 60_000).then(() => {
      dialer.stop();
      const waits = dials.slice(1).map((at, i) => at - (dials[i] as number));
      expect(Math.max(...waits)).toBeLessThanOrEqual(redialMaxMs);
      expect(waits.slice(8).every((wait) => wait > redialMaxMs - 10)).toBe(true);
    });
  });

  test("begins at the shortest ceiling again after a link that lasted; one that did not counts as a failure", () => {
    const node = bench(0.999_999);
    node.fail();
    node.fail();
    expect(node.target.failures).toBe(2);
    node.dialer.linked(node.last, A);
    vi.advanceTimersByTime(stableLinkMs - 1);
    node.dialer.ended(node.last, "connectionLost", "x", A);
    expect(node.target.failures).toBe(3);
    vi.advanceTimersByTime(60_000);
    node.dialer.linked(node.last, A);
    vi.advanceTimersByTime(stableLinkMs);
    expect(node.fail()).toBeCloseTo(redialMinMs, -1);
    expect(node.target.failures).toBe(1 - 1);
  });

  test("of a peer that said it stops comes after some seconds", () => {
    const node = bench(0);
    node.dialer.linked(node.last, A);
    vi.advanceTimersByTime(stableLinkMs);
    expect(node.fail("shutdown")).toBe(departedRedialMs / 2);
  });
});

describe("the breaker of an address", () => {
  test("opens after so many failures in a row; then it is asked rarely, one dial at a time; a link closes it", () => {
    const node = bench(0);
    for (let failures = 1; failures < breakerFailures; failures++) {
      node.fail();
      expect(node.target.breaker).toBe("closed");
    }
    expect(node.fail("connectionLost", breakerOpenMs / 2 - 1)).toBeUndefined();
    expect(node.target.breaker).toBe("open");
    vi.advanceTimersByTime(1);
    expect(node.target.breaker).toBe("halfOpen");
    const dials = node.dials.length;
    vi.advanceTimersByTime(10 * breakerOpenMs);
    expect(node.dials).toHaveLength(dials);
    expect(node.fail()).toBe(breakerOpenMs / 2);
    expect(node.target.breaker).toBe("halfOpen");
    node.dialer.linked(node.last, A);
    expect(node.target.breaker).toBe("closed");
  });

  test("waits half its time at least, and all of it at most", () => {
    const node = bench(0.999_999);
    for (let failures = 1; failures < breakerFailures; failures++) node.fail();
    expect(node.fail()).toBeCloseTo(breakerOpenMs, -1);
  });

  test.each(["wrongChain", "wrongVersion", "selfLink", "duplicateIdentity", "switchedOff", "badInit"] as const)(
    "opens at once for what trying again cannot mend: %s",
    (reason) => {
      const node = bench(0);
      expect(node.fail(reason)).toBe(breakerOpenMs / 2);
    },
  );

  test("is each address's own", () => {
    const node = bench(0);
    node.dialer.set("/ip4/192.0.2.2/tcp/26600", undefined);
    node.dialer.ended(node.last, "wrongChain", "x");
    expect(node.dialer.infos().map(({ breaker }) => breaker)).toEqual(["open", "closed"]);
    node.dialer.stop();
  });
});

describe("an address that others told", () => {
  test("is dialed with the identity it was told for, until it is forgotten", () => {
    const node = new Bench();
    node.dialer.learn(ADDRESS, A);
    vi.advanceTimersByTime(0);
    expect(node.dials).toMatchObject([{ target: { address: ADDRESS, origin: "learned" }, peer: A }]);
    node.dialer.forget(ADDRESS, A);
    node.dialer.ended(node.last, "connectionLost", "x");
    vi.advanceTimersByTime(60_000);
    expect(node.dials).toHaveLength(1);
    expect(node.dialer.infos()).toEqual([]);
  });

  test("takes nothing from a configured one, whoever it is told to be", () => {
    const node = bench(0);
    node.dialer.learn(ADDRESS, B);
    node.dialer.forget(ADDRESS, B);
    node.dialer.learn(ADDRESS, B);
    node.dialer.set("/ip4/192.0.2.2/tcp/1", A);
    node.dialer.learn("/ip4/192.0.2.2/tcp/1", A);
    node.dialer.learn("/ip4/192.0.2.2/tcp/1", B);
    expect(node.dialer.infos().map(({ address, origin, peer }) => [address, origin, peer])).toEqual([
      [ADDRESS, "configured", undefined],
      ["/ip4/192.0.2.2/tcp/1", "configured", A],
      ["/ip4/192.0.2.2/tcp/1", "learned", B],
    ]);
    node.dialer.stop();
  });

  test("is not kept beyond the bound on all addresses", () => {
    const node = new Bench();
    for (let i = 0; i <= DEFAULT_LIMITS.maxTargets; i++) node.dialer.learn(`/ip4/192.0.2.1/tcp/${i + 1}`, A);
    expect(node.dialer.infos()).toHaveLength(DEFAULT_LIMITS.maxTargets);
    node.dialer.stop();
  });
});
