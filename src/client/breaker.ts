/**
 * A circuit breaker: after some failures in a row a node is left alone for a while (open), then one request tries it
 * (half-open), and either everything goes on (closed) or it is left alone for longer.
 */
import type { Platform } from "./platform.ts";

const FAILURES_TO_OPEN = 3;
const OPEN_MS = 250;
const OPEN_MAX_MS = 10_000;

type State =
  | { readonly name: "closed"; readonly failures: number }
  | { readonly name: "open"; readonly until: number; readonly openings: number }
  /** A request is on its way that decides. */
  | { readonly name: "half-open"; readonly openings: number };

export class Breaker {
  readonly #platform: Pick<Platform, "now" | "random">;
  #state: State = { name: "closed", failures: 0 };

  constructor(platform: Pick<Platform, "now" | "random">) {
    this.#platform = platform;
  }

  get state(): State["name"] {
    return this.#state.name;
  }

  /** When a request may be tried, ms since the epoch; undefined while another one decides. */
  get opensAt(): number | undefined {
    switch (this.#state.name) {
      case "closed":
        return 0;
      case "open":
        return this.#state.until;
      case "half-open":
        return undefined;
    }
  }

  /** Whether a request may go out now. Each that does ends in one of the three below. */
  enter(): boolean {
    const state = this.#state;
    if (state.name === "closed") return true;
    if (state.name === "half-open" || this.#platform.now() < state.until) return false;
    this.#state = { name: "half-open", openings: state.openings };
    return true;
  }

  succeeded(): void {
    this.#state = { name: "closed", failures: 0 };
  }

  failed(): void {
    const state = this.#state;
    if (state.name === "half-open") this.#open(state.openings + 1);
    // While it is open only requests end that went out before: they tell nothing new.
    else if (state.name === "closed" && state.failures + 1 >= FAILURES_TO_OPEN) this.#open(1);
    else if (state.name === "closed") this.#state = { name: "closed", failures: state.failures + 1 };
  }

  /** The request was given up, for reasons that say nothing of the node. */
  abandoned(): void {
    const state = this.#state;
    if (state.name === "half-open") {
      this.#state = { name: "open", until: this.#platform.now(), openings: state.openings };
    }
  }

  /** Half of the time is certain, half is chance: never at once again, never all clients together. */
  #open(openings: number): void {
    const ms = Math.min(OPEN_MAX_MS, OPEN_MS * 2 ** openings);
    const until = this.#platform.now() + ms * (0.5 + this.#platform.random() / 2);
    this.#state = { name: "open", until, openings };
  }
}
