import fc from "fast-check";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { describe, expect, it } from "vitest";
import {
  lengthDelimitedBytes,
  scanLengthDelimited,
  scanVarint,
  varintBytes,
  writeLengthPrefix,
  writeVarint,
} from "../../chain/scan.ts";

const safe = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat(),
  fc.constantFrom(127, 128, 16_383, 16_384, 2 ** 32, Number.MAX_SAFE_INTEGER),
);

describe("varints in place (docs/protocol.md, encoding)", () => {
  it("are written as protobuf writes them, and read back with their end", () => {
    fc.assert(
      fc.property(safe, fc.nat(5), (value, at) => {
        const buffer = new Uint8Array(at + 10);
        const end = writeVarint(buffer, at, value);
        expect(buffer.slice(at, end)).toEqual(new BinaryWriter().uint64(value).finish());
        expect(end - at).toBe(varintBytes(value));
        expect(scanVarint(buffer, at)).toEqual({ value, end });
      }),
    );
  });

  it.each([
    ["a zero last byte", [0x80, 0x00]],
    ["two zero groups", [0x81, 0x80, 0x00]],
    ["cut short", [0x80]],
    ["nothing", []],
    ["2^53", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]],
    ["more than 8 bytes", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
  ])("refuses %s", (_, bytes) => {
    expect(scanVarint(Uint8Array.from(bytes), 0)).toBeUndefined();
  });

  it("takes 2^53 - 1", () => {
    const bytes = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f);
    expect(scanVarint(bytes, 0)).toEqual({ value: Number.MAX_SAFE_INTEGER, end: 8 });
  });

  it("each encoding that is accepted is the one that is written", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 10 }), (bytes) => {
        const scanned = scanVarint(bytes, 0);
        if (scanned === undefined) return;
        const again = new Uint8Array(scanned.end);
        writeVarint(again, 0, scanned.value);
        expect(again).toEqual(bytes.slice(0, scanned.end));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("length-delimited fields in place", () => {
  it("are found where they were written, and nowhere past the end of the buffer", () => {
    fc.assert(
      fc.property(fc.nat(400), fc.nat(3), (length, at) => {
        const buffer = new Uint8Array(at + lengthDelimitedBytes(length));
        const start = writeLengthPrefix(buffer, at, 0x0a, length);
        expect(start + length).toBe(buffer.length);
        expect(scanLengthDelimited(buffer, at, 0x0a)).toEqual({ start, end: buffer.length });
        expect(scanLengthDelimited(buffer, at, 0x12)).toBeUndefined();
        expect(scanLengthDelimited(buffer.subarray(0, buffer.length - 1), at, 0x0a)).toBeUndefined();
      }),
    );
  });

  it("a length that is not minimal is refused", () => {
    expect(scanLengthDelimited(Uint8Array.of(0x0a, 0x81, 0x00, 7), 0, 0x0a)).toBeUndefined();
  });
});
