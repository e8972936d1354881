/** Chains, directories and opened stores for the storage tests. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createChainDatabase } from "../../../src/node/storage/chainSchema.ts";
import { ChainStore } from "../../../src/node/storage/chainStore.ts";
import { DerivedStore } from "../../../src/node/storage/derivedStore.ts";
import type { CommitReport, StorageError, StoredBlock, StoredIrreversible } from "../../../src/node/storage/types.ts";

export const CHAIN_ID = "ab".repeat(32);
export const FIRST_RECORD = Buffer.from("record:0");

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), "cairn-storage-"));
}

export function removeDirectory(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}

export function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** The block of a branch at a height: same arguments, same bytes. Height 0 is common to all branches. */
export function block(height: number, branch = "main", bodyBytes = 100, forkHeight = 0): StoredBlock {
  return {
    height,
    id: blockId(height, branch, forkHeight),
    parent: height === 0 ? "00".repeat(32) : blockId(height - 1, branch, forkHeight),
    header: Buffer.from(`header ${height} ${branch}`),
    signature: Buffer.from(`signature ${height}`.padEnd(64)),
    body: Buffer.alloc(bodyBytes, `body ${height} ${branch};`),
  };
}

/** A branch leaves "main" above its fork height. */
export function blockId(height: number, branch = "main", forkHeight = 0): string {
  return hash(`${height} ${height <= forkHeight ? "main" : branch}`);
}

export function irreversible(height: number): StoredIrreversible {
  return {
    height,
    id: blockId(height),
    certificate: Buffer.from(height === 0 ? "" : `certificate ${height}`),
    frontier: Buffer.from(`frontier ${height}`),
  };
}

/** DIR with a chain.db that holds genesis and the first record. */
export function makeChain(): string {
  const dir = temporaryDirectory();
  const start = { chainId: CHAIN_ID, record: FIRST_RECORD, blocks: [block(0)], irreversible: irreversible(0) };
  createChainDatabase(dir, start);
  return dir;
}

/** Events that can be awaited. */
class Milestones {
  #reached = -1;
  #waiting: { readonly at: number; readonly resolve: () => void }[] = [];

  get reached(): number {
    return this.#reached;
  }

  reach(at: number): void {
    this.#reached = at;
    const due = this.#waiting.filter((waiter) => waiter.at <= at);
    this.#waiting = this.#waiting.filter((waiter) => waiter.at > at);
    for (const waiter of due) waiter.resolve();
  }

  wait(at: number): Promise<void> {
    if (at <= this.#reached) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ at, resolve }));
  }
}

export interface Failure {
  readonly error: StorageError;
  readonly retrying: boolean;
}

/** What a store under test told, in order. */
export class Told {
  readonly tokens: number[] = [];
  readonly commits: CommitReport[] = [];
  readonly failures: Failure[] = [];
  readonly #milestones = new Milestones();
  #onIndexLoss: ((error: StorageError) => void) | undefined;
  #onFailure: ((failure: Failure) => void) | undefined;

  done(token: number): void {
    this.tokens.push(token);
    this.#milestones.reach(token);
  }

  /** Resolves when this token or height, or a later one, was reported. */
  until(token: number): Promise<void> {
    return this.#milestones.wait(token);
  }

  get reached(): number {
    return this.#milestones.reached;
  }

  failed(error: StorageError, retrying: boolean): void {
    this.failures.push({ error, retrying });
    this.#onFailure?.({ error, retrying });
  }

  indexLost(error: StorageError): void {
    this.#onIndexLoss?.(error);
  }

  nextIndexLoss(): Promise<StorageError> {
    return new Promise((resolve) => (this.#onIndexLoss = resolve));
  }

  nextFailure(): Promise<Failure> {
    return new Promise((resolve) => (this.#onFailure = resolve));
  }
}

export async function openChain(dir: string, chainId?: string): Promise<{ store: ChainStore; told: Told }> {
  const told = new Told();
  const events = {
    onPersisted: (token: number) => told.done(token),
    onError: (error: StorageError, retrying: boolean) => told.failed(error, retrying),
    onCommit: (report: CommitReport) => void told.commits.push(report),
  };
  const store = await ChainStore.open(dir, events, chainId === undefined ? {} : { chainId });
  return { store, told };
}

export interface DerivedTestOptions {
  readonly index?: boolean;
  readonly chainId?: string;
}

export async function openDerived(
  dir: string,
  options: DerivedTestOptions = {},
): Promise<{ store: DerivedStore; told: Told }> {
  const told = new Told();
  const events = {
    onApplied: (height: number) => told.done(height),
    onError: (error: StorageError, retrying: boolean) => told.failed(error, retrying),
    onCommit: (report: CommitReport) => void told.commits.push(report),
    onIndexLost: (error: StorageError) => told.indexLost(error),
  };
  const store = await DerivedStore.open(dir, events, {
    chainId: options.chainId ?? CHAIN_ID,
    index: options.index ?? true,
  });
  return { store, told };
}
