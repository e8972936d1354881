/**
 * The loop of a writer thread: take everything that is queued, write it in one transaction, acknowledge, use
 * the quiet time for upkeep (checkpoints, merges). Group commit needs no timer: while one transaction syncs,
 * the next ones queue up and share the following sync.
 *
 * A write that fails because the disk is full stays at the front and is tried again with growing pauses;
 * nothing behind it is written or acknowledged before it. Any other failure ends the loop for good: after a
 * failed fsync nobody can say what is on the disk.
 */
import { receiveMessageOnPort } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { isRetryable, toPlain, toStorageError } from "./errors.ts";
import type { FileKind } from "./errors.ts";
import type { FromWriter, ToWriter } from "./writerMessages.ts";

/** A transaction takes at most this much, so that an acknowledgement is never far away. */
const BATCH_BYTES = 16 * 1024 * 1024;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;

export interface WriteLoopTasks<W> {
  readonly file: string;
  readonly kind: FileKind;
  decode(message: ArrayBuffer): W;
  /** Token or height that the acknowledgement of a batch names. */
  through(batch: readonly W[]): number;
  begin(): void;
  write(write: W): void;
  commit(): void;
  /** Undoes what `begin` and `write` did; called after a failure of theirs or of `commit`. */
  rollback(): void;
  /** After the acknowledgement of a batch. */
  afterCommit(batch: readonly W[]): void;
  /** One slice of upkeep, a few ms; true when more is to do. May throw what `commit` may throw. */
  upkeep(queueIsEmpty: boolean, report: (message: FromWriter) => void): boolean;
  /** Answers a request; runs between transactions. */
  answer(body: unknown): unknown;
  /** Last upkeep and closing of files. */
  close(): void;
}

interface QueuedWrite<W> {
  readonly write: W;
  readonly bytes: number;
}

interface QueuedRequest {
  readonly request: number;
  readonly body: unknown;
  /** Answered when so many writes are committed: a request sees what was handed over before it. */
  readonly afterWrites: number;
}

type LoopState = "running" | "waitingToRetry" | "stopped";

export class WriteLoop<W> {
  readonly #port: MessagePort;
  readonly #tasks: WriteLoopTasks<W>;
  #queue: QueuedWrite<W>[] = [];
  #requests: QueuedRequest[] = [];
  #acceptedWrites = 0;
  #committedWrites = 0;
  #state: LoopState = "running";
  #closing = false;
  #upkeepPlanned = false;
  #retryMs = FIRST_RETRY_MS;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(port: MessagePort, tasks: WriteLoopTasks<W>) {
    this.#port = port;
    this.#tasks = tasks;
    port.on("message", (message: ArrayBuffer | ToWriter) => {
      this.#accept(message);
      this.#run();
    });
  }

  /** For work that came up outside a message, such as a timer in the tasks. */
  wake(): void {
    this.#run();
  }

  #accept(message: ArrayBuffer | ToWriter): void {
    if (message instanceof ArrayBuffer) {
      this.#queue.push({ write: this.#tasks.decode(message), bytes: message.byteLength });
      this.#acceptedWrites++;
    } else if (message.kind === "close") this.#closing = true;
    else this.#requests.push({ request: message.request, body: message.body, afterWrites: this.#acceptedWrites });
  }

  #acceptAllQueued(): void {
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      this.#accept(next.message as ArrayBuffer | ToWriter);
    }
  }

  /** While nothing can be written, requests are answered from what is there. */
  #answerDue(): void {
    const isDue = (queued: QueuedRequest) => this.#state !== "running" || queued.afterWrites <= this.#committedWrites;
    const due = this.#requests.filter(isDue);
    this.#requests = this.#requests.slice(due.length);
    for (const { request, body } of due) this.#answer(request, body);
  }

  #answer(request: number, body: unknown): void {
    try {
      this.#post({ kind: "answer", request, body: this.#tasks.answer(body) });
    } catch (error) {
      this.#post({ kind: "requestFailed", request, error: toPlain(this.#asStorageError(error)) });
    }
  }

  #run(): void {
    this.#acceptAllQueued();
    while (this.#state === "running" && this.#queue.length > 0) {
      this.#writeBatch();
      this.#answerDue();
      this.#acceptAllQueued();
    }
    this.#answerDue();
    if (this.#closing) this.#close();
    else this.#planUpkeep();
  }

  #writeBatch(): void {
    const size = this.#batchSize();
    const batch = this.#queue.slice(0, size).map((queued) => queued.write);
    const bytes = this.#queue.slice(0, size).reduce((sum, queued) => sum + queued.bytes, 0);
    const began = performance.now();
    let written = began;
    try {
      this.#tasks.begin();
      for (const write of batch) this.#tasks.write(write);
      written = performance.now();
      this.#tasks.commit();
    } catch (error) {
      this.#tasks.rollback();
      this.#fail(error);
      return;
    }
    const ended = performance.now();
    this.#retryMs = FIRST_RETRY_MS;
    this.#queue = this.#queue.slice(size);
    this.#committedWrites += size;
    const through = this.#tasks.through(batch);
    this.#post({
      kind: "committed",
      through,
      writes: size,
      bytes,
      writeMs: written - began,
      syncMs: ended - written,
    });
    this.#tasks.afterCommit(batch);
    this.#upkeep(this.#queue.length === 0);
  }

  /** As many from the front of the queue as the bound allows, at least one. */
  #batchSize(): number {
    let bytes = 0;
    let size = 0;
    for (const queued of this.#queue) {
      bytes += queued.bytes;
      if (size > 0 && bytes > BATCH_BYTES) break;
      size++;
    }
    return size;
  }

  #planUpkeep(): void {
    if (this.#upkeepPlanned || this.#state !== "running") return;
    this.#upkeepPlanned = true;
    setImmediate(() => {
      this.#upkeepPlanned = false;
      if (this.#state === "running" && !this.#closing && this.#upkeep(true)) this.#planUpkeep();
    });
  }

  #upkeep(queueIsEmpty: boolean): boolean {
    try {
      return this.#tasks.upkeep(queueIsEmpty, (message) => this.#post(message));
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #fail(thrown: unknown): void {
    const error = this.#asStorageError(thrown);
    const retrying = isRetryable(error) && !this.#closing;
    this.#post({ kind: "failed", error: toPlain(error), retrying });
    if (!retrying) {
      this.#state = "stopped";
      return;
    }
    this.#state = "waitingToRetry";
    this.#retryTimer = setTimeout(() => this.#retry(), this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
  }

  #retry(): void {
    if (this.#state !== "waitingToRetry") return;
    this.#state = "running";
    this.#run();
  }

  #close(): void {
    if (this.#state === "waitingToRetry") {
      clearTimeout(this.#retryTimer);
      this.#retry(); // once more, now with #closing set: a failure stops the loop and this runs again
      return;
    }
    const unwrittenBytes = this.#queue.reduce((sum, queued) => sum + queued.bytes, 0);
    try {
      this.#tasks.close();
    } catch (error) {
      this.#post({ kind: "failed", error: toPlain(this.#asStorageError(error)), retrying: false });
    }
    this.#post({ kind: "closed", unwrittenBytes });
    this.#port.close();
  }

  #asStorageError(error: unknown) {
    return toStorageError(error, this.#tasks.file, this.#tasks.kind);
  }

  #post(message: FromWriter): void {
    this.#port.postMessage(message);
  }
}
