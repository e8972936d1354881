/**
 * Oracle 6: all nodes of a run are correct, so none may find fault with another: what a correct node sends is never
 * rejected by a correct one, and none halts. And on a link blocks come parent first, each at most
 * once a direction.
 */
import { NO_EVIDENCE } from "../../../src/replica/evidenceStore.ts";
import type { Effect } from "../../../src/replica/types.ts";
import { RuleBroken } from "../violation.ts";

/** Reasons for closing a link that a correct peer never gives. */
const FAULTS = new Set(["undecodable", "misbehaviour", "finalityConflict", "frameTooLarge", "badInit", "wrongChain"]);
/** Log messages that find fault with a peer, or with oneself. */
const COMPLAINTS = new Set(["a producer misbehaves", "a block is not valid", "a block on disk is not valid"]);

const NEVER_REJECTED = "what a correct node sends is never rejected by a correct one";

export class ConductOracle {
  readonly #distrusted = new Set<string>();

  /** Whoever finds fault with this peer is right. */
  distrust(key: string): void {
    this.#distrusted.add(key);
  }

  effect(node: number, effect: Effect): void {
    switch (effect.kind) {
      case "disconnect":
        if (!FAULTS.has(effect.reason) || this.#distrusted.has(effect.peer)) return;
        throw new RuleBroken(
          "conduct",
          NEVER_REJECTED,
          `closes the link to ${effect.peer.slice(0, 8)}: ${effect.reason} ${effect.detail}`,
          [node],
        );
      case "evidence": {
        const { producer, kind, view, height } = effect.evidence;
        if (this.#distrusted.has(producer)) return;
        const detail = `${kind} at ${view}/${height} against ${producer.slice(0, 8)}`;
        throw new RuleBroken("conduct", "no honest producer ever yields evidence against itself", detail, [node]);
      }
      case "halt":
        throw new RuleBroken("conduct", "no correct node halts", effect.why, [node]);
      case "log":
        if (effect.message === NO_EVIDENCE)
          throw new RuleBroken(
            "conduct",
            "what is found against a producer is evidence",
            String(effect.fields?.["detail"]),
            [node],
          );
        if (!COMPLAINTS.has(effect.message) || this.#isAboutDistrusted(effect.fields)) return;
        throw new RuleBroken("conduct", NEVER_REJECTED, `${effect.message} ${JSON.stringify(effect.fields)}`, [node]);
      default:
        return;
    }
  }

  #isAboutDistrusted(fields: Record<string, unknown> = {}): boolean {
    return [fields["peer"], fields["producer"]].some((key) => typeof key === "string" && this.#distrusted.has(key));
  }
}

/** What the stream rules need to know of the receiver. */
export interface Receiver {
  /** Held in whatever form: attached, waiting, irreversible. */
  knows(id: string): boolean;
  readonly irreversibleHeight: number;
}

/** A block as the stream rules see it. */
export interface StreamedBlock {
  readonly id: string;
  readonly parent: string;
  readonly height: number;
}

/** One direction of a link since it came up. */
interface Direction {
  /** When blocks arrived, by id, microseconds. */
  readonly blocks: Map<string, number>;
  /** Greatest `echo` of the hellos that arrived. */
  echoed: number;
}

/** What may go over a link as a block stream. */
export class StreamOracle {
  readonly #directions = new Map<string, Direction>();

  /** `to` was told that its link with `from` is up. */
  linkUp(from: number, to: number): void {
    this.#directions.set(`${from}>${to}`, { blocks: new Map(), echoed: 0 });
  }

  helloDelivered(from: number, to: number, echo: number): void {
    const direction = this.#direction(from, to);
    direction.echoed = Math.max(direction.echoed, echo);
  }

  /**
   * A block leaves `from` on its stream to `to`.
   * @param seenUs what arrived before this `from` has had time to look at, microseconds
   */
  sent(from: number, to: number, id: string, seenUs: number): void {
    const back = this.#direction(to, from);
    if (back.echoed === 0) {
      const detail = `${from} streams to ${to}, which has echoed none of its hellos`;
      throw new RuleBroken("sync", "roles come only from a matched pair of hellos [H1]", detail, [from, to]);
    }
    const arrivedUs = back.blocks.get(id);
    if (arrivedUs !== undefined && arrivedUs < seenUs) {
      throw new RuleBroken("sync", "a block is not sent back to where it came from [H3]", `${id}, ${from} to ${to}`, [
        from,
        to,
      ]);
    }
  }

  delivered(from: number, to: number, { id, parent, height }: StreamedBlock, receiver: Receiver, nowUs: number): void {
    const { blocks } = this.#direction(from, to);
    if (blocks.has(id)) {
      throw new RuleBroken(
        "sync",
        "a block crosses a link at most once a direction",
        `block ${height} ${id}, ${from} to ${to}`,
        [from, to],
      );
    }
    blocks.set(id, nowUs);
    if (blocks.has(parent) || receiver.knows(parent) || height <= receiver.irreversibleHeight + 1) return;
    throw new RuleBroken("sync", "blocks arrive parent first on a link", `block ${height} ${id}, ${from} to ${to}`, [
      from,
      to,
    ]);
  }

  #direction(from: number, to: number): Direction {
    const direction = this.#directions.get(`${from}>${to}`);
    if (direction === undefined) throw new Error(`no link from ${from} to ${to} was ever up`);
    return direction;
  }
}
