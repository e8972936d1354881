/**
 * Irreversible blocks as server-sent events, one stream a reader, each at its own height: from disk until it has caught
 * up, then as blocks become irreversible. A stream reads the next block only when its reader has taken the last, so
 * a slow one holds one block and some pieces of text.
 */
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { setImmediate as eventLoop } from "node:timers/promises";
import type { BlockView } from "../api.ts";
import { messageOf } from "../systemError.ts";
import { blockJson } from "./blockJson.ts";
import { type HttpContext, isKv } from "./context.ts";
import { HttpError } from "./errors.ts";
import { STREAM_KEEP_ALIVE_MS, STREAM_PROGRESS_BLOCKS, STREAM_RETRY_MS, STREAMS_MAX } from "./limits.ts";
import { transactionsOf } from "./topic.ts";

export class EventStreams {
  readonly #context: HttpContext;
  readonly #open = new Set<Waiting>();
  readonly #unsubscribe: () => void;
  #height: number;

  constructor(context: HttpContext) {
    this.#context = context;
    this.#height = context.api.status().irreversible.height;
    this.#unsubscribe = context.api.onIrreversible((height) => {
      this.#height = height;
      for (const waiting of this.#open) waiting.wake();
    });
  }

  /** The irreversible height. */
  get height(): number {
    return this.#height;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Events from height `first` on, until the response ends or all streams do. Throws HttpError: too many streams. */
  open(first: number, topic: Uint8Array | undefined, response: ServerResponse): Readable {
    if (this.#open.size >= STREAMS_MAX) {
      throw new HttpError(503, "TOO_MANY_STREAMS", `this node serves ${STREAMS_MAX} streams at once; try again`);
    }
    const waiting = new Waiting();
    this.#open.add(waiting);
    response.once("close", () => {
      this.#open.delete(waiting);
      waiting.end();
    });
    return Readable.from(this.#events(first, topic, waiting));
  }

  /** Ends all streams between two events. */
  end(): void {
    this.#unsubscribe();
    for (const waiting of this.#open) waiting.end();
  }

  async *#events(first: number, topic: Uint8Array | undefined, waiting: Waiting): AsyncGenerator<string> {
    yield `retry: ${STREAM_RETRY_MS}\n\n`;
    let told = first - 1;
    let saidAt = performance.now();
    for (let next = first; !waiting.hasEnded;) {
      const quietMs = performance.now() - saidAt;
      if (quietMs >= STREAM_KEEP_ALIVE_MS || next - told > STREAM_PROGRESS_BLOCKS) {
        // An id without data moves where a reader resumes and is no event.
        yield next - 1 > told ? `id: ${next - 1}\n\n` : ": keep-alive\n\n";
        told = next - 1;
        saidAt = performance.now();
      } else if (next > this.#height) await waiting.forMs(STREAM_KEEP_ALIVE_MS - quietMs);
      else {
        const view = this.#read(next);
        const only = topic && transactionsOf(view.block, topic);
        if (only === undefined || only.length > 0) {
          yield* this.#event(view, only);
          told = next;
          saidAt = performance.now();
        }
        next++;
        await eventLoop();
      }
    }
  }

  async *#event(view: BlockView, only: readonly number[] | undefined): AsyncGenerator<string> {
    yield `id: ${view.block.header.height}\ndata: `;
    const options = { isKv: isKv(this.#context), transactions: true, ...(only && { only }) };
    for (const piece of blockJson(view, options)) {
      yield piece;
      await eventLoop();
    }
    yield "\n\n";
  }

  /** Throws when the block cannot be read: the connection breaks, and whoever comes again is told why. */
  #read(height: number): BlockView {
    const { api, log } = this.#context;
    try {
      const [view] = api.blocks(height, 1);
      if (view !== undefined) return view;
      throw new Error(`block ${height} is not held any more`);
    } catch (error) {
      log.write("warn", "http", "a stream ends", { height, why: messageOf(error) });
      throw error;
    }
  }
}

/** A stream's sleep, until there is something to do. */
class Waiting {
  #wake: () => void = () => undefined;
  hasEnded = false;

  wake(): void {
    this.#wake();
  }

  end(): void {
    this.hasEnded = true;
    this.#wake();
  }

  /** Until somebody wakes it, at most so long. */
  forMs(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
