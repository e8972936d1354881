/** Proofs (docs/proofs.md) out of what a node holds: its blocks, receipts, certificates and the ids of all blocks. */
import { setImmediate as eventLoop } from "node:timers/promises";
import type { Block } from "../../chain/block.ts";
import { encodeList } from "../../chain/byteList.ts";
import { HistoryTree, type IdsFrom } from "../../chain/historyTree.ts";
import { type BlockProof, makeBlockProof } from "../../consensus/blockProof.ts";
import { type HeadProof, makeHeadProof } from "../../consensus/headProof.ts";
import {
  type ChangeMaterial,
  CHANGES_MAX,
  makeProducersProof,
  type ProducersProof,
} from "../../consensus/producersProof.ts";
import { makeTransactionProof, type TransactionProof } from "../../consensus/transactionProof.ts";
import type { BlockView } from "./api.ts";
import type { StoredCertificate } from "./storage/types.ts";

/** Chunks of 256 ids read before the event loop gets its turn: some milliseconds. */
const CHUNKS_AT_ONCE = 4;

export type ProofAnswer<T> =
  | { readonly proof: T }
  /** `lasting`: asking later does not help. */
  | { readonly refused: string; readonly lasting: boolean };

export interface ProofSource {
  readonly idsFrom: IdsFrom;
  /** The certificate of the lowest height from one on that has any. */
  certificateFor(height: number): StoredCertificate | undefined;
  newestCertificate(): StoredCertificate | undefined;
  /** Heights of the irreversible blocks that began to change the producer set, ascending, each with that of its end. */
  changes(): readonly { readonly began: number; readonly ended: number | undefined }[];
  /** An irreversible block. */
  block(height: number): Block | undefined;
}

const NOT_FINAL = { refused: "its block is not irreversible yet", lasting: false };
const NO_CERTIFICATE = {
  refused: "no certificate of its block or of one above it has arrived here yet",
  lasting: false,
};
const PRUNED = { refused: "this node does not hold all earlier blocks", lasting: true };

export class Proofs {
  readonly #chainId: string;
  readonly #source: ProofSource;
  readonly #history: HistoryTree;

  constructor(chainId: string, source: ProofSource) {
    this.#chainId = chainId;
    this.#source = source;
    this.#history = new HistoryTree(source.idsFrom);
  }

  /** Of a transaction in a block that holds it. The first proof reads the ids of all blocks, in slices. */
  async transaction({ block, status, receipts }: BlockView, index: number): Promise<ProofAnswer<TransactionProof>> {
    const { height } = block.header;
    if (status !== "irreversible") return NOT_FINAL;
    if (receipts === undefined) return { refused: "this node does not hold the receipts of its block", lasting: true };
    const certificate = this.#source.certificateFor(height);
    if (certificate === undefined) return NO_CERTIFICATE;
    const historyPath = await this.#pathOf(height, certificate.height);
    if (historyPath === undefined) return PRUNED;
    const material = { chainId: this.#chainId, block, receipts: encodeList(receipts), index, historyPath };
    return { proof: makeTransactionProof({ ...material, certificate: certificate.certificate }) };
  }

  /** That a block is irreversible. */
  async block({ block, status }: BlockView): Promise<ProofAnswer<BlockProof>> {
    const { header, headerBytes } = block;
    if (status !== "irreversible") return NOT_FINAL;
    const certificate = this.#source.certificateFor(header.height);
    if (certificate === undefined) return NO_CERTIFICATE;
    const historyPath = await this.#pathOf(header.height, certificate.height);
    if (historyPath === undefined) return PRUNED;
    const material = { chainId: this.#chainId, height: header.height, headerBytes, historyPath };
    return { proof: makeBlockProof({ ...material, certificate: certificate.certificate }) };
  }

  /** That the newest certified block goes on from an irreversible one. */
  async head({ block, status }: BlockView): Promise<ProofAnswer<HeadProof>> {
    const { height: from } = block.header;
    const newest = this.#source.newestCertificate();
    if (status !== "irreversible" || newest === undefined || newest.height < from) return NO_CERTIFICATE;
    const historyPath = await this.#pathOf(from, newest.height);
    const consistencyPath = this.#history.consistency(from, newest.height);
    if (historyPath === undefined || consistencyPath === undefined) return PRUNED;
    const material = { chainId: this.#chainId, from, fromHeaderBytes: block.headerBytes, historyPath, consistencyPath };
    return { proof: makeHeadProof({ ...material, certificate: newest.certificate }) };
  }

  /** All changes of the producer set above a height, oldest first, as many as fit. */
  async producers(above: number): Promise<ProofAnswer<ProducersProof>> {
    const changes: ChangeMaterial[] = [];
    for (const { began, ended } of this.#source.changes().filter((each) => each.began > above)) {
      const block = this.#source.block(began);
      const next = block?.nextConfiguration;
      if (block === undefined || next === undefined) return PRUNED;
      // The end of a change proves a block at or above its beginning; before that, both sets sign together.
      const end = ended === undefined ? undefined : this.#source.block(ended);
      const proving =
        end?.proof === undefined
          ? this.#source.certificateFor(began)
          : { height: end.header.irreversibleHeight, certificate: end.proof };
      if (proving === undefined) return NO_CERTIFICATE;
      const historyPath = await this.#pathOf(began, proving.height);
      if (historyPath === undefined) return PRUNED;
      changes.push({ headerBytes: block.headerBytes, next, historyPath, certificate: proving.certificate });
      if (changes.length === CHANGES_MAX) break;
    }
    return { proof: makeProducersProof(this.#chainId, above, changes) };
  }

  /** From a block up to the historyRoot of the one of height `size`; empty when that is itself. */
  async #pathOf(height: number, size: number): Promise<Uint8Array[] | undefined> {
    if (height === size) return [];
    while (!this.#history.extend(size, CHUNKS_AT_ONCE)) await eventLoop();
    return this.#history.proof(height, size);
  }
}
