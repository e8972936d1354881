/**
 * Keeps links to given addresses: dials, waits with exponential backoff and full jitter after a failure, and stops
 * asking an address for a while that failed many times (circuit breaker: closed, open, half-open).
 */

import { LinkError } from "./error.ts";
import type { CloseReason, LinkLimits, LinkLog, PeerKey, TargetInfo, TargetOrigin } from "./types.ts";

/** What retrying soon cannot mend: these open the breaker at once. */
const HOPELESS: ReadonlySet<CloseReason> = new Set([
  "wrongChain",
  "wrongVersion",
  "badInit",
  "selfLink",
  "switchedOff",
  "duplicateIdentity",
]);

export interface Target {
  /** Its key among the targets. */
  readonly name: string;
  readonly address: string;
  readonly origin: TargetOrigin;
  /** Given by the owner: another identity at the address is refused. */
  readonly pinned: PeerKey | undefined;
  /** Whom the last link by this address reached. */
  learned: PeerKey | undefined;
  failures: number;
  breaker: TargetInfo["breaker"];
  lastError: string | undefined;
  timer: NodeJS.Timeout | undefined;
  /** A dial or the handshake after it is under way, or its link is up. */
  busy: boolean;
  linkedAtMs: number | undefined;
}

export interface DialerOptions {
  readonly limits: LinkLimits;
  readonly log: LinkLog;
  readonly random: () => number;
  /** Dials and reports the outcome by `linked` and `failed`. */
  readonly dial: (target: Target, peer: PeerKey | undefined) => void;
  /** Why `peer` is not to be dialed now, if so: linked already, switched off. */
  readonly needless: (peer: PeerKey) => boolean;
  /** No room for another link. */
  readonly full: () => boolean;
}

export class Dialer {
  readonly #options: DialerOptions;
  readonly #targets = new Map<string, Target>();
  #stopped = false;

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /** Throws `TOO_MANY_TARGETS`. Setting an address again with the same peer changes nothing. */
  set(address: string, peer: PeerKey | undefined): void {
    const known = this.#targets.get(address);
    if (known !== undefined && known.pinned === peer) return;
    if (known === undefined && this.#targets.size >= this.#options.limits.maxTargets) {
      throw new LinkError(
        "TOO_MANY_TARGETS",
        `more than ${this.#options.limits.maxTargets} addresses to keep links to`,
      );
    }
    this.remove(address);
    this.#add(address, address, peer, "configured");
  }

  /**
   * As {@link set}, of an address that others told, and only while there is room. It takes nothing away from those that the
   * owner set: whoever lies about an address gives this node one dial more to it.
   */
  learn(address: string, peer: PeerKey): void {
    const name = learnedName(address, peer);
    const configured = this.#targets.get(address);
    const isCovered = configured !== undefined && (configured.pinned ?? peer) === peer;
    if (isCovered || this.#targets.has(name) || this.#targets.size >= this.#options.limits.maxTargets) return;
    this.#add(name, address, peer, "learned");
  }

  forget(address: string, peer: PeerKey): void {
    this.remove(learnedName(address, peer));
  }

  /** Its link, if there is one, stays. */
  remove(name: string): void {
    const target = this.#targets.get(name);
    if (target === undefined) return;
    clearTimeout(target.timer);
    this.#targets.delete(name);
  }

  #add(name: string, address: string, pinned: PeerKey | undefined, origin: TargetOrigin): void {
    const target: Target = {
      name,
      address,
      origin,
      pinned,
      learned: undefined,
      failures: 0,
      breaker: "closed",
      lastError: undefined,
      timer: undefined,
      busy: false,
      linkedAtMs: undefined,
    };
    this.#targets.set(name, target);
    this.#schedule(target, 0);
  }

  /** The dial became a link to `peer`. */
  linked(target: Target, peer: PeerKey): void {
    target.learned = peer;
    target.linkedAtMs = performance.now();
    target.lastError = undefined;
    target.breaker = "closed";
  }

