/** What the client takes from outside: the network, time, chance. Only web platform APIs; tests put their own in place. */

export interface Platform {
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`, or at once when the signal aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** At least 0, below 1. */
  random(): number;
  randomBytes(count: number): Uint8Array;
}

export const WEB: Platform = {
  fetch: (url, init) => fetch(url, init),
  now: () => Date.now(),
  sleep,
  random: () => Math.random(),
  randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
};

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}

/** "Full jitter" (AWS): any time up to an exponentially growing bound, so that clients do not come back together. */
export function backoffMs(attempt: number, { random }: Pick<Platform, "random">): number {
  return random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** attempt);
}

const BACKOFF_MS = 50;
const BACKOFF_MAX_MS = 2_000;
