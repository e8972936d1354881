/** Where inspection reads from: a directory or a running node's HTTP. Both answer in the shapes of the HTTP interface. */
import { blockOfJson, type ReadBlock } from "../../../tools/inspect/blockOfJson.ts";
import type { ExportedBlock } from "../../../tools/inspect/exportChain.ts";
import { fromBase64Url } from "../../base/base64url.ts";
import { isBlock, isBlockPage } from "../../client/blocks.ts";
import type { CairnClient } from "../../client/index.ts";
import { isHeight, isId, isListOf, isObject, isText } from "../../client/shape.ts";
import { ChainDirectory, type VoteRecord } from "../chainDirectory.ts";
import type { BlockView, ForkView } from "../api.ts";
import { blockJson } from "../http/blockJson.ts";
import { CliError, EXIT } from "./error.ts";
import { answerOf, ask, clientOf, errorOf, get, refusal } from "./client.ts";
import { type VoteRecordJson, voteRecordJson } from "./voteRecord.ts";

/** A block as `GET /v1/blocks/{ref}` gives it. */
export interface ShownBlock {
  readonly height: number;
  readonly id: string;
  readonly status: string;
  readonly header: { readonly view: number; readonly producer: string; readonly time: number };
  readonly certificate: string | null;
  readonly transactionCount: number;
  readonly transactions?: readonly {
    readonly id: string;
    readonly index: number;
    readonly payload: string;
    readonly operations?: unknown;
    readonly producerChange?: ProducerChangeJson;
  }[];
  readonly receipts?: readonly unknown[] | null;
}

export interface ProducerChangeJson {
  readonly producers: readonly { readonly key: string; readonly name: string }[];
}

export interface Summary {
  readonly chainId: string;
  readonly name: string;
  readonly engine: string;
  readonly application: string;
  readonly producers: readonly { readonly name: string; readonly key: string }[];
  readonly head: { readonly height: number; readonly id: string; readonly view: number; readonly time: number };
  readonly irreversible: { readonly height: number; readonly id: string; readonly time: number };
  /** Of the producer set, by irreversible blocks: the first block of the new set alone, null while both decide. */
  readonly changes?: readonly { readonly height: number; readonly activeFrom: number | null }[];
  /** Leaves of the tree above the irreversible block. */
  readonly branches: number;
  /** Null where only the directory knows. */
  readonly firstHeight: number | null;
  readonly record: VoteRecordJson | null;
  readonly stateHeight?: number | null;
  readonly indexHeight?: number | null;
  readonly files?: readonly { readonly name: string; readonly bytes: number }[];
}

export interface Source {
  summary(): Promise<Summary>;
  headHeight(): Promise<number>;
  /** Without transactions. */
  blocks(from: number, limit: number): AsyncIterable<ShownBlock>;
  block(ref: string): Promise<ShownBlock | "ambiguous" | undefined>;
  forks(): Promise<ForkView>;
  /** The block that holds a transaction, and the place there. */
  transaction(id: string): Promise<{ readonly block: ShownBlock; readonly index: number } | undefined>;
  /** Keys that certificates of a height name by their place; undefined: not known here. */
  membersAt(height: number): Promise<readonly string[] | undefined>;
  /** The certificate of the lowest height from one on that has any. */
  certificate(height: number): Promise<Uint8Array | undefined>;
  /** Blocks of the best chain with all that is known of them, for export and verification. */
  exported(from: number, to: number): AsyncIterable<ExportedBlock>;
  /** The JSON of genesis.json. */
  genesis(): Promise<unknown>;
  /** Against producers, `cairn-producer-evidence-1`: unchecked. */
  evidence(): Promise<readonly unknown[]>;
  /** Is it, or was it ever, a producer? Undefined where only the genesis can tell. */
  wasProducer?(key: string): boolean;
  /** Undefined where only the directory knows. */
  voteRecord(): VoteRecord | undefined;
  close(): void;
}

/** Throws StorageError or CliError. */
export async function openSource(where: string): Promise<Source> {
  return isUrlOf(where) ? new UrlSource(where) : new DirectorySource(ChainDirectory.open(where));
}

export function isUrlOf(where: string): boolean {
  return /^https?:\/\//.test(where);
}

class DirectorySource implements Source {
  readonly #chain: ChainDirectory;

