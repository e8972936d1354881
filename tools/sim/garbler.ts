/**
 * A follower whose frames are now and then not what they should be: cut short, a bit changed, random bytes, or a valid
 * envelope around random bytes. The link lets all of them through: they are what the node sends.
 */
import type { Lane } from "../../net/link/types.ts";
import { decodeEnvelope, encodeEnvelope } from "../../net/transport/envelope.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import type { Dice } from "./dice.ts";
import type { Hostile } from "./liar.ts";

type Parts = readonly Uint8Array[];

/** Random bytes at most. */
const RANDOM_MAX = 300;

export class Garbler implements Hostile {
  readonly index: number;
  readonly garbles = true;
  #rate: number;
  readonly #dice: Dice;

  constructor(index: number, rate: number, dice: Dice) {
    this.index = index;
    this.#rate = rate;
    this.#dice = dice;
  }

  instead(lane: Lane, parts: Parts): readonly Parts[] {
    // A transaction with another bit is another transaction, which anybody may submit.
    if (lane === "bulk" || !this.#dice.chance(this.#rate)) return [parts];
    const frame = concatBytes(...parts);
    switch (this.#dice.below(lane === "chain" ? 3 : 4)) {
      case 0:
        return [[frame.subarray(0, this.#dice.below(frame.length))]];
      case 1: {
        const at = this.#dice.below(frame.length);
        frame[at] = (frame[at] as number) ^ (1 << this.#dice.below(8));
        return [[frame]];
      }
      case 2:
        // Of a kind that there is, mostly.
        return [[concatBytes(frame.subarray(0, this.#dice.chance(0.7) ? 1 : 0), this.#random())]];
      default: {
        const opened = decodeEnvelope(frame);
        if (opened === undefined) throw new Error("a correct node's envelope does not decode");
        const kind = opened.payload.subarray(0, this.#dice.chance(0.7) ? 1 : 0);
        return [encodeEnvelope(opened.envelope, concatBytes(kind, this.#random()))];
      }
    }
  }

  /** What is on its way stays as it is. */
  healed(): void {
    this.#rate = 0;
  }

  #random(): Uint8Array {
    return Uint8Array.from({ length: this.#dice.integer(1, RANDOM_MAX) }, () => this.#dice.below(256));
  }
}
