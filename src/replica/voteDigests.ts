/** What producers sign for a block, encoded and hashed once for all of their votes. */
import { type SignedVote, voteDigest } from "../../consensus/bft/messages.ts";

/** Both phases of several windows of blocks. */
const KEPT = 512;

export class VoteDigests {
  readonly #chainId: string;
  readonly #kept = new Map<string, Uint8Array>();

  constructor(chainId: string) {
    this.#chainId = chainId;
  }

  of({ commit, vote }: SignedVote): Uint8Array {
    const name = `${commit ? "c" : "p"}${vote.view}/${vote.height}/${vote.id}`;
    const known = this.#kept.get(name);
    if (known !== undefined) return known;
    const digest = voteDigest(this.#chainId, commit, vote);
    if (this.#kept.size >= KEPT) this.#kept.delete(this.#kept.keys().next().value as string);
    this.#kept.set(name, digest);
    return digest;
  }
}
