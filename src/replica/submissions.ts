/**
 * Transactions of submitters and of other nodes: admission, forwarding to the leader, and what submitters are told
 * (docs/protocol.md, section 4, "Transactions").
 */
import { toHex } from "../base/bytes.ts";
import type { PeerKey } from "../base/key.ts";
import type { Application } from "../../chain/application.ts";
import { type ByteList, elementAt, encodeList } from "../../chain/byteList.ts";
import type { TransactionRefusal } from "../../chain/execution.ts";
import { ancestorAt, type BlockNode } from "../../chain/forkDatabase.ts";
import type { ChainLimits, EngineName } from "../../chain/genesis.ts";
import type { Ledger } from "../../chain/ledger.ts";
import {
  CHANGE_REFUSALS,
  isProducerChange,
  judgeProducerChange,
  PRODUCER_SET_KEY,
  readProducerSetRecord,
} from "../../chain/producerChange.ts";
import { decodeTransaction, transactionId } from "../../chain/transaction.ts";
import { FORWARD_AGAIN_MS, FORWARD_BYTES } from "../../consensus/constants.ts";
import type { LocalOutcome, Mempool, PoolEntry } from "../../consensus/mempool/mempool.ts";
import { encodeTransactionForward, type TransactionResult, type TransactionResults } from "../../consensus/messages.ts";
import { ADMISSION_SLACK_MS } from "./constants.ts";
import type { SubmitAnswer, TransactionOutcome } from "./types.ts";

/** What submissions need of the replica. */
export interface SubmissionHost {
  readonly self: PeerKey;
  readonly ledger: Ledger;
  readonly mempool: Mempool;
  readonly application: Application;
  readonly engine: EngineName;
  readonly limits: ChainLimits;
  now(): number;
  view(): number;
  leader(): PeerKey | undefined;
  /** All other producers, where the engine lets them watch over the leader; none elsewhere. */
  others(): readonly PeerKey[];
  /** Is there a way to this node now? */
  reaches(to: PeerKey): boolean;
  /** @returns false when there is no way to it now */
  unicast(to: PeerKey, payload: Uint8Array): boolean;
  /** Signs and sends what this leader refused. */
  answer(submitter: PeerKey, view: number, results: readonly TransactionResult[]): void;
  tell(outcomes: readonly TransactionOutcome[]): void;
}

export interface Refusal {
  readonly entry: PoolEntry;
  readonly refusal: TransactionRefusal;
}

interface HeldRefusal extends Refusal {
  /** The block on whose state it was refused. */
  readonly on: BlockNode;
}

/** Bytes of forwarded transactions that the links have not taken yet at most: half of what the lane's queue holds. */
export const FORWARD_BUDGET_BYTES = 8 * 1024 * 1024;

/** Results in one message at most. */
const RESULTS_MAX = 1_000;

export class Submissions {
  readonly #host: SubmissionHost;
  /** Submitted here and not yet forwarded to the present leader. */
  readonly #unforwarded = new Map<string, PoolEntry>();
  /** Waiting for their verdict to be final, in order of the blocks' heights. */
  #refusals: HeldRefusal[] = [];
  #forwardAgainAt = Number.POSITIVE_INFINITY;
  /** View and leader to whom everything was forwarded last. */
  #forwardedIn: { readonly view: number; readonly leader: PeerKey } | undefined;
  /** What may still be handed to the links. */
  #budgetBytes = FORWARD_BUDGET_BYTES;
  /** Where the engine lets all watch: the view when it was looked at last. */
  #viewSeen = 0;
  /** Was there no way to the leader when it was looked at last? */
  #isLost = false;
  /**
   * Forwarded by {@link #watchedSince}, ms. The leader takes what comes from one node in order: what is forwarded later and
   * in a block before these tells that they were lost, or found no room.
   */
  readonly #watched = new Set<PoolEntry>();
  #watchedSince = 0;
  /** Was this node the leader when it was asked last? */
  #led = false;

  constructor(host: SubmissionHost) {
    this.#host = host;
  }

  get deadline(): number {
    return this.#forwardAgainAt;
  }

