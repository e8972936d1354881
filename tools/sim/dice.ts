/** The run's only randomness: one seeded generator, split into streams so that one draw more here moves nothing there. */
import { type Random, seededRandom } from "../../src/base/random.ts";

export class Dice implements Random {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** A number in [0, 1). */
  next(): number {
    return this.#random.next();
  }
  /** An integer in [0, bound). */
  below(bound: number): number {
    return this.#random.below(bound);
  }
  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }
  integer(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }
  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability;
  }
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError("nothing to pick from");
    return list[this.below(list.length)] as T;
  }
  shuffled<T>(list: readonly T[]): T[] {
    const left = [...list];
    const order: T[] = [];
    while (left.length > 0) order.push(...left.splice(this.below(left.length), 1));
    return order;
  }
  /** Around `typical`, seldom many times that, never above `cap`: 1/u needs no logarithm, whose last bit differs. */
  heavyTailed(typical: number, cap: number): number {
    return Math.min(cap, (typical * 0.5) / (1 - this.next()));
  }
  /** A time to the next event that comes every `mean` on average. */
  interval(mean: number): number {
    return mean * this.between(0.1, 1.9);
  }
  seed(): number {
    return this.below(0x1_0000_0000);
  }
  split(): Dice {
    return new Dice(this.seed());
  }
}
