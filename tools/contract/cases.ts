/** Requests made from the OpenAPI document: what it says is right, and what is wrong in every way that it lets one find. */
import type { ContractDocument, JsonSchema, Operation, Parameter } from "./document.ts";
import type { Request } from "./exchange.ts";

export interface Case {
  readonly operation: Operation;
  readonly what: string;
  readonly request: Request;
  /** Success: 200. Refused: 400 to 499. Documented: any status that the document names; else just these. */
  readonly expected: "success" | "refused" | "documented" | readonly number[];
  /** The request is for another method or path than the operation's: its codes are not among those documented. */
  readonly isElsewhere?: boolean;
}

/** Values of parameters that hold on the chain at hand, by name. */
export type Bindings = Readonly<Record<string, string>>;

const JSON_TYPE = "application/json";
const STRANGE_TEXTS = [
  "",
  "-1",
  "1.5",
  "x",
  "1e3",
  " 1",
  "0x1",
  "99999999999999999999",
  "null",
  "[1]",
  "{}",
  "\0",
  "ü€",
];
const STRANGE_VALUES = [null, true, 5, -1.5, "x", "", [], {}, { base64url: "!" }];
const STRANGE_TYPES = ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonp", "json"];
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"];

export function* casesOf(contract: ContractDocument, bindings: Bindings): Generator<Case, void, undefined> {
  for (const operation of contract.operations) {
    yield* rightCases(operation, bindings);
    for (const parameter of operation.parameters) yield* wrongParameters(contract, operation, parameter, bindings);
    if (operation.requestBody !== undefined) yield* wrongBodies(contract, operation, bindings);
  }
  yield* otherMethods(contract, bindings);
}

function* rightCases(operation: Operation, bindings: Bindings): Generator<Case, void, undefined> {
  const base = { operation, expected: "success" } as const;
  if (operation.requestBody === undefined) {
    for (const type of Object.keys(operation.responses["200"]?.content ?? {})) {
      const headers = { accept: type };
      yield {
        ...base,
        what: `as ${type}`,
        request: { method: operation.method, path: pathOf(operation, bindings), headers },
      };
    }
    for (const { name, in: where, example, schema } of operation.parameters) {
      if (where !== "query" || example === undefined) continue;
      for (const value of enumOf(schema)) {
        const path = pathOf(operation, bindings, [[name, value]]);
        yield {
          operation,
          what: `${name}=${value}`,
          expected: "documented",
          request: { method: operation.method, path },
        };
      }
      const path = pathOf(operation, bindings, [[name, bindings[name] ?? example]]);
      yield { ...base, what: `${name}=${example}`, request: { method: operation.method, path } };
    }
    return;
  }
  for (const [type, { examples = {} }] of Object.entries(operation.requestBody.content)) {
    for (const [name, { value }] of Object.entries(examples)) {
      // Examples with a time of their own have expired.
      const expected = JSON.stringify(value).includes("expiresAt") ? "refused" : "success";
      yield { operation, expected, what: `${type} ${name}`, request: bodyRequest(operation, bindings, type, value) };
      const withCharset = bodyRequest(operation, bindings, `${type}; charset=utf-8`, value);
      yield { operation, expected, what: `${type} ${name} with a charset`, request: withCharset };
    }
    const [first] = Object.values(examples);
    for (const { name, example } of first === undefined ? [] : operation.parameters) {
      const path = pathOf(operation, bindings, [[name, example ?? ""]]);
      const request = { ...bodyRequest(operation, bindings, type, first?.value), path };
      yield { ...base, what: `${type}, ${name}=${example}`, request };
    }
  }
}

function* wrongParameters(
  contract: ContractDocument,
  operation: Operation,
  parameter: Parameter,
  bindings: Bindings,
): Generator<Case, void, undefined> {
  const { name, schema } = parameter;
  const { method } = operation;
  for (const text of STRANGE_TEXTS) {
    const isWrong = contract.fault(schema, text) !== undefined;
    const what = `${parameter.in} ${name} = ${JSON.stringify(text)}`;
    const base = { operation, what, expected: isWrong ? ("refused" as const) : ("documented" as const) };
    if (parameter.in === "query")
      yield { ...base, request: { method, path: pathOf(operation, bindings, [[name, text]]) } };
    else if (parameter.in === "header") {
      if (/^[\x20-\x7e]+$/.test(text) && text.trim() === text) {
        yield { ...base, request: { method, path: pathOf(operation, bindings), headers: { [name]: text } } };
      }
    } else if (text !== "") {
      yield { ...base, request: { method, path: pathOf(operation, { ...bindings, [name]: text }) } };
    }
  }
  if (parameter.in !== "query") return;
  const value = parameter.example ?? "1";
  const twice = pathOf(operation, bindings, [
    [name, value],
    [name, value],
  ]);
  yield { operation, what: `${name} twice`, expected: "refused", request: { method, path: twice } };
  const stray = pathOf(operation, bindings, [[`${name}x`, value]]);
  yield { operation, what: "an unknown parameter", expected: "refused", request: { method, path: stray } };
}

