import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { OFF_PEERS, OperatorList, REJECTED_BLOCKS } from "../../src/node/operatorList.ts";
import { appOf, FakeNode, PRODUCER } from "./http/fakeNode.ts";

const dir = mkdtempSync(join(tmpdir(), "cairn-rejected-"));
afterAll(() => rmSync(dir, { recursive: true }));
const [A, B] = ["a".repeat(64), "b".repeat(64)] as [string, string];

test.each([REJECTED_BLOCKS, OFF_PEERS])(
  "$what: what was decided is there at the next start; a damaged list is an error",
  (kind) => {
    const list = OperatorList.open(kind, dir);
    list.add(A);
    list.add(B);
    list.remove(A);
    expect(OperatorList.open(kind, dir).ids).toEqual([B]);
    writeFileSync(join(dir, kind.file), JSON.stringify({ [kind.field]: ["x"] }));
    expect(() => OperatorList.open(kind, dir)).toThrow(`${kind.file} is no list of ${kind.what}`);
  },
);

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

test("HTTP: links off, listed, on; twice is once; 409 for the node itself, 400 for no key, 401 without the token", async () => {
  const node = new FakeNode();
  const app = await appOf(node, "secret");
  const headers = { authorization: "Bearer secret" };
  const post = (path: string) => app.inject({ method: "POST", url: path, headers });
  for (const word of ["off", "off", "on", "on"]) {
    expect((await post(`/v1/peers/${A}/${word}`)).json()).toEqual({ key: A, off: word === "off" });
    expect((await app.inject("/v1/peers")).json()).toEqual({ peers: [], off: word === "off" ? [{ key: A }] : [] });
  }
  expect((await post(`/v1/peers/${PRODUCER}/off`)).json()).toMatchObject({ error: { code: "PEER_IS_SELF" } });
  expect((await post("/v1/peers/node1/off")).statusCode).toBe(400);
  expect((await app.inject({ method: "POST", url: `/v1/peers/${A}/off` })).statusCode).toBe(401);
});
