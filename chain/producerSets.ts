/**
 * Who decides about a block: one producer set, or two while the one is changed for the other (docs/protocol.md, section 4,
 * "Producer sets"). The sets are a pure function of the chain: a block is judged by those that follow from its parent.
 * The block that proposes a set is judged by the sets before it; what descends from it needs quorums of both [S10], up to
 * and including the first block that says the proposing one irreversible; what descends from that by the new set alone.
 */
import { type Decoded, hash, message, nested, optional, uint } from "../src/base/codec.ts";
import { sha256Hex } from "../src/base/hash.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import {
  type Configuration,
  configurationMessage,
  isProducer,
  majorityOf,
  makeConfiguration,
} from "./configuration.ts";
import type { Header } from "./header.ts";

export interface ProducerSets {
  readonly current: Configuration;
  /** Proposed by the block at this height; until the change has ended quorums of both sets are needed. */
  readonly next: { readonly configuration: Configuration; readonly height: number } | undefined;
  /** What the headers of the blocks that these sets judge name. */
  readonly hash: string;
  /** Keys of all, each once: of the current set in its order, then of those that are in the next one only. */
  readonly members: readonly string[];
}

/** What the hash of two sets is made of. */
export const jointMessage = message("JointConfiguration", { current: hash(1), next: hash(2) });

/** One set alone. */
export function singleSet(configuration: Configuration): ProducerSets {
  return { current: configuration, next: undefined, hash: configuration.hash, members: configuration.producers };
}

/** Two sets, from the child of the block at `height` on, which proposed the second. */
export function jointSets(current: Configuration, next: Configuration, height: number): ProducerSets {
  const added = next.producers.filter((key) => !isProducer(current, key));
  return {
    current,
    next: { configuration: next, height },
    hash: sha256Hex(jointMessage.encode({ current: current.hash, next: next.hash })),
    members: [...current.producers, ...added],
  };
}

/** Both sets where there are two. */
export function configurationsOf({ current, next }: ProducerSets): readonly Configuration[] {
  return next === undefined ? [current] : [current, next.configuration];
}

/** Who decides about a block or about its children: whoever a change brings or leaves is among them. */
export function membersAround(node: {
  readonly sets: ProducerSets;
  readonly setsAfter: ProducerSets;
}): readonly string[] {
  return node.setsAfter.next === undefined ? node.sets.members : node.setsAfter.members;
}

export function isMember({ current, next }: ProducerSets, key: string): boolean {
  return isProducer(current, key) || (next !== undefined && isProducer(next.configuration, key));
}

/** Have a majority of each set spoken [S10]? Who is in neither counts for nothing [S11]. */
export function hasMajority(sets: ProducerSets, hasSpoken: (key: string) => boolean): boolean {
  return reachesAll(sets, majorityOf, hasSpoken);
}

/** Have as many of each set spoken as it asks for? */
export function reachesAll(
  sets: ProducerSets,
  needed: (set: Configuration) => number,
  hasSpoken: (key: string) => boolean,
): boolean {
  return configurationsOf(sets).every((set) => set.producers.filter(hasSpoken).length >= needed(set));
}

/** The greatest value that a majority of each set has reached [S10]. */
export function majorityValue(sets: ProducerSets, reachedBy: (key: string) => number): number {
  const reached = configurationsOf(sets).map((set) => {
    const values = set.producers.map(reachedBy).sort((a, b) => b - a);
    return values[majorityOf(set) - 1] as number;
  });
  return Math.min(...reached);
}

/** Does a block that these sets judge end their change? It says that the one that began it is irreversible. */
export function endsChange({ next }: ProducerSets, irreversibleHeight: number): boolean {
  return next !== undefined && irreversibleHeight >= next.height;
}

/** Finds producer sets by their hash, and producers by their key, as far as a node knows the chain. */
export interface ProducerLookup {
  /** Those that a block at a height may be judged by. */
  readonly setsNamed: (hash: string, height: number) => ProducerSets | undefined;
  /** Is, or was lately, or may soon be a producer. */
  readonly isProducer: (key: string) => boolean;
  /** Sets of which quorums are to be believed from here on: what decides about the irreversible block's children. */
  readonly inForce: () => readonly Configuration[];
}

/** Of a chain whose set is never changed. */
export function lookupOf(configuration: Configuration): ProducerLookup {
  const sets = singleSet(configuration);
  return {
    setsNamed: (named) => (named === sets.hash ? sets : undefined),
    isProducer: (key) => isProducer(configuration, key),
    inForce: () => [configuration],
  };
}

/**
 * The sets that judge the children of a block.
 * @param sets those that judge the block itself
 * @param proposed the set in its body
 */
export function setsAfter(
  sets: ProducerSets,
  { height, irreversibleHeight }: Pick<Header, "height" | "irreversibleHeight">,
  proposed: Configuration | undefined,
): ProducerSets {
  if (sets.next !== undefined) return endsChange(sets, irreversibleHeight) ? singleSet(sets.next.configuration) : sets;
  return proposed === undefined ? sets : jointSets(sets.current, proposed, height);
}

/** Sets of an irreversible chain: these judge its blocks from a height on, up to where the next ones begin. */
export interface SetsFrom {
  readonly from: number;
  readonly sets: ProducerSets;
}

/** Of a chain that has not changed its set yet. */
export function firstSets(configuration: Configuration): readonly SetsFrom[] {
  return [{ from: 0, sets: singleSet(configuration) }];
}

/** Of an ascending list that begins at or below `height`. */
export function setsAt(history: readonly SetsFrom[], height: number): ProducerSets {
  const found = history.findLast(({ from }) => from <= height);
  if (found === undefined) throw new RangeError(`no producer set is known at height ${height}`);
  return found.sets;
}

export const producerSetsMessage = message("ProducerSets", {
  current: nested(1, configurationMessage),
  next: optional(nested(2, configurationMessage)),
  /** Of the block that proposed the next one. */
  height: uint(3),
});
export type ProducerSetsContent = Decoded<typeof producerSetsMessage>;

/** As it is stored. */
export function encodeProducerSets({ current, next }: ProducerSets): Uint8Array {
  return producerSetsMessage.encode({
    current: { producers: current.producers },
    next: next && { producers: next.configuration.producers },
    height: next?.height ?? 0,
  });
}

/** Undefined: damaged. */
export function decodeProducerSets(bytes: Uint8Array): ProducerSets | undefined {
  const decoded = producerSetsMessage.decode(bytes);
  if (!decoded.ok) return undefined;
  const { current, next, height } = decoded.value;
  try {
    const configuration = makeConfiguration(current.producers);
    return next === undefined
      ? singleSet(configuration)
      : jointSets(configuration, makeConfiguration(next.producers), height);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * The sets of an irreversible chain as they were stored, below them those of the genesis.
 * @returns or the height from which damaged ones were stored
 */
export function decodeSetsHistory(
  configuration: Configuration,
  stored: readonly { readonly from: number; readonly sets: Uint8Array }[],
): Result<readonly SetsFrom[], number> {
  const history = [...firstSets(configuration)];
  for (const { from, sets: encoded } of stored) {
    const sets = decodeProducerSets(encoded);
    if (sets === undefined) return err(from);
    history.push({ from, sets });
  }
  return ok(history);
}
