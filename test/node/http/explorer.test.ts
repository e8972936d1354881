/** The explorer page as it is served: nothing in it that its Content-Security-Policy would refuse, nothing from elsewhere. */
import { readFileSync } from "node:fs";
import type { FastifyInstance } from "fastify";
import { beforeAll, describe, expect, test } from "vitest";
import { PAGE_FILES } from "../../../src/node/http/explorerRoutes.ts";
import { appOf, FakeNode } from "./fakeNode.ts";

let app: FastifyInstance;
beforeAll(async () => {
  app = await appOf(new FakeNode(), "a token");
});

describe("GET /", () => {
  test.each(Object.entries(PAGE_FILES))(
    "%s is there without a token, under a strict policy",
    async (path, [, type]) => {
      const { statusCode, headers, rawPayload } = await app.inject(path);
      expect([statusCode, headers["content-type"]]).toEqual([200, type]);
      expect(rawPayload.length).toBeGreaterThan(100);
      const policy = String(headers["content-security-policy"]);
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
      expect(headers["x-content-type-options"]).toBe("nosniff");
      const again = await app.inject({ url: path, headers: { "if-none-match": String(headers.etag) } });
      expect([again.statusCode, again.rawPayload.length]).toEqual([304, 0]);
      expect((await app.inject({ url: path, method: "HEAD" })).statusCode).toBe(200);
    },
  );

  test("it is a page of its own: only GET, and not in the API's document", async () => {
    const token = { authorization: "Bearer a token" };
    expect((await app.inject({ url: "/", method: "POST", headers: token })).statusCode).toBe(405);
    const { paths } = (await app.inject("/openapi.json")).json<{ paths: object }>();
    expect(Object.keys(paths)).not.toContain("/");
    expect((await app.inject("/explorer/other.js")).statusCode).toBe(404);
  });

  test("no script, style or handler in the page itself, no address of another host, no markup made of text", async () => {
    const html = (await app.inject("/")).payload;
    expect(html).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]*src=)|javascript:/i);
    const sources = ["answers", "details", "dom", "main", "panels", "verify"].map((name) =>
      readFileSync(new URL(`../../../src/explorer/${name}.ts`, import.meta.url), "utf8"),
    );
    const css = (await app.inject("/explorer/page.css")).payload;
    for (const text of [html, css, ...sources]) {
      expect(text).not.toMatch(/https?:\/\/(?!www\.w3\.org)|url\(|@import "http/);
      expect(text).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/);
    }
  });
});
