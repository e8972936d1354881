import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { fromBase64Url, toBase64Url } from "../../src/base/base64url.ts";

afterEach(() => vi.unstubAllGlobals());

test("without Buffer, as in a web page, text and bytes are the same as with it", () => {
  const { Buffer } = globalThis;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.string({ maxLength: 9 }), (bytes, text) => {
      const known = Buffer.from(bytes).toString("base64url");
      const valid = Buffer.from(text, "base64url").toString("base64url") === text;
      vi.stubGlobal("Buffer", undefined);
      const [made, read, taken] = [toBase64Url(bytes), fromBase64Url(known), fromBase64Url(text)];
      vi.unstubAllGlobals();
      expect(made).toBe(known);
      expect(read).toEqual(bytes);
      expect(taken !== undefined).toBe(valid);
    }),
  );
});

test.each(["A", "AB", "AAB", "AA=", "A A", "+/", "AAAAA"])("%j is not the canonical form of any bytes", (text) => {
  expect(fromBase64Url(text)).toBeUndefined();
  vi.stubGlobal("Buffer", undefined);
  expect(fromBase64Url(text)).toBeUndefined();
});