  /** The dial, its handshake, or the link that came of it ended. */
  ended(target: Target, reason: CloseReason, detail: string, peer?: PeerKey): void {
    target.busy = false;
    if (peer !== undefined) target.learned = peer;
    const livedMs = target.linkedAtMs === undefined ? undefined : performance.now() - target.linkedAtMs;
    target.linkedAtMs = undefined;
    if (livedMs !== undefined && livedMs >= this.#options.limits.stableLinkMs) target.failures = 0;
    else if (reason !== "duplicateLink") this.#failed(target, reason, `${reason}: ${detail}`);
    // Nobody is there for a while; who comes back dials itself, or has it announced.
    if (reason === "shutdown")
      this.#schedule(target, this.#options.limits.departedRedialMs * (0.5 + this.#options.random() / 2));
    else this.#reschedule(target);
  }

  /** There is no link to `peer` any more, or it may be dialed again: whoever it was that dialed, we may have to now. */
  wanted(peer: PeerKey): void {
    for (const target of this.#targets.values()) {
      if (peerOf(target) === peer && !target.busy && target.timer === undefined) this.#reschedule(target);
    }
  }

  /** Dials `peer`'s addresses now, whatever the past. */
  retry(peer: PeerKey): void {
    for (const target of this.#targets.values()) {
      if (peerOf(target) !== peer || target.busy) continue;
      target.failures = 0;
      target.breaker = "closed";
      this.#schedule(target, 0);
    }
  }

  infos(): TargetInfo[] {
    return [...this.#targets.values()].map((target) => ({
      address: target.address,
      origin: target.origin,
      peer: peerOf(target),
      breaker: target.breaker,
      failures: target.failures,
      lastError: target.lastError,
    }));
  }

  stop(): void {
    this.#stopped = true;
    for (const target of this.#targets.values()) clearTimeout(target.timer);
  }

  #failed(target: Target, reason: CloseReason, lastError: string): void {
    const { limits, log } = this.#options;
    target.failures += 1;
    const mustOpen = target.failures >= limits.breakerFailures || HOPELESS.has(reason);
    if (mustOpen && target.breaker === "closed") {
      log("warn", "address keeps failing: asked rarely from now on", { address: target.address, lastError });
    }
    if (mustOpen || target.breaker === "halfOpen") target.breaker = "open";
    target.lastError = lastError;
  }

  #reschedule(target: Target): void {
    const { limits, random } = this.#options;
    if (target.breaker === "open") {
      // Half of it is fixed, so that the breaker does keep off; the other half is jitter.
      this.#schedule(target, limits.breakerOpenMs * (0.5 + random() / 2));
      return;
    }
    // Full jitter: after a restart of many nodes at once, uniform is what spreads their dials best.
    const ceilingMs = Math.min(limits.redialMaxMs, limits.redialMinMs * 2 ** Math.min(target.failures, 30));
    this.#schedule(target, random() * ceilingMs);
  }

  #schedule(target: Target, delayMs: number): void {
    clearTimeout(target.timer);
    if (this.#stopped || this.#targets.get(target.name) !== target) return;
    target.timer = setTimeout(() => {
      target.timer = undefined;
      this.#try(target);
    }, delayMs);
  }

  #try(target: Target): void {
    const { needless, full, dial } = this.#options;
    const peer = peerOf(target);
    // `wanted` starts it again when that link goes down.
    if (target.busy || (peer !== undefined && needless(peer))) return;
    if (full()) {
      target.lastError = "no room: as many links as allowed";
      this.#reschedule(target);
      return;
    }
    if (target.breaker === "open") target.breaker = "halfOpen";
    target.busy = true;
    dial(target, target.pinned);
  }
}

function learnedName(address: string, peer: PeerKey): string {
  return `${address}/p2p/${peer}`;
}

function peerOf(target: Target): PeerKey | undefined {
  return target.pinned ?? target.learned;
}
