/** Errors of the HTTP interface: all bodies are `{"error": {"code", "message", "details"?}}`. */
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "../logging.ts";
import { RETRY_AFTER_SECONDS } from "./limits.ts";

export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly details?: unknown };
}

/** Thrown by handlers; becomes the answer. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly statusCode: number;
  /** Stable, upper-case. */
  readonly code: string;
  readonly details: unknown;
  constructor(statusCode: number, code: string, message: string, details?: unknown) {
    super(message);
    this.statusCode = statusCode;
    this.code = code;
    this.details = details;
  }
}

export function errorBody(code: string, message: string, details?: unknown): ErrorBody {
  return { error: details === undefined ? { code, message } : { code, message, details } };
}

export const JSON_TYPE = "application/json; charset=utf-8";
/** Retry-After goes with every answer that only asks to come again. */
const RETRYABLE = new Set([429, 503]);

export function sendError(reply: FastifyReply, error: HttpError): FastifyReply {
  if (RETRYABLE.has(error.statusCode)) void reply.header("retry-after", String(RETRY_AFTER_SECONDS));
  return reply
    .code(error.statusCode)
    .type(JSON_TYPE)
    .serializer(JSON.stringify)
    .send(errorBody(error.code, error.message, error.details));
}

export function installErrors(app: FastifyInstance, log: Logger): void {
  const allowed = methodsByPath(app);
  app.setErrorHandler((error: FastifyError, request, reply) => sendError(reply, httpErrorOf(error, request, log)));
  // Before anything is read of a body that nobody wants.
  app.addHook("onRequest", async (request, reply) => {
    if (request.raw.httpVersion === "1.1" && request.headers.host === undefined) {
      throw new HttpError(400, "INVALID_REQUEST", "the header Host is missing");
    }
    if (!request.is404) return;
    const path = request.url.split("?", 1)[0] ?? "";
    const methods = allowed(path);
    if (methods === undefined) throw new HttpError(404, "NOT_FOUND", `there is nothing at ${path}`);
    void reply.header("allow", methods.join(", "));
    if (request.method === "OPTIONS") return reply.code(204).send();
    const message = `${request.method} is not possible at ${path}, only ${methods.join(", ")}`;
    throw new HttpError(405, "METHOD_NOT_ALLOWED", message);
  });
}

/** Errors before there is a route: the path cannot be read. */
export function answerFrameworkError(error: FastifyError, _: unknown, reply: FastifyReply): void {
  const invalidUrl = new HttpError(
    400,
    "INVALID_URL",
    "the path is not percent-encoded UTF-8, or a part of it is too long",
  );
  if (error.code === "FST_ERR_BAD_URL") sendError(reply, invalidUrl);
  else if (error.statusCode === 414)
    sendError(reply, new HttpError(414, "URL_TOO_LONG", "a part of the path is too long"));
  else sendError(reply, new HttpError(error.statusCode ?? 400, "INVALID_REQUEST", error.message));
}

function httpErrorOf(error: FastifyError | HttpError, request: FastifyRequest, log: Logger): HttpError {
  if (error instanceof HttpError) return error;
  if ("validation" in error && error.validation !== undefined) {
    const details = error.validation.map(({ instancePath, message }) => ({ path: instancePath.slice(1), message }));
    return new HttpError(400, "INVALID_REQUEST", validationText(details), details);
  }
  const { statusCode = 500, code } = error;
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new HttpError(413, "BODY_TOO_LARGE", "the body is larger than this endpoint takes");
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new HttpError(415, "UNSUPPORTED_MEDIA_TYPE", `content type ${mediaType(request)} is not taken here`);
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new HttpError(400, "INVALID_CONTENT_LENGTH", "the body is not as long as its Content-Length says");
    default:
  }
  if (statusCode < 500) return new HttpError(statusCode, "INVALID_REQUEST", error.message);
  log.write("error", "http", "request failed", { method: request.method, url: request.url, stack: error.stack });
  return new HttpError(500, "INTERNAL", "the node failed to answer; its log says more");
}

function validationText(issues: readonly { readonly path: string; readonly message: string | undefined }[]): string {
  return issues.map(({ path, message }) => (path === "" ? (message ?? "") : `${path}: ${message}`)).join("; ");
}

function mediaType(request: FastifyRequest): string {
  return JSON.stringify(request.headers["content-type"] ?? "none");
}

/** Which methods a path takes; undefined for a path that nothing is at. */
function methodsByPath(app: FastifyInstance): (path: string) => string[] | undefined {
  const routes: { readonly pattern: RegExp; readonly method: string }[] = [];
  app.addHook("onRoute", ({ url, method }) => {
    const source = url
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replace(/:[^/]+/g, "[^/]+")
      .replace(/\*$/, ".+");
    for (const name of [method].flat()) routes.push({ pattern: new RegExp(`^${source}$`), method: name });
  });
  return (path) => {
    const methods = new Set(routes.flatMap(({ pattern, method }) => (pattern.test(path) ? [method] : [])));
    return methods.size === 0 ? undefined : [...methods, "OPTIONS"];
  };
}

/**
 * What is no HTTP, too long or too slow never becomes a request: it is answered here, if at all.
 * @param isAnswering an answer to an earlier request of the connection is under way, into which nothing may be written
 */
export function answerClientError(error: ClientError, socket: Socket, isAnswering: boolean): void {
  // Nothing can be said to one who has gone.
  if (error.code === "ECONNRESET" || !socket.writable || isAnswering) socket.destroy();
  else socket.end(rawAnswer(clientError(error)));
}

/** Answers a request that the server does not hand on: CONNECT, and expectations other than 100-continue. */
export function answerUnusual(server: Server): void {
  server.on("connect", (request: IncomingMessage, socket: Socket) => {
    socket.end(rawAnswer(new HttpError(405, "METHOD_NOT_ALLOWED", `${request.method} is not possible here`)));
  });
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    const message = `the expectation ${JSON.stringify(request.headers.expect)} is not known`;
    const body = JSON.stringify(errorBody("EXPECTATION_FAILED", message));
    const length = Buffer.byteLength(body);
    response.writeHead(417, { "content-type": JSON_TYPE, "content-length": length, connection: "close" }).end(body);
  });
}

function rawAnswer({ statusCode, code, message }: HttpError): string {
  const body = JSON.stringify(errorBody(code, message));
  return (
    `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}\r\nContent-Type: ${JSON_TYPE}\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`
  );
}

interface ClientError extends Error {
  readonly code?: string;
  readonly rawPacket?: unknown;
}

/** Is what could not be read a request but for its method? */
const REQUEST_LINE = /^[A-Z]{1,32} \S+ HTTP\/1\.[01]\r?\n/;

function clientError({ code, rawPacket }: ClientError): HttpError {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new HttpError(408, "REQUEST_TIMEOUT", "the request took too long to arrive");
    case "HPE_HEADER_OVERFLOW":
      return new HttpError(431, "HEADERS_TOO_LARGE", "the request's head is too large");
    case "HPE_INVALID_METHOD":
      if (!Buffer.isBuffer(rawPacket) || !REQUEST_LINE.test(rawPacket.toString("latin1"))) break;
      return new HttpError(501, "METHOD_UNKNOWN", "there is no such method");
    default:
  }
  return new HttpError(400, "INVALID_REQUEST", "this is not HTTP");
}
