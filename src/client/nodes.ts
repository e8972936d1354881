/** The nodes that a client knows, and which of them is asked next. */
import { Breaker } from "./breaker.ts";
import { ClientError } from "./errors.ts";
import type { Platform } from "./platform.ts";

/** A longer Retry-After is not believed. */
const RETRY_AFTER_MAX_MS = 30_000;
/** While another request decides about the only node, its end is looked for this often. */
const HALF_OPEN_LOOK_MS = 50;

export class NodeEntry {
  /** Without a slash at its end. */
  readonly url: string;
  readonly breaker: Breaker;
  /** It asked to be left alone until then. */
  notBefore = 0;

  constructor(url: string, platform: Platform) {
    this.url = url;
    this.breaker = new Breaker(platform);
  }
}

export class Nodes {
  readonly all: readonly NodeEntry[];
  readonly #platform: Platform;
  #preferred: number;

  /** @throws ClientError INVALID_ARGUMENT for no URL, or for what is no http(s) URL */
  constructor(urls: readonly string[], platform: Platform) {
    if (urls.length === 0) throw new ClientError("INVALID_ARGUMENT", "a client needs the URL of at least one node");
    this.all = [...new Set(urls.map(baseUrl))].map((url) => new NodeEntry(url, platform));
    this.#platform = platform;
    this.#preferred = 0;
  }

  /**
   * The node to ask now: the one that answered last, or the next after it that may be asked. `avoid` is taken only when
   * there is no other. Undefined: none may be asked now; `waitMs` says how long.
   */
  enter(avoid?: NodeEntry): NodeEntry | undefined {
    const now = this.#platform.now();
    const order = this.all.map((_, i) => this.all[(this.#preferred + i) % this.all.length] as NodeEntry);
    if (avoid !== undefined) order.sort((a, b) => Number(a === avoid) - Number(b === avoid));
    return order.find((node) => node.notBefore <= now && node.breaker.enter());
  }

  /** Waits for a node. Undefined when the deadline passes before, or the signal aborts. */
  async acquire(deadline: number, signal: AbortSignal | undefined, avoid?: NodeEntry): Promise<NodeEntry | undefined> {
    for (;;) {
      const now = this.#platform.now();
      if (signal?.aborted || now >= deadline) return undefined;
      const node = this.enter(avoid);
      if (node !== undefined) return node;
      await this.#platform.sleep(Math.min(this.#waitMs(now), deadline - now), signal);
    }
  }

  #waitMs(now: number): number {
    const times = this.all.map((node) => Math.max(node.notBefore, node.breaker.opensAt ?? now + HALF_OPEN_LOOK_MS));
    return Math.max(1, Math.min(...times) - now);
  }

  succeeded(node: NodeEntry): void {
    node.breaker.succeeded();
    this.#preferred = this.all.indexOf(node);
  }

  failed(node: NodeEntry): void {
    node.breaker.failed();
    this.passOver(node);
  }

  /** The next request goes to another one, if there is any. */
  passOver(node: NodeEntry): void {
    if (this.all[this.#preferred] === node) this.#preferred = (this.#preferred + 1) % this.all.length;
  }

  /** The node answered that it cannot now. It is no failure: it is there. */
  asksForPatience(node: NodeEntry, retryAfterMs: number | undefined): void {
    node.breaker.succeeded();
    const ms = Math.min(retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
    node.notBefore = Math.max(node.notBefore, this.#platform.now() + ms);
    this.passOver(node);
  }
}

function baseUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new ClientError("INVALID_ARGUMENT", `${text}: must be a URL such as http://127.0.0.1:26601`);
  }
  return text.replace(/\/+$/, "");
}
