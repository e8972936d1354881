import { describe, expect, it } from "vitest";
import { toHex, utf8 } from "../../src/base/bytes.ts";
import { sha256, sha256Hex, sha256Into, sha256Of } from "../../src/base/hash.ts";

// FIPS 180-4 examples.
const VECTORS = [
  ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  [
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  ],
  ["a".repeat(1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"],
] as const;

describe("SHA-256", () => {
  it.each(VECTORS)("case %#: every form gives the published digest", (text, digest) => {
    const bytes = utf8(text);
    expect(toHex(sha256(bytes))).toBe(digest);
    expect(sha256Hex(bytes)).toBe(digest);
    expect(toHex(sha256Of([bytes.subarray(0, 1), bytes.subarray(1)]))).toBe(digest);
    const out = new Uint8Array(40).fill(7);
    sha256Into(bytes, out, 5);
    expect(toHex(out)).toBe(`0707070707${digest}070707`);
  });

  it("hashes a view by its own bytes, and gives a Uint8Array whose slice is a copy", () => {
    const digest = sha256(utf8("xabcx").subarray(1, 4));
    digest.slice().fill(0);
    expect(toHex(digest)).toBe(VECTORS[1][1]);
  });

  it("may write over its input, and never outside of the output", () => {
    const bytes = new Uint8Array(64).fill(0x61, 0, 56);
    const expected = sha256Hex(bytes);
    sha256Into(bytes, bytes, 32);
    expect(toHex(bytes.subarray(32))).toBe(expected);
    for (const at of [-1, 33, 64]) expect(() => sha256Into(bytes, bytes, at)).toThrow(RangeError);
  });
});
