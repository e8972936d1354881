/**
 * The server's end, for those who wait for something else. A race against one promise that lives as long as the server
 * would keep every result ever raced: each race adds a reaction to it that is never taken off.
 */
export class Closing {
  readonly #waiting = new Set<() => void>();
  #hasBegun = false;

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  begin(): void {
    this.#hasBegun = true;
    for (const end of this.#waiting) end();
    this.#waiting.clear();
  }

  /** Those who wait now; for tests and metrics. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** What `promise` resolves with, or "closing" when the server closes first. */
  async orClosing<T>(promise: Promise<T>): Promise<T | "closing"> {
    if (this.#hasBegun) return "closing";
    const closing = Promise.withResolvers<"closing">();
    const end = (): void => closing.resolve("closing");
    this.#waiting.add(end);
    try {
      return await Promise.race([promise, closing.promise]);
    } finally {
      this.#waiting.delete(end);
    }
  }
}
