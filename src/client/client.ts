/**
 * A client of a Cairn chain: several nodes, one truth.
 *
 *     import { CairnClient } from "cairn/client";
 *
 *     const client = new CairnClient(["http://127.0.0.1:26601", "http://127.0.0.1:26611"]);
 *     const outcome = await client.submit({ put: { key: "greeting", value: "hello" } });
 *     console.log(outcome.status); // "irreversible"
 *     console.log((await client.kvGet("greeting"))?.text); // "hello"
 *     for await (const block of client.stream({ from: 1 })) {
 *       console.log(block.height, block.id);
 *       if (block.height === outcome.height) break;
 *     }
 *
 * Everything it throws is a {@link ClientError}. Web platform APIs only.
 */
import {
  type GenesisAnswer,
  isGenesis,
  isPeers,
  isProducers,
  isRoutes,
  isStatus,
  type NodeStatus,
  type Peers,
  type Producers,
  type Routes,
} from "./answers.ts";
import { type BlockAnswer, type BlockPage, isBlock, isBlockPage } from "./blocks.ts";
import { Caller } from "./caller.ts";
import { ClientError } from "./errors.ts";
import { type KvGetOptions, type KvRangeOptions, kvGet, kvRange, type KvValue } from "./kv.ts";
import type { KvRange } from "./answers.ts";
import { Nodes } from "./nodes.ts";
import type { Outcome, Unknown, WaitFor } from "./outcome.ts";
import { type Platform, WEB } from "./platform.ts";
import { read, type ReadOptions, shaped } from "./reads.ts";
import { streamBlocks, type StreamOptions } from "./stream.ts";
import { submitBatches, submitOne } from "./submitting.ts";
import { type BytesJson, prepareTransaction, type PreparedTransaction, type TransactionInput } from "./transactions.ts";
import { findTransaction, type TransactionState } from "./transactionState.ts";
import { bytesOf, changesOf, type KvChange } from "./watch.ts";
import { toBase64Url } from "../base/base64url.ts";

export interface ClientOptions {
  /** Bearer token of the nodes, for submitting. */
  readonly token?: string | undefined;
  /** In place of the web platform's own, for tests and for environments without it. */
  readonly platform?: Partial<Platform>;
}

export interface SubmitOptions {
  /** How much has to be known. Default: `irreversible`. */
  readonly wait?: WaitFor;
  /** Then it is told that the outcome is unknown. Default: 60,000. */
  readonly timeoutMs?: number;
  /** A new transaction expires so long from now; at most what the genesis allows. Default: 30,000. */
  readonly expiresInMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface WatchOptions extends Omit<StreamOptions, "topic"> {}

const EXPIRES_IN_MS = 30_000;

export class CairnClient {
  readonly #caller: Caller;

  /**
   * @param urls of one or several nodes of one chain, such as `http://127.0.0.1:26601`
   * @throws ClientError INVALID_ARGUMENT
   */
  constructor(urls: string | readonly string[], { token, platform }: ClientOptions = {}) {
    const whole = { ...WEB, ...platform };
    this.#caller = new Caller(new Nodes(typeof urls === "string" ? [urls] : urls, whole), token, whole);
  }

