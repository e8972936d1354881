import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NameScanner } from "../../../net/link/negotiation.ts";
import { concatBytes, utf8 } from "../../../src/base/bytes.ts";

const END = "/noise";

function name(text: string): Uint8Array {
  const bytes = utf8(`${text}\n`);
  return concatBytes(bytes.length < 128 ? Uint8Array.of(bytes.length) : longLength(bytes.length), bytes);
}
const longLength = (length: number): Uint8Array => Uint8Array.of((length & 0x7f) | 0x80, length >> 7);

function scan(...pieces: readonly Uint8Array[]): NameScanner {
  const scanner = new NameScanner([END]);
  for (const piece of pieces) scanner.push(piece);
  return scanner;
}

describe("the negotiation of a protocol", () => {
  it("is over at the name that ends it, however it is cut, and what follows is not looked at", () => {
    const bytes = concatBytes(name("/multistream/1.0.0"), name("x".repeat(200)), name(END));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 5 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const scanner = scan(...at.slice(1).map((end, i) => bytes.subarray(at[i], end)));
        expect([scanner.isOver, scanner.fault]).toEqual([true, undefined]);
        scanner.push(new Uint8Array(100).fill(0xff));
        expect(scanner.fault).toBeUndefined();
      }),
    );
  });

  it.each([
    ["a length without an end", new Uint8Array(3).fill(0xff), "a length without an end in the negotiation"],
    ["a long name", longLength(1_025), "a name of 1025 bytes in the negotiation"],
    [
      "names without an end",
      concatBytes(...Array.from({ length: 9 }, () => name("/x"))),
      "too many names in the negotiation",
    ],
  ])("%s is a fault", (_, bytes, fault) => {
    expect(scan(name("/multistream/1.0.0").subarray(0, 0), bytes).fault).toBe(fault);
  });

  it("goes on while the name that ends it has not come", () => {
    expect(scan(name("/multistream/1.0.0"), name(END).subarray(0, 5)).isOver).toBe(false);
  });
});
