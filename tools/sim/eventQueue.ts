/** What will happen, in order of virtual time; at one time, in the order in which it was scheduled. */

/** A life of a process: what was scheduled for it dies with it, and waits while it is paused. */
export interface Owner {
  /** Counts starts and crashes. */
  readonly life: number;
  /** Microseconds of virtual time. */
  readonly pausedUntil: number;
}

interface Event {
  /** Microseconds of virtual time. */
  readonly at: number;
  readonly order: number;
  readonly owner: Owner | undefined;
  readonly life: number;
  readonly run: () => void;
}

export class EventQueue {
  /** A binary heap. */
  readonly #events: Event[] = [];
  #order = 0;
  #now = 0;
  #count = 0;

  /** Microseconds since the run began. */
  get now(): number {
    return this.#now;
  }
  /** Events that were run. */
  get count(): number {
    return this.#count;
  }

  /** @param at microseconds; the past means now */
  schedule(at: number, run: () => void, owner?: Owner): void {
    const time = Math.max(this.#now, Math.ceil(at));
    this.#push({ at: time, order: this.#order++, owner, life: owner?.life ?? 0, run });
  }

  /** Runs the next event at or before `until`. @returns false when there is none, and it is `until` now */
  runNext(until: number): boolean {
    for (;;) {
      const next = this.#events[0];
      if (next === undefined || next.at > until) {
        this.#now = Math.max(this.#now, until);
        return false;
      }
      this.#pop();
      this.#now = next.at;
      if (next.owner !== undefined) {
        if (next.owner.life !== next.life) continue;
        if (next.owner.pausedUntil > this.#now) {
          // With its old place in the order: what waited for a paused process reaches it as it came.
          this.#push({ ...next, at: next.owner.pausedUntil });
          continue;
        }
      }
      this.#count++;
      next.run();
      return true;
    }
  }

  #push(event: Event): void {
    const events = this.#events;
    let at = events.length;
    events.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (before(events[parent] as Event, event)) break;
      events[at] = events[parent] as Event;
      at = parent;
    }
    events[at] = event;
  }

  #pop(): void {
    const events = this.#events;
    const last = events.pop() as Event;
    if (events.length === 0) return;
    let at = 0;
    for (let child = 1; child < events.length; child = 2 * at + 1) {
      const right = child + 1;
      if (right < events.length && before(events[right] as Event, events[child] as Event)) child = right;
      if (before(last, events[child] as Event)) break;
      events[at] = events[child] as Event;
      at = child;
    }
    events[at] = last;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at !== b.at ? a.at < b.at : a.order < b.order;
}
