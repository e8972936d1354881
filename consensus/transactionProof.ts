/**
 * Proof that a transaction is in the chain, at its place, with its receipt, for somebody who knows the genesis and nothing
 * else (docs/proofs.md). Checked here up to the signatures, which are returned as claims; no clock, no I/O, no `node:`
 * module, so a web page can run it.
 */
import { fromBase64Url, toBase64Url } from "../src/base/base64url.ts";
import { fromHex, hexBytes, toHex } from "../src/base/bytes.ts";
import { HASH_BYTES, sha256Hex } from "../src/base/hash.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import type { Block } from "../chain/block.ts";
import { type ByteList, elementAt } from "../chain/byteList.ts";
import type { Genesis } from "../chain/genesis.ts";
import { type Header, headerMessage } from "../chain/header.ts";
import { inclusionProof, leafHash, leafHashesOf, verifyInclusion } from "../chain/merkle.ts";
import type { SignatureClaim } from "../chain/signing.ts";
import { PATH_MAX, PEAKS_MAX, provenTreeSize, treeSizeProof } from "../chain/treeSize.ts";
import { certificateDecoder } from "./engines.ts";

export const PROOF_FORMAT = "cairn-transaction-proof-1";
/** Siblings of a history of 2^53 blocks. */
const HISTORY_PATH_MAX = 53;

/** As it is written in JSON: hashes and ids are hex, bytes unpadded base64url. */
export interface TransactionProof {
  readonly format: typeof PROOF_FORMAT;
  readonly chainId: string;
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
  /** From the block's id to the historyRoot of the certified header; empty when that is the block's own. */
  readonly historyPath: readonly string[];
  /** Encoded, of the chain's engine; its (first) header is the certified one. */
  readonly certificate: string;
}

export type ProofError = {
  readonly code: "PROOF_INVALID";
  /** The member that is wrong. */
  readonly field: string;
  readonly detail: string;
};

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

/** What a proof is checked against. */
export type TrustedGenesis = Pick<Genesis, "engine" | "chainId" | "configuration">;

/** Checks a proof, as JSON gives it, against what its genesis says. Every byte of it counts. */
export function checkTransactionProof(value: unknown, genesis: TrustedGenesis): Result<ProvenTransaction, ProofError> {
  try {
    return ok(checked(new Members(value, "", MEMBERS), genesis));
  } catch (error) {
    if (error instanceof Wrong) return err({ code: "PROOF_INVALID", field: error.field, detail: error.message });
    throw error;
  }
}

function checked(proof: Members, genesis: TrustedGenesis): ProvenTransaction {
  if (proof.text("format") !== PROOF_FORMAT) throw new Wrong("format", `is not ${PROOF_FORMAT}`);
  if (proof.text("chainId") !== genesis.chainId)
    throw new Wrong("chainId", "is another chain's than the genesis is of");
  const [height, index, count] = [proof.count("height"), proof.count("index"), proof.count("count")];
  const headerBytes = proof.bytes("header");
  const decoded = headerMessage.decode(headerBytes);
  if (!decoded.ok) throw new Wrong("header", decoded.error.detail);
  const header = decoded.value;
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

  const certificate = certificateDecoder(genesis)(proof.bytes("certificate"));
  if (!certificate.ok) throw new Wrong("certificate", certificate.error.detail);
  if (!certificate.value.isFinal) throw new Wrong("certificate", "does not prove its block irreversible");
  const { height: certifiedHeight, header: certified, claims } = certificate.value;
  const blockId = sha256Hex(headerBytes);
  const path = proof.hashes("historyPath", HISTORY_PATH_MAX);
  const isCertified = certificate.value.id === blockId && path.length === 0;
  const historyRoot = hexBytes(certified.historyRoot);
  if (!isCertified && !verifyInclusion(leafHash(hexBytes(blockId)), height, certifiedHeight, path, historyRoot)) {
    throw new Wrong("historyPath", "does not lead from the block to the historyRoot of the certified header");
  }
  return { id: toHex(leaf), height, index, header, blockId, transaction, receipt, certifiedHeight, claims };
}

const PEAK_MEMBERS = ["receipt", "path"] as const;
const MEMBERS = [
  "format",
  "chainId",
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
  "historyPath",
  "certificate",
] as const;

function peaksOf(proof: Members) {
  return proof.list("countPeaks", PEAKS_MAX).map((each, i) => {
    const peak = new Members(each, `countPeaks[${i}].`, PEAK_MEMBERS);
    return { leaf: peak.bytes("receipt"), path: peak.hashes("path", PATH_MAX) };
  });
}

/** Ends the check; never leaves this file. */
class Wrong extends Error {
  readonly field: string;
  constructor(field: string, detail: string) {
    super(detail);
    this.field = field;
  }
}

/** The members of an object that somebody else wrote: exactly these, each of one form only. */
class Members {
  readonly #object: Record<string, unknown>;
  readonly #prefix: string;

  constructor(value: unknown, prefix: string, names: readonly string[]) {
    this.#prefix = prefix;
    if (typeof value !== "object" || value === null || Array.isArray(value)) this.#wrong("", "is no object");
    this.#object = value as Record<string, unknown>;
    for (const name of names) if (!Object.hasOwn(this.#object, name)) this.#wrong(name, "is missing");
    for (const name of Object.keys(this.#object)) if (!names.includes(name)) this.#wrong(name, "does not belong here");
  }

  text(name: string): string {
    const value = this.#object[name];
    return typeof value === "string" ? value : this.#wrong(name, "is no text");
  }

  count(name: string): number {
    const value = this.#object[name];
    return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : this.#wrong(name, "is no count");
  }

  bytes(name: string): Uint8Array {
    return fromBase64Url(this.text(name)) ?? this.#wrong(name, "is no unpadded base64url");
  }

  list(name: string, max: number): readonly unknown[] {
    const value = this.#object[name];
    return Array.isArray(value) && value.length <= max ? value : this.#wrong(name, `is no list of at most ${max}`);
  }

  hashes(name: string, max: number): Uint8Array[] {
    return this.list(name, max).map((each) => {
      const hash = typeof each === "string" && each === each.toLowerCase() ? fromHex(each) : undefined;
      return hash?.length === HASH_BYTES ? hash : this.#wrong(name, "holds what is no hash");
    });
  }

  #wrong(name: string, detail: string): never {
    throw new Wrong(`${this.#prefix}${name}`, detail);
  }
}
