/**
 * Executing one block, transaction by transaction, so that it can be done in slices: the same steps validate a block
 * that was received and build one that is produced. Transaction rules: DESIGN section 8.
 */
import { toHex } from "../src/base/bytes.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import { type Application, type ExecutionContext, type ProposalRefusal, TransactionFailed } from "./application.ts";
import { type ByteList, encodeList } from "./byteList.ts";
import { type Configuration, makeConfiguration } from "./configuration.ts";
import type { DuplicateWindow } from "./duplicateWindow.ts";
import { BudgetedState } from "./executionBudget.ts";
import type { ChainLimits, EngineName } from "./genesis.ts";
import { leafHash, leafHashesOf, rootOfEqualLeaves, rootOfLeafHashes } from "./merkle.ts";
import { type ChangeRules, executeProducerChange, isProducerChange, recordChange } from "./producerChange.ts";
import type { ProducerSets } from "./producerSets.ts";
import { type BlockUndo, nextStateHash, type State, StateReadError } from "./state.ts";
import { decodeTransaction } from "./transaction.ts";

/** Why a transaction may not be in the block at hand. */
export interface TransactionRefusal {
  readonly code:
    | "TRANSACTION_UNDECODABLE"
    | "TRANSACTION_TOO_LARGE"
    | "TRANSACTION_EXPIRED"
    | "EXPIRES_TOO_LATE"
    | "DUPLICATE"
    | "DUPLICATE_WINDOW_FULL"
    | "AUTHOR_MISSING"
    | "BUDGET_EXCEEDED"
    | "TRANSACTION_FAILED";
  readonly detail: string;
}

/** What executing needs, whichever block it is. */
export interface ExecutionSetting {
  readonly application: Application;
  readonly engine: EngineName;
  readonly limits: ChainLimits;
  readonly state: State;
  /** Ids of the recent transactions of the executed branch. */
  readonly duplicates: DuplicateWindow;
}

/** The block's place, known before its transactions are. */
export interface BlockPlace {
  readonly height: number;
  readonly time: number;
  readonly view: number;
  /** Those that judge it. */
  readonly sets: ProducerSets;
}

export interface ExecutionOutcome {
  readonly undo: BlockUndo;
  readonly receipts: ByteList;
  readonly receiptRoot: string;
  readonly stateHash: string;
  /** The producer set that the block proposes: what its header and its body must say. */
  readonly proposed: Configuration | undefined;
}

export class BlockExecution {
  readonly #setting: ExecutionSetting;
  readonly #place: BlockPlace;
  readonly #receipts: Uint8Array[] = [];
  /** All receipts are one and the same, as most applications' receipts of what succeeds are. */
  #isUniform = true;
  readonly #access: BudgetedState;
  readonly #context: ExecutionContext;
  readonly #changeRules: ChangeRules;
  /** Of the transactions that were applied, and of the one at hand. */
  #proposed: Configuration | undefined;
  #proposing: Configuration | undefined;
  #windowCount: number;

  constructor(setting: ExecutionSetting, place: BlockPlace) {
    this.#setting = setting;
    this.#place = place;
    this.#access = new BudgetedState(setting.state, setting.limits);
    const { height, time, view, sets } = place;
    const propose = (keys: readonly string[]): Result<undefined, ProposalRefusal> => this.#propose(keys);
    this.#context = { height, time, view, producers: sets.current, proposeProducers: propose };
    this.#changeRules = { engine: setting.engine, approval: setting.limits.producerApproval };
    this.#windowCount = setting.duplicates.countSince(place.time - setting.limits.expiryAheadMs);
    setting.state.beginBlock(place.height);
    setting.duplicates.beginBlock(place.height, place.time);
  }

  get count(): number {
    return this.#receipts.length;
  }

