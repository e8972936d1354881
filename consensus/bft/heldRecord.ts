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

  /** @param genesis certified by definition */
  constructor(bytes: Uint8Array | undefined, genesis: BlockRef, head: BlockRef) {
    const decoded = bytes && bftRecordMessage.decode(bytes);
    const record: BftRecord = decoded?.ok ? decoded.value : initialBftRecord(genesis);
    this.#isOutdated = record.outdated === true;
    this.#isKept = decoded?.ok === true && !this.#isOutdated;
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

  /** It is an old one: there are promises that it does not know. */
  outdate(): void {
    this.#isKept = false;
    this.#isOutdated = true;
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
