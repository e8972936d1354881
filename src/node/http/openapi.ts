/** `/openapi.json`, from the schemas of the routes. */
import swagger from "@fastify/swagger";
import type { FastifyInstance, FastifySchema } from "fastify";
import { jsonSchemaTransform, validatorCompiler } from "fastify-type-provider-zod";
import { z } from "zod";
import { VERSION } from "../version.ts";

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
        description: "Heights and times are numbers, ids lower-case hex.",
      },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
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
  app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
}
