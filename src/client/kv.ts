/** Reading the key-value application's state. */
import { fromBase64Url, toBase64Url } from "../base/base64url.ts";
import type { KvEntry, KvRange } from "./answers.ts";
import type { Caller } from "./caller.ts";
import { read, type ReadOptions, type Taken } from "./reads.ts";
import { isHeight, isObject, isText } from "./shape.ts";
import type { BytesJson } from "./transactions.ts";
import { bytesOf } from "./watch.ts";

export interface KvReadOptions extends ReadOptions {
  /** The state to read: of the irreversible block (default), or of the head. */
  readonly at?: "irreversible" | "head";
  /** A node whose state is of a lower height is passed over: to read what was written there. */
  readonly minHeight?: number;
}

export interface KvGetOptions extends KvReadOptions {
  /** See everything that was irreversible anywhere when this was asked; goes with `at: "irreversible"`. */
  readonly linearizable?: boolean;
}

export interface KvRangeOptions extends KvReadOptions {
  /** Keys above this one only. */
  readonly after?: BytesJson;
  /** 1 to 1000; default: 100. */
  readonly limit?: number;
}

export type KvValue = KvEntry & {
  /** Of the state that was read. */
  readonly height: number;
};

export function kvGet(key: BytesJson, options: KvGetOptions, caller: Caller): Promise<KvValue | undefined> {
  const { at = "irreversible", minHeight = 0, linearizable = false } = options;
  // Never percent-encoded: a key such as ".." would be taken for a step up in the path.
  const path = `/v1/kv/${toBase64Url(bytesOf(key))}?at=${at}&encoding=base64url${linearizable ? "&linearizable=true" : ""}`;
  const take = (body: unknown): Taken<KvValue | undefined> => {
    const entry = readEntry(body);
    const height = isObject(body) ? body["height"] : undefined;
    return entry === undefined || !isHeight(height)
      ? { kind: "invalid" }
      : atLeast(minHeight, height, { ...entry, height });
  };
  return read(path, options, caller, take, ({ refusal, details }) => {
    if (refusal.code !== "KEY_NOT_FOUND") return undefined;
    const height = isObject(details) && isHeight(details["height"]) ? details["height"] : 0;
    return atLeast(minHeight, height, undefined);
  });
}

export function kvRange(prefix: BytesJson, options: KvRangeOptions, caller: Caller): Promise<KvRange> {
  const { at = "irreversible", minHeight = 0, after, limit = 100 } = options;
  const from = after === undefined ? "" : `&after=${toBase64Url(bytesOf(after))}`;
  const path = `/v1/kv?prefix=${toBase64Url(bytesOf(prefix))}${from}&limit=${limit}&at=${at}&encoding=base64url`;
  return read(path, options, caller, (body) => {
    if (!isObject(body) || !Array.isArray(body["entries"])) return { kind: "invalid" };
    const { height, more } = body;
    const entries = body["entries"].map(readEntry).filter((entry) => entry !== undefined);
    if (entries.length !== body["entries"].length || !isHeight(height) || typeof more !== "boolean") {
      return { kind: "invalid" };
    }
    return atLeast(minHeight, height, { entries, height, more });
  });
}

function atLeast<T>(minHeight: number, height: number, value: T): Taken<T> {
  return height < minHeight ? { kind: "behind", height } : { kind: "value", value };
}

function readEntry(entry: unknown): KvEntry | undefined {
  if (!isObject(entry)) return undefined;
  const { key, value, text, version } = entry;
  const isKey = isText(key) || (isObject(key) && isText(key["base64url"]));
  const bytes = isText(value) ? fromBase64Url(value) : undefined;
  if (!isKey || bytes === undefined || !isHeight(version)) return undefined;
  return { key: key as BytesJson, value: bytes, ...(isText(text) ? { text } : {}), version };
}
