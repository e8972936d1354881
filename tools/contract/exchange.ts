/** One request and its answer, as a stranger sees them: any method, any body, nothing hidden. */
import { Agent, type IncomingMessage, request as httpRequest } from "node:http";

export interface Request {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** No answer: the connection broke, or nothing came in time. */
export interface NoAnswer {
  readonly broken: string;
}

const TIMEOUT_MS = 60_000;

export class Exchange {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });

  constructor(url: string) {
    this.#url = url;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Never rejects. Of an event stream the first piece only. */
  ask({ method, path, headers = {}, body }: Request): Promise<Answer | NoAnswer> {
    return new Promise((resolve) => {
      const broken = (error: Error & { readonly code?: string }): void =>
        resolve({ broken: error.code ?? error.message });
      const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
      const options = { method, agent: this.#agent, headers: { ...length, ...headers }, timeout: TIMEOUT_MS };
      const request = httpRequest(this.#url + path, options, (response) => {
        const chunks: Buffer[] = [];
        const answer = (): Answer => ({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
        });
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk);
          if (!response.headers["content-type"]?.startsWith("text/event-stream")) return;
          resolve(answer());
          request.destroy();
        });
        response.on("end", () => resolve(answer()));
        response.on("error", broken);
      });
      request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
      request.on("error", broken);
      request.end(body);
    });
  }
}
