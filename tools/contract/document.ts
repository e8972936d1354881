/** A node's OpenAPI document, as far as the contract test reads it, and checks of values by its schemas. */
import { z } from "zod";

export interface Content {
  readonly schema?: JsonSchema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface Parameter {
  readonly name: string;
  readonly in: "query" | "path" | "header";
  readonly required?: boolean;
  readonly schema: JsonSchema;
  readonly example?: string;
}

export interface ResponseDocument {
  readonly description: string;
  readonly headers?: Readonly<Record<string, { readonly required?: boolean }>>;
  readonly content?: Readonly<Record<string, Content>>;
}

export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly operationId?: string;
  readonly summary?: string;
  readonly security?: readonly unknown[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<Record<string, ResponseDocument>>;
}

export class ContractDocument {
  readonly operations: readonly Operation[];
  readonly #root: JsonSchema;
  readonly #checks = new WeakMap<JsonSchema, z.ZodType>();

  constructor(json: unknown) {
    const { paths } = json as { paths: Record<string, Record<string, Operation>> };
    this.#root = json as JsonSchema;
    this.operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        ...operation,
        method: method.toUpperCase(),
        path,
        parameters: operation.parameters ?? [],
      })),
    );
  }

  /** What is wrong with a value by a schema of the document; undefined: nothing. */
  fault(schema: JsonSchema, value: unknown): string | undefined {
    let check = this.#checks.get(schema);
    if (check === undefined) {
      check = z.fromJSONSchema(this.#resolved(schema) as Parameters<typeof z.fromJSONSchema>[0]);
      this.#checks.set(schema, check);
    }
    const result = check.safeParse(value);
    return result.success ? undefined : z.prettifyError(result.error).replaceAll("\n", " ");
  }

  /** The schema with what it refers to in its place. */
  #resolved(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((each) => this.#resolved(each));
    const { $ref } = value as { readonly $ref?: string };
    if ($ref !== undefined) return this.#resolved(this.#at($ref));
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.#resolved(each)]));
  }

  #at(reference: string): unknown {
    const names = reference.replace(/^#\//, "").split("/");
    return names.reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], this.#root);
  }
}
