/**
 * Verification of a node's directory, running or stopped: everything in chain.db from genesis upwards, then what
 * state.db and index.db were made from it. Reads only; on a running node it covers what was irreversible when it began.
 */
import { join } from "node:path";
import type { Application } from "../../chain/application.ts";
import type { Block } from "../../chain/block.ts";
import { headerMessage } from "../../chain/header.ts";
import { encodeFrontier } from "../../chain/merkle.ts";
import { equalBytes, toHex } from "../../src/base/bytes.ts";
import { refuseForeignFile } from "../../src/node/chainDirectory.ts";
import { type GenesisFile, toGenesis } from "../../src/node/genesisFile.ts";
import { type AsStored, ChainRows } from "../../src/node/storage/chainRows.ts";
import { IndexReader } from "../../src/node/storage/indexReader.ts";
import { StateReader } from "../../src/node/storage/stateReader.ts";
import { ifThere } from "../../src/node/storage/errors.ts";
import { StorageError, type StoredBlock, type StoredCertificate } from "../../src/node/storage/types.ts";
import { checkedBlock } from "./blockCheck.ts";
import { ChainVerifier } from "./chainVerifier.ts";
import { checkStoredEvidence } from "./evidence.ts";
import { type Fault, FaultFound, type FaultKind } from "./fault.ts";
import { StoredIndex } from "./storedIndex.ts";
import { checkReceipts, compareState } from "./storedState.ts";
import type { OnProgress, Report } from "./verification.ts";
import { checkVoteRecord } from "./voteRecord.ts";

const CERTIFICATES_AT_ONCE = 64;

/** Throws StorageError CANNOT_OPEN or WRONG_FORMAT for what cannot be opened. */
export async function verifyDirectory(
  dir: string,
  genesis: GenesisFile,
  application: Application,
  onProgress: OnProgress,
): Promise<Report> {
  let verification: DirectoryVerification | undefined;
  try {
    refuseForeignFile(join(dir, "chain.db"));
    const rows = ChainRows.open(dir, genesis.chainId);
    try {
      verification = new DirectoryVerification(dir, rows, await ChainVerifier.start(toGenesis(genesis), application));
    } catch (error) {
      rows.close();
      throw error;
    }
    verification.openDerived();
    await verification.run(onProgress);
    return verification.report();
  } catch (error) {
    const found = faultOf(error);
    if (found === undefined) throw error;
    const { fault } = (await verification?.verifier.firstOf(found)) ?? found;
    return { ...(verification?.report() ?? NOTHING_CHECKED), ok: false, fault };
  } finally {
    await verification?.close();
  }
}

const NOTHING_CHECKED: Report = {
  ok: false,
  blocks: 0,
  transactions: 0,
  signatures: 0,
  certificates: 0,
  certifiedHeight: 0,
};

/** Damage that SQLite or a reader tells is a fault like any other. */
function faultOf(error: unknown): FaultFound | undefined {
  if (error instanceof FaultFound) return error;
  if (!(error instanceof StorageError) || !isDamage(error)) return undefined;
  const { file, message, height, id } = error;
  const place = { ...(height === undefined ? {} : { height }), ...(id === undefined ? {} : { id }) };
  const detail = error.code === "IO" && error.cause instanceof Error ? error.cause.message : message;
  return new FaultFound({ kind: "database file", detail: detail.replace(`${file} `, ""), file, ...place });
}

/** Also what reads well for SQLite and makes no sense to us; a disk that fails has a code of SQLite's. */
function isDamage({ code, cause }: StorageError): boolean {
  if (code === "DAMAGED" || code === "TRUNCATED") return true;
  return code === "IO" && cause instanceof Error && !("code" in cause);
}

