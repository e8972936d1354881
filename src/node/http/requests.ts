/** Requests in work: how many at once, on which connections, and which of their readers are too slow. */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Logger } from "../logging.ts";
import { HttpError } from "./errors.ts";
import { REQUESTS_MAX, SLOW_READER_BYTES, SLOW_READER_CHECK_MS, SLOW_READER_MS } from "./limits.ts";

/** How long a reader may take for how little; shorter in tests. */
export interface SlowReaderLimits {
  readonly forMs: number;
  readonly checkMs: number;
}

interface Progress {
  /** Bytes that the reader's side has taken. */
  readonly taken: number;
  readonly at: number;
}

export class RequestsInWork {
  readonly #log: Logger;
  /** Answers under way, with where their reader was when it last came on. */
  readonly #open = new Map<ServerResponse, Progress | undefined>();
  readonly #bySocket = new WeakMap<Socket, Set<ServerResponse>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Is an answer under way or due on this connection, to a request that has come whole? */
  isAnswering(socket: Socket): boolean {
    for (const { req, headersSent } of this.#bySocket.get(socket) ?? []) if (req.complete || headersSent) return true;
    return false;
  }

  install(app: FastifyInstance, slow: SlowReaderLimits = { forMs: SLOW_READER_MS, checkMs: SLOW_READER_CHECK_MS }) {
    app.addHook("onRequest", async (_, { raw }) => {
      this.#count(raw);
      if (this.#open.size > REQUESTS_MAX) throw new HttpError(503, "BUSY", "too many requests at once; try again");
    });
    const timer = setInterval(() => this.#cutOffSlow(slow.forMs), slow.checkMs);
    app.addHook("onClose", async () => clearInterval(timer));
  }

  #count(response: ServerResponse): void {
    const { socket } = response.req;
    this.#open.set(response, undefined);
    const onSocket = this.#bySocket.get(socket) ?? new Set();
    this.#bySocket.set(socket, onSocket.add(response));
    // The end of the answer, or of the connection, whichever comes first.
    response.once("close", () => {
      this.#open.delete(response);
      onSocket.delete(response);
    });
  }

  #cutOffSlow(forMs: number): void {
    const now = performance.now();
    for (const [response, before] of this.#open) {
      const { socket } = response;
      if (socket === null || socket.writableLength === 0) this.#open.set(response, undefined);
      else {
        const taken = socket.bytesWritten - socket.writableLength;
        if (before === undefined || taken - before.taken >= SLOW_READER_BYTES) {
          this.#open.set(response, { taken, at: now });
        } else if (now - before.at >= forMs) {
          this.#log.write("info", "http", "cuts off a slow reader", { url: response.req.url, taken });
          socket.destroy();
        }
      }
    }
  }
}