  /** Executes one transaction. Refused, it leaves no trace. `ids[offset, offset + 32)` is its id. */
  apply(bytes: Uint8Array, ids: Uint8Array, offset: number): Result<undefined, TransactionRefusal> {
    const { application, state, duplicates } = this.#setting;
    const decoded = decodeTransaction(bytes);
    if (!decoded.ok) return refuse("TRANSACTION_UNDECODABLE", "");
    const transaction = decoded.value;
    const refusal = this.#refusalOf(bytes.length, transaction.expiresAt, transaction.author);
    if (refusal !== undefined) return refusal;
    if (!duplicates.add(ids, offset)) return refuse("DUPLICATE", toHex(ids.subarray(offset, offset + 32)));
    const access = this.#access;
    access.beginTransaction();
    this.#proposing = undefined;
    let receipt: Uint8Array;
    try {
      receipt = isProducerChange(transaction.payload)
        ? executeProducerChange(transaction.payload, state, this.#context, this.#changeRules)
        : application.execute(transaction.payload, access, this.#context);
    } catch (error) {
      state.rollbackTransaction();
      duplicates.removeLast();
      // The disk's failures are this node's; whatever else is thrown is the transaction's, the same on every node.
      if (error instanceof StateReadError) throw error;
      if (access.exceeded !== undefined) return refuse("BUDGET_EXCEEDED", access.exceeded);
      return refuse("TRANSACTION_FAILED", failureText(error));
    }
    // The application may have caught what it was told.
    if (access.exceeded !== undefined) {
      state.rollbackTransaction();
      duplicates.removeLast();
      return refuse("BUDGET_EXCEEDED", access.exceeded);
    }
    if (this.#proposing !== undefined) recordChange(state, transaction.payload, this.#proposing);
    state.commitTransaction();
    this.#proposed ??= this.#proposing;
    if (this.#receipts.length > 0 && receipt !== this.#receipts[0]) this.#isUniform = false;
    this.#receipts.push(receipt);
    this.#windowCount++;
    return ok(undefined);
  }

  /** @param parentStateHash of the parent's header */
  finish(parentStateHash: string): ExecutionOutcome {
    const { undo, digest } = this.#setting.state.endBlock();
    const [first] = this.#receipts;
    const receipts = encodeList(this.#receipts);
    const root =
      first !== undefined && this.#isUniform
        ? rootOfEqualLeaves(leafHash(first), this.#receipts.length)
        : rootOfLeafHashes(leafHashesOf(receipts.buffer, receipts.offsets));
    return {
      undo,
      receipts,
      receiptRoot: toHex(root),
      stateHash: nextStateHash(parentStateHash, digest),
      proposed: this.#proposed,
    };
  }

  abort(): void {
    this.#setting.state.abortBlock();
    this.#setting.duplicates.pop();
  }

  #propose(keys: readonly string[]): Result<undefined, ProposalRefusal> {
    const { current, next } = this.#place.sets;
    if (next !== undefined) return noProposal("CHANGE_UNDER_WAY", `since block ${next.height}`);
    if (this.#proposed !== undefined) return noProposal("CHANGE_UNDER_WAY", "by an earlier transaction of the block");
    let configuration: Configuration;
    try {
      configuration = makeConfiguration([...keys]);
    } catch (error) {
      return noProposal("NO_PRODUCER_SET", (error as Error).message);
    }
    if (configuration.hash === current.hash) return noProposal("NO_CHANGE", "");
    this.#proposing = configuration;
    return ok(undefined);
  }

  #refusalOf(
    length: number,
    expiresAt: number,
    author: string | undefined,
  ): Result<undefined, TransactionRefusal> | undefined {
    const { limits } = this.#setting;
    const { time } = this.#place;
    if (length > limits.transactionBytes) return refuse("TRANSACTION_TOO_LARGE", `${length} bytes`);
    if (expiresAt < time) return refuse("TRANSACTION_EXPIRED", `expired at ${expiresAt}, block time ${time}`);
    if (expiresAt > time + limits.expiryAheadMs) {
      return refuse("EXPIRES_TOO_LATE", `expires at ${expiresAt}, block time ${time}`);
    }
    if (limits.signaturesRequired && author === undefined) return refuse("AUTHOR_MISSING", "");
    if (this.#windowCount >= limits.duplicateWindowCount) return refuse("DUPLICATE_WINDOW_FULL", "");
    return undefined;
  }
}

/** The same words on every node: stacks and values differ, names and messages of a deterministic throw do not. */
function failureText(error: unknown): string {
  if (error instanceof TransactionFailed) return `${error.code}: ${error.message}`;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function noProposal(code: ProposalRefusal["code"], detail: string): Result<undefined, ProposalRefusal> {
  return err({ code, detail });
}

function refuse(code: TransactionRefusal["code"], detail: string): Result<undefined, TransactionRefusal> {
  return err({ code, detail });
}
