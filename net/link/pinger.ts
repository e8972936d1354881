/**
 * One link's failure detector: pings, resends with growing timeouts, smoothed round-trip time. Whatever arrives from
 * the peer counts as life, so a peer that is busy sending is never taken for dead.
 */

/**
 * Weight of a sample in the smoothed round-trip time (RFC 6298's alpha), where it is longer. A shorter one counts whole: what
 * is busy for a while, above all when it starts, answers late and says nothing of the path.
 */
const RTT_WEIGHT = 1 / 8;

/** So many pings of a new link follow one another as soon as one is judged: the first finds one side busy starting. */
const FIRST_PINGS = 3;

/** What is sent to a peer that has been silent for so long is followed by a ping, ms: who is spoken to is known to live. */
const SILENT_MS = 500;

/** Pings whose pong may still come; the oldest is forgotten above this. */
const MAX_OUTSTANDING = 16;

export interface PingerOptions {
  readonly intervalMs: number;
  readonly timeoutsMs: readonly number[];
  readonly send: (id: number) => void;
  /** The peer was silent through every resend. */
  readonly onSilent: () => void;
}

export class Pinger {
  readonly #options: PingerOptions;
  readonly #sentAtMs = new Map<number, number>();
  #nextId = 1;
  #timer: NodeJS.Timeout | undefined;
  /** Answered in time so far. */
  #answered = 0;
  #heardAtMs = performance.now();
  /** Of the first ping since the peer was heard last. */
  #askedAtMs: number | undefined;
  #waiting: ((lives: boolean) => void)[] = [];
  #stopped = false;
  /** Undefined until the first pong. */
  rttMs: number | undefined;

  constructor(options: PingerOptions) {
    this.#options = options;
  }

  /** How long a ping has been waiting for any sign of life; 0: none waits. */
  get unansweredMs(): number {
    return this.#askedAtMs === undefined ? 0 : performance.now() - this.#askedAtMs;
  }

  /** Pings at once, then for ever. */
  start(): void {
    this.#ping(0);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#sentAtMs.clear();
    this.#answerProbes(false);
  }

  /** Something arrived from the peer. */
  heard(): void {
    this.#heardAtMs = performance.now();
    this.#askedAtMs = undefined;
    if (this.#waiting.length > 0) this.#answerProbes(true);
  }

  /** Something is being sent to the peer: if it has been silent for a while, it is asked for a sign of life. */
  spoke(): void {
    if (this.#askedAtMs === undefined && performance.now() - this.#heardAtMs >= SILENT_MS) this.#send();
  }

  /** Ids that were not asked for, or twice answered, are ignored. */
  pong(id: number): void {
    const sentAtMs = this.#sentAtMs.get(id);
    if (sentAtMs === undefined) return;
    this.#sentAtMs.delete(id);
    const sampleMs = performance.now() - sentAtMs;
    const before = this.rttMs ?? sampleMs;
    this.rttMs = sampleMs < before ? sampleMs : before + RTT_WEIGHT * (sampleMs - before);
  }

  /** Whether anything arrives within `timeoutMs`. The peer is pinged to make it answer. */
  async probe(timeoutMs: number): Promise<boolean> {
    if (this.#stopped) return false;
    this.#send();
    return new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      this.#waiting.push((lives) => {
        clearTimeout(timer);
        resolve(lives);
      });
    });
  }

  #answerProbes(lives: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const answer of waiting) answer(lives);
  }

  #ping(resend: number): void {
    if (this.#stopped) return;
    const { timeoutsMs, intervalMs } = this.#options;
    const sentAtMs = this.#send();
    const timeoutMs = timeoutsMs[Math.min(resend, timeoutsMs.length - 1)] ?? intervalMs;
    this.#timer = setTimeout(() => {
      // After this process was stopped for a while, timers run before sockets are read: look after the reading.
      setImmediate(() => this.#judge(sentAtMs, resend));
    }, timeoutMs);
  }

  #judge(sentAtMs: number, resend: number): void {
    if (this.#stopped) return;
    const { timeoutsMs, intervalMs, onSilent } = this.#options;
    if (this.#heardAtMs > sentAtMs) {
      if (resend === 0) this.#answered++;
      if (resend === 0 && this.#answered < FIRST_PINGS) return this.#ping(0);
      const waitMs = Math.max(0, sentAtMs + intervalMs - performance.now());
      this.#timer = setTimeout(() => this.#ping(0), waitMs);
    } else if (resend < timeoutsMs.length) {
      this.#ping(resend + 1);
    } else {
      onSilent();
    }
  }

  #send(): number {
    const id = this.#nextId;
    this.#nextId = (id % 0xffff_ffff) + 1;
    const nowMs = performance.now();
    this.#sentAtMs.set(id, nowMs);
    this.#askedAtMs ??= nowMs;
    if (this.#sentAtMs.size > MAX_OUTSTANDING) {
      for (const oldest of this.#sentAtMs.keys()) {
        this.#sentAtMs.delete(oldest);
        break;
      }
    }
    this.#options.send(id);
    return nowMs;
  }
}