function* wrongBodies(
  contract: ContractDocument,
  operation: Operation,
  bindings: Bindings,
): Generator<Case, void, undefined> {
  const content = operation.requestBody?.content ?? {};
  for (const type of STRANGE_TYPES) {
    yield {
      operation,
      what: `a body of ${type}`,
      expected: [415],
      request: bodyRequest(operation, bindings, type, {}),
    };
  }
  const path = pathOf(operation, bindings);
  yield {
    operation,
    what: "a body without a type",
    expected: [415],
    request: { method: operation.method, path, body: "{}" },
  };
  yield { operation, what: "no body", expected: [400], request: { method: operation.method, path } };
  for (const [type, { schema = {}, examples = {} }] of Object.entries(content)) {
    const malformed = [
      "{",
      "nul",
      "[".repeat(50_000),
      Buffer.from([0xff, 0xfe]),
      "",
      '{"__proto__":{"put":1}}',
      "\0",
      "5",
    ];
    for (const body of malformed) {
      const headers = { "content-type": type };
      const expected = type === JSON_TYPE ? [400] : "documented";
      const what = `${type}, malformed: ${JSON.stringify(String(body).slice(0, 20))}`;
      yield { operation, what, expected, request: { method: operation.method, path, headers, body } };
    }
    if (type !== JSON_TYPE) continue;
    for (const { value } of Object.values(examples)) {
      for (const mutant of mutantsOf(value)) yield mutantCase(contract, operation, schema, mutant, bindings);
    }
  }
}

function mutantCase(
  contract: ContractDocument,
  operation: Operation,
  schema: JsonSchema,
  mutant: unknown,
  bindings: Bindings,
): Case {
  const isWrong = contract.fault(schema, mutant) !== undefined;
  const request = bodyRequest(operation, bindings, JSON_TYPE, mutant);
  return { operation, what: JSON.stringify(mutant), expected: isWrong ? "refused" : "documented", request };
}

/** The value with each of its parts, itself included, replaced, left out or added to. */
function* mutantsOf(value: unknown): Generator<unknown, void, undefined> {
  for (const strange of STRANGE_VALUES) yield strange;
  if (Array.isArray(value)) {
    yield [...value, null];
    for (const [index, each] of value.entries()) for (const mutant of mutantsOf(each)) yield value.with(index, mutant);
  } else if (typeof value === "object" && value !== null) {
    yield { ...value, stray: 1 };
    for (const [name, each] of Object.entries(value)) {
      yield Object.fromEntries(Object.entries(value).filter(([other]) => other !== name));
      for (const mutant of mutantsOf(each)) yield { ...value, [name]: mutant };
    }
  }
}

function* otherMethods(contract: ContractDocument, bindings: Bindings): Generator<Case, void, undefined> {
  for (const [path, operations] of Map.groupBy(contract.operations, (operation) => operation.path)) {
    const [operation] = operations as [Operation];
    const methods = operations.map(({ method }) => method);
    const at = pathOf(operation, bindings);
    for (const method of METHODS) {
      if (methods.includes(method)) continue;
      // A path may be another one's template as well: /v1/transactions/batch is the transaction "batch" to GET.
      const isOther = contract.operations.some(
        (other) => other.path !== path && other.method === method && isAt(other, at),
      );
      yield {
        operation,
        isElsewhere: true,
        what: method,
        expected: isOther ? [400, 404] : [405],
        request: { method, path: at },
      };
    }
    yield { operation, isElsewhere: true, what: "OPTIONS", expected: [204], request: { method: "OPTIONS", path: at } };
    if (methods.includes("GET"))
      yield { operation, isElsewhere: true, what: "HEAD", expected: [200], request: { method: "HEAD", path: at } };
    if (path.endsWith("{key}")) continue; // keys may hold slashes
    const request = { method: "GET", path: `${at}/x/y` };
    yield { operation, isElsewhere: true, what: "nothing there", expected: [404], request };
  }
}

function enumOf(schema: JsonSchema): readonly string[] {
  return Array.isArray(schema["enum"]) ? (schema["enum"] as string[]) : [];
}

function isAt({ path }: Operation, url: string): boolean {
  return new RegExp(`^${path.replace(/\{[^}]+\}/g, "[^/]+")}$`).test(url.split("?", 1)[0] ?? "");
}

function bodyRequest(operation: Operation, bindings: Bindings, type: string, value: unknown): Request {
  const body = typeof value === "string" && type !== JSON_TYPE ? value : JSON.stringify(value);
  return { method: operation.method, path: pathOf(operation, bindings), headers: { "content-type": type }, body };
}

/** The path with its parameters from the bindings, and a query. */
export function pathOf(
  { path }: Operation,
  bindings: Bindings,
  query: readonly (readonly [name: string, value: string])[] = [],
): string {
  const filled = path.replace(/\{([^}]+)\}/g, (_, name: string) => encodeURIComponent(bindings[name] ?? ""));
  const search = query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return search === "" ? filled : `${filled}?${search}`;
}
