/** Proofs of transactions out of what a node holds: its blocks, receipts, certificates and the ids of all blocks. */
import { setImmediate as eventLoop } from "node:timers/promises";
import { encodeList } from "../../chain/byteList.ts";
import { HistoryTree, type IdsFrom } from "../../chain/historyTree.ts";
import { makeTransactionProof, type TransactionProof } from "../../consensus/transactionProof.ts";
import type { BlockView } from "./api.ts";
import type { StoredCertificate } from "./storage/types.ts";

/** Chunks of 256 ids read before the event loop gets its turn: some milliseconds. */
const CHUNKS_AT_ONCE = 4;

export type ProofAnswer =
  | { readonly proof: TransactionProof }
  /** `lasting`: asking later does not help. */
  | { readonly refused: string; readonly lasting: boolean };

export class TransactionProofs {
  readonly #chainId: string;
  readonly #history: HistoryTree;
  readonly #certificateFor: (height: number) => StoredCertificate | undefined;

  /** @param certificateFor the certificate of the lowest height from one on that has any */
  constructor(chainId: string, idsFrom: IdsFrom, certificateFor: (height: number) => StoredCertificate | undefined) {
    this.#chainId = chainId;
    this.#history = new HistoryTree(idsFrom);
    this.#certificateFor = certificateFor;
  }

  /** The proof of a transaction in a block that holds it. The first one reads the ids of all blocks, in slices. */
  async prove({ block, status, receipts }: BlockView, index: number): Promise<ProofAnswer> {
    const { height } = block.header;
    if (status !== "irreversible") return { refused: "its block is not irreversible yet", lasting: false };
    if (receipts === undefined) return { refused: "this node does not hold the receipts of its block", lasting: true };
    const certificate = this.#certificateFor(height);
    if (certificate === undefined) {
      return { refused: "no certificate of its block or of one above it has arrived here yet", lasting: false };
    }
    const historyPath = certificate.height === height ? [] : await this.#pathOf(height, certificate.height);
    if (historyPath === undefined) return { refused: "this node does not hold all earlier blocks", lasting: true };
    const material = { chainId: this.#chainId, block, receipts: encodeList(receipts), index, historyPath };
    return { proof: makeTransactionProof({ ...material, certificate: certificate.certificate }) };
  }

  async #pathOf(height: number, size: number): Promise<Uint8Array[] | undefined> {
    while (!this.#history.extend(size, CHUNKS_AT_ONCE)) await eventLoop();
    return this.#history.proof(height, size);
  }
}
