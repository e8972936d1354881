import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/base/bytes.ts";
import { canonicalJson } from "../../src/base/canonicalJson.ts";

function textOf(value: unknown): string {
  const result = canonicalJson(value);
  if (!result.ok) throw new Error(`${result.error.path}: ${result.error.message}`);
  return result.value;
}
function refusalOf(value: unknown): string {
  const result = canonicalJson(value);
  return result.ok ? `accepted as ${result.value}` : `${result.error.path}: ${result.error.message}`;
}

// JSON values with our numbers, names that sort differently in UTF-8 and UTF-16 among them.
const text = fc.string({ unit: "binary" }).filter((value) => value.isWellFormed());
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    text,
    fc.array(tie("json"), { maxLength: 5 }),
    fc.dictionary(text, tie("json"), { maxKeys: 5, noNullPrototype: true }),
  ),
}));

describe("RFC 8785 canonical JSON", () => {
  it("section 3.2.2: the example, its numbers replaced by integers", () => {
    const value: unknown = JSON.parse(
      `{"numbers": [333333333, 10, 4, 0, -0], "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
        "literals": [null, true, false]}`,
    );
    const canonical = `{"literals":[null,true,false],"numbers":[333333333,10,4,0,0],"string":"€$\\u000f\\nA'B\\"\\\\\\\\\\"/"}`;
    expect(textOf(value)).toBe(canonical);
  });

  it("section 3.2.2.2: short escapes where JSON has them, lower-case hex for other controls, nothing else", () => {
    expect(textOf('\b\t\n\f\r"\\/\u0000\u001f\u007f\u0080\u2028é😀')).toBe(
      `"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\u007f\u0080\u2028é😀"`,
    );
  });

  it("section 3.2.3: members sort by UTF-16 code units of the unescaped name", () => {
    const value = {
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis",
    };
    expect(Object.values(JSON.parse(textOf(value)) as object)).toHaveLength(7);
    const positions = [
      "Carriage Return",
      "One",
      "Control",
      "Latin Small Letter O With Diaeresis",
      "Euro Sign",
      "Emoji: Grinning Face",
      "Hebrew Letter Dalet With Dagesh",
    ].map((name) => textOf(value).indexOf(name));
    expect(positions).toEqual(positions.toSorted((a, b) => a - b));
    expect(positions[0]).toBeGreaterThan(0);
  });

  it("sorts at every level, keeps the order of arrays, and names that look like numbers are text", () => {
    expect(textOf({ b: { z: [3, 1, 2], a: {} }, a: [], "10": 1, "9": 2 })).toBe(
      `{"10":1,"9":2,"a":[],"b":{"a":{},"z":[3,1,2]}}`,
    );
  });

  it("members named __proto__ or constructor are members like others", () => {
    const value: unknown = JSON.parse(`{"constructor": 1, "__proto__": {"b": 1}}`);
    expect(textOf(value)).toBe(`{"__proto__":{"b":1},"constructor":1}`);
  });

  it("is the same for any order of members, parses back to the value, and writing it again changes nothing", () => {
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (typeof value !== "object" || value === null) return value;
      const entries = Object.entries(value).reverse();
      return Object.fromEntries(entries.map(([name, member]) => [name, shuffled(member)]));
    };
    fc.assert(
      fc.property(json, (value) => {
        const canonical = textOf(value);
        expect(textOf(shuffled(value))).toBe(canonical);
        expect(textOf(JSON.parse(canonical))).toBe(canonical);
        expect(JSON.parse(canonical)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(utf8(canonical).length).toBeGreaterThan(0);
      }),
    );
  });

  it.each([
    [1.5, ": 1.5 is not a safe integer"],
    [{ a: [0, 2 ** 53] }, ".a[1]: 9007199254740992 is not a safe integer"],
    [Number.NaN, ": NaN is not a safe integer"],
    [Number.POSITIVE_INFINITY, ": Infinity is not a safe integer"],
    [{ a: "\ud800" }, ".a: not well-formed Unicode"],
    [{ b: { "\udc00": 1 } }, ".b: not well-formed Unicode"],
    [{ a: undefined }, ".a: a undefined is not a JSON value"],
    [[1n], "[0]: a bigint is not a JSON value"],
    [Array(2), "[0]: a undefined is not a JSON value"],
    [{ a: new Date(0) }, ".a: not a plain object"],
    [new Map(), ": not a plain object"],
  ])("%o is refused, and the refusal says where (%s)", (value, refusal) => {
    expect(refusalOf(value)).toBe(refusal);
  });

  it("a value nested without end is refused instead of ending the stack", () => {
    const ring: unknown[] = [];
    ring.push(ring);
    expect(refusalOf(ring)).toMatch(/: more than 64 levels$/);
    expect(refusalOf(JSON.parse("[".repeat(100_000) + "]".repeat(100_000)))).toMatch(/: more than 64 levels$/);
  });
});
