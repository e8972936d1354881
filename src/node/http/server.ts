/**
 * The HTTP interface over a node (DESIGN.md, section 7).
 *
 *     const http = await startHttp(api, { host: "127.0.0.1", port: 26601, token: undefined, log });
 *     http.url; // "http://127.0.0.1:26601"
 *     await http.close();
 */
import type { AddressInfo } from "node:net";
import { fastify, type FastifyInstance } from "fastify";
import type { NodeApi } from "../api.ts";
import type { Logger } from "../logging.ts";
import { boundBodies, guardWriting, refuseWhenClosing } from "./access.ts";
import { addBatchRoutes, NDJSON } from "./batchRoutes.ts";
import { addBlockRoutes } from "./blockRoutes.ts";
import { Closing } from "./closing.ts";
import type { HttpContext } from "./context.ts";
import { answerClientError, answerFrameworkError, answerUnusual, HttpError, installErrors } from "./errors.ts";
import { addExplorerRoutes } from "./explorerRoutes.ts";
import { addKvRoutes } from "./kvRoutes.ts";
import {
  BACKLOG,
  CLOSE_GRACE_MS,
  CONNECTIONS_MAX,
  HEADERS_TIMEOUT_MS,
  IDLE_SOCKET_MS,
  KEEP_ALIVE_MS,
  REQUEST_TIMEOUT_MS,
  SINGLE_BODY_BYTES,
  TIMEOUT_CHECK_MS,
} from "./limits.ts";
import { addOpenApi, installSchemas } from "./openapi.ts";
import { addPeerRoutes } from "./peerRoutes.ts";
import { addProofRoutes } from "./proofRoutes.ts";
import { addRejectionRoutes } from "./rejectionRoutes.ts";
import { RequestsInWork, type SlowReaderLimits } from "./requests.ts";
import { addStatusRoutes } from "./statusRoutes.ts";
import { addStreamRoutes } from "./streamRoutes.ts";
import { addTransactionRoutes } from "./transactionRoutes.ts";

export interface HttpOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly token: string | undefined;
  readonly log: Logger;
  /** Larger transactions are not taken here; the genesis limit when it is left out. */
  readonly transactionBytes?: number;
  /** Shorter ones, for tests. */
  readonly timeouts?: { readonly headersMs: number; readonly requestMs: number; readonly checkMs: number };
  readonly slowReaders?: SlowReaderLimits;
}

export interface HttpServer {
  /** Where it listens, such as `http://127.0.0.1:26601`. */
  readonly url: string;
  /** No further requests; waits end with 503; what is being answered has a second. */
  close(): Promise<void>;
}

const TIMEOUTS = { headersMs: HEADERS_TIMEOUT_MS, requestMs: REQUEST_TIMEOUT_MS, checkMs: TIMEOUT_CHECK_MS };

/** Listens. Rejects with the system's error (EADDRINUSE, ...) when it cannot. */
export async function startHttp(api: NodeApi, options: HttpOptions): Promise<HttpServer> {
  const app = await makeHttpApp(api, options);
  try {
    await app.listen({ host: options.host, port: options.port, backlog: BACKLOG });
  } catch (error) {
    await app.close(); // its timers would keep the process
    throw error;
  }
  const { port } = app.server.address() as AddressInfo;
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return { url: `http://${host}:${port}`, close: () => closeWithGrace(app) };
}

async function closeWithGrace(app: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS);
  await app.close();
  clearTimeout(timer);
}

/** The routes without a socket, for `inject`. */
export async function makeHttpApp(
  api: NodeApi,
  options: Pick<HttpOptions, "token" | "log" | "transactionBytes" | "timeouts" | "slowReaders">,
): Promise<FastifyInstance> {
  const timeouts = options.timeouts ?? TIMEOUTS;
  const requests = new RequestsInWork(options.log);
  const app: FastifyInstance = fastify({
    logger: false,
    bodyLimit: SINGLE_BODY_BYTES,
    requestTimeout: timeouts.requestMs,
    connectionTimeout: IDLE_SOCKET_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: {
      headersTimeout: timeouts.headersMs,
      connectionsCheckingInterval: timeouts.checkMs,
      requireHostHeader: false, // it is asked for where the answer is JSON
    },
    forceCloseConnections: "idle",
    return503OnClosing: false, // as above
    clientErrorHandler: (error, socket) => answerClientError(error, socket, requests.isAnswering(socket)),
    frameworkErrors: answerFrameworkError,
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  const closing = new Closing();
  app.addHook("preClose", async () => closing.begin());
  const { log, transactionBytes = api.genesis.limits.transactionBytes } = options;
  const context: HttpContext = { api, log, transactionBytes, closing };
  answerUnusual(app.server);
  requests.install(app, options.slowReaders);
  refuseWhenClosing(app, closing);
  installErrors(app, options.log);
  guardWriting(app, options.token);
  boundBodies(app);
  readBodies(app);
  await installSchemas(app);
  addStatusRoutes(app, context);
  addBlockRoutes(app, context);
  addRejectionRoutes(app, context);
  addProofRoutes(app, context);
  addPeerRoutes(app, context);
  addStreamRoutes(app, context);
  addTransactionRoutes(app, context);
  addBatchRoutes(app, context);
  addKvRoutes(app, context);
  addOpenApi(app);
  addExplorerRoutes(app);
  await app.ready();
  return app;
}

/** JSON as a value, everything else that is taken as bytes. */
function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, async (_: unknown, body: Buffer) =>
    parseJson(body),
  );
  app.addContentTypeParser(
    ["application/octet-stream", NDJSON],
    { parseAs: "buffer" },
    async (_: unknown, body: Buffer) => body,
  );
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(strictUtf8.decode(body)) as unknown;
  } catch {
    throw new HttpError(400, "NOT_JSON", "the body is not JSON in UTF-8");
  }
}
