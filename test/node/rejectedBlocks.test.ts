import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { RejectedBlocks } from "../../src/node/rejectedBlocks.ts";
import { appOf, FakeNode } from "./http/fakeNode.ts";

const dir = mkdtempSync(join(tmpdir(), "cairn-rejected-"));
afterAll(() => rmSync(dir, { recursive: true }));
const [A, B] = ["a".repeat(64), "b".repeat(64)] as [string, string];

test("what was decided is there at the next start; a damaged list is an error with its file", () => {
  const list = RejectedBlocks.open(dir);
  list.add(A);
  list.add(B);
  list.remove(A);
  expect(RejectedBlocks.open(dir).ids).toEqual([B]);
  writeFileSync(join(dir, "rejected-blocks.json"), '{"rejected": ["x"]}');
  expect(() => RejectedBlocks.open(dir)).toThrow(/rejected-blocks\.json is no list/);
});

test("HTTP: reject, list, accept; 409 for the irreversible, 400 for no id, 401 without the token", async () => {
  const node = new FakeNode();
  const app = await appOf(node, "secret");
  const headers = { authorization: "Bearer secret" };
  const post = async (path: string) => (await app.inject({ method: "POST", url: path, headers })).statusCode;
  expect(await post(`/v1/blocks/${A}/reject`)).toBe(200);
  expect((await app.inject("/v1/blocks/rejected")).json()).toEqual({ rejected: [A] });
  expect(await post(`/v1/blocks/${A}/accept`)).toBe(200);
  expect((await app.inject("/v1/blocks/rejected")).json()).toEqual({ rejected: [] });
  expect(await post(`/v1/blocks/${node.head.id}/reject`)).toBe(409);
  expect(await post("/v1/blocks/12/reject")).toBe(400);
  expect((await app.inject({ method: "POST", url: `/v1/blocks/${A}/reject` })).statusCode).toBe(401);
});
