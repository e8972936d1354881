/**
 * Producer sets as somebody knows them who does not hold the chain: the genesis's, and those that proven changes brought
 * (docs/proofs.md). Where a change ended is not known here. It need not be: once the block that began it is irreversible,
 * both sets together decide after it, then the new one alone, and never the old one alone.
 */
import type { Configuration } from "../chain/configuration.ts";
import { jointSets, type ProducerSets, singleSet } from "../chain/producerSets.ts";

/** An irreversible block began to change the set for another. */
export interface ProvenChange {
  /** Of that block. */
  readonly height: number;
  readonly next: Configuration;
}

export type SetsNamed = (hash: string, height: number) => ProducerSets | undefined;

/** What a block of a height may be judged by: found by its header's word. */
export function provenSets(first: Configuration, changes: readonly ProvenChange[]): SetsNamed {
  const known: { readonly sets: ProducerSets; readonly from: number; readonly to: number }[] = [];
  let current = first;
  let from = 0;
  changes.forEach(({ height, next }, index) => {
    const to = changes[index + 1]?.height ?? Number.POSITIVE_INFINITY;
    known.push({ sets: singleSet(current), from, to: height });
    known.push({ sets: jointSets(current, next, height), from: height + 1, to });
    current = next;
    // The block that ends the change is of both sets, so the first of the new one alone is above it.
    from = height + 2;
  });
  known.push({ sets: singleSet(current), from, to: Number.POSITIVE_INFINITY });
  return (hash, height) =>
    known.find((each) => each.sets.hash === hash && height >= each.from && height <= each.to)?.sets;
}

/** The set after all changes. */
export function newestSet(first: Configuration, changes: readonly ProvenChange[]): Configuration {
  return changes.at(-1)?.next ?? first;
}

/**
 * For the certificate of the block that begins a change: the sets known before it, and both together. The new set alone
 * does not count: nobody has said yet that it may decide.
 */
export function setsProving(first: Configuration, before: readonly ProvenChange[], claimed: ProvenChange): SetsNamed {
  const known = provenSets(first, before);
  const joint = jointSets(newestSet(first, before), claimed.next, claimed.height);
  return (hash, height) => (hash === joint.hash && height > claimed.height ? joint : known(hash, height));
}
