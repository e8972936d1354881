/** Unpadded base64url, in the node and in a web page. */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUES = new Map(Array.from(ALPHABET, (digit, value) => [digit, value]));

export function toBase64Url(bytes: Uint8Array): string {
  if (typeof Buffer !== "undefined") {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
  }
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const left = Math.min(3, bytes.length - at);
    const bits = ((bytes[at] as number) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (let digit = 0; digit <= left; digit++) text += ALPHABET[(bits >> (18 - 6 * digit)) & 63];
  }
  return text;
}

/** Bytes of unpadded base64url in its one canonical form; undefined for any other text. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  if (typeof Buffer !== "undefined") {
    const decoded = Buffer.from(text, "base64url");
    // Buffer skips what it does not know; writing it again shows whether it did.
    return decoded.toString("base64url") === text ? decoded : undefined;
  }
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let at = 0;
  for (let start = 0; start < text.length; start += 4) {
    const digits = text.slice(start, start + 4);
    let bits = 0;
    for (let i = 0; i < 4; i++) {
      const value = i < digits.length ? VALUES.get(digits[i] as string) : 0;
      if (value === undefined) return undefined;
      bits = (bits << 6) | value;
    }
    const count = digits.length - 1;
    if (count === 0 || (bits & ((1 << (8 * (3 - count))) - 1)) !== 0) return undefined;
    for (let i = 0; i < count; i++) bytes[at++] = (bits >> (16 - 8 * i)) & 255;
  }
  return bytes;
}
