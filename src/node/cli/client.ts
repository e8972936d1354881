/** Asking a node over HTTP. */
import { messageOf } from "../systemError.ts";
import { CliError, EXIT } from "./error.ts";

export interface ClientFlags {
  readonly url?: string;
  readonly token?: string;
  readonly json?: boolean;
}

export const DEFAULT_URL = "http://127.0.0.1:26601";

/** An answer of the node, whatever its status. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Request {
  readonly method?: "GET" | "POST";
  readonly body?: string | Uint8Array;
  readonly contentType?: string;
  /** How long the node itself may take; the connection is given some seconds more. */
  readonly waitMs?: number;
}

const ANSWER_TIMEOUT_MS = 30_000;

/** One request. Throws CliError 3 when there is no node, or it does not answer. */
export async function ask(flags: ClientFlags, path: string, request: Request = {}): Promise<Answer> {
  const base = baseUrl(flags);
  const token = flags.token ?? process.env["CAIRN_TOKEN"];
  const { method = "GET", body, contentType = "application/json", waitMs = 0 } = request;
  let status: number;
  let text: string;
  try {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": contentType }),
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : Buffer.from(body) }),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS + waitMs),
    });
    status = response.status;
    text = await response.text();
  } catch (error) {
    throw new CliError(EXIT.unreachable, `cannot reach ${base}: ${whyUnreachable(error)}`);
  }
  return { status, body: parse(text, base, path) };
}

/** The body of a 200. Throws CliError: 1 for any other answer, with what the node says. */
export async function get<T>(flags: ClientFlags, path: string, request: Request = {}): Promise<T> {
  const answer = await ask(flags, path, request);
  if (answer.status === 200) return answer.body as T;
  throw refusal(answer);
}

/** What a node answered instead of what was asked for. */
export function refusal({ status, body }: Answer): CliError {
  const { code, message } = errorOf(body) ?? {
    code: `HTTP_${status}`,
    message: "the answer is not one of a Cairn node",
  };
  const hint = code === "UNAUTHORIZED" ? "; give it with --token or in CAIRN_TOKEN" : "";
  return new CliError(EXIT.no, `the node says no (${status} ${code}): ${message}${hint}`);
}

export function errorOf(body: unknown): { readonly code: string; readonly message: string } | undefined {
  if (typeof body !== "object" || body === null || !("error" in body)) return undefined;
  const { error } = body;
  if (typeof error !== "object" || error === null || !("code" in error) || !("message" in error)) return undefined;
  return { code: String(error.code), message: String(error.message) };
}

function baseUrl(flags: ClientFlags): string {
  const text = flags.url ?? process.env["CAIRN_URL"] ?? DEFAULT_URL;
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new CliError(EXIT.usage, `--url ${text}: must be a URL such as ${DEFAULT_URL}`);
  }
  return text.replace(/\/+$/, "");
}

function whyUnreachable(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") return "no answer in time";
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ECONNREFUSED") return "nothing listens there; is the node running? --url names another";
  return messageOf(cause ?? error);
}

/** Lines of JSON stay text; anything else must be JSON. */
function parse(text: string, base: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    if (path.startsWith("/v1/transactions/batch")) return text;
    throw new CliError(EXIT.unreachable, `${base} is no Cairn node: it does not answer in JSON`);
  }
}
