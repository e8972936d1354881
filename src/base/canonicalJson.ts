/**
 * RFC 8785 canonical JSON: one text for one value, so that a hash of it names the value. The chain id is the hash of the
 * genesis written this way.
 *
 * Narrower than the RFC in one point: numbers are safe integers only. All numbers of a genesis are, and so two programs
 * never have to agree on the shortest digits of a fraction.
 */
import { err, ok, type Result } from "./result.ts";

/** `path` names the value within the whole, such as `.producers[2].key`; empty for the whole. */
export interface NotCanonical {
  readonly code: "NOT_CANONICAL_JSON";
  readonly message: string;
  readonly path: string;
}

/** Arrays and objects inside one another, at most: more than any genesis, far less than the stack holds. */
const MAX_DEPTH = 64;

/** Canonical text of a JSON value as `JSON.parse` gives it. */
export function canonicalJson(value: unknown): Result<string, NotCanonical> {
  try {
    return ok(write(value, "", 0));
  } catch (error) {
    if (error instanceof Refusal) return err({ code: "NOT_CANONICAL_JSON", message: error.message, path: error.path });
    throw error;
  }
}

class Refusal extends Error {
  readonly path: string;
  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

function write(value: unknown, path: string, depth: number): string {
  if (depth > MAX_DEPTH) throw new Refusal(path, `more than ${MAX_DEPTH} levels`);
  switch (typeof value) {
    case "boolean":
      return value ? "true" : "false";
    case "number":
      if (!Number.isSafeInteger(value)) throw new Refusal(path, `${value} is not a safe integer`);
      return String(value); // -0 gives "0", as the RFC has it
    case "string":
      return writeString(value, path);
    case "object":
      if (value === null) return "null";
      return Array.isArray(value) ? writeArray(value, path, depth) : writeObject(value, path, depth);
    default:
      throw new Refusal(path, `a ${typeof value} is not a JSON value`);
  }
}

/** Section 3.2.2.2: the escapes of `JSON.stringify`. A lone surrogate is not Unicode text and is refused. */
function writeString(text: string, path: string): string {
  if (!text.isWellFormed()) throw new Refusal(path, "not well-formed Unicode");
  return JSON.stringify(text);
}

function writeArray(values: readonly unknown[], path: string, depth: number): string {
  // By index: a hole is read as undefined and refused.
  const parts = Array.from({ length: values.length }, (_, i) => write(values[i], `${path}[${i}]`, depth + 1));
  return `[${parts.join(",")}]`;
}

/** Section 3.2.3: members in the order of their names' UTF-16 code units, which is what `sort` compares. */
function writeObject(object: object, path: string, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) throw new Refusal(path, "not a plain object");
  const members = Object.keys(object)
    .sort()
    .map((name) => {
      const value = (object as Record<string, unknown>)[name];
      return `${writeString(name, path)}:${write(value, `${path}.${name}`, depth + 1)}`;
    });
  return `{${members.join(",")}}`;
}
