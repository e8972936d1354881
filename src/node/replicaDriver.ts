/**
 * Feeds inputs to the replica and carries its effects out, one step at a time. The rule it keeps: what names a persist
 * token leaves only when that token came back.
 */
import { performance } from "node:perf_hooks";
import type { Lane, PeerKey } from "../../net/link/types.ts";
import type { SignatureClaim } from "../../chain/signing.ts";
import type { Replica } from "../replica/replica.ts";
import type { Effect, Input } from "../replica/types.ts";
import { unreachable } from "../base/result.ts";
import type { Clock } from "./clock.ts";

/** Who carries out what the replica asks for. */
export interface EffectHandlers {
  persist(effect: Extract<Effect, { kind: "persist" }>): void;
  send(to: PeerKey, lane: Lane, parts: readonly Uint8Array[]): void;
  checkSignature(claim: SignatureClaim): boolean;
  /** Many, on other threads. */
  checkSignatures(claims: readonly SignatureClaim[]): Promise<readonly boolean[]>;
  flush(effect: Extract<Effect, { kind: "flush" }>): void;
  /** Everything that only tells: status, outcomes, logs. */
  tell(effect: TellEffect): void;
}

export type TellEffect = Extract<
  Effect,
  {
    kind:
      | "irreversible"
      | "head"
      | "submitted"
      | "outcomes"
      | "readable"
      | "readRefused"
      | "handedOver"
      | "redial"
      | "dial"
      | "letGo"
      | "keepAddresses"
      | "disconnect"
      | "log"
      | "evidence"
      | "halt";
  }
>;

/**
 * So few signatures are checked on this thread: a check takes 60 µs, waking another thread and being woken by it
 * takes longer, and on a busy machine several times that.
 */
const CHECKED_HERE_MAX = 4;

/** Sends that may wait for a disk that does not answer; the oldest are stale by then and go first. */
const HELD_SENDS_MAX = 16_384;

/** A timer that fires so much too late tells that this process stood still, ms. */
const LATE_MS = 50;

export class ReplicaDriver {
  readonly #replica: Replica;
  readonly #clock: Clock;
  readonly #handlers: EffectHandlers;
  readonly #onCrash: (error: Error) => void;
  /** Sends that wait for their token, in order. */
  #held: {
    readonly after: number;
    readonly to: PeerKey;
    readonly lane: Lane;
    readonly parts: readonly Uint8Array[];
  }[] = [];
  #persistedToken = 0;
  #timer: NodeJS.Timeout | undefined;
  #stepping = false;
  readonly #queue: Input[] = [];
  #stopped = false;
  /** Longest step since the last reading, ms; for metrics. */
  #longestStepMs = 0;

  /** @param onCrash a step threw: a bug, after which nothing can be trusted */
  constructor(replica: Replica, clock: Clock, handlers: EffectHandlers, onCrash: (error: Error) => void) {
    this.#replica = replica;
    this.#clock = clock;
    this.#handlers = handlers;
    this.#onCrash = onCrash;
  }

  /** Longest step since this was asked last, ms. */
  takeLongestStepMs(): number {
    const longest = this.#longestStepMs;
    this.#longestStepMs = 0;
    return longest;
  }

  get heldSends(): number {
    return this.#held.length;
  }

  step(input: Input): void {
    if (this.#stopped) return;
    this.#queue.push(input);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#stepOnce(next);
    } catch (error) {
      this.stop();
      this.#onCrash(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#stepping = false;
    }
  }

  /** Everything up to this token is on disk. */
  persisted(token: number): void {
    this.#persistedToken = token;
    const ready = this.#held.findIndex((send) => send.after > token);
    const released = this.#held.splice(0, ready === -1 ? this.#held.length : ready);
    for (const { to, lane, parts } of released) this.#handlers.send(to, lane, parts);
    this.step({ kind: "persisted", token });
  }

  /** No more steps; what is under way outside is let go. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#held = [];
  }

  #stepOnce(input: Input): void {
    const started = performance.now();
    const effects = this.#replica.step(input, this.#clock.now());
    for (const effect of effects) {
      // Carrying one out may end everything.
      if (this.#stopped) return;
      this.#carryOut(effect);
    }
    this.#longestStepMs = Math.max(this.#longestStepMs, performance.now() - started);
  }

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case "persist":
        return this.#handlers.persist(effect);
      case "send": {
        const { to, lane, parts, after } = effect;
        if (after === undefined || after <= this.#persistedToken) return this.#handlers.send(to, lane, parts);
        if (this.#held.push({ to, lane, parts, after }) > HELD_SENDS_MAX) this.#held.shift();
        return;
      }
      case "checkSignatures":
        this.#check(effect.batch, effect.claims);
        return;
      case "continue":
        setImmediate(() => this.step({ kind: "continue" }));
        return;
      case "setTimer":
        return this.#setTimer(effect.at);
      case "flush":
        return this.#handlers.flush(effect);
      case "irreversible":
      case "head":
      case "submitted":
      case "outcomes":
      case "readable":
      case "readRefused":
      case "handedOver":
      case "redial":
      case "dial":
      case "letGo":
      case "keepAddresses":
      case "disconnect":
      case "log":
      case "evidence":
      case "halt":
        return this.#handlers.tell(effect);
      default:
        return unreachable(effect);
    }
  }

  #check(batch: number, claims: readonly SignatureClaim[]): void {
    if (claims.length <= CHECKED_HERE_MAX) {
      this.#queue.push({
        kind: "signaturesChecked",
        batch,
        valid: claims.map((claim) => this.#handlers.checkSignature(claim)),
      });
      return;
    }
    this.#handlers.checkSignatures(claims).then(
      (valid) => this.step({ kind: "signaturesChecked", batch, valid }),
      (error: unknown) => {
        this.stop();
        this.#onCrash(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  #setTimer(at: number): void {
    clearTimeout(this.#timer);
    if (at === Number.POSITIVE_INFINITY) return;
    // The longest delay that a Node timer takes; a tick too early does no harm.
    const delay = Math.min(Math.max(0, at - this.#clock.now()), 2 ** 31 - 1);
    this.#timer = setTimeout(() => this.#onTimer(at), delay);
  }

  #onTimer(at: number): void {
    const lateMs = this.#clock.now() - at;
    // Timers may fire a little early, and the clock may run slow: the replica asks only when its time has come.
    if (lateMs < 0) this.#setTimer(at);
    // After this process was stopped for a while, timers run before sockets are read: who was silent is judged after the reading.
    else if (lateMs >= LATE_MS) setImmediate(() => this.step({ kind: "tick" }));
    else this.step({ kind: "tick" });
  }
}
