/**
 * Proof that a transaction is in the chain, at its place, with its receipt, for somebody who knows the genesis and nothing
 * else (docs/proofs.md). Checked here up to the signatures, which are returned as claims; no clock, no I/O, no `node:`
 * module, so a web page can run it.
 */
import { toBase64Url } from "../src/base/base64url.ts";
import { hexBytes, toHex } from "../src/base/bytes.ts";
import { HASH_BYTES, sha256Hex } from "../src/base/hash.ts";
import type { Result } from "../src/base/result.ts";
import type { Block } from "../chain/block.ts";
import { type ByteList, elementAt } from "../chain/byteList.ts";
import type { Header } from "../chain/header.ts";
import { inclusionProof, leafHash, leafHashesOf, verifyInclusion } from "../chain/merkle.ts";
import type { SignatureClaim } from "../chain/signing.ts";
import { PATH_MAX, PEAKS_MAX, provenTreeSize, treeSizeProof } from "../chain/treeSize.ts";
import {
  certificateOf,
  demandHistory,
  headerOf,
  Members,
  membersOf,
  outcomeOf,
  type ProofError,
  type ProofFrame,
  type TrustedGenesis,
  Wrong,
} from "./proofMembers.ts";

export const PROOF_FORMAT = "cairn-transaction-proof-1";

export interface TransactionProof extends ProofFrame {
  readonly format: typeof PROOF_FORMAT;
  /** Of the transaction. */
  readonly id: string;
  readonly height: number;
  /** Place in the block, and how many transactions it has. */
  readonly index: number;
  readonly count: number;
  readonly transaction: string;
  /** From the transaction to the header's transactionRoot. */
  readonly transactionPath: readonly string[];
  readonly receipt: string;
  /** From the receipt to the header's receiptRoot. */
  readonly receiptPath: readonly string[];
  /** That the receipts, hence the transactions, are `count`: see `chain/treeSize.ts`. */
  readonly countPeaks: readonly { readonly receipt: string; readonly path: readonly string[] }[];
  /** The block's encoded header. */
  readonly header: string;
}

/** What a proof shows once the signatures of all `claims` are found valid. */
export interface ProvenTransaction {
  readonly id: string;
  readonly height: number;
  readonly index: number;
  readonly header: Header;
  readonly blockId: string;
  readonly transaction: Uint8Array;
  readonly receipt: Uint8Array;
  /** The block whose certificate it is. */
  readonly certifiedHeight: number;
  readonly claims: readonly SignatureClaim[];
}

/** What a proof is made of. */
export interface ProofMaterial {
  readonly chainId: string;
  readonly block: Block;
  readonly receipts: ByteList;
  readonly index: number;
  /** Of the block or of one above it. */
  readonly certificate: Uint8Array;
  readonly historyPath: readonly Uint8Array[];
}

export function makeTransactionProof(material: ProofMaterial): TransactionProof {
  const { chainId, block, receipts, index, certificate, historyPath } = material;
  const hexes = (hashes: readonly Uint8Array[]): string[] => hashes.map(toHex);
  return {
    format: PROOF_FORMAT,
    chainId,
    id: toHex(block.transactionIds.subarray(HASH_BYTES * index, HASH_BYTES * (index + 1))),
    height: block.header.height,
    index,
    count: block.transactions.count,
    transaction: toBase64Url(elementAt(block.transactions, index)),
    transactionPath: hexes(inclusionProof(block.transactionIds, index)),
    receipt: toBase64Url(elementAt(receipts, index)),
    receiptPath: hexes(inclusionProof(leafHashesOf(receipts.buffer, receipts.offsets), index)),
    countPeaks: treeSizeProof(receipts).map(({ leaf, path }) => ({ receipt: toBase64Url(leaf), path: hexes(path) })),
    header: toBase64Url(block.headerBytes),
    historyPath: hexes(historyPath),
    certificate: toBase64Url(certificate),
  };
}

/** Checks a proof, as JSON gives it, against what its genesis says. Every byte of it counts. */
export function checkTransactionProof(value: unknown, genesis: TrustedGenesis): Result<ProvenTransaction, ProofError> {
  return outcomeOf(() => checked(membersOf(value, PROOF_FORMAT, MEMBERS, genesis), genesis));
}

function checked(proof: Members, genesis: TrustedGenesis): ProvenTransaction {
  const [height, index, count] = [proof.count("height"), proof.count("index"), proof.count("count")];
  const { bytes: headerBytes, header } = headerOf(proof, "header");
  if (header.height !== height) throw new Wrong("height", `is not the header's, ${header.height}`);

  const receiptRoot = hexBytes(header.receiptRoot);
  if (provenTreeSize(peaksOf(proof), receiptRoot) !== count) {
    throw new Wrong("countPeaks", "does not show that the block has so many transactions");
  }
  const transaction = proof.bytes("transaction");
  const leaf = leafHash(transaction);
  if (toHex(leaf) !== proof.text("id")) throw new Wrong("id", "is not the one of the transaction");
  const transactionRoot = hexBytes(header.transactionRoot);
  if (!verifyInclusion(leaf, index, count, proof.hashes("transactionPath", PATH_MAX), transactionRoot)) {
    throw new Wrong("transactionPath", "does not lead from the transaction at its index to the header's root");
  }
  const receipt = proof.bytes("receipt");
  if (!verifyInclusion(leafHash(receipt), index, count, proof.hashes("receiptPath", PATH_MAX), receiptRoot)) {
    throw new Wrong("receiptPath", "does not lead from the receipt at its index to the header's root");
  }

  const { height: certifiedHeight, header: certified, id: certifiedId, claims } = certificateOf(proof, genesis);
  const blockId = sha256Hex(headerBytes);
  demandHistory(proof, { height, id: blockId }, { header: certified, id: certifiedId });
  return { id: toHex(leaf), height, index, header, blockId, transaction, receipt, certifiedHeight, claims };
}

const PEAK_MEMBERS = ["receipt", "path"] as const;
const MEMBERS = [
  "id",
  "height",
  "index",
  "count",
  "transaction",
  "transactionPath",
  "receipt",
  "receiptPath",
  "countPeaks",
  "header",
] as const;

function peaksOf(proof: Members) {
  return proof.list("countPeaks", PEAKS_MAX).map((each, i) => {
    const peak = new Members(each, `countPeaks[${i}].`, PEAK_MEMBERS);
    return { leaf: peak.bytes("receipt"), path: peak.hashes("path", PATH_MAX) };
  });
}