  /** @param isAwaited does somebody wait for what becomes of them? */
  submit(transactions: readonly Uint8Array[], isAwaited = true): SubmitAnswer[] {
    return transactions.map((bytes) => this.#admit(bytes, isAwaited));
  }

  /** Transactions that another node forwarded. What is refused here is told by the block producer, not now. */
  receiveForward(from: PeerKey, list: ByteList): void {
    for (let i = 0; i < list.count; i++) {
      const bytes = elementAt(list, i);
      const decoded = decodeTransaction(bytes);
      if (!decoded.ok || bytes.length > this.#host.limits.transactionBytes) continue;
      if (!this.#isWorthKeeping(decoded.value.expiresAt)) continue;
      const idBytes = transactionId(bytes);
      const id = toHex(idBytes);
      const { mempool, ledger } = this.#host;
      if (mempool.get(id) !== undefined || ledger.findTransaction(idBytes) !== undefined) continue;
      if (!mempool.hasRoomFor(bytes.length, "forwarded")) continue; // The sender keeps it and sends it again.
      // A copy: the frame it came in is larger, and would be kept alive whole.
      const { expiresAt } = decoded.value;
      mempool.add(
        { id, idBytes, bytes: bytes.slice(), expiresAt, source: from, state: "pending", place: undefined },
        this.#host.now(),
      );
    }
  }

  /** The leader refused transactions of ours. What it said in another view may be true no more. */
  receiveResults(signer: PeerKey, { view, results }: TransactionResults): void {
    if (signer !== this.#host.leader() || view !== this.#host.view()) return;
    for (const { id, outcome, detail } of results) {
      const entry = this.#host.mempool.get(id);
      if (entry?.state === "pending") this.#reject(entry, outcome, detail);
    }
  }

  /**
   * Execution refused these on the state of `on`. A submitter is told when that state is irreversible: until then
   * another leader may build on another one.
   */
  refused(on: BlockNode, refusals: readonly Refusal[]): void {
    for (const { entry, refusal } of refusals) {
      if (refusal.code === "DUPLICATE") this.#alreadyIn(entry);
      else {
        this.#host.mempool.refuse(entry);
        this.#refusals.push({ entry, refusal, on });
      }
    }
    if (on.height <= this.#host.ledger.bottom.height) this.#settleRefusals(on);
  }

  blockApplied(node: BlockNode): void {
    const outcomes = this.#host.mempool.blockApplied(node);
    let isOvertaken = false;
    for (const { entry } of outcomes) if (!this.#watched.delete(entry)) isOvertaken = true;
    if (isOvertaken) this.#forwardOvertaken();
    this.#tell(outcomes);
  }

  /** While more is submitted the time for forwarding all again does not come. */
  #forwardOvertaken(): void {
    if (this.#host.now() < this.#watchedSince + FORWARD_AGAIN_MS) return;
    for (const entry of this.#watched) {
      if (entry.state === "pending" && this.#host.mempool.get(entry.id) === entry)
        this.#unforwarded.set(entry.id, entry);
    }
    this.#watched.clear();
  }

  blockUndone(node: BlockNode): void {
    this.#host.mempool.blockUndone(node, this.#host.now());
    if (this.#host.leader() !== this.#host.self) this.#host.mempool.dropForwarded();
    this.#forwardAllSoon();
  }

  irreversible(node: BlockNode): void {
    this.#tell(this.#host.mempool.irreversible(node));
    this.#settleRefusals(node);
  }

  /** `node` is irreversible: refusals on it are final, those on another block of its height are void. */
  #settleRefusals(node: BlockNode): void {
    const bySource = new Map<PeerKey, TransactionResult[]>();
    const left: HeldRefusal[] = [];
    for (const each of this.#refusals) {
      const { entry, refusal, on } = each;
      if (on.height > node.height) left.push(each);
      else if (entry.state !== "refused" || this.#host.mempool.get(entry.id) !== entry) continue;
      else if (on !== node) this.#reconsider(entry);
      else if (entry.source === undefined) this.#reject(entry, refusal.code, refusal.detail);
      else {
        this.#host.mempool.remove(entry);
        const results = bySource.get(entry.source) ?? [];
        results.push({ id: entry.id, outcome: refusal.code, detail: asciiOf(refusal.detail) });
        bySource.set(entry.source, results);
      }
    }
    this.#refusals = left;
    for (const [source, results] of bySource) {
      for (let at = 0; at < results.length; at += RESULTS_MAX) {
        this.#host.answer(source, this.#host.view(), results.slice(at, at + RESULTS_MAX));
      }
    }
  }

  /** It waits again, and whoever leads now may not have it. */
  #reconsider(entry: PoolEntry): void {
    this.#host.mempool.reconsider(entry, this.#host.now());
    if (entry.source === undefined) this.#unforwarded.set(entry.id, entry);
  }

  tick(): void {
    if (this.#host.now() < this.#forwardAgainAt) return;
    // What a link that broke had not taken is never told.
    this.#budgetBytes = FORWARD_BUDGET_BYTES;
    this.#forwardAllSoon();
    // The leader did not include them in time.
    if (this.#host.others().length > 0) this.#forwardToAll();
  }

  /** Sends what waits to the leader; all of it, when the leader is a new one. Called at the end of every step. */
  forward(): void {
    const leader = this.#host.leader();
    if (leader !== this.#host.self && this.#led) this.#host.mempool.dropForwarded();
    this.#led = leader === this.#host.self;
    this.#viewChanged();
    if (leader === undefined) return this.#forwardAllLater();
    // A view later even the same leader may have dropped what it was given before.
    const view = this.#host.view();
    if (view !== this.#forwardedIn?.view || leader !== this.#forwardedIn.leader) {
      this.#forwardedIn = { view, leader };
      // It may have been this node that found them too old; whether they are is the new leader's to find, and to prove.
      this.#host.mempool.reconsiderDoomed(this.#host.now());
      this.#forwardAllSoon();
    }
    const isLost = leader !== this.#host.self && !this.#host.reaches(leader);
    // What was on the way is lost with it, and what came since could not go.
    if (isLost !== this.#isLost) this.#forwardAllSoon();
    this.#isLost = isLost;
    if (this.#unforwarded.size === 0) return;
    if (leader === this.#host.self) {
      this.#unforwarded.clear();
      this.#watched.clear();
    } else if (!isLost) this.#forwardTo(leader);
    // A leader that others watch may be dead.
    else if (this.#host.others().length > 0) this.#forwardToAll();
  }

  /** What there is not room for goes when it is forwarded again. */
  #forwardToAll(): void {
    for (const producer of this.#host.others()) this.#send(producer, this.#unforwarded.values());
    this.#unforwarded.clear();
    this.#forwardAgainAt = this.#host.now() + FORWARD_AGAIN_MS;
  }

  #send(to: PeerKey, entries: Iterable<PoolEntry>): void {
    const batch: Uint8Array[] = [];
    let batchBytes = 0;
    for (const { state, bytes } of entries) {
      if (state !== "pending" || batchBytes + bytes.length > FORWARD_BYTES) continue;
      batch.push(bytes);
      batchBytes += bytes.length;
    }
    if (batch.length > 0) this.#host.unicast(to, encodeTransactionForward(encodeList(batch)));
  }

  #forwardTo(leader: PeerKey): void {
    let batch: Uint8Array[] = [];
    let batchBytes = 0;
    const flush = (): boolean => {
      if (batch.length === 0) return true;
      const payload = encodeTransactionForward(encodeList(batch));
      if (!this.#host.unicast(leader, payload)) return false;
      this.#budgetBytes -= payload.length;
      return true;
    };
    for (const [id, entry] of this.#unforwarded) {
      // The rest stays in the pool, which is full at some time: its submitters are told so.
      if (this.#budgetBytes <= batchBytes) break;
      if (entry.state === "pending") {
        if (batchBytes + entry.bytes.length > FORWARD_BYTES) {
          if (!flush()) break;
          batch = [];
          batchBytes = 0;
        }
        batch.push(entry.bytes);
        batchBytes += entry.bytes.length;
      }
      this.#unforwarded.delete(id);
    }
    flush();
    this.#forwardAgainAt = this.#host.now() + FORWARD_AGAIN_MS;
    if (this.#watched.size > 0) return;
    for (const entry of this.#host.mempool.localPending()) this.#watched.add(entry);
    this.#watchedSince = this.#host.now();
  }

  /** A link took bytes of lane `bulk`: the leader's, or that of whoever passes on to it. */
  drained(bytes: number): void {
    this.#budgetBytes = Math.min(FORWARD_BUDGET_BYTES, this.#budgetBytes + bytes);
  }

  /** Who watched a leader has said what it had to: what its submitter still wants it forwards again. */
  #viewChanged(): void {
    const view = this.#host.view();
    if (view === this.#viewSeen || this.#host.others().length === 0) return;
    this.#viewSeen = view;
    if (this.#host.leader() !== this.#host.self) this.#host.mempool.dropForwarded();
  }

  /** Nobody leads as far as is known here; where others watch, they are told in time. */
  #forwardAllLater(): void {
    if (this.#forwardAgainAt !== Number.POSITIVE_INFINITY || this.#host.others().length === 0) return;
    // What was there for this node's own blocks waits for another's now.
    if (this.#host.mempool.localPending().next().done === true) return;
    this.#forwardAgainAt = this.#host.now() + FORWARD_AGAIN_MS;
  }

  #forwardAllSoon(): void {
    this.#forwardAgainAt = Number.POSITIVE_INFINITY;
    for (const entry of this.#host.mempool.localPending()) this.#unforwarded.set(entry.id, entry);
    if (this.#unforwarded.size > 0) this.#forwardAgainAt = this.#host.now() + FORWARD_AGAIN_MS;
  }

  #admit(bytes: Uint8Array, isAwaited: boolean): SubmitAnswer {
    const { mempool, ledger, limits } = this.#host;
    const idBytes = transactionId(bytes);
    const id = toHex(idBytes);
    const known = mempool.get(id);
    if (known !== undefined) return this.#admitKnown(known);
    const place = ledger.findTransaction(idBytes);
    if (place !== undefined && place.height <= ledger.bottom.height) return { status: "inChain", id, place };
    const fault = this.#admissionFault(bytes, isAwaited);
    if (fault !== undefined && place === undefined) return { status: "invalid", id, ...fault };
    if (!mempool.hasRoomFor(bytes.length, "local")) return { status: "full", id };
    const decoded = decodeTransaction(bytes);
    const expiresAt = decoded.ok ? decoded.value.expiresAt : limits.expiryAheadMs;
    const entry: PoolEntry = { id, idBytes, bytes, expiresAt, source: undefined, state: "pending", place: undefined };
    mempool.add(entry, this.#host.now());
    if (place !== undefined) {
      mempool.markIncluded(entry, place);
      return { status: "included", id, place };
    }
    this.#unforwarded.set(id, entry);
    return { status: "accepted", id };
  }

  /** It is under way already: whoever submits it again is told what becomes of it. */
  #admitKnown(entry: PoolEntry): SubmitAnswer {
    if (entry.source !== undefined) {
      entry.source = undefined;
      if (entry.state === "pending") this.#unforwarded.set(entry.id, entry);
    }
    const { id, state, place } = entry;
    return state === "included" && place !== undefined ? { status: "included", id, place } : { status: "accepted", id };
  }

  #admissionFault(
    bytes: Uint8Array,
    isAwaited: boolean,
  ): { readonly code: string; readonly detail: string } | undefined {
    const { limits, application, ledger } = this.#host;
    if (bytes.length > limits.transactionBytes) {
      return { code: "TRANSACTION_TOO_LARGE", detail: `${bytes.length} bytes, at most ${limits.transactionBytes}` };
    }
    const decoded = decodeTransaction(bytes);
    if (!decoded.ok) return { code: "TRANSACTION_UNDECODABLE", detail: "these bytes are not a transaction" };
    const { payload, expiresAt, author } = decoded.value;
    const expiryFault = this.#expiryFault(expiresAt, isAwaited);
    if (expiryFault !== undefined) return expiryFault;
    if (limits.signaturesRequired && author === undefined)
      return { code: "AUTHOR_MISSING", detail: "the genesis requires signatures" };
    const view = {
      get: (key: string) => ledger.read(key, "head"),
      range: (start: string, end: string | undefined, limit: number) => ledger.readRange(start, end, limit, "head"),
    };
    if (isProducerChange(payload)) return this.#changeFault(payload);
    const checked = application.check(payload, view);
    return checked.ok ? undefined : { code: checked.error.code, detail: checked.error.message };
  }

  /** Judged as the next block would. */
  #changeFault(payload: Uint8Array): { readonly code: string; readonly detail: string } | undefined {
    const { ledger, engine, limits } = this.#host;
    const { current, next } = ledger.head.setsAfter;
    const judged = judgeProducerChange(payload, {
      engine,
      approval: limits.producerApproval,
      configuration: current,
      isUnderWay: next !== undefined,
      changes: readProducerSetRecord(ledger.read(PRODUCER_SET_KEY, "head")).changes,
    });
    return judged.ok ? undefined : { code: judged.error, detail: CHANGE_REFUSALS[judged.error] };
  }

  /**
   * What the chain proves expired may have been in it long ago. What is too old by the clock alone is refused where nobody
   * waits. Who waits is told what the chain decides: it may be a second attempt, whose first one is in a block that this node
   * lacks or was lost with a node that died; only a block of a later time tells, and for that the leader has to know of it.
   */
  #expiryFault(expiresAt: number, isAwaited: boolean): { readonly code: string; readonly detail: string } | undefined {
    const { limits, ledger } = this.#host;
    const provenMs = ledger.bottom.block.header.time;
    const now = Math.max(this.#host.now(), provenMs);
    if (expiresAt < (isAwaited ? provenMs : now))
      return { code: "TRANSACTION_EXPIRED", detail: `expiresAt ${expiresAt} is before ${now}` };
    if (expiresAt <= now + limits.expiryAheadMs + ADMISSION_SLACK_MS) return undefined;
    return { code: "EXPIRES_TOO_LATE", detail: `expiresAt is more than ${limits.expiryAheadMs} ms ahead` };
  }

  /**
   * What the chain proves expired its sender learns from the chain. What has expired by the clock alone is kept: its
   * sender is told only when a block proves it, and for that block the leader has to know of it.
   */
  #isWorthKeeping(expiresAt: number): boolean {
    const { limits, ledger } = this.#host;
    const provenMs = ledger.bottom.block.header.time;
    return (
      expiresAt >= provenMs &&
      expiresAt <= Math.max(this.#host.now(), provenMs) + limits.expiryAheadMs + ADMISSION_SLACK_MS
    );
  }

  /** Execution found it in the chain already. */
  #alreadyIn(entry: PoolEntry): void {
    const { ledger, mempool } = this.#host;
    const place = ledger.findTransaction(entry.idBytes);
    if (place === undefined || place.height > ledger.bottom.height) {
      if (place !== undefined) mempool.markIncluded(entry, place);
      return;
    }
    mempool.remove(entry);
    if (entry.source === undefined) {
      this.#host.tell([{ status: "irreversible", id: entry.id, place, receipt: this.#receiptAt(place) }]);
    }
  }

  #receiptAt(place: { readonly height: number; readonly index: number }): Uint8Array {
    const node = ancestorAt(this.#host.ledger.head, place.height);
    return node?.execution ? elementAt(node.execution.receipts, place.index) : NO_RECEIPT;
  }

  #reject(entry: PoolEntry, code: string, detail: string): void {
    this.#host.mempool.remove(entry);
    this.#unforwarded.delete(entry.id);
    if (entry.source === undefined) this.#host.tell([{ status: "rejected", id: entry.id, code, detail }]);
  }

  #tell(outcomes: readonly LocalOutcome[]): void {
    if (outcomes.length === 0) return;
    this.#host.tell(
      outcomes.map(({ entry, status, receipt }) => {
        if (status === "expired") return { status, id: entry.id };
        const place = entry.place as NonNullable<PoolEntry["place"]>;
        return { status, id: entry.id, place, receipt: receipt ?? NO_RECEIPT };
      }),
    );
  }
}

/** Bound of a result's detail on the wire. */
const RESULT_DETAIL_MAX_BYTES = 512;

/** The receipt is not at hand: the block's execution is not in memory any more. */
const NO_RECEIPT = new Uint8Array(0);

/** An application's words as the wire's bound counts them: one byte a character. */
function asciiOf(detail: string): string {
  return detail.replace(/[^\x20-\x7e]/g, "?").slice(0, RESULT_DETAIL_MAX_BYTES);
}
