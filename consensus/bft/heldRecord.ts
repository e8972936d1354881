/** The durable record as the engine works with it: what was promised, and the certificate that goes with it. */
import type { BlockRef } from "../../chain/header.ts";
import { type BftRecord, bftRecordMessage } from "./messages.ts";
import { afterEntering, isGreater, type Promises } from "./rules.ts";

export class HeldRecord {
  promises: Promises;
  /** Certificate of `promises.highQc`; empty for block 0. */
  highQcBytes: Uint8Array;
  #ackedHead: BlockRef;
  #isKept: boolean;
  #isOutdated: boolean;
  #unknownUpTo: number | undefined;

  /** @param genesis certified by definition */
  constructor(bytes: Uint8Array | undefined, genesis: BlockRef, head: BlockRef) {
    const decoded = bytes && bftRecordMessage.decode(bytes);
    const record: BftRecord = decoded?.ok ? decoded.value : initialBftRecord(genesis);
    this.#isOutdated = record.outdated === true;
    this.#isKept = decoded?.ok === true && !this.#isOutdated;
    this.#unknownUpTo = record.unknownUpTo;
    const { view, viewChangeSent, lastPrepared, lastCommitted, highQc, highQcBytes, ackedHead } = record;
    this.promises = afterEntering({ view, viewChangeSent, lastPrepared, lastCommitted, highQc }, head.view);
    this.highQcBytes = highQcBytes;
    this.#ackedHead = ackedHead;
  }

  /** False when it was lost, is an old one, or never was: this node cannot know what it promised. */
  get isKept(): boolean {
    return this.#isKept;
  }
  get view(): number {
    return this.promises.view;
  }
  /** The greatest block that was ever prepared. */
  get ackedHead(): BlockRef {
    return this.#ackedHead;
  }

  prepared({ view, height, id }: BlockRef): void {
    if (isGreater({ view, height, id }, this.#ackedHead)) this.#ackedHead = { view, height, id };
  }

  /** It stands for a lost one: what was promised in views up to this one is not known; -1: everything is. */
  get unknownUpTo(): number {
    return this.#unknownUpTo ?? -1;
  }

  /** There are promises of this view that it does not know: it is an old one, or stands for one that was lost. */
  outdate(view: number): void {
    this.promises = afterEntering(this.promises, view + 1);
    if (this.#unknownUpTo === undefined) {
      this.#isKept = false;
      this.#isOutdated = true;
      return;
    }
    this.#unknownUpTo = view;
    // No commit below what may have been asked for [B6].
    this.promises = { ...this.promises, viewChangeSent: Math.max(this.promises.viewChangeSent, view + 1) };
  }

  encode(): Uint8Array {
    const { view, viewChangeSent, lastPrepared, lastCommitted, highQc } = this.promises;
    return bftRecordMessage.encode({
      view,
      viewChangeSent,
      ...(lastPrepared && { lastPrepared }),
      highQc,
      highQcBytes: this.highQcBytes,
      ...(lastCommitted && { lastCommitted }),
      ackedHead: this.#ackedHead,
      ...(this.#isOutdated && { outdated: true }),
      ...(this.#unknownUpTo !== undefined && { unknownUpTo: this.#unknownUpTo }),
    });
  }
}

/** Of a producer that has promised nothing. */
export function initialBftRecord(genesis: BlockRef): BftRecord {
  return {
    view: 0,
    viewChangeSent: 0,
    highQc: genesis,
    highQcBytes: new Uint8Array(0),
    ackedHead: genesis,
  };
}
