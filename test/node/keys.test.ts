import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../src/base/bytes.ts";
import { generateNodeKey, nodeKeyFromSeed, readNodeKey, writeNodeKey } from "../../src/node/keys.ts";
import { isUsableKey, verifySignature, verifySignatureAsync, verifySignatures } from "../../src/node/signatures.ts";

const dir = mkdtempSync(join(tmpdir(), "cairn-keys-"));
afterAll(() => rmSync(dir, { recursive: true }));
const bytes = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array();

// RFC 8032, section 7.1, test 3.
const RFC8032 = {
  seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
  key: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
  message: "af82",
  signature:
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
};

describe("node.key", () => {
  test("is read as it was written, and readable by its owner only", () => {
    const file = join(dir, "a.key");
    const key = generateNodeKey();
    expect(writeNodeKey(file, key).ok).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const read = readNodeKey(file);
    if (!read.ok) throw new Error(read.error.message);
    expect([read.value.publicKey, read.value.seed]).toEqual([key.publicKey, key.seed]);
    expect(toHex(read.value.sign(new Uint8Array(32)))).toBe(toHex(key.sign(new Uint8Array(32))));
  });

  test("is never overwritten", () => {
    const file = join(dir, "b.key");
    writeFileSync(file, "mine");
    const written = writeNodeKey(file, generateNodeKey());
    expect(written.ok ? undefined : written.error.code).toBe("KEY_EXISTS");
    expect(readFileSync(file, "utf8")).toBe("mine");
  });

  test.each([0o640, 0o604, 0o660, 0o610, 0o644])("of mode %o is refused, with the way to mend it", (mode) => {
    const file = join(dir, `mode${mode}.key`);
    writeNodeKey(file, generateNodeKey());
    chmodSync(file, mode);
    const read = readNodeKey(file);
    expect(read.ok ? undefined : read.error.code).toBe("KEY_PERMISSIONS");
    expect(read.ok ? "" : read.error.message).toContain(`chmod 600 ${file}`);
    chmodSync(file, 0o400);
    expect(readNodeKey(file).ok).toBe(true);
  });

  test("that is missing, no key, or a key of another kind is refused", () => {
    const pem = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "pem", type: "pkcs8" });
    const code = (content: string): string | undefined => {
      const file = join(dir, "c.key");
      rmSync(file, { force: true });
      writeFileSync(file, content, { mode: 0o600 });
      const read = readNodeKey(file);
      return read.ok ? undefined : read.error.code;
    };
    expect([code(""), code("hello"), code(String(pem)), code("x".repeat(1_000_000))]).toEqual(
      Array(4).fill("KEY_INVALID"),
    );
    const missing = readNodeKey(join(dir, "none.key"));
    expect(missing.ok ? undefined : missing.error.code).toBe("KEY_UNREADABLE");
  });
});

describe("signatures", () => {
  const { key, message, signature } = RFC8032;
  const claim = { key, digest: bytes(message), signature: bytes(signature) };

  test("are those of RFC 8032", () => {
    const nodeKey = nodeKeyFromSeed(bytes(RFC8032.seed));
    expect(nodeKey.publicKey).toBe(key);
    expect(toHex(nodeKey.sign(bytes(message)))).toBe(signature);
    expect(verifySignature(claim)).toBe(true);
  });

  test("of another message, key or length are not valid; on the pool the same, in order", async () => {
    const flipped = Uint8Array.from(claim.signature);
    flipped[5] = (flipped[5] ?? 0) ^ 1;
    const claims = [
      claim,
      { ...claim, digest: bytes("af83") },
      { ...claim, signature: flipped },
      { ...claim, signature: claim.signature.subarray(0, 63) },
      { ...claim, signature: new Uint8Array(64) },
      { ...claim, key: generateNodeKey().publicKey },
      { ...claim, key: "zz" },
      { ...claim, key: key.toUpperCase() },
      claim,
    ];
    const expected = [true, ...Array(7).fill(false), true];
    expect(claims.map(verifySignature)).toEqual(expected);
    expect(await verifySignatures(claims)).toEqual(expected);
    expect(await verifySignatureAsync(claim)).toBe(true);
  });

  test("by a key of small order, for which one signature fits any message, are not valid", () => {
    // The neutral element as key and as R, S = 0: OpenSSL alone accepts this for every message.
    const neutral = `01${"00".repeat(31)}`;
    const forged = { key: neutral, digest: bytes("af82"), signature: bytes(neutral + "00".repeat(32)) };
    expect(verifySignature(forged)).toBe(false);
  });

  test.each([
    ["of small order", `01${"00".repeat(31)}`],
    ["of small order", "00".repeat(32)],
    ["of small order", `ec${"ff".repeat(30)}7f`],
    ["of small order", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"],
    ["of small order", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"],
    ["of small order", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"],
    ["not canonical", `ee${"ff".repeat(30)}7f`],
    ["not canonical", "ff".repeat(32)],
    ["too short", "ab"],
    ["not hex", "zz".repeat(32)],
  ])("a key %s is no key: %s", (_, key) => {
    expect(isUsableKey(key)).toBe(false);
    expect(isUsableKey(RFC8032.key)).toBe(true);
  });
});
