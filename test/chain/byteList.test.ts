import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeList, elementAt, encodeList, scanList } from "../../chain/byteList.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { bytes, message, repeated } from "../../src/base/codec.ts";

const BOUNDS = { maxCount: 300, maxElementBytes: 200 };
const elements = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 300, size: "max" });
/** The same message by the general codec. */
const reference = message("List", { elements: repeated(bytes(1, 200), 300) });

describe("lists of byte strings (docs/protocol.md, encoding)", () => {
  it("are `repeated bytes` 1 of a protobuf message, and come back as they were", () => {
    fc.assert(
      fc.property(elements, (list) => {
        const encoded = encodeList(list);
        expect(encoded.buffer).toEqual(reference.encode({ elements: list }));
        const decoded = decodeList(encoded.buffer, BOUNDS);
        if (!decoded.ok) throw new Error(decoded.error.detail);
        expect(decoded.value.count).toBe(list.length);
        expect(decoded.value.offsets).toEqual(encoded.offsets);
        expect(list.map((_, i) => elementAt(decoded.value, i))).toEqual(list);
      }),
      { numRuns: 50 },
    );
  });

  it("any bytes are accepted exactly when the strict codec accepts them", () => {
    const near = fc
      .array(fc.constantFrom(0x0a, 0x00, 0x01, 0x02, 0x80, 0x81, 0x12), { maxLength: 12 })
      .map((each) => Uint8Array.from(each));
    fc.assert(
      fc.property(near, (input) => {
        expect(decodeList(input, BOUNDS).ok).toBe(reference.decode(input).ok);
      }),
      { numRuns: 2_000 },
    );
  });

  it("the bounds hold: the count, and each element's length", () => {
    const three = encodeList([1, 2, 3].map((n) => Uint8Array.of(n))).buffer;
    expect(decodeList(three, { maxCount: 3, maxElementBytes: 1 }).ok).toBe(true);
    expect(decodeList(three, { maxCount: 2, maxElementBytes: 1 }).ok).toBe(false);
    expect(decodeList(three, { maxCount: 3, maxElementBytes: 0 }).ok).toBe(false);
  });

  it("a scan starts and stops where it is told: at another field", () => {
    const { buffer } = encodeList([Uint8Array.of(7), Uint8Array.of(8, 9)]);
    const scanned = scanList(concatBytes(Uint8Array.of(1, 2), buffer, Uint8Array.of(0x12, 0)), 2, BOUNDS);
    if (!scanned.ok) throw new Error(scanned.error.detail);
    expect(scanned.value.end).toBe(2 + buffer.length);
    expect(elementAt(scanned.value.list, 1)).toEqual(Uint8Array.of(8, 9));
    expect(decodeList(concatBytes(buffer, Uint8Array.of(0x12, 0)), BOUNDS).ok).toBe(false);
  });
});
