/**
 * Looks for evidence in what producers sign (`evidence.ts`): keeps the first block of each place, the greatest commit and
 * the newest view change of each producer. One piece for each producer and kind is enough.
 */
import { ancestorAt, type BlockNode } from "../../chain/forkDatabase.ts";
import type { Header } from "../../chain/header.ts";
import type { Ledger } from "../../chain/ledger.ts";
import {
  type EvidenceKind,
  EVIDENCE_PATH_MAX,
  evidenceOfBlocks,
  evidenceOfReport,
  evidenceOfVotes,
  reportsLess,
} from "./evidence.ts";
import type { SignedVote } from "./messages.ts";
import { isGreater, type Report } from "./rules.ts";

export interface AccuserHost {
  readonly self: string;
  readonly ledger: Ledger;
  accuse(evidence: Uint8Array): void;
}

/** Of one place, one producer's; each is there, or was. */
interface Place {
  readonly height: number;
  readonly first: BlockNode;
  count: number;
}

type SignedReport = Report & { readonly signature: Uint8Array };

export class Accuser {
  readonly #host: AccuserHost;
  readonly #places = new Map<string, Place>();
  /** By signer and kind: the highest vote for a block that is here, in the highest view. */
  readonly #highest = new Map<string, SignedVote>();
  /** By signer. */
  readonly #commits = new Map<string, SignedVote>();
  readonly #reports = new Map<string, SignedReport>();
  readonly #found = new Set<string>();

  constructor(host: AccuserHost) {
    this.#host = host;
  }

  /** Places that are remembered. */
  get size(): number {
    return this.#places.size;
  }

  /** Blocks known of one producer for one view and height. */
  countAt(header: Header): number {
    return this.#places.get(placeOf(header))?.count ?? 0;
  }

  /** A block was added. */
  block(node: BlockNode): void {
    const { header } = node.block;
    const name = placeOf(header);
    const place = this.#places.get(name);
    if (place === undefined) return void this.#places.set(name, { height: node.height, first: node, count: 1 });
    if (place.first.id === node.id) return;
    place.count++;
    this.#accuse(header.producer, "twoBlocks", () => evidenceOfBlocks(place.first.block, node.block));
  }

  /** Two votes of one kind at one place, for two blocks. */
  contradiction(signer: string, first: SignedVote, second: SignedVote): void {
    this.#accuse(signer, "twoVotes", () => evidenceOfVotes(signer, first, second, []));
  }

  /** A vote whose block may be here, or has just come. */
  vote(signer: string, signed: SignedVote): void {
    if (signed.commit) this.#commit(signer, signed);
    const node = this.#host.ledger.get(signed.vote.id);
    // One that names another place than its block's is a lie that nobody can count, and proves nothing with others.
    if (node === undefined || node.view !== signed.vote.view || node.height !== signed.vote.height) return;
    const name = `${signed.commit ? "commit" : "prepare"} ${signer}`;
    const top = this.#highest.get(name);
    if (top === undefined || top.vote.view < signed.vote.view) return void this.#highest.set(name, signed);
    if (top.vote.view > signed.vote.view) return;
    const other = this.#host.ledger.get(top.vote.id);
    if (other === undefined) return void this.#highest.set(name, signed);
    if (other.height < node.height) this.#highest.set(name, signed);
    if (other.height <= node.height) this.#compare(signer, top, signed, node);
    else this.#compare(signer, signed, top, other);
  }

  /** A view change that counts. */
  viewChange(signer: string, report: SignedReport): void {
    const commit = this.#commits.get(signer);
    if (commit !== undefined && reportsLess(report, commit)) this.#less(signer, commit, report);
    const before = this.#reports.get(signer);
    if (before === undefined || before.view <= report.view) this.#reports.set(signer, report);
  }

  /** Blocks up to this height are irreversible. */
  settled(height: number): void {
    for (const [name, place] of this.#places) if (place.height <= height) this.#places.delete(name);
  }

  #commit(signer: string, signed: SignedVote): void {
    const report = this.#reports.get(signer);
    if (report !== undefined && reportsLess(report, signed)) this.#less(signer, signed, report);
    const before = this.#commits.get(signer);
    if (before === undefined || isGreater(signed.vote, before.vote)) this.#commits.set(signer, signed);
  }

  #less(signer: string, commit: SignedVote, report: SignedReport): void {
    this.#accuse(signer, "lessReported", () => evidenceOfReport(signer, commit, report));
  }

  /** Is `low`, at or below `high`, on its branch? `node`: the block of `high`. */
  #compare(signer: string, low: SignedVote, high: SignedVote, node: BlockNode): void {
    const at = ancestorAt(node, low.vote.height);
    if (at === undefined || at.id === low.vote.id || node.height - low.vote.height >= EVIDENCE_PATH_MAX) return;
    this.#accuse(signer, "twoVotes", () => evidenceOfVotes(signer, low, high, pathDown(node, low.vote.height)));
  }

  #accuse(producer: string, kind: EvidenceKind, make: () => Uint8Array): void {
    const name = `${producer} ${kind}`;
    if (producer === this.#host.self || this.#found.has(name)) return;
    this.#found.add(name);
    this.#host.accuse(make());
  }
}

function pathDown(from: BlockNode, height: number): Uint8Array[] {
  const path: Uint8Array[] = [];
  if (from.height === height) return path;
  for (let at: BlockNode | undefined = from; at !== undefined && at.height >= height; at = at.parent)
    path.push(at.block.headerBytes);
  return path;
}

/** Of one producer: while the set changes a view may have two leaders. */
function placeOf({ view, height, producer }: Header): string {
  return `${view}/${height}/${producer}`;
}
