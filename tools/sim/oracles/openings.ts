/**
 * Oracle 4 for BFT, the rules of headers: what an honest node takes in is of the view's leader, follows nothing that
 * closes its view [B1], opens a view from the highest of a quorum's reports [B2, B8] or by a handoff [B3], and proves
 * what it says to be irreversible [S9]. Read from the bytes, without the product's rules or decoders.
 */
import type { ProducerSets } from "../../../chain/producerSets.ts";
import { RuleBroken } from "../violation.ts";
import type { WireCertificate } from "../wire.ts";
import type { ProducerSetOracle } from "./producerSets.ts";
import { readEntry, readFullHeader, readProof, type WireFullHeader } from "../wireBlocks.ts";

const VALID = "honest nodes take in valid blocks only";

export class OpeningOracle {
  readonly #sets: Pick<ProducerSetOracle, "of">;
  readonly #genesis: string;
  readonly #headers = new Map<string, WireFullHeader>();

  constructor(sets: Pick<ProducerSetOracle, "of">, genesis: { readonly id: string; readonly headerBytes: Uint8Array }) {
    this.#sets = sets;
    this.#genesis = genesis.id;
    // Block 0 counts as closing its view.
    this.#headers.set(genesis.id, { ...readFullHeader(genesis.headerBytes), closing: true });
  }

  /** @param id of a block whose parent was taken in before */
  taken(node: number, id: string, headerBytes: Uint8Array, body: Uint8Array): void {
    if (this.#headers.has(id)) return;
    const header = readFullHeader(headerBytes);
    const parent = this.#headers.get(header.parent);
    const fail = (what: string): never => {
      throw new RuleBroken("views", VALID, `block ${header.view}/${header.height} ${id}: ${what}`, [node]);
    };
    if (parent === undefined) return fail("its parent was never taken in");
    const { current } = this.#sets.of(id).judging;
    if (header.producer !== current.producers[header.view % current.producers.length]) fail("not of the leader");
    const opening = this.#openingFault(id, header, parent, body);
    if (opening !== undefined) fail(opening);
    const unproven = this.#proofFault(header, parent, body);
    if (unproven !== undefined) fail(unproven);
    this.#headers.set(id, header);
  }

  #openingFault(id: string, header: WireFullHeader, parent: WireFullHeader, body: Uint8Array): string | undefined {
    const entry = readEntry(body);
    if (header.view === parent.view) {
      if (parent.closing) return "follows a block that closes its view [B1]";
      return entry === undefined ? undefined : "an entry within a view";
    }
    if (entry === undefined) return "opens a view without an entry";
    const { timeout, handoff } = entry;
    if (handoff !== undefined) {
      if (!parent.closing || header.view !== parent.view + 1) return "a handoff from a block that closes nothing [B3]";
      if (handoff === "genesis") return header.parent === this.#genesis ? undefined : "a handoff of block 0 elsewhere";
      return this.#isQuorum(handoff, false) && handoff.id === header.parent
        ? undefined
        : "a handoff without its certificate";
    }
    if (timeout === undefined || timeout.view !== header.view) return "a timeout certificate of another view";
    const reporters = timeout.reports.map(({ signer }) => signer);
    if (!isQuorumOf(this.#sets.of(id).judging, reporters)) return "too few view changes [S10]";
    const { highest } = timeout;
    if (highest !== "genesis" && !this.#isQuorum(highest, false)) return "a report without its certificate";
    const top = highest === "genesis" ? { view: 0, height: 0, id: this.#genesis } : highest;
    if (timeout.reports.some(({ view, height }) => view > top.view || (view === top.view && height > top.height)))
      return "not the certificate of the greatest report [B8]";
    return this.#idAt(header.parent, top.height) === top.id
      ? undefined
      : "does not descend from the highest report [B2]";
  }

  #proofFault(header: WireFullHeader, parent: WireFullHeader, body: Uint8Array): string | undefined {
    if (header.irreversibleHeight === parent.irreversibleHeight) return undefined;
    const proof = readProof(body);
    const proves = proof !== undefined && this.#isQuorum(proof, true) && proof.height === header.irreversibleHeight;
    return proves && this.#idAt(header.parent, proof.height) === proof.id
      ? undefined
      : `says ${header.irreversibleHeight} is irreversible and does not prove it [S9]`;
  }

  #isQuorum({ commit, signers, id }: WireCertificate, commits: boolean): boolean {
    return commit === commits && isQuorumOf(this.#sets.of(id).judging, signers);
  }

  #idAt(id: string, height: number): string | undefined {
    let at: string | undefined = id;
    for (let header = this.#headers.get(id); header !== undefined && header.height > height;) {
      at = header.parent;
      header = this.#headers.get(at);
    }
    return at;
  }
}

/** Signers are told by their places among the members of all sets. */
function isQuorumOf({ current, next, members }: ProducerSets, signers: readonly number[]): boolean {
  const keys = new Set(signers.map((signer) => members[signer]));
  return [current, next?.configuration].every((set) => {
    if (set === undefined) return true;
    const counted = set.producers.filter((key) => keys.has(key)).length;
    return counted >= Math.floor((2 * set.producers.length) / 3) + 1;
  });
}
