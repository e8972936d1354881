/** One HTTP request to one node and its whole answer, within a time and a size. */
import { wordsOf } from "./errors.ts";
import type { Platform } from "./platform.ts";

export interface Asking {
  /** Begins with a slash. */
  readonly path: string;
  readonly method?: "GET" | "POST";
  readonly body?: Uint8Array | string | undefined;
  readonly contentType?: string;
  /** Longest time until the whole answer is there. */
  readonly timeoutMs: number;
  /** Longest answer. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly kind: "answer";
  readonly status: number;
  /** Undefined when the node does not say. */
  readonly retryAfterMs: number | undefined;
  readonly text: string;
}

/** No (whole) answer: what was asked for may have been done or not. */
export interface NoAnswer {
  readonly kind: "lost";
  readonly why: "unreachable" | "timeout" | "invalid" | "aborted";
  readonly message: string;
}

/** Never rejects. */
export async function exchange(
  url: string,
  token: string | undefined,
  asking: Asking,
  platform: Platform,
): Promise<Answer | NoAnswer> {
  const ended = new AbortController();
  let timedOut = false;
  const abort = (): void => ended.abort();
  asking.signal?.addEventListener("abort", abort);
  if (asking.signal?.aborted) abort();
  const timer = new AbortController();
  void platform.sleep(asking.timeoutMs, timer.signal).then(() => {
    timedOut = !timer.signal.aborted;
    abort();
  });
  try {
    const response = await platform.fetch(`${url}${asking.path}`, requestOf(asking, token, ended.signal));
    const text = await boundedText(response, asking.maxBytes);
    if (text === undefined) return lost("invalid", `${url} answers with more than ${asking.maxBytes} bytes`);
    return { kind: "answer", status: response.status, retryAfterMs: retryAfterMs(response, platform), text };
  } catch (error) {
    if (asking.signal?.aborted) return lost("aborted", "aborted");
    if (timedOut) return lost("timeout", `${url}: no answer in time`);
    return lost("unreachable", `cannot reach ${url}: ${wordsOf(error)}`);
  } finally {
    timer.abort();
    ended.abort();
    asking.signal?.removeEventListener("abort", abort);
  }
}

function lost(why: NoAnswer["why"], message: string): NoAnswer {
  return { kind: "lost", why, message };
}

function requestOf(asking: Asking, token: string | undefined, signal: AbortSignal): RequestInit {
  const { method = "GET", body, contentType = "application/json" } = asking;
  return {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": contentType }),
    },
    ...(body === undefined ? {} : { body: body as NonNullable<RequestInit["body"]> }),
    // A token must not go where a node sends it.
    redirect: "error",
    signal,
  };
}

/** Undefined when the body is longer than it may be: the rest is not read. */
async function boundedText(response: Response, maxBytes: number): Promise<string | undefined> {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > maxBytes) {
      await reader.cancel().catch(() => undefined);
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
export function retryAfterMs(response: Response, { now }: Pick<Platform, "now">): number | undefined {
  const text = response.headers.get("retry-after")?.trim();
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : Math.max(0, time - now());
}
