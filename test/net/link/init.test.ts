// The Init and close payloads: strict and bounded, because they are a stranger's first words.

import { describe, expect, test } from "vitest";
import { utf8 } from "../../../src/base/bytes.ts";
import { CLOSE_BYTES, encodeClose, encodeInit, INIT_BYTES, readClose, readInit } from "../../../net/link/init.ts";
import { initOf } from "./nodes.ts";

const own = initOf({ name: "own" });
const reasonOf = (value: unknown): string => {
  const read = readInit(utf8(JSON.stringify(value)), own);
  return read.ok ? "ok" : read.error.reason;
};

describe("Init", () => {
  test("comes back as it was", () => {
    const theirs = initOf({
      name: "Zoë",
      features: ["x"],
      listenAddresses: ["/ip4/127.0.0.1/tcp/1"],
      role: "follower",
    });
    expect(readInit(encodeInit(theirs), own)).toEqual({ ok: true, value: theirs });
  });

  test("the largest allowed one fits its frame", () => {
    const most = initOf({
      chainId: "c".repeat(128),
      name: "ä".repeat(64),
      features: Array.from({ length: 32 }, () => "f".repeat(64)),
      listenAddresses: Array.from({ length: 16 }, () => '"'.repeat(256)),
    });
    expect(encodeInit(most).length).toBeLessThanOrEqual(INIT_BYTES);
  });

  test.each([
    ["an unknown field", { ...own, more: 1 }],
    ["a missing field", { ...own, name: undefined }],
    ["a number as text", { ...own, firstHeight: "0" }],
    ["a fraction", { ...own, irreversibleHeight: 0.5 }],
    ["a negative height", { ...own, firstHeight: -1 }],
    ["a name with a line break", { ...own, name: "a\nb" }],
    ["a name with an escape sequence", { ...own, name: "\u001b[31m" }],
    ["a long name", { ...own, name: "a".repeat(65) }],
    ["too many features", { ...own, features: Array.from({ length: 33 }, () => "f") }],
    ["a nonce in capitals", { ...own, startNonce: "A".repeat(16) }],
    ["a list", []],
    ["null", null],
  ])("%s is a bad Init", (_what, value) => {
    expect(reasonOf(value)).toBe("badInit");
  });

  test("bytes that are not JSON, or not UTF-8, are a bad Init", () => {
    expect(readInit(utf8("{"), own)).toMatchObject({ ok: false, error: { reason: "badInit" } });
    expect(readInit(new Uint8Array([0xff]), own)).toMatchObject({ ok: false, error: { reason: "badInit" } });
  });

  test("another chain is told by name, with both chains", () => {
    const read = readInit(encodeInit(initOf({ name: "theirs", chainId: "d".repeat(64) })), own);
    expect(read).toMatchObject({ ok: false, error: { reason: "wrongChain" } });
    if (!read.ok)
      for (const part of ["own", "theirs", own.chainId, "d".repeat(64)]) expect(read.error.detail).toContain(part);
  });

  test("another major version is told as such, even where the rest of its Init is strange to us", () => {
    expect(reasonOf({ ...own, versionMajor: 2 })).toBe("wrongVersion");
    expect(reasonOf({ versionMajor: 7, hello: "future" })).toBe("wrongVersion");
    expect(reasonOf({ ...own, versionMinor: 9 })).toBe("ok");
  });

  test("this node's own Init is held to the same bounds", () => {
    expect(() => encodeInit(initOf({ name: "a".repeat(65) }))).toThrow();
  });
});

describe("close", () => {
  test("comes back as it was, its text made safe and short", () => {
    expect(readClose(encodeClose("shutdown", "bye"))).toEqual({
      ok: true,
      value: { reason: "shutdown", detail: "bye" },
    });
    const long = encodeClose("misbehaviour", "\u001b".repeat(2_000) + "\u{1f600}".repeat(500));
    expect(long.length).toBeLessThanOrEqual(CLOSE_BYTES);
    const read = readClose(long);
    expect(read.ok && /\p{Cc}/u.test(read.value.detail)).toBe(false);
  });

  test("a reason that this version does not know closes all the same", () => {
    const read = readClose(utf8(JSON.stringify({ reason: "boredom", detail: "x" })));
    expect(read).toMatchObject({ ok: true, value: { reason: "connectionLost" } });
  });

  test("anything else is undecodable", () => {
    expect(readClose(utf8("{}"))).toMatchObject({ ok: false, error: { reason: "undecodable" } });
  });
});
