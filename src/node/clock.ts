/**
 * The node's clock: wall time in whole milliseconds that never goes back. When the wall clock is set back, time goes on
 * at half speed until it has caught up: header times stay ordered and timers still end.
 */
export interface Clock {
  now(): number;
}

export function makeClock(wall: () => number = Date.now, monotonic: () => number = () => performance.now()): Clock {
  let last = wall();
  let lastMonotonic = monotonic();
  return {
    now: () => {
      const elapsed = monotonic() - lastMonotonic;
      const slowest = last + elapsed / 2;
      const next = Math.max(wall(), slowest);
      if (Math.floor(next) > Math.floor(last)) {
        last = next;
        lastMonotonic += elapsed;
      }
      return Math.floor(last);
    },
  };
}