  constructor(chain: ChainDirectory) {
    this.#chain = chain;
  }

  async summary(): Promise<Summary> {
    const chain = this.#chain;
    const { chainId, name, engine, application } = chain.genesis;
    const { root, head } = chain.tree();
    return {
      chainId,
      name,
      engine,
      application: application.name,
      producers: chain.producers(),
      changes: chain.changes().map(({ began, ended }) => ({
        height: began,
        activeFrom: ended === undefined ? null : ended + 1,
      })),
      head: { height: head.block.height, id: head.block.id, view: head.block.view, time: head.block.time },
      irreversible: { height: root.block.height, id: root.block.id, time: root.block.time },
      branches: leaves(root),
      firstHeight: chain.firstHeight(),
      record: voteRecordJson(chain.voteRecord()),
      stateHeight: chain.applied()?.height ?? null,
      indexHeight: chain.indexedHeight() ?? null,
      files: chain.files(),
    };
  }

  async headHeight(): Promise<number> {
    return this.#chain.tree().head.block.height;
  }

  async *blocks(from: number, limit: number): AsyncGenerator<ShownBlock, void, undefined> {
    for (const view of this.#chain.blocks(from, limit)) yield this.#shown(view, false);
  }

  async block(ref: string): Promise<ShownBlock | "ambiguous" | undefined> {
    const view = this.#chain.block(ref);
    return view === undefined || view === "ambiguous" ? view : this.#shown(view, true);
  }

  async forks(): Promise<ForkView> {
    return this.#chain.forks();
  }

  async transaction(id: string) {
    const found = this.#chain.transaction(id);
    return found && { block: this.#shown(found.view, true), index: found.index };
  }

  async membersAt(height: number): Promise<readonly string[]> {
    return this.#chain.membersAt(height);
  }

  async certificate(height: number): Promise<Uint8Array | undefined> {
    return this.#chain.certificate(height);
  }

  async *exported(from: number, to: number): AsyncGenerator<ExportedBlock, void, undefined> {
    for (const view of this.#chain.blocks(from, to - from + 1)) {
      const read = (): ReadBlock => ({ block: view.block, certificate: view.certificate });
      yield { read, json: () => this.#json(view, true) };
    }
  }

  async genesis(): Promise<unknown> {
    return this.#chain.genesis.value;
  }

  async evidence(): Promise<readonly unknown[]> {
    return this.#chain.evidence();
  }

  wasProducer(key: string): boolean {
    return this.#chain.wasProducer(key);
  }

  voteRecord(): VoteRecord {
    return this.#chain.voteRecord();
  }

  close(): void {
    this.#chain.close();
  }

  #shown(view: BlockView, transactions: boolean): ShownBlock {
    return JSON.parse(this.#json(view, transactions)) as ShownBlock;
  }

  #json(view: BlockView, transactions: boolean): string {
    const isKv = this.#chain.genesis.application.name === "kv";
    return [...blockJson(view, { isKv, transactions })].join("");
  }
}

/** Blocks asked for at a time. */
const PAGE = 100;

class UrlSource implements Source {
  readonly #flags: { readonly url: string };
  readonly #client: CairnClient;

  constructor(url: string) {
    this.#flags = { url };
    this.#client = clientOf(this.#flags);
  }

  async summary(): Promise<Summary> {
    const status = await answerOf(this.#client.status());
    const genesis = await answerOf(this.#client.genesis());
    const { chainId, name, consensus, head, irreversible } = status;
    return {
      chainId,
      name,
      engine: consensus.engine,
      application: genesis.application.name,
      producers: consensus.producers,
      head,
      irreversible,
      branches: leaves(await this.forks()),
      firstHeight: null,
      record: null,
    };
  }

  async headHeight(): Promise<number> {
    return (await answerOf(this.#client.status())).head.height;
  }

  blocks(from: number, limit: number): AsyncIterable<ShownBlock> {
    return this.#pages(from, limit, false);
  }

  async *#pages(from: number, limit: number, transactions: boolean): AsyncGenerator<ShownBlock, void, undefined> {
    let next: number | null = from;
    for (let left = limit; left > 0 && next !== null;) {
      const path = `/v1/blocks?from=${next}&limit=${Math.min(PAGE, left)}&transactions=${transactions}`;
      const page: ShownPage = await get(this.#flags, path, isPage);
      if (page.blocks.length === 0) return; // whatever it says is next: else it could be asked for ever
      yield* page.blocks;
      left -= page.blocks.length;
      next = page.next;
    }
  }

  async block(ref: string): Promise<ShownBlock | "ambiguous" | undefined> {
    const answer = await ask(this.#flags, `/v1/blocks/${ref}`, isShown);
    const code = errorOf(answer.body)?.code;
    if (code === "BLOCK_NOT_FOUND") return undefined;
    if (code === "AMBIGUOUS_ID") return "ambiguous";
    if (answer.status !== 200) throw refusal(answer);
    return answer.body as ShownBlock;
  }

  async forks(): Promise<ForkView> {
    return get(this.#flags, "/v1/forks", isForks);
  }

  async transaction(id: string) {
    const state = await answerOf(this.#client.transaction(id));
    if (!("blockId" in state)) return undefined; // in no block yet, or nowhere
    const block = await this.block(state.blockId);
    return typeof block === "object" ? { block, index: state.index } : undefined;
  }

  async membersAt(height: number): Promise<readonly string[] | undefined> {
    const { producers, change, activeFrom } = await answerOf(this.#client.producers());
    return change === null && height >= activeFrom ? producers.map(({ key }) => key) : undefined;
  }

  async certificate(height: number): Promise<Uint8Array | undefined> {
    const block = await this.block(String(height));
    return typeof block === "object" && block.certificate !== null ? fromBase64Url(block.certificate) : undefined;
  }

  async *exported(from: number, to: number): AsyncGenerator<ExportedBlock, void, undefined> {
    for await (const shown of this.#pages(from, to - from + 1, true)) {
      yield { read: () => readBlock(shown), json: () => JSON.stringify(shown) };
    }
  }

  async genesis(): Promise<unknown> {
    return answerOf(this.#client.genesis());
  }

  async evidence(): Promise<readonly unknown[]> {
    return (await get(this.#flags, "/v1/evidence", isEvidence)).evidence;
  }

  voteRecord(): undefined {}

  close(): void {}
}

/** A block as a node gave it, with its hashes checked. Throws CliError 1. */
function readBlock(shown: ShownBlock): ReadBlock {
  const read = blockOfJson(shown);
  if (read.ok) return read.value;
  throw new CliError(EXIT.no, `the node's block ${shown.height} is wrong: ${read.error}`);
}

interface ShownPage {
  readonly blocks: readonly ShownBlock[];
  readonly next: number | null;
}

function isPage(value: unknown): value is ShownPage {
  return isBlockPage(value) && isListOf(value.blocks, isShown);
}

/** What is shown of a block beyond what the client looks at. */
function isShown(value: unknown): value is ShownBlock {
  if (!isBlock(value) || (value.certificate !== null && !isText(value.certificate))) return false;
  return value.transactions === undefined || isListOf(value.transactions, isShownTransaction);
}

function isShownTransaction(value: unknown): value is unknown {
  if (!isObject(value) || !isText(value["payload"])) return false;
  const { producerChange } = value;
  if (producerChange === undefined) return true;
  return isObject(producerChange) && isListOf(producerChange["producers"], isNamed);
}

function isNamed(value: unknown): value is unknown {
  return isObject(value) && isText(value["key"]) && isText(value["name"]);
}

/** Not by recursion: a tree may be as deep as somebody likes. */
function isForks(value: unknown): value is ForkView {
  const waiting = [value];
  while (waiting.length > 0) {
    const node = waiting.pop();
    if (!isObject(node) || !isHeight(node["height"]) || !isId(node["id"]) || !isText(node["producer"])) return false;
    const { invalid, children } = node;
    if ((invalid !== undefined && !isText(invalid)) || !Array.isArray(children)) return false;
    for (const child of children) waiting.push(child);
  }
  return true;
}

function isEvidence(value: unknown): value is { readonly evidence: readonly unknown[] } {
  return isObject(value) && Array.isArray(value["evidence"]);
}

interface Branching {
  readonly children: readonly Branching[];
}

function leaves(root: Branching): number {
  let count = 0;
  const waiting = [root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.children.length === 0) count++;
    else waiting.push(...node.children);
  }
  return count;
}
