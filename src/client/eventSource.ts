/** One connection to a node's stream, read as fast as it is consumed and no faster. */
import type { Caller } from "./caller.ts";
import { wordsOf } from "./errors.ts";
import { type Answer, type NoAnswer, retryAfterMs } from "./exchange.ts";
import type { NodeEntry } from "./nodes.ts";
import { EventParser, type ServerSentEvent } from "./sse.ts";

/** A block of 4 MiB of small transactions is some times as long in JSON. */
const EVENT_LENGTH_MAX = 64 * 1024 * 1024;
/** Until the head of the answer is there. */
const OPEN_MS = 10_000;
const ERROR_BYTES = 64 * 1024;

type Read = Awaited<ReturnType<ReadableStreamDefaultReader<Uint8Array>["read"]>>;

/** `quiet`: nothing came for that long; the connection is as it was. `end`: it is over. */
export type Arrival =
  | { readonly kind: "event"; readonly event: ServerSentEvent }
  /** Bytes came, as of a comment, or nothing did. */
  | { readonly kind: "quiet"; readonly hadBytes: boolean }
  | { readonly kind: "end"; readonly why: string };

export class EventConnection {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #parser = new EventParser(EVENT_LENGTH_MAX);
  readonly #decoder = new TextDecoder();
  readonly #abort: () => void;
  readonly #caller: Caller;
  #events: Iterator<ServerSentEvent, void> | undefined;
  #reading: Promise<Read | Error> | undefined;

  private constructor(body: ReadableStream<Uint8Array>, abort: () => void, caller: Caller) {
    this.#reader = body.getReader();
    this.#abort = abort;
    this.#caller = caller;
  }

  /** Opens it, or gives the answer that is no stream. Never rejects. */
  static async open(
    node: NodeEntry,
    path: string,
    lastEventId: string | undefined,
    signal: AbortSignal | undefined,
    caller: Caller,
  ): Promise<EventConnection | Answer | NoAnswer> {
    const ended = new AbortController();
    const abort = (): void => ended.abort();
    signal?.addEventListener("abort", abort);
    const close = (): void => {
      signal?.removeEventListener("abort", abort);
      abort();
    };
    if (signal?.aborted) abort();
    const opened = new AbortController();
    void caller.platform.sleep(OPEN_MS, opened.signal).then(() => opened.signal.aborted || abort());
    try {
      const { token, platform } = caller;
      const headers = {
        accept: "text/event-stream",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
      };
      const init: RequestInit = { headers, redirect: "error", cache: "no-store", signal: ended.signal };
      const response = await platform.fetch(`${node.url}${path}`, init);
      const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
      if (response.status === 200 && isStream && response.body !== null) {
        return new EventConnection(response.body, close, caller);
      }
      const text = (await response.text()).slice(0, ERROR_BYTES);
      close();
      return { kind: "answer", status: response.status, retryAfterMs: retryAfterMs(response, platform), text };
    } catch (error) {
      close();
      const why = signal?.aborted ? "aborted" : "unreachable";
      return { kind: "lost", why, message: `cannot reach ${node.url}: ${wordsOf(error)}` };
    } finally {
      opened.abort();
    }
  }

  /** The next thing that happens, after at most `quietMs`. Never rejects. */
  async next(quietMs: number): Promise<Arrival> {
    try {
      return await this.#next(quietMs);
    } catch (error) {
      return { kind: "end", why: wordsOf(error) };
    }
  }

  async #next(quietMs: number): Promise<Arrival> {
    for (;;) {
      const event = this.#events?.next();
      if (event?.done === false) return { kind: "event", event: event.value };
      this.#events = undefined;
      // A read that is under way is kept: what it brings must not be lost.
      this.#reading ??= this.#reader.read().catch((error: unknown) => new Error(wordsOf(error)));
      const read = await this.#within(this.#reading, quietMs);
      if (read === undefined) return { kind: "quiet", hadBytes: false };
      this.#reading = undefined;
      if (read instanceof Error) throw read;
      if (read.done) return { kind: "end", why: "the node ended the stream" };
      this.#events = this.#parser.push(this.#decoder.decode(read.value, { stream: true }));
      const first = this.#events.next();
      if (first.done === false) return { kind: "event", event: first.value };
      this.#events = undefined;
      return { kind: "quiet", hadBytes: true };
    }
  }

  /** Undefined when the time is over first. */
  async #within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
    const timer = new AbortController();
    try {
      return await Promise.race([promise, this.#caller.platform.sleep(ms, timer.signal).then(() => undefined)]);
    } finally {
      timer.abort();
    }
  }

  close(): void {
    this.#abort();
    void this.#reader.cancel().catch(() => undefined);
  }
}
