/**
 * Which block is known to be irreversible, by certificates and by what producers' headers say; and the certificates to
 * show for it. Two are kept: the newest, whose block may not be here yet, and the newest whose block is. A certificate of a
 * block that is here counts even when a newer one, of a block that is not, came before it.
 */
import { ancestorAt, type BlockNode, type InvalidReason, isAncestorOrEqual } from "../chain/forkDatabase.ts";
import type { Ledger } from "../chain/ledger.ts";
import type { Anchor } from "./sync/range.ts";
import { err, ok, type Result } from "../src/base/result.ts";

/** A certificate that was checked. */
export interface KnownCertificate extends Anchor {
  readonly bytes: Uint8Array;
}

/** An error says that somebody is broken: halt. */
type Halting = Result<undefined, InvalidReason>;

export class Finality {
  readonly #ledger: Ledger;
  #newest: KnownCertificate | undefined;
  #ofHeld: KnownCertificate | undefined;

  /** @param bottom the certificate of the ledger's bottom, if there is one */
  constructor(ledger: Ledger, bottom: KnownCertificate | undefined) {
    this.#ledger = ledger;
    this.#newest = this.#ofHeld = bottom;
  }

  get newest(): KnownCertificate | undefined {
    return this.#newest;
  }

  /** The newest of a block that is here. */
  get ofHeld(): KnownCertificate | undefined {
    return this.#ofHeld;
  }

  /** All that is kept, for whoever has to prove a contradiction. */
  get certificates(): Uint8Array[] {
    return [...new Set([this.#ofHeld?.bytes, this.#newest?.bytes])].filter((each) => each !== undefined);
  }

  /** The certificate kept for exactly this block. */
  certificateOf(id: string): Uint8Array | undefined {
    return [this.#newest, this.#ofHeld].find((each) => each?.id === id)?.bytes;
  }

  /** The certificate for a hello: the newest whose block is here, so that it goes with the root that is told. */
  get shown(): Uint8Array | undefined {
    return (this.#ofHeld ?? this.#newest)?.bytes;
  }

  /** Would a certificate of this block prove anything new? */
  isNews(height: number, id: string): boolean {
    const { root, bottom } = this.#ledger;
    if (height <= bottom.height) return false;
    if (height > this.#newestHeight) return true;
    return height > root.height && id !== this.#newest?.id && this.#ledger.get(id) !== undefined;
  }

  /** Takes a certificate that is news. */
  adopt(certificate: KnownCertificate): Halting {
    if (certificate.height > this.#newestHeight) this.#newest = certificate;
    const node = this.#ledger.get(certificate.id);
    return node === undefined ? ok(undefined) : this.#setRoot(node, certificate);
  }

  /** A block came in: it may be the one of the newest certificate, and its header tells of an ancestor. */
  blockAdded(node: BlockNode): Halting {
    // Under Raft and VSR the producer's signature vouches for what it says is irreversible.
    const proven = ancestorAt(node, node.block.header.irreversibleHeight);
    if (proven !== undefined && node.invalid === undefined) {
      const outcome = this.#advance(proven);
      if (!outcome.ok) return outcome;
    }
    return this.#newest?.id === node.id ? this.#setRoot(node, this.#newest) : ok(undefined);
  }

  /** At or below the root, or the newest certificate says so. */
  isCertified(node: BlockNode): boolean {
    if (isAncestorOrEqual(node, this.#ledger.root)) return true;
    const certified = this.#newest && this.#ledger.get(this.#newest.id);
    return certified !== undefined && ancestorAt(certified, node.height) === node;
  }

  /** When the root has passed the newest certificate, its block is here, or it contradicts. */
  #advance(node: BlockNode): Halting {
    const outcome = this.#ledger.setIrreversible(node);
    const newest = this.#newest;
    const { root } = this.#ledger;
    if (!outcome.ok || newest === undefined || newest.height > root.height) return outcome;
    const mine = ancestorAt(root, newest.height);
    if (mine === undefined || mine.id === newest.id) return outcome;
    return err({ code: "FINALITY_CONFLICT", detail: `blocks ${mine.id} and ${newest.id} are both irreversible` });
  }

  get #newestHeight(): number {
    return this.#newest?.height ?? 0;
  }

  #setRoot(node: BlockNode, certificate: KnownCertificate): Halting {
    const outcome = this.#advance(node);
    if (outcome.ok && certificate.height > (this.#ofHeld?.height ?? 0)) this.#ofHeld = certificate;
    return outcome;
  }
}
