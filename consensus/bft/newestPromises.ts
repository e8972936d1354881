/**
 * The newest promises heard from each producer, to be given back to it when a link with it comes up: one above its
 * record tells that the record is an old one, restored from a backup (docs/protocol.md, section 4). In memory only: two
 * votes and a view change a producer.
 */
import { NewestMessages } from "../leading/newestMessages.ts";
import type { ConsensusMessage } from "../messages.ts";
import type { BftHost } from "./host.ts";
import type { SignedVote, Votes } from "./messages.ts";
import { isGreater, type Promises } from "./rules.ts";

export class NewestPromises {
  readonly #viewChanges = new NewestMessages(({ kind }) => kind === "viewChange");
  /** By signer and kind: the one for the greatest block. */
  readonly #votes = new Map<
    string,
    { readonly prepare: SignedVote | undefined; readonly commit: SignedVote | undefined }
  >();

  /** From a producer, its signature checked. */
  heard(message: ConsensusMessage): void {
    this.#viewChanges.heard(message);
  }

  /** The same of votes. */
  heardVotes({ signer, votes }: Votes): void {
    let { prepare, commit } = this.#votes.get(signer) ?? {};
    for (const each of votes) {
      if (each.commit) commit = greater(commit, each);
      else prepare = greater(prepare, each);
    }
    this.#votes.set(signer, { prepare, commit });
  }

  giveBack(signer: string, host: Pick<BftHost, "giveBack" | "giveBackVotes">): void {
    const { prepare, commit } = this.#votes.get(signer) ?? {};
    const votes = [prepare, commit].filter((each) => each !== undefined);
    if (votes.length > 0) host.giveBackVotes({ signer, votes });
    for (const message of this.#viewChanges.of(signer)) host.giveBack(message);
  }
}

/** Does a vote of one's own promise what the record does not know? */
export function isVoteAbove({ commit, vote }: SignedVote, { lastPrepared, lastCommitted }: Promises): boolean {
  const last = commit ? lastCommitted : lastPrepared;
  if (last === undefined || isGreater(vote, last)) return true;
  return vote.view === last.view && vote.height === last.height && vote.id !== last.id;
}

/** The same of a message. */
export function isMessageAbove(
  message: ConsensusMessage,
  { viewChangeSent }: Promises,
): message is Extract<ConsensusMessage, { kind: "viewChange" }> {
  return message.kind === "viewChange" && message.content.view > viewChangeSent;
}

function greater(a: SignedVote | undefined, b: SignedVote): SignedVote {
  return a !== undefined && !isGreater(b.vote, a.vote) ? a : b;
}
