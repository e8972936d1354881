/** Where inspection reads from: a directory or a running node's HTTP. Both answer in the shapes of the HTTP interface. */
import { ChainDirectory } from "../chainDirectory.ts";
import type { BlockView, ForkView, NodeStatus } from "../api.ts";
import { blockJson } from "../http/blockJson.ts";
import { ask, errorOf, get, refusal } from "./client.ts";

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
  }[];
  readonly receipts?: readonly unknown[] | null;
}

export interface Summary {
  readonly chainId: string;
  readonly name: string;
  readonly engine: string;
  readonly application: string;
  readonly producers: readonly { readonly name: string; readonly key: string }[];
  readonly head: { readonly height: number; readonly id: string; readonly view: number; readonly time: number };
  readonly irreversible: { readonly height: number; readonly id: string; readonly time: number };
  /** Leaves of the tree above the irreversible block. */
  readonly branches: number;
  /** Null where only the directory knows. */
  readonly firstHeight: number | null;
  readonly record: {
    readonly verdict: string;
    readonly view?: number;
    readonly votedFor?: string | undefined;
    readonly ackedHead?: { readonly view: number; readonly height: number; readonly id: string };
  } | null;
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
  close(): void;
}

/** Throws StorageError or CliError. */
export async function openSource(where: string): Promise<Source> {
  return /^https?:\/\//.test(where) ? new UrlSource(where) : new DirectorySource(ChainDirectory.open(where));
}

class DirectorySource implements Source {
  readonly #chain: ChainDirectory;

  constructor(chain: ChainDirectory) {
    this.#chain = chain;
  }

  async summary(): Promise<Summary> {
    const chain = this.#chain;
    const { chainId, name, engine, application, producers } = chain.genesis;
    const { root, head } = chain.tree();
    const vote = chain.voteRecord();
    return {
      chainId,
      name,
      engine,
      application: application.name,
      producers,
      head: { height: head.block.height, id: head.block.id, view: head.block.view, time: head.block.time },
      irreversible: { height: root.block.height, id: root.block.id, time: root.block.time },
      branches: leaves(root),
      firstHeight: chain.firstHeight(),
      record: vote.verdict === "ok" ? { verdict: "ok", ...vote.record } : vote,
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

  close(): void {
    this.#chain.close();
  }

  #shown(view: BlockView, transactions: boolean): ShownBlock {
    const isKv = this.#chain.genesis.application.name === "kv";
    return JSON.parse([...blockJson(view, { isKv, transactions })].join("")) as ShownBlock;
  }
}

/** Blocks asked for at a time. */
const PAGE = 100;

class UrlSource implements Source {
  readonly #flags: { readonly url: string };

  constructor(url: string) {
    this.#flags = { url };
  }

  async summary(): Promise<Summary> {
    const status = await get<NodeStatus>(this.#flags, "/v1/status");
    const genesis = await get<{ readonly application: { readonly name: string } }>(this.#flags, "/v1/genesis");
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
    return (await get<NodeStatus>(this.#flags, "/v1/status")).head.height;
  }

  async *blocks(from: number, limit: number): AsyncGenerator<ShownBlock, void, undefined> {
    let next: number | null = from;
    for (let left = limit; left > 0 && next !== null;) {
      const path = `/v1/blocks?from=${next}&limit=${Math.min(PAGE, left)}&transactions=false`;
      const page: { readonly blocks: readonly ShownBlock[]; readonly next: number | null } = await get(
        this.#flags,
        path,
      );
      yield* page.blocks;
      left -= page.blocks.length;
      next = page.next;
    }
  }

  async block(ref: string): Promise<ShownBlock | "ambiguous" | undefined> {
    const answer = await ask(this.#flags, `/v1/blocks/${ref}`);
    const code = errorOf(answer.body)?.code;
    if (code === "BLOCK_NOT_FOUND") return undefined;
    if (code === "AMBIGUOUS_ID") return "ambiguous";
    if (answer.status !== 200) throw refusal(answer);
    return answer.body as ShownBlock;
  }

  async forks(): Promise<ForkView> {
    return get<ForkView>(this.#flags, "/v1/forks");
  }

  close(): void {}
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
