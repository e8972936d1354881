/** The document of the routes' schemas, completed with descriptions, examples and errors. */
import { COMMON, type ErrorCode, type ErrorExample, ERRORS } from "./errors.ts";
import { OPERATIONS, type OperationText, PARAMETERS } from "./operations.ts";

type Json = Record<string, unknown>;

interface Response extends Json {
  description?: string;
  content?: Record<string, Json>;
}

interface Operation extends Json {
  parameters?: { name: string; example?: string }[];
  requestBody?: { content: Record<string, Json> };
  responses: Record<string, Response>;
}

export interface OpenApiDocument extends Json {
  components?: Json & { schemas?: Json };
  paths?: Record<string, Record<string, Operation>>;
}

const ERROR_SCHEMA = {
  type: "object",
  properties: {
    error: {
      type: "object",
      properties: {
        code: { type: "string", description: "stable, upper-case" },
        message: { type: "string", description: "for people" },
        details: { description: "what a program may need, by code" },
      },
      required: ["code", "message"],
      additionalProperties: false,
    },
  },
  required: ["error"],
  additionalProperties: false,
};

const RETRY_AFTER = { "retry-after": { description: "seconds", required: true, schema: { type: "string" } } };

/** Changes the document in place. Operations that {@link OPERATIONS} does not know stay as they are. */
export function completeDocument(document: OpenApiDocument): OpenApiDocument {
  document.components = { ...document.components, schemas: { Error: ERROR_SCHEMA } };
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(methods)) {
      const text = OPERATIONS[`${method} ${path}`];
      if (text !== undefined) complete(operation, text, method);
    }
  }
  return document;
}

function complete(operation: Operation, text: OperationText, method: string): void {
  const { operationId, tag, summary, description } = text;
  Object.assign(operation, { operationId, tags: [tag], summary, ...(description && { description }) });
  // A token is asked for where one is configured.
  if (method === "post") operation["security"] = [{ token: [] }, {}];
  for (const parameter of operation.parameters ?? []) {
    const example = PARAMETERS[parameter.name];
    if (example !== undefined) parameter.example = example;
  }
  for (const [type, examples] of Object.entries(text.bodies ?? {})) {
    const body = operation.requestBody?.content[type];
    if (body !== undefined) body["examples"] = valuesOf(examples);
  }
  const success = operation.responses["200"];
  if (success !== undefined) completeSuccess(success, text);
  for (const [status, ofStatus] of Map.groupBy([...COMMON, ...text.errors], (code) => ERRORS[code].status)) {
    operation.responses[String(status)] = errorResponse(status, ofStatus);
  }
}

function completeSuccess(success: Response, { summary, example, bytes }: OperationText): void {
  success.description = summary;
  for (const content of Object.values(success.content ?? {})) content["example"] = example;
  if (bytes === undefined) return;
  const schema = { type: "string", format: "binary", description: bytes };
  success.content = { ...success.content, "application/octet-stream": { schema } };
}

function errorResponse(status: number, codes: readonly ErrorCode[]): Response {
  const examples = Object.fromEntries(
    codes.map((code) => {
      const { message, details }: ErrorExample = ERRORS[code];
      return [code, { value: { error: { code, message, ...(details === undefined ? {} : { details }) } } }];
    }),
  );
  return {
    description: codes.join(", "),
    ...(status === 429 || status === 503 ? { headers: RETRY_AFTER } : {}),
    content: { "application/json": { schema: { $ref: "#/components/schemas/Error" }, examples } },
  };
}

function valuesOf(examples: Readonly<Record<string, unknown>>): Json {
  return Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }]));
}
