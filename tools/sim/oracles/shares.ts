/**
 * Oracle 8 for BFT: once everything but the faulty is well, correct leaders lead to decisions. Of n views one after the
 * other each producer leads one; at least n - f of them have an irreversible block of a correct leader.
 */
import { RuleBroken } from "../violation.ts";

/** Views that the network went through. */
export interface LedViews {
  /** Of the view: its place in the set is `view mod n`. */
  readonly producers: number;
  /** By place. */
  readonly isCorrect: (producer: number) => boolean;
  /** Views of which a block is irreversible. */
  readonly decided: ReadonlySet<number>;
  /** Whole ones: from the first up to the last, that one not. */
  readonly from: number;
  readonly to: number;
}

/** @returns how many times all producers had their turn: so much was judged */
export function assertShare({ producers, isCorrect, decided, from, to }: LedViews): number {
  const turns = Math.max(0, Math.floor((to - from) / producers));
  const atLeast = producers - Math.floor((producers - 1) / 3);
  for (let turn = 1; turn <= turns; turn++) {
    const first = to - turn * producers;
    const views = Array.from({ length: producers }, (_, i) => first + i);
    const led = views.filter((view) => decided.has(view) && isCorrect(view % producers));
    if (led.length >= atLeast) continue;
    const detail = `of views ${first} to ${first + producers - 1} correct leaders decided in ${led.join(", ") || "none"}; ${atLeast} is the least`;
    throw new RuleBroken("liveness", "correct leaders have at least (n - f) / n of the views that decide", detail, []);
  }
  return turns;
}
