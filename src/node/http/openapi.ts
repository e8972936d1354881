/** `/openapi.json`, from the schemas of the routes. */
import swagger from "@fastify/swagger";
import type { FastifyInstance, FastifySchema } from "fastify";
import { jsonSchemaTransform, validatorCompiler } from "fastify-type-provider-zod";
import { z } from "zod";
import { completeDocument, type OpenApiDocument } from "./document/complete.ts";
import { VERSION } from "../version.ts";

const ABOUT =
  "Heights are numbers, times milliseconds since the epoch, ids and keys lower-case hex, payloads base64url without padding. " +
  "Whatever is no success is {error: {code, message, details?}}. HEAD works wherever GET does, OPTIONS names the methods; another " +
  "method is a 405 METHOD_NOT_ALLOWED with Allow, a path that nothing is at a 404 NOT_FOUND. 429 and 503 carry Retry-After in seconds.";

/**
 * Checks queries and paths by their schemas. Bodies are documented by theirs but checked where they are used: the
 * messages are better there, and a batch is too hot for a schema a line. Answers are written as they are.
 */
export async function installSchemas(app: FastifyInstance): Promise<void> {
  app.setValidatorCompiler((route) =>
    route.httpPart === "body" ? (value: unknown) => ({ value }) : validatorCompiler(route as never),
  );
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Cairn node",
        version: VERSION,
        description: ABOUT,
      },
      tags: [
        { name: "chain", description: "blocks" },
        { name: "transactions", description: "submitting and finding them" },
        { name: "kv", description: "state of the key-value application" },
        { name: "node", description: "the node itself" },
      ],
      components: {
        securitySchemes: {
          token: { type: "http", scheme: "bearer", description: "http.token of the node's configuration" },
        },
      },
    },
    transform: (route) => {
      const { body, ...schema } = (route.schema ?? {}) as FastifySchema;
      const transformed = jsonSchemaTransform({ ...route, schema } as never) as { schema: FastifySchema; url: string };
      // The wildcard of the key-value routes is a key.
      const url = transformed.url.replace(/\*$/, ":key");
      if (!isByContentType(body)) return { ...transformed, url };
      return { url, schema: { ...transformed.schema, body: bodyJson(body) } as FastifySchema };
    },
  });
}

interface BodyByContentType {
  readonly content: Readonly<Record<string, { readonly schema: z.ZodType }>>;
}

function isByContentType(body: unknown): body is BodyByContentType {
  return typeof body === "object" && body !== null && "content" in body;
}

function bodyJson({ content }: BodyByContentType) {
  const entries = Object.entries(content).map(([type, { schema }]) => {
    const { $schema: _, ...json } = z.toJSONSchema(schema, { io: "input" });
    return [type, { schema: json }] as const;
  });
  return { content: Object.fromEntries(entries) };
}

export function addOpenApi(app: FastifyInstance): void {
  const document = once(() => completeDocument(app.swagger() as unknown as OpenApiDocument));
  app.get("/openapi.json", { schema: { hide: true } }, document);
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