class DirectoryVerification {
  readonly verifier: ChainVerifier;
  readonly #rows: ChainRows;
  readonly #dir: string;
  #state: StateReader | undefined;
  #indexReader: IndexReader | undefined;
  #index: StoredIndex | undefined;
  /** Height at which the state is compared; undefined: there is none, or it was compared. */
  #stateHeight: number | undefined;
  #stateIsHeld = false;
  #certificates: AsStored<StoredCertificate>[] = [];
  #nextCertificate = 0;
  /** Keys that reversible blocks would make producers. */
  readonly #proposed = new Set<string>();
  #done: {
    stateHeight?: number;
    stateRows?: number;
    indexHeight?: number;
    indexEntries?: number;
    reversible?: number;
    evidence?: number;
  } = {};

  constructor(dir: string, rows: ChainRows, verifier: ChainVerifier) {
    this.#dir = dir;
    this.#rows = rows;
    this.verifier = verifier;
  }

  /** Throws StorageError, DAMAGED for instance. */
  openDerived(): void {
    const { chainId } = this.verifier.genesis;
    this.#state = ifThere(() => StateReader.open(this.#dir, chainId));
    this.#indexReader = ifThere(() => IndexReader.open(this.#dir, chainId));
  }

  async run(onProgress: OnProgress): Promise<void> {
    // What is derived first: chain.db is never behind what was made from it.
    this.#stateHeight = this.#state?.applied()?.height;
    this.#index = this.#indexReader && new StoredIndex(this.#indexReader);
    const top = this.#checkExtent();
    await this.#atHeight(0);
    for (let height = 1; height <= Math.max(top, this.#stateHeight ?? 0); height++) {
      this.#checkHeight(height);
      await this.#atHeight(height);
      if (!this.verifier.isBusy) continue;
      await this.verifier.pause();
      onProgress({ ...this.verifier.counts, target: top });
    }
    this.#checkReversible();
    // By the producers of the whole chain, of which nothing was known before.
    checkVoteRecord(this.#rows, this.verifier.kit, (key) => this.#isProducer(key));
    const evidence = checkStoredEvidence(this.#rows, this.verifier.kit);
    if (evidence > 0) this.#done = { ...this.#done, evidence };
    await this.verifier.signaturesChecked();
    for (const each of [this.#rows, this.#state, this.#indexReader]) {
      const detail = each?.fileFault();
      if (detail !== undefined) throw this.#fault("database file", detail, { file: each?.file ?? "" });
    }
    onProgress({ ...this.verifier.counts, target: top });
  }

  report(): Report {
    return { ok: true, ...this.verifier.counts, ...this.#done };
  }

  async close(): Promise<void> {
    this.#state?.release();
    for (const each of [this.#rows, this.#state, this.#indexReader]) each?.close();
    await this.verifier.close();
  }

  /** @returns the height up to which the chain is irreversible */
  #checkExtent(): number {
    const { pointer, heights } = this.#rows.extent();
    const height = pointer?.height ?? 0;
    if (heights.count > 0 && heights.lowest !== null && heights.lowest > 1) {
      throw this.#fault("chain row", "the chain does not begin at height 1", { height: heights.lowest });
    }
    const { certificate } = heights;
    if (certificate !== null && certificate > height) {
      const detail = "it is above the irreversible block: its height is wrong, or the blocks it proves are lost";
      throw this.#fault("certificate", detail, { height: certificate, expected: `at most ${height}` });
    }
    // Where the pointer's own checksum is right, it is the chain that is wrong: a row out of place, or one that follows.
    const isIntact = pointer?.isIntact === true;
    if (isIntact && (heights.highest ?? 0) > height) {
      const detail = "it is above the irreversible block, where the chain ends";
      throw this.#fault("chain row", detail, { height: heights.highest ?? 0, expected: `at most ${height}` });
    }
    if (pointer !== undefined && height > 0) {
      const row = this.#rows.blockAt(height);
      if (row === undefined || (row.id !== pointer.id && !isIntact)) {
        throw this.#fault("irreversible pointer", "the chain has another block at its height", {
          height,
          expected: row === undefined ? `no block; the chain ends at height ${heights.highest ?? 0}` : row.id,
          found: pointer.id,
        });
      }
    }
    if ((heights.highest ?? 0) !== height) {
      throw this.#fault("irreversible pointer", "the chain does not end there", {
        height,
        expected: `${heights.highest ?? 0}`,
        found: `${height}`,
      });
    }
    for (const [name, derived] of [
      ["state.db", this.#stateHeight],
      ["index.db", this.#index?.height],
    ] as const) {
      if (derived === undefined || derived <= height) continue;
      throw this.#fault(name === "state.db" ? "state" : "index", `${name} says a height above the chain's`, {
        ...(name === "state.db" ? { file: this.#state?.file ?? name } : { file: this.#indexReader?.file ?? name }),
        expected: `at most ${height}`,
        found: `${derived}`,
      });
    }
    return height;
  }

  #checkHeight(height: number): void {
    const { verifier } = this;
    const row = this.#rowAt(height);
    const block = this.#checked(row, () => this.#idByOthers(height));
    verifier.add(block);
    this.#checkCertificate(height, block.id);
    this.#checkPointer(height);
    const receipts = verifier.execute();
    if (this.#index !== undefined && height <= this.#index.height) this.#index.addBlock(height, block.transactionIds);
    if (this.#state !== undefined && this.#stateHeight !== undefined && height <= this.#stateHeight) {
      checkReceipts(this.#state, height, block.id, receipts);
    }
  }

  #checked(row: AsStored<StoredBlock>, wanted: () => string | undefined = () => undefined): Block {
    return checkedBlock(row, { file: this.#rows.file, chainId: this.verifier.genesis.chainId, wanted });
  }

  #rowAt(height: number): AsStored<StoredBlock> {
    const row = this.#rows.blockAt(height);
    if (row === undefined) throw this.#fault("chain row", "no block is stored for it", { height });
    const header = headerMessage.decode(row.header);
    if (row.height === height || (header.ok && header.value.height === height)) return row;
    throw this.#fault("chain row", "it names a block of another height", {
      height,
      id: row.id,
      expected: `${height}`,
      found: `${row.height}`,
    });
  }

  /** What the block above, or the pointer, calls the block at a height. */
  #idByOthers(height: number): string | undefined {
    const above = this.#rows.blockAt(height + 1);
    const header = above && headerMessage.decode(above.header);
    if (header?.ok === true) return header.value.parent;
    const pointer = this.#rows.pointer();
    return pointer?.height === height ? pointer.id : undefined;
  }

  #checkCertificate(height: number, id: string): void {
    const certificate = this.#certificateAt(height);
    if (certificate === undefined) return;
    const { file } = this.#rows;
    if (certificate.height < height) {
      throw this.#fault("certificate", "the chain has no block at its height", { height: certificate.height });
    }
    if (certificate.id !== id) {
      const detail = "its row names another block than the chain has at its height";
      throw this.#fault("certificate", detail, { height, expected: id, found: certificate.id });
    }
    this.verifier.addCertificate(certificate.certificate, { file });
    if (!certificate.isIntact) {
      throw this.#fault("certificate", "its row's checksum is wrong, though all it covers is right", { height, id });
    }
  }

  /** The next certificate that is not above a height. */
  #certificateAt(height: number): AsStored<StoredCertificate> | undefined {
    if (this.#certificates.length === 0) {
      this.#certificates = this.#rows.certificates(this.#nextCertificate, CERTIFICATES_AT_ONCE);
      if (this.#certificates.length === 0) this.#nextCertificate = height + 1;
    }
    const first = this.#certificates[0];
    if (first === undefined || first.height > height) return undefined;
    this.#nextCertificate = first.height + 1;
    return this.#certificates.shift();
  }

  /** The irreversible pointer, when it is at this height now. */
  #checkPointer(height: number): void {
    const pointer = this.#rows.pointer();
    if (pointer?.height !== height) return;
    const { id, header } = this.verifier.block;
    const fail = (kind: FaultKind, detail: string, rest: Partial<Fault> = {}): never => {
      throw this.#fault(kind, detail, { height, id, ...rest });
    };
    if (pointer.id !== id) fail("irreversible pointer", "it names another block", { expected: id, found: pointer.id });
    const frontier = encodeFrontier(this.verifier.frontier);
    if (!equalBytes(pointer.frontier, frontier)) {
      const values = { expected: toHex(frontier), found: toHex(pointer.frontier) };
      fail("frontier", "it is not the one of the history tree up to the irreversible block", values);
    }
    if (pointer.certificate.length > 0) {
      this.verifier.addCertificate(pointer.certificate, { kind: "irreversible pointer", file: this.#rows.file });
    }
    if (!pointer.isIntact) fail("irreversible pointer", "its checksum is wrong, though all it covers is right");
    if (header.height !== height) throw new Error("the block added last is the one at hand");
  }

  async #atHeight(height: number): Promise<void> {
    if (this.#index !== undefined && height === this.#index.height) {
      this.#index.compare((at) => this.#idsAt(at));
      this.#done = { ...this.#done, indexHeight: height, indexEntries: this.#index.entries };
    }
    const state = this.#state;
    if (state === undefined || height !== this.#stateHeight) return;
    await this.verifier.reexecution.settled();
    if (!this.#stateIsHeld) {
      // A running node has gone on: from here on its state stands still for this reader, until it is compared.
      this.#stateIsHeld = true;
      this.#stateHeight = state.hold()?.height;
      if (this.#stateHeight !== height) return;
    }
    const { id } = this.verifier.block;
    const applied = state.applied();
    if (applied?.id !== id) {
      const values = { expected: id, ...(applied === undefined ? {} : { found: applied.id }) };
      throw this.#fault("state", "it says that it is of another block", { file: state.file, height, ...values });
    }
    const expected = this.verifier.reexecution.openState();
    let stateRows: number;
    try {
      stateRows = compareState(state, height, expected);
    } finally {
      expected.close();
    }
    state.release();
    this.#stateHeight = undefined;
    this.#done = { ...this.#done, stateHeight: height, stateRows };
  }

  #idsAt(height: number): Uint8Array | undefined {
    const row = this.#rows.blockAt(height);
    return row && this.#checked(row).transactionIds;
  }

  /** Blocks above the irreversible one: each by itself and its signatures; which of them execute, the node finds out. */
  #checkReversible(): void {
    let reversible = 0;
    for (const { height, row } of this.#rows.reversible()) {
      if (row === undefined || row.height !== height) {
        const detail = "the list of reversible blocks names a block that is not stored at that height";
        throw this.#fault("block row", detail, { height, ...(row === undefined ? {} : { id: row.id }) });
      }
      const block = this.#checked(row);
      this.verifier.addSignatures(block, true);
      for (const key of block.nextConfiguration?.producers ?? []) this.#proposed.add(key);
      reversible++;
    }
    this.#done = { ...this.#done, reversible };
  }

  #isProducer(key: string): boolean {
    return this.verifier.isProducer(key) || this.#proposed.has(key);
  }

  #fault(kind: FaultKind, detail: string, rest: Partial<Fault>): FaultFound {
    return new FaultFound({ kind, detail, file: this.#rows.file, ...rest });
  }
}