  /** What a node says of itself. */
  status(options: ReadOptions = {}): Promise<NodeStatus> {
    return read("/v1/status", options, this.#caller, shaped(isStatus));
  }

  /** Whom a node is connected to. */
  peers(options: ReadOptions = {}): Promise<Peers> {
    return read("/v1/peers", options, this.#caller, shaped(isPeers));
  }

  /** Ways to the other producers. */
  routes(options: ReadOptions = {}): Promise<Routes> {
    return read("/v1/routes", options, this.#caller, shaped(isRoutes));
  }

  /** The set of producers, and a change of it that is under way. */
  producers(options: ReadOptions = {}): Promise<Producers> {
    return read("/v1/producers", options, this.#caller, shaped(isProducers));
  }

  /** The chain's genesis file. */
  genesis(options: ReadOptions = {}): Promise<GenesisAnswer> {
    return read("/v1/genesis", options, this.#caller, shaped(isGenesis));
  }

  /** A block by its height, its id or at least 8 digits of it, `head` or `irreversible`. Undefined: the node has none. */
  block(ref: number | string, options: ReadOptions = {}): Promise<BlockAnswer | undefined> {
    const path = `/v1/blocks/${encodeURIComponent(String(ref))}`;
    return read<BlockAnswer | undefined>(path, options, this.#caller, shaped(isBlock), ({ refusal }) =>
      refusal.code === "BLOCK_NOT_FOUND" ? { kind: "value", value: undefined } : undefined,
    );
  }

  /** Blocks of the best chain from a height upwards: 1 to 100 of them. */
  blocks(
    from: number,
    limit: number,
    options: ReadOptions & { readonly transactions?: boolean } = {},
  ): Promise<BlockPage> {
    const path = `/v1/blocks?from=${from}&limit=${limit}&transactions=${options.transactions ?? true}`;
    return read(path, options, this.#caller, shaped(isBlockPage));
  }

  /** What is known of a transaction: the nodes are asked one by one until one has it. */
  async transaction(id: string, options: ReadOptions = {}): Promise<TransactionState> {
    if (!/^[0-9a-f]{64}$/.test(id)) {
      throw new ClientError("INVALID_ARGUMENT", `${id}: a transaction's id is 64 lower-case hex digits`);
    }
    return findTransaction(id, options, this.#caller);
  }

  /** A key's value; undefined when there is no such key. */
  kvGet(key: BytesJson, options: KvGetOptions = {}): Promise<KvValue | undefined> {
    return kvGet(key, options, this.#caller);
  }

  /** Entries whose keys begin with a prefix, in key order. */
  kvRange(prefix: BytesJson, options: KvRangeOptions = {}): Promise<KvRange> {
    return kvRange(prefix, options, this.#caller);
  }

  /** Posts without a body, for what has the same effect once and twice; the answer is of unknown shape. */
  post(path: string, options: ReadOptions = {}): Promise<unknown> {
    return read<unknown>(path, { ...options, method: "POST" }, this.#caller, (value) => ({ kind: "value", value }));
  }

  /**
   * The JSON of an endpoint that there is no method for; of unknown shape, unless `isShape` says which: then an answer of
   * another one is taken for none, and the next node is asked.
   */
  get(path: string, options?: ReadOptions): Promise<unknown>;
  get<T>(path: string, options: ReadOptions, isShape: (value: unknown) => value is T): Promise<T>;
  get(
    path: string,
    options: ReadOptions = {},
    isShape: (value: unknown) => value is unknown = (value): value is unknown => value !== undefined,
  ): Promise<unknown> {
    return read(path, options, this.#caller, shaped(isShape));
  }

  /** Encodes a transaction, so that its id is known before it is sent. Nonce and expiry are chosen here, once. */
  prepare(input: TransactionInput, { expiresInMs = EXPIRES_IN_MS }: Pick<SubmitOptions, "expiresInMs"> = {}) {
    return prepareTransaction(input, expiresInMs, this.#caller.platform);
  }

  /**
   * Submits a transaction and tells what became of it, once that is certain; it may be submitted again with the same
   * result. Throws ClientError: OUTCOME_UNKNOWN or ABORTED with its `id`, REFUSED for a request that no node was asked
   * again for (such as one without a token), INVALID_ARGUMENT.
   */
  async submit(input: TransactionInput | PreparedTransaction, options: SubmitOptions = {}): Promise<Outcome> {
    return submitOne(this.#prepared(input, options), options, this.#caller);
  }

  /**
   * Submits any number of transactions, each for itself, and gives their outcomes in order. Does not reject once
   * something was sent: what is not certain by the deadline, or when the signal aborts, has the status `unknown`.
   */
  async submitMany(
    inputs: Iterable<TransactionInput | PreparedTransaction>,
    options: SubmitOptions = {},
  ): Promise<(Outcome | Unknown)[]> {
    const prepared = Array.from(inputs, (input) => this.#prepared(input, options));
    return submitBatches(prepared, options, this.#caller);
  }

  #prepared(input: TransactionInput | PreparedTransaction, options: SubmitOptions): PreparedTransaction {
    if (typeof input !== "object" || input === null)
      throw new ClientError("INVALID_ARGUMENT", "a transaction is an object, a list of operations or encoded bytes");
    return "bytes" in input && "id" in input ? input : this.prepare(input as TransactionInput, options);
  }

  /**
   * Irreversible blocks in order, without gaps and doubles, for as long as they are asked for. A node that dies is
   * replaced by the next. Blocks are read as they are consumed.
   */
  async *stream(options: StreamOptions = {}): AsyncGenerator<BlockAnswer, void, undefined> {
    yield* streamBlocks(options.from ?? (await this.#next(options)), options, this.#caller);
  }

  /** Changes of keys that begin with a prefix, in the order of the chain, each once it is irreversible. */
  async *watch(prefix: BytesJson, options: WatchOptions = {}): AsyncGenerator<KvChange, void, undefined> {
    const bytes = bytesOf(prefix);
    const topic = bytes.length === 0 ? {} : { topic: toBase64Url(bytes) };
    for await (const block of this.stream({ ...options, ...topic })) yield* changesOf(block, bytes);
  }

  async #next({ signal, giveUpMs }: StreamOptions): Promise<number> {
    const timeout = giveUpMs === undefined ? {} : { timeoutMs: giveUpMs };
    return (await this.status({ signal, ...timeout })).irreversible.height + 1;
  }
}
