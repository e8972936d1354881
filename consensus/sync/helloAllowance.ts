/**
 * How many hellos of a peer are looked at, and when: an answer is several times as large as what asks for it. Honest
 * peers need a few at once, while they search. Beyond the allowance the newest one waits; it says all that those before
 * it said.
 */
import type { Hello } from "../messages.ts";
import { HELLO_EVERY_MS, HELLOS_AT_ONCE } from "./constants.ts";

export class HelloAllowance {
  #left = HELLOS_AT_ONCE;
  /** Up to when the allowance has grown, ms. */
  #at: number;
  #waiting: Hello | undefined;

  constructor(now: number) {
    this.#at = now;
  }

  /** When the one that waits may be looked at. */
  get deadline(): number {
    return this.#waiting === undefined ? Number.POSITIVE_INFINITY : this.#at + HELLO_EVERY_MS;
  }

  /** @returns whether it may be looked at now; else it waits, which is "tooMany" when it takes the place of another */
  admits(hello: Hello, now: number): "now" | "waits" | "tooMany" {
    const waited = this.#waiting;
    if (waited === undefined && this.#spend(now)) return "now";
    if (waited === undefined || hello.seq >= waited.seq) this.#waiting = hello;
    return waited === undefined ? "waits" : "tooMany";
  }

  /** The one that waits, when its time has come. */
  takeDue(now: number): Hello | undefined {
    const hello = this.#waiting;
    if (hello === undefined || !this.#spend(now)) return undefined;
    this.#waiting = undefined;
    return hello;
  }

  #spend(now: number): boolean {
    const grown = Math.floor((now - this.#at) / HELLO_EVERY_MS);
    this.#at += grown * HELLO_EVERY_MS;
    this.#left = Math.min(HELLOS_AT_ONCE, this.#left + grown);
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }
}
