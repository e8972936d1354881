/**
 * Who decides about which block, followed along every branch beside the product: the set that a block proposes joins the
 * one in force after it, and is alone after the first block that says the proposing one irreversible; headers name it so.
 */
import type { Block } from "../../../chain/block.ts";
import type { Configuration } from "../../../chain/configuration.ts";
import { jointSets, type ProducerSets, singleSet } from "../../../chain/producerSets.ts";
import { RuleBroken } from "../violation.ts";

const FOLLOWS = "who decides about a block follows from its ancestors";

interface Place {
  readonly judging: ProducerSets;
  readonly following: ProducerSets;
}

export class ProducerSetOracle {
  readonly #places = new Map<string, Place>();
  #changes = 0;

  constructor(genesisId: string, configuration: Configuration) {
    const sets = singleSet(configuration);
    this.#places.set(genesisId, { judging: sets, following: sets });
  }

  /** Blocks seen that ended a change, on whatever branch. */
  get changes(): number {
    return this.#changes;
  }

  /** A block that was taken in by a correct node; its parent was before. */
  taken(node: number, { id, header, nextConfiguration }: Block): void {
    const parent = this.#places.get(header.parent);
    if (this.#places.has(id) || parent === undefined) return;
    const { following: judging } = parent;
    const fail = (what: string): never => {
      throw new RuleBroken("views", FOLLOWS, `block ${header.view}/${header.height} ${id}: ${what}`, [node]);
    };
    if (header.configuration !== judging.hash) fail("its header names others");
    let following = judging;
    if (judging.next !== undefined) {
      if (nextConfiguration !== undefined) fail("it proposes a set while one is proposed");
      if (header.irreversibleHeight >= judging.next.height) {
        if (!header.closing) fail("it ends a change and does not close its view");
        following = singleSet(judging.next.configuration);
        this.#changes++;
      }
    } else if (nextConfiguration !== undefined) {
      following = jointSets(judging.current, nextConfiguration, header.height);
    }
    this.#places.set(id, { judging, following });
  }

  /** Undefined: of a block that no correct node has taken in. */
  known(id: string): Place | undefined {
    return this.#places.get(id);
  }

  /** Those that decide about a block, and about its children. */
  of(id: string): Place {
    const place = this.#places.get(id);
    if (place === undefined) throw new Error(`block ${id} was never taken in`);
    return place;
  }

  /** Each set of those that decide about a block. */
  producersOf(id: string): readonly (readonly string[])[] {
    const { current, next } = this.of(id).judging;
    return next === undefined ? [current.producers] : [current.producers, next.configuration.producers];
  }
}
