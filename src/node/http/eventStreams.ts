/**
 * Irreversible blocks as server-sent events, one stream a reader, each at its own height: from disk until it has caught
 * up, then as blocks become irreversible. A stream reads the next block only when its reader has taken the last, so
 * a slow one holds one block and some pieces of text.
 */
import type { ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { setImmediate as eventLoop } from "node:timers/promises";
import type { BlockView } from "../api.ts";
import { messageOf } from "../systemError.ts";
import { blockJson, chunksOf } from "./blockJson.ts";
import { type HttpContext, isKv } from "./context.ts";
import { HttpError } from "./errors.ts";
import { HeldBlocks, type Holder } from "./heldBlocks.ts";
import {
  STREAM_BLOCKS_BYTES,
  STREAM_KEEP_ALIVE_MS,
  STREAM_PROGRESS_BLOCKS,
  STREAM_RETRY_MS,
  STREAMS_MAX,
} from "./limits.ts";
import { transactionsOf } from "./topic.ts";

export class EventStreams {
  readonly #context: HttpContext;
  readonly #open = new Set<Stream>();
  readonly #blocks: HeldBlocks;
  readonly #unsubscribe: () => void;
  #height: number;

  constructor(context: HttpContext) {
    this.#context = context;
    this.#blocks = new HeldBlocks(STREAM_BLOCKS_BYTES, (height) => this.#read(height));
    this.#height = context.api.status().irreversible.height;
    this.#unsubscribe = context.api.onIrreversible((height) => {
      this.#height = height;
      for (const stream of this.#open) stream.wake();
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
    const stream = new Stream(response);
    this.#open.add(stream);
    response.once("close", () => {
      this.#open.delete(stream);
      stream.end();
    });
    return chunksOf(this.#events(first, topic, stream));
  }

  /** Ends all streams between two events. */
  end(): void {
    this.#unsubscribe();
    for (const stream of this.#open) stream.end();
  }

  async *#events(first: number, topic: Uint8Array | undefined, stream: Stream): AsyncGenerator<string> {
    yield `retry: ${STREAM_RETRY_MS}\n\n`;
    let told = first - 1;
    let saidAt = performance.now();
    for (let next = first; !stream.hasEnded;) {
      const quietMs = performance.now() - saidAt;
      if (quietMs >= STREAM_KEEP_ALIVE_MS || next - told > STREAM_PROGRESS_BLOCKS) {
        // An id without data moves where a reader resumes and is no event.
        yield next - 1 > told ? `id: ${next - 1}\n\n` : ": keep-alive\n\n";
        told = next - 1;
        saidAt = performance.now();
      } else if (next > this.#height) await stream.sleep(STREAM_KEEP_ALIVE_MS - quietMs);
      else {
        for await (const piece of this.#block(next, topic, stream)) {
          yield piece;
          told = next;
          saidAt = performance.now();
        }
        next++;
      }
    }
  }

  /** The event of a block; nothing when it holds nothing of the topic. */
  async *#block(height: number, topic: Uint8Array | undefined, stream: Stream): AsyncGenerator<string> {
    const view = this.#blocks.take(height, stream);
    try {
      const only = topic && transactionsOf(view.block, topic);
      await eventLoop();
      if (only?.length === 0) return;
      const options = { isKv: isKv(this.#context), transactions: true, ...(only && { only }) };
      yield `id: ${height}\ndata: `;
      for (const piece of blockJson(view, options)) yield piece;
      yield "\n\n";
    } finally {
      this.#blocks.giveBack(height, stream);
    }
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

/** An open stream: its sleep until there is something to do, and its end. */
class Stream implements Holder {
  readonly #response: ServerResponse;
  #wake: () => void = () => undefined;
  hasEnded = false;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  wake(): void {
    this.#wake();
  }

  end(): void {
    this.hasEnded = true;
    this.#wake();
  }

  cutOff(): void {
    this.#response.destroy();
    this.end();
  }

  /** Until somebody wakes it, at most so long. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
