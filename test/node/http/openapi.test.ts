import { readdirSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { ContractDocument } from "../../../tools/contract/document.ts";
import { ERRORS } from "../../../src/node/http/document/errors.ts";
import { appOf, FakeNode } from "./fakeNode.ts";

let contract: ContractDocument;

beforeAll(async () => {
  contract = new ContractDocument((await (await appOf(new FakeNode())).inject("/openapi.json")).json());
});

describe("the OpenAPI document", () => {
  test("describes every operation (src/node/http/document/operations.ts) and each of its parameters by an example", () => {
    for (const { method, path, summary, operationId, parameters } of contract.operations) {
      expect([summary, operationId], `${method} ${path}`).toEqual([expect.any(String), expect.any(String)]);
      for (const { name, example, schema } of parameters) {
        expect(example, `${path} ${name}`).toEqual(expect.any(String));
        expect(contract.fault(schema, example), `${path} ${name}`).toBeUndefined();
      }
    }
    const ids = contract.operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("shows an example of every body and every answer, each valid by its schema", () => {
    for (const { method, path, requestBody, responses } of contract.operations) {
      for (const [where, { content = {} }] of [["body", requestBody ?? {}] as const, ...Object.entries(responses)]) {
        for (const [type, { schema, example, examples }] of Object.entries(content)) {
          if (type === "application/octet-stream") continue;
          const at = `${method} ${path} ${where} ${type}`;
          const values = example === undefined ? Object.values(examples ?? {}).map(({ value }) => value) : [example];
          expect(values.length, at).toBeGreaterThan(0);
          for (const value of values) expect(contract.fault(schema ?? {}, value), at).toBeUndefined();
        }
      }
    }
  });

  test("its check of values finds what is wrong", () => {
    const status = contract.operations.find(({ path }) => path === "/v1/status");
    const { schema = {}, example } = status?.responses["200"]?.content?.["application/json"] ?? {};
    const valid = example as { readonly head: object };
    expect(contract.fault(schema, { ...valid, stray: 1 })).toContain("stray");
    expect(contract.fault(schema, { ...valid, head: { ...valid.head, height: "2" } })).toContain("head.height");
    expect(contract.fault(schema, { ...valid, chainId: undefined })).toContain("chainId");
    const error = status?.responses["503"]?.content?.["application/json"]?.schema ?? {};
    expect(contract.fault(error, { error: { code: "X", message: "m" } })).toBeUndefined();
    expect(contract.fault(error, { error: { code: "X" } })).toContain("message");
    expect(contract.fault(error, { error: "X" })).toBeDefined();
  });

  test("knows every code that the HTTP interface's code names, with its status", () => {
    const dir = new URL("../../../src/node/http/", import.meta.url);
    const files = readdirSync(dir).filter((name) => name.endsWith(".ts"));
    const named = files.flatMap((name) => [
      ...readFileSync(new URL(name, dir), "utf8").matchAll(/HttpError\(\s*(\d{3}),\s*"([A-Z_]+)"/g),
    ]);
    expect(named.length).toBeGreaterThan(30);
    for (const [, status, code] of named) {
      expect(ERRORS, code).toHaveProperty(String(code));
      expect(ERRORS[code as keyof typeof ERRORS].status, code).toBe(Number(status));
    }
  });

  test("says which operations ask for a token where there is one", () => {
    const asking = contract.operations.filter(({ security }) => security !== undefined);
    expect(asking.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "POST /v1/blocks/{id}/reject",
      "POST /v1/blocks/{id}/accept",
      "POST /v1/peers/{peer}/off",
      "POST /v1/peers/{peer}/on",
      "POST /v1/transactions",
      "POST /v1/transactions/batch",
    ]);
  });
});
