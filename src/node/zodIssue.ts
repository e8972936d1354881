/** The first fault that zod found, in words for the person who wrote the value. */
import type { z } from "zod";

export interface ValueIssue {
  /** Such as `producers[1].key`; empty for the whole. */
  readonly path: string;
  readonly message: string;
}

/** Where the first fault is and what it is; `value` is what was checked. */
export function issueOf(error: z.ZodError, value: unknown): ValueIssue {
  const issue = error.issues[0];
  if (issue === undefined) return { path: "", message: "is not valid" };
  if (issue.code === "unrecognized_keys") {
    return { path: pathText([...issue.path, issue.keys[0] ?? ""]), message: "unknown name" };
  }
  return { path: pathText(issue.path), message: isMissing(value, issue.path) ? "is missing" : sentence(issue.message) };
}

/** `["producers", 1, "key"]` as `producers[1].key`. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? String(part) : `.${String(part)}`;
  }
  return text;
}

function isMissing(value: unknown, path: readonly PropertyKey[]): boolean {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null) return false;
    if (!Object.hasOwn(at, part)) return true;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  return false;
}

/** zod says "Too big: expected number to be <=5" and "Invalid input: expected string, received number". */
function sentence(message: string): string {
  return message.replace(/^(?:Invalid input|Too big|Too small|Invalid option|Invalid string): /, "");
}
