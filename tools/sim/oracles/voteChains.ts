/**
 * Oracle 4 for BFT, by what was seen on the wire: what an honest producer signs never makes evidence against it, also
 * across restarts. Votes of one kind in one view lie on one chain [B4], and no view change reports less than a commit of
 * a view below it, whichever was signed first [B6, B7].
 */
import { RuleBroken } from "../violation.ts";
import type { WireMessage, WireRef } from "../wire.ts";

const NO_EVIDENCE = "no honest producer ever yields evidence against itself";

interface Said {
  /** By kind and view: the highest. */
  readonly votes: Map<string, WireRef>;
  /** By view: the highest commit, and what a view change to it reported. */
  readonly commits: Map<number, WireRef>;
  readonly reports: Map<number, WireRef>;
}

export class VoteChainOracle {
  readonly #parentOf: (id: string) => { readonly parent: string } | undefined;
  readonly #said = new Map<string, Said>();

  constructor(parentOf: (id: string) => { readonly parent: string } | undefined) {
    this.#parentOf = parentOf;
  }

  /** An honest node sends this; what it passes on of others is theirs. */
  sent(node: number, key: string, message: WireMessage): void {
    if ((message.kind !== "votes" && message.kind !== "viewChange") || message.signer !== key) return;
    const said = this.#said.get(key) ?? { votes: new Map(), commits: new Map(), reports: new Map() };
    this.#said.set(key, said);
    if (message.kind === "viewChange") return this.#asked(node, said, message.view, message.reported);
    for (const vote of message.votes) {
      this.#voted(node, said, vote.commit ? "commit" : "prepare", vote);
      if (vote.commit) this.#committed(node, said, vote);
    }
  }

  #voted(node: number, said: Said, kind: string, vote: WireRef): void {
    const place = `${kind} ${vote.view}`;
    const top = said.votes.get(place) ?? vote;
    const [low, high] = vote.height <= top.height ? [vote, top] : [top, vote];
    if (!this.#precedes(low, high))
      fail(node, `${place}: ${top.height} ${top.id} and ${vote.height} ${vote.id} are on two branches`);
    said.votes.set(place, high);
  }

  #committed(node: number, said: Said, vote: WireRef): void {
    for (const [view, reported] of said.reports)
      if (view > vote.view && isBelow(reported, vote)) fail(node, describe(view, reported, vote));
    const top = said.commits.get(vote.view);
    if (top === undefined || top.height < vote.height) said.commits.set(vote.view, vote);
  }

  #asked(node: number, said: Said, view: number, reported: WireRef): void {
    for (const commit of said.commits.values())
      if (view > commit.view && isBelow(reported, commit)) fail(node, describe(view, reported, commit));
    const least = said.reports.get(view);
    if (least === undefined || isBelow(reported, least)) said.reports.set(view, reported);
  }

  #precedes(ancestor: WireRef, block: WireRef): boolean {
    let at: string | undefined = block.id;
    for (let height = block.height; height > ancestor.height && at !== undefined; height--)
      at = this.#parentOf(at)?.parent;
    return at === ancestor.id;
  }
}

function isBelow(a: WireRef, b: WireRef): boolean {
  return a.view !== b.view ? a.view < b.view : a.height < b.height;
}

function describe(view: number, reported: WireRef, committed: WireRef): string {
  return `a view change to ${view} reports ${reported.view}/${reported.height}, committed ${committed.view}/${committed.height}`;
}

function fail(node: number, detail: string): never {
  throw new RuleBroken("promises", NO_EVIDENCE, detail, [node]);
}
