/**
 * Operations of the key-value application as people write them, in the HTTP API and on the command line:
 *
 *     {"put": {"key": "a", "value": "b"}}
 *     {"delete": {"key": {"base64url": "AAE"}}}
 *     {"compareAndSet": {"key": "a", "expectedVersion": 12, "value": "c"}}
 *
 * or an array of them, done all or none. Keys and values are UTF-8 text or `{"base64url": "..."}`.
 */
import { fromBase64Url } from "../../base/base64url.ts";
import { utf8 } from "../../base/bytes.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { KV_LIMITS, type Operation } from "./kvPayload.ts";

/** Where JSON is not what it should be: `path` such as `[2].put.key`, empty for the whole; `message` names it, too. */
export interface KvJsonError {
  readonly code:
    | "KV_NOT_AN_OPERATION"
    | "KV_UNKNOWN_FIELD"
    | "KV_MISSING_FIELD"
    | "KV_INVALID_VALUE"
    | "KV_TOO_LARGE"
    | "KV_OPERATION_COUNT";
  readonly message: string;
  readonly path: string;
}
type Read<T> = Result<T, KvJsonError>;
type Fields = Readonly<Record<string, unknown>>;

const KINDS = ["put", "delete", "compareAndSet"] as const;
const FIELDS = {
  put: ["key", "value"],
  delete: ["key"],
  compareAndSet: ["key", "expectedVersion", "value"],
} as const;

/** The operations of parsed JSON: one, or an array of 1 to 1000. */
export function operationsFromJson(value: unknown): Read<Operation[]> {
  if (!Array.isArray(value)) {
    const operation = readOperation(value, "");
    return operation.ok ? ok([operation.value]) : operation;
  }
  if (value.length === 0 || value.length > KV_LIMITS.operations) {
    return refuse("KV_OPERATION_COUNT", "", `${value.length} operations, must be 1 to ${KV_LIMITS.operations}`);
  }
  const operations: Operation[] = [];
  for (const [index, item] of value.entries()) {
    const operation = readOperation(item, `[${index}]`);
    if (!operation.ok) return operation;
    operations.push(operation.value);
  }
  return ok(operations);
}

function readOperation(value: unknown, path: string): Read<Operation> {
  if (!isObject(value)) {
    return refuse("KV_NOT_AN_OPERATION", path, `must be an object with one of ${KINDS.join(", ")}`);
  }
  const unknown = unknownField(value, KINDS, path);
  if (unknown !== undefined) return unknown;
  const [kind, ...more] = KINDS.filter((name) => Object.hasOwn(value, name));
  if (kind === undefined || more.length > 0) {
    return refuse("KV_NOT_AN_OPERATION", path, `must have exactly one of ${KINDS.join(", ")}`);
  }
  const inner = path === "" ? kind : `${path}.${kind}`;
  const fields = value[kind];
  if (!isObject(fields)) return refuse("KV_INVALID_VALUE", inner, `must be an object of ${FIELDS[kind].join(", ")}`);
  const stray = unknownField(fields, FIELDS[kind], inner);
  if (stray !== undefined) return stray;
  return readFields(kind, fields, inner);
}

function readFields(kind: (typeof KINDS)[number], fields: Fields, path: string): Read<Operation> {
  const key = readBytes(fields, "key", path, 1, KV_LIMITS.keyBytes);
  if (!key.ok) return key;
  if (kind === "delete") return ok({ kind, key: key.value });
  const value = readBytes(fields, "value", path, 0, KV_LIMITS.valueBytes);
  if (!value.ok) return value;
  if (kind === "put") return ok({ kind, key: key.value, value: value.value });
  const { expectedVersion } = fields;
  const at = `${path}.expectedVersion`;
  if (expectedVersion === undefined) return refuse("KV_MISSING_FIELD", at, "missing (0 means absent)");
  if (typeof expectedVersion !== "number" || !Number.isSafeInteger(expectedVersion) || expectedVersion < 0) {
    return refuse("KV_INVALID_VALUE", at, "must be a height, or 0 for absent");
  }
  return ok({ kind, key: key.value, expectedVersion, value: value.value });
}

/** Text or `{"base64url": text}` of `minBytes` to `maxBytes`. */
function readBytes(fields: Fields, name: string, parent: string, minBytes: number, maxBytes: number): Read<Uint8Array> {
  const path = `${parent}.${name}`;
  const value = fields[name];
  if (value === undefined) return refuse("KV_MISSING_FIELD", path, "missing");
  let bytes: Uint8Array;
  if (typeof value === "string") {
    if (!value.isWellFormed()) return refuse("KV_INVALID_VALUE", path, "is not well-formed Unicode");
    bytes = utf8(value);
  } else if (isObject(value)) {
    const stray = unknownField(value, ["base64url"], path);
    if (stray !== undefined) return stray;
    const encoded = value["base64url"];
    const decoded = typeof encoded === "string" ? fromBase64Url(encoded) : undefined;
    if (decoded === undefined)
      return refuse("KV_INVALID_VALUE", `${path}.base64url`, "must be unpadded base64url text");
    bytes = decoded;
  } else {
    return refuse("KV_INVALID_VALUE", path, 'must be text or {"base64url": text}');
  }
  if (bytes.length >= minBytes && bytes.length <= maxBytes) return ok(bytes);
  const code = bytes.length > maxBytes ? "KV_TOO_LARGE" : "KV_INVALID_VALUE";
  return refuse(code, path, `has ${bytes.length} bytes, must have ${minBytes} to ${maxBytes}`);
}

function unknownField(value: Fields, known: readonly string[], path: string): Read<never> | undefined {
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    return refuse(
      "KV_UNKNOWN_FIELD",
      path === "" ? name : `${path}.${name}`,
      `unknown field, known: ${known.join(", ")}`,
    );
  }
  return undefined;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(code: KvJsonError["code"], path: string, message: string): Read<never> {
  return err({ code, message: path === "" ? message : `${path}: ${message}`, path });
}
