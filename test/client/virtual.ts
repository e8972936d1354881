/** Nodes by script in virtual time: no sockets, no waiting. */
import { CairnClient } from "../../src/client/index.ts";
import type { Platform } from "../../src/client/platform.ts";

export const START = 1_767_225_600_000;

interface Timer {
  readonly at: number;
  readonly resolve: () => void;
}

/** Time that goes on to the next timer whenever nothing else happens. */
export class VirtualTime {
  now = START;
  readonly #timers = new Set<Timer>();

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const end = (): void => {
        this.#timers.delete(timer);
        resolve();
      };
      const timer: Timer = { at: this.now + ms, resolve: end };
      this.#timers.add(timer);
      signal?.addEventListener("abort", end, { once: true });
    });
  }

  /** Lets the work end, however much virtual time that takes (an hour at most). */
  async run<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const end = (): void => void (isDone = true);
    work.then(end, end);
    for (;;) {
      // Promises and streams first: several rounds of the event loop.
      for (let i = 0; i < 5 && !isDone; i++) await new Promise((resolve) => setImmediate(resolve));
      if (isDone) return work;
      const next = [...this.#timers].sort((a, b) => a.at - b.at)[0];
      if (next === undefined) throw new Error("nothing will ever happen");
      if (next.at > START + 3_600_000) throw new Error("an hour has passed");
      this.now = Math.max(this.now, next.at);
      next.resolve();
    }
  }
}

export interface Asked {
  readonly url: string;
  readonly node: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly at: number;
  /** Aborted when the client gives up. */
  readonly signal: AbortSignal;
}

/** An answer; "lost": the connection breaks; "hang": no answer, ever. */
export type Reply = Response | "lost" | "hang";
export type Handler = (asked: Asked) => Reply | Promise<Reply>;

export class VirtualNodes {
  readonly time = new VirtualTime();
  readonly asked: Asked[] = [];
  readonly #handlers: Readonly<Record<string, Handler>>;
  #randomBytes = 0;

  constructor(handlers: Readonly<Record<string, Handler>>) {
    this.#handlers = handlers;
  }

  client(options: { readonly token?: string; readonly urls?: readonly string[] } = {}): CairnClient {
    const platform: Platform = {
      fetch: (url, init) => this.#fetch(url, init),
      now: () => this.time.now,
      sleep: (ms, signal) => this.time.sleep(ms, signal),
      random: () => 0.5,
      randomBytes: (count) => new Uint8Array(count).fill(++this.#randomBytes),
    };
    const { urls = Object.keys(this.#handlers).map((name) => `http://${name}`), ...rest } = options;
    return new CairnClient(urls, { ...rest, platform });
  }

  run<T>(work: Promise<T>): Promise<T> {
    return this.time.run(work);
  }

  /** Requests to a node, or all, as `METHOD PATH`. */
  paths(node?: string): string[] {
    return this.asked
      .filter((asked) => node === undefined || asked.node === node)
      .map(({ method, path }) => `${method} ${path}`);
  }

  async #fetch(text: string, init: RequestInit): Promise<Response> {
    const url = new URL(text);
    const signal = init.signal as AbortSignal;
    const asked: Asked = {
      url: text,
      node: url.host,
      path: url.pathname,
      query: url.searchParams,
      method: init.method ?? "GET",
      headers: new Headers(init.headers),
      body: new Uint8Array(await new Response(init.body ?? "").arrayBuffer()),
      at: this.time.now,
      signal,
    };
    this.asked.push(asked);
    const reply = await (this.#handlers[url.host] as Handler)(asked);
    if (reply === "lost") throw new TypeError("fetch failed");
    if (reply !== "hang") return reply;
    return new Promise((_, reject) => {
      const end = (): void => reject(new DOMException("aborted", "AbortError"));
      if (signal.aborted) end();
      else signal.addEventListener("abort", end);
    });
  }
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
}

export function failure(
  status: number,
  code: string,
  details?: unknown,
  headers: Record<string, string> = {},
): Response {
  return json(
    { error: { code, message: `says ${code}`, ...(details === undefined ? {} : { details }) } },
    status,
    headers,
  );
}
