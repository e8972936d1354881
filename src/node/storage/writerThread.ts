/** A store's side of its writer thread: start, bounded queue, requests, orderly end. */
import { Worker } from "node:worker_threads";
import { fromPlain } from "./errors.ts";
import { StorageError } from "./types.ts";
import type { WriterEvents } from "./types.ts";
import type { FromWriter, ToWriter } from "./writerMessages.ts";

/** Its data are buffers outside the heap; a small young generation keeps what a thread costs low. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 256 };
/** Above this the caller should take in no more work (`hasRoom`). */
const ROOM_BYTES = 128 * 1024 * 1024;
/** Above this a write is refused; only a caller that ignores `hasRoom` gets here. */
const HARD_LIMIT_BYTES = 1024 * 1024 * 1024;
/** Requests without an answer yet. */
const REQUEST_LIMIT = 4_096;

/** As a thread reports: a store's events, and those that only some stores have. */
export interface ThreadEvents extends WriterEvents {
  onIndexLost?(error: StorageError): void;
}

/** Called with the token or height that the newest write of a committed transaction bears. */
export type OnCommitted = (through: number) => void;

interface Waiting {
  resolve(body: unknown): void;
  reject(error: StorageError): void;
}

/** `failed`: the loop has stopped for good, the thread lives until `close`. */
type ThreadState = "starting" | "open" | "failed" | "closing" | "ended";

export class WriterThread {
  readonly #worker: Worker;
  readonly #file: string;
  readonly #events: ThreadEvents;
  readonly #onCommitted: OnCommitted;
  readonly #requests = new Map<number, Waiting>();
  readonly #started = Promise.withResolvers<unknown>();
  readonly #ended = Promise.withResolvers<void>();
  #nextRequest = 1;
  #queuedBytes = 0;
  #unwrittenBytes = 0;
  #lastError: StorageError | undefined;
  #state: ThreadState = "starting";

  private constructor(module: URL, workerData: unknown, file: string, events: ThreadEvents, onCommitted: OnCommitted) {
    this.#file = file;
    this.#events = events;
    this.#onCommitted = onCommitted;
    this.#worker = new Worker(module, { workerData, execArgv: [], resourceLimits: WORKER_LIMITS });
    this.#worker.on("message", (message: FromWriter) => this.#receive(message));
    this.#worker.on("error", (error) => this.#lose(error));
    this.#worker.on("exit", () => this.#exit());
  }

  /** Resolves with the thread and what it says of itself when its files are open; rejects with a StorageError. */
  static async start(
    module: URL,
    workerData: unknown,
    file: string,
    events: ThreadEvents,
    onCommitted: OnCommitted,
  ): Promise<{ readonly thread: WriterThread; readonly info: unknown }> {
    const thread = new WriterThread(module, workerData, file, events, onCommitted);
    const info = await thread.#started.promise;
    return { thread, info };
  }

  /** Bytes handed over and not yet acknowledged. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get hasRoom(): boolean {
    return this.#queuedBytes < ROOM_BYTES;
  }

  /** Hands over a packed write; the buffer is gone afterwards. Throws QUEUE_FULL, or IO when the writer has ended. */
  post(write: ArrayBuffer): void {
    this.#requireOpen();
    if (this.#queuedBytes + write.byteLength > HARD_LIMIT_BYTES) {
      throw new StorageError(
        "QUEUE_FULL",
        this.#file,
        `${this.#file}: ${this.#queuedBytes} bytes are waiting to be written`,
      );
    }
    this.#queuedBytes += write.byteLength;
    this.#worker.postMessage(write, [write]);
  }

  /** Rejects with QUEUE_FULL when too many are unanswered. */
  request(body: unknown): Promise<unknown> {
    this.#requireOpen();
    if (this.#requests.size >= REQUEST_LIMIT) {
      return Promise.reject(new StorageError("QUEUE_FULL", this.#file, `${this.#file}: too many requests at once`));
    }
    const request = this.#nextRequest++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#requests.set(request, { resolve, reject });
    this.#say({ kind: "request", request, body });
    return promise;
  }

  /** Writes what is queued and ends the thread. Rejects when something could not be written. Idempotent. */
  async close(): Promise<void> {
    if (this.#state === "open" || this.#state === "failed") {
      this.#state = "closing";
      this.#say({ kind: "close" });
    }
    await this.#ended.promise;
    if (this.#unwrittenBytes > 0) {
      const why = this.#lastError?.message ?? "its thread ended early";
      const text = `${this.#file}: ${this.#unwrittenBytes} bytes could not be written before the end (${why})`;
      throw new StorageError(this.#lastError?.code ?? "IO", this.#file, text, { cause: this.#lastError });
    }
  }

  #requireOpen(): void {
    if (this.#state === "open") return;
    const why = this.#state === "failed" ? (this.#lastError?.message ?? "it failed") : "it is closed";
    throw new StorageError("IO", this.#file, `${this.#file} takes no more writes: ${why}`, { cause: this.#lastError });
  }

  #say(message: ToWriter): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWriter): void {
    switch (message.kind) {
      case "ready":
        this.#state = "open";
        this.#started.resolve(message.info);
        return;
      case "cannotOpen":
        this.#state = "closing"; // it ends by itself
        this.#started.reject(fromPlain(message.error));
        return;
      case "committed": {
        const { writes, bytes, writeMs, syncMs } = message;
        this.#queuedBytes -= bytes;
        this.#events.onCommit?.({ writes, bytes, writeMs, syncMs });
        this.#onCommitted(message.through);
        return;
      }
      case "checkpointed":
        this.#events.onCheckpoint?.(message.durationMs);
        return;
      case "failed":
        this.#lastError = fromPlain(message.error);
        if (!message.retrying && this.#state === "open") this.#state = "failed";
        this.#events.onError(this.#lastError, message.retrying);
        return;
      case "partLost":
        this.#events.onIndexLost?.(fromPlain(message.error));
        return;
      case "answer":
        this.#takeRequest(message.request)?.resolve(message.body);
        return;
      case "requestFailed":
        this.#takeRequest(message.request)?.reject(fromPlain(message.error));
        return;
      case "closed":
        this.#state = "closing";
        this.#unwrittenBytes = message.unwrittenBytes;
        this.#queuedBytes = 0;
        return;
    }
  }

  #takeRequest(request: number): Waiting | undefined {
    const waiting = this.#requests.get(request);
    this.#requests.delete(request);
    return waiting;
  }

  /** The thread threw outside the loop's own handling: a fault of this program. */
  #lose(error: unknown): void {
    const text = `${this.#file}: the writer thread failed (${error instanceof Error ? error.message : String(error)})`;
    this.#lastError = new StorageError("IO", this.#file, text, { cause: error });
    this.#started.reject(this.#lastError);
    if (this.#state !== "starting") this.#events.onError(this.#lastError, false);
  }

  #exit(): void {
    const expected = this.#state === "closing";
    this.#state = "ended";
    this.#unwrittenBytes += this.#queuedBytes;
    const error = this.#lastError ?? new StorageError("IO", this.#file, `${this.#file}: the writer thread has ended`);
    for (const waiting of this.#requests.values()) waiting.reject(error);
    this.#requests.clear();
    this.#started.reject(error);
    if (!expected && this.#lastError === undefined) this.#events.onError(error, false);
    this.#ended.resolve();
  }
}
