/** Votes of all producers for blocks that are not irreversible here yet, also for blocks that are not here. */
import type { BlockRef } from "../../chain/header.ts";
import type { SignedVote } from "./messages.ts";

/** Votes kept of one producer; beyond, the oldest leave: an honest one sends them again. */
const VOTES_HELD_MAX = 1_024;

/** Signatures by signer. */
export interface Tally {
  readonly ref: BlockRef;
  readonly prepares: Map<string, Uint8Array>;
  readonly commits: Map<string, Uint8Array>;
  /** A quorum of prepares was seen. */
  isCertified: boolean;
}

/** Two votes of one kind by one signer at one place, for different blocks: evidence. */
export interface Equivocation {
  readonly first: SignedVote;
  readonly second: SignedVote;
}

export class VoteTable {
  readonly #tallies = new Map<string, Tally>();
  /** By signer, then kind and place: what it said there first, the oldest first. */
  readonly #said = new Map<string, Map<string, SignedVote>>();

  get size(): number {
    let size = 0;
    for (const said of this.#said.values()) size += said.size;
    return size;
  }

  tally(ref: BlockRef): Tally | undefined {
    return this.#tallies.get(nameOf(ref));
  }

  /** A vote whose signature was checked. @returns its block's tally when it is new, or that it contradicts another */
  record(signer: string, signed: SignedVote): Tally | Equivocation | undefined {
    const { commit, vote } = signed;
    const said = this.#said.get(signer) ?? new Map<string, SignedVote>();
    this.#said.set(signer, said);
    const place = placeOf(commit, vote);
    const first = said.get(place);
    if (first !== undefined) return first.vote.id === vote.id ? undefined : { first, second: signed };
    said.set(place, signed);
    if (said.size > VOTES_HELD_MAX) this.#dropOldest(signer, said);
    const name = nameOf(vote);
    const { view, height, id } = vote;
    const tally = this.#tallies.get(name) ?? {
      ref: { view, height, id },
      prepares: new Map(),
      commits: new Map(),
      isCertified: false,
    };
    this.#tallies.set(name, tally);
    (commit ? tally.commits : tally.prepares).set(signer, signed.signature);
    return tally;
  }

  /** A vote that nobody waits for any more. */
  forget(signer: string, { commit, vote }: SignedVote): void {
    const said = this.#said.get(signer);
    const place = placeOf(commit, vote);
    if (said?.get(place)?.vote.id !== vote.id) return;
    said.delete(place);
    this.#dropFromTally(signer, commit, vote);
  }

  /** What this producer said of blocks above a height, in a view or later, lowest first. */
  saidBy(signer: string, aboveHeight: number, fromView: number): SignedVote[] {
    return [...(this.#said.get(signer)?.values() ?? [])]
      .filter(({ vote }) => vote.height > aboveHeight && vote.view >= fromView)
      .sort((a, b) => a.vote.height - b.vote.height);
  }

  /** Blocks up to this height are irreversible: nobody asks for votes on them any more. */
  settled(height: number): void {
    for (const said of this.#said.values())
      for (const [place, { vote }] of said) if (vote.height <= height) said.delete(place);
    for (const [name, { ref }] of this.#tallies) if (ref.height <= height) this.#tallies.delete(name);
  }

  *tallies(): Generator<Tally> {
    yield* this.#tallies.values();
  }

  #dropOldest(signer: string, said: Map<string, SignedVote>): void {
    const [place, { commit, vote }] = said.entries().next().value as [string, SignedVote];
    said.delete(place);
    this.#dropFromTally(signer, commit, vote);
  }

  #dropFromTally(signer: string, commit: boolean, vote: BlockRef): void {
    const tally = this.#tallies.get(nameOf(vote));
    if (tally === undefined) return;
    (commit ? tally.commits : tally.prepares).delete(signer);
    if (tally.commits.size + tally.prepares.size === 0) this.#tallies.delete(nameOf(vote));
  }
}

/** Where a signer has one vote. */
export function placeOf(commit: boolean, { view, height }: BlockRef): string {
  return `${commit ? "c" : "p"}${view}/${height}`;
}

/** What was signed for one block. */
export function* votesOf({ ref, prepares, commits }: Tally): Generator<{ signer: string; signed: SignedVote }> {
  for (const [commit, signatures] of [
    [false, prepares],
    [true, commits],
  ] as const)
    for (const [signer, signature] of signatures) yield { signer, signed: { commit, vote: ref, signature } };
}

function nameOf({ view, height, id }: BlockRef): string {
  return `${view}/${height}/${id}`;
}
