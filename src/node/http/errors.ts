/** Errors of the HTTP interface: all bodies are `{"error": {"code", "message", "details"?}}`. */
import { STATUS_CODES } from "node:http";
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

/** Retry-After goes with every answer that only asks to come again. */
const RETRYABLE = new Set([429, 503]);

export function sendError(reply: FastifyReply, error: HttpError): FastifyReply {
  if (RETRYABLE.has(error.statusCode)) void reply.header("retry-after", String(RETRY_AFTER_SECONDS));
  return reply
    .code(error.statusCode)
    .type("application/json; charset=utf-8")
    .serializer(JSON.stringify)
    .send(errorBody(error.code, error.message, error.details));
}

export function installErrors(app: FastifyInstance, log: Logger): void {
  const allowed = methodsByPath(app);
  app.setErrorHandler((error: FastifyError, request, reply) => sendError(reply, httpErrorOf(error, request, log)));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0] ?? "";
    const methods = allowed(path);
    if (methods === undefined) return sendError(reply, new HttpError(404, "NOT_FOUND", `there is nothing at ${path}`));
    void reply.header("allow", methods.join(", "));
    const message = `${request.method} is not possible at ${path}, only ${methods.join(", ")}`;
    return sendError(reply, new HttpError(405, "METHOD_NOT_ALLOWED", message));
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
    return methods.size === 0 ? undefined : [...methods];
  };
}

/** What is no HTTP, too long or too slow never becomes a request: it is answered here, if at all. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  // Nothing can be said to one who has gone, and nothing more after an answer has begun.
  if (error.code === "ECONNRESET" || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const [statusCode, code, message] = clientError(error.code);
  const body = JSON.stringify(errorBody(code, message));
  socket.end(
    `HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function clientError(code: string | undefined): [number, string, string] {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return [408, "REQUEST_TIMEOUT", "the request took too long to arrive"];
    case "HPE_HEADER_OVERFLOW":
      return [431, "HEADERS_TOO_LARGE", "the request's head is too large"];
    default:
      return [400, "INVALID_REQUEST", "this is not HTTP"];
  }
}
