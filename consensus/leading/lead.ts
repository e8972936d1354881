/** A producer's lead under Raft and VSR: its term, while it has one, and its way out of it. */
import type { BlockNode } from "../../chain/forkDatabase.ts";
import type { EarlyVoteCounts } from "../earlyVotes.ts";
import type { EngineHost, EngineLead, ProductionPermit } from "../engine.ts";
import { Term, type TermHooks } from "./term.ts";

export class Lead implements EngineLead {
  readonly #host: EngineHost;
  #term: Term | undefined;
  /** The view that this node hands over, until its successor's has decided a block. */
  #viewHandedOver: number | undefined;
  #isLeaving = false;

  constructor(host: EngineHost) {
    this.#host = host;
  }

  /** Undefined while another leads, or nobody. */
  get term(): Term | undefined {
    return this.#term;
  }

  /** This node is about to stop: it shall lead no more. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  begin(hooks: TermHooks): void {
    this.#host.log("info", "leads", { view: hooks.view });
    this.#term = new Term(this.#host, {
      ...hooks,
      handOverFailed: () => {
        this.#viewHandedOver = undefined;
        hooks.handOverFailed?.();
      },
    });
    this.#term.sendHeartbeat();
  }

  end(): void {
    this.#term?.end();
    this.#term = undefined;
  }

  get earlyVotes(): EarlyVoteCounts | undefined {
    return this.#term?.earlyVotes;
  }

  read(read: number): void {
    if (this.#term !== undefined) this.#term.read(read);
    else this.#host.readAnswered([read], undefined);
  }

  handOver(): void {
    this.#isLeaving = true;
    if (this.#term === undefined) return;
    this.#viewHandedOver = this.#term.view;
    this.#term.handOver();
  }

  get isHandingOver(): boolean {
    // The successor may need this node's vote or departure, and its ack.
    return this.#viewHandedOver !== undefined && this.#host.ledger.bottom.view <= this.#viewHandedOver;
  }

  production(): ProductionPermit | undefined {
    return this.#term?.production();
  }

  produced(node: BlockNode): void {
    this.#term?.produced(node);
  }
}
