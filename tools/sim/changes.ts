/**
 * Changes of the producer set as part of the workload. The application takes one more transaction, which proposes a set;
 * who may ask for one is no matter of consensus, so here everybody may.
 */
import type { Application } from "../../chain/application.ts";
import { concatBytes, fromUtf8, utf8 } from "../../src/base/bytes.ts";
import { ok } from "../../src/base/result.ts";
import type { Dice } from "./dice.ts";

const PREFIX = utf8("producers ");

/** Proposes these keys. */
export function proposalPayload(keys: readonly string[]): Uint8Array {
  return concatBytes(PREFIX, utf8(keys.join(" ")));
}

/** The keys that a payload proposes; undefined: it is the application's. */
export function proposalOf(payload: Uint8Array): string[] | undefined {
  if (!PREFIX.every((byte, i) => payload[i] === byte)) return undefined;
  return fromUtf8(payload.subarray(PREFIX.length))?.split(" ");
}

/** The application, and proposals of producer sets beside it. Its receipts tell whether they were taken. */
export function withProposals(application: Application): Application {
  return {
    name: application.name,
    version: application.version,
    initialize: (initialState, state) => application.initialize(initialState, state),
    check: (payload, read) => (proposalOf(payload) === undefined ? application.check(payload, read) : ok(undefined)),
    execute: (payload, state, context) => {
      const keys = proposalOf(payload);
      if (keys === undefined) return application.execute(payload, state, context);
      const proposed = context.proposeProducers(keys);
      return utf8(proposed.ok ? "proposed" : proposed.error.code);
    },
  };
}

/** A node that may be in a proposed set. */
export interface Candidate {
  readonly key: string;
  /** It may be lost for good, or lie: so many at most as the set bears. */
  readonly mayFail: boolean;
}

/** Another producer set than this one: one added, one removed, one replaced, or the order turned. */
export function drawProposal(
  dice: Dice,
  current: readonly string[],
  candidates: readonly Candidate[],
  bears: (producers: number) => number,
): string[] | undefined {
  const outside = candidates.filter(({ key }) => !current.includes(key)).map(({ key }) => key);
  const kept = dice.shuffled(current).slice(0, current.length - 1);
  const kinds: (() => string[])[] = [
    () => [...current, dice.pick(outside)],
    () => current.filter((key) => kept.includes(key)),
    () => [...kept, dice.pick(outside)],
    () => [...current.slice(1), current[0] as string],
  ];
  const possible = outside.length === 0 ? [kinds[1], kinds[3]] : kinds;
  const keys = (dice.pick(possible) as () => string[])();
  const isWhole = keys.length > 0 && keys.every((key) => candidates.some((each) => each.key === key));
  const failing = keys.filter((key) => candidates.some((each) => each.key === key && each.mayFail)).length;
  return isWhole && failing <= bears(keys.length) ? keys : undefined;
}
