/**
 * Oracle 7, by evidence: no honest producer is ever named by what an honest node holds, across crashes and restarts; what is
 * on a node's disk is held again after a restart; a producer of which an honest node has two blocks at one place is named by
 * the same write; and who is named at one honest node is named at all of them in the end that know it for a producer.
 *
 * What two honest nodes hold one each of obliges nobody: they may never meet. Nor do votes and view changes, which no
 * disk keeps; that those lies are found out, too, the tests of each way of lying ask for.
 */
import type { SignatureClaim } from "../../../chain/signing.ts";
import { RuleBroken } from "../violation.ts";

const NO_EVIDENCE = "no honest producer is named by evidence";
const KEPT = "evidence on a disk is held again after a restart";
const FOUND = "who is seen to make two blocks at one place is named by evidence";
const TOLD = "evidence that one honest node holds, all hold in the end";

/** A piece as the oracle sees it. */
interface Piece {
  readonly producer: string;
  readonly kind: string;
}
type HeldPiece = Piece & { readonly claims: readonly SignatureClaim[] };

interface Disk {
  /** Names of pieces. */
  readonly evidence: Set<string>;
  /** By producer and place: the block there. */
  readonly places: Map<string, string>;
}

export class EvidenceOracle {
  readonly #verify: (claim: SignatureClaim) => boolean;
  readonly #distrusted = new Set<string>();
  readonly #disks = new Map<number, Disk>();

  constructor(verify: (claim: SignatureClaim) => boolean) {
    this.#verify = verify;
  }

  distrust(key: string): void {
    this.#distrusted.add(key);
  }

  /** An honest node holds this, by whatever way. */
  held(node: number, pieces: readonly HeldPiece[]): void {
    for (const { producer, kind, claims } of pieces) {
      if (!this.#distrusted.has(producer)) fail(NO_EVIDENCE, `${kind} against ${producer.slice(0, 8)}`, node);
      const isProven = claims.length === 2 && claims.every((claim) => claim.key === producer && this.#verify(claim));
      if (!isProven) fail(NO_EVIDENCE, `${kind} against ${producer.slice(0, 8)} with what it never signed`, node);
    }
  }

  /** An honest node's process begins. */
  restarted(node: number, pieces: readonly HeldPiece[]): void {
    this.held(node, pieces);
    const names = new Set(pieces.map(nameOf));
    for (const name of this.#diskOf(node).evidence) if (!names.has(name)) fail(KEPT, name, node);
  }

  /** What a write of an honest node has put on its disk. */
  durable(
    node: number,
    pieces: readonly Piece[],
    blocks: readonly {
      readonly id: string;
      readonly producer: string;
      readonly view: number;
      readonly height: number;
    }[],
  ): void {
    const { evidence, places } = this.#diskOf(node);
    for (const each of pieces) evidence.add(nameOf(each));
    for (const { id, producer, view, height } of blocks) {
      const place = `${producer} ${view}/${height}`;
      const first = places.get(place) ?? id;
      places.set(place, first);
      const name = nameOf({ producer, kind: "twoBlocks" });
      if (first !== id && !evidence.has(name)) fail(FOUND, `${first} and ${id} at ${view}/${height}`, node);
    }
  }

  /** Blocks, or all, that were on a disk may be there no more. */
  damaged(node: number, isWhole: boolean): void {
    const disk = this.#diskOf(node);
    disk.places.clear();
    if (isWhole) disk.evidence.clear();
  }

  /** All is healed and at rest. `knows`: does the node know it for a producer, of now or of late? Else it takes no evidence. */
  atRest(
    nodes: readonly {
      readonly index: number;
      readonly pieces: readonly HeldPiece[];
      readonly knows: (producer: string) => boolean;
    }[],
  ): void {
    for (const { index, pieces } of nodes) this.held(index, pieces);
    const all = nodes.flatMap(({ pieces }) => pieces);
    for (const { index, pieces, knows } of nodes) {
      const names = new Set(pieces.map(nameOf));
      for (const each of all)
        if (knows(each.producer) && !names.has(nameOf(each))) fail(TOLD, `not ${nameOf(each)}`, index);
    }
  }

  #diskOf(node: number): Disk {
    const disk = this.#disks.get(node) ?? { evidence: new Set(), places: new Map() };
    this.#disks.set(node, disk);
    return disk;
  }
}

function nameOf({ producer, kind }: Piece): string {
  return `${kind} against ${producer}`;
}

function fail(rule: string, detail: string, node: number): never {
  throw new RuleBroken("evidence", rule, detail, [node]);
}
