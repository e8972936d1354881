/** How long a network answers nothing. */
import type { Load } from "./acknowledged.ts";

const LOOK_EVERY_MS = 10;

/** The longest time without an acknowledged transaction while `work` goes on, ms. */
export async function longestPauseMs(load: Load, work: () => Promise<void>): Promise<number> {
  let longest = 0;
  let count = load.acknowledged.size;
  let since = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - since);
    if (load.acknowledged.size === count) return;
    count = load.acknowledged.size;
    since = now;
  }, LOOK_EVERY_MS);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return longest;
}
