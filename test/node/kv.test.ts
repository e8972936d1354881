import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type StateAccess, TransactionFailed } from "../../chain/application.ts";
import { equalBytes, fromUtf8, toBinaryString, toHex, utf8 } from "../../src/base/bytes.ts";
import { createKvApplication } from "../../src/node/applications/kv.ts";
import { operationsFromJson } from "../../src/node/applications/kvJson.ts";
import {
  decodeKvPayload,
  decodeKvValue,
  encodeKvPayload,
  encodeKvReceipt,
  encodeKvValue,
  type KvReceipt,
  type Operation,
  receiptToJson,
} from "../../src/node/applications/kvPayload.ts";
import { contextOf } from "../fixtures/naiveChain.ts";

const app = createKvApplication();

/** State in a Map that counts writes. */
class TestState implements StateAccess {
  readonly entries = new Map<string, Uint8Array>();
  writes = 0;
  get(key: string): Uint8Array | undefined {
    return this.entries.get(key);
  }
  range(): never {
    throw new Error("the kv application reads no ranges");
  }
  put(key: string, value: Uint8Array): void {
    this.writes++;
    this.entries.set(key, value);
  }
  delete(key: string): void {
    this.writes++;
    this.entries.delete(key);
  }
  /** `{key: [version, text]}` */
  get content(): Record<string, [number, string | undefined]> {
    const content: Record<string, [number, string | undefined]> = {};
    for (const [key, stateValue] of this.entries) {
      const { version, value } = decodeKvValue(stateValue);
      content[key] = [version, fromUtf8(value)];
    }
    return content;
  }
}

const put = (key: string, value: string): Operation => ({ kind: "put", key: utf8(key), value: utf8(value) });
const deletion = (key: string): Operation => ({ kind: "delete", key: utf8(key) });
const cas = (key: string, expectedVersion: number, value: string): Operation => ({
  kind: "compareAndSet",
  key: utf8(key),
  expectedVersion,
  value: utf8(value),
});

function execute(state: StateAccess, height: number, ...operations: Operation[]): KvReceipt | undefined {
  return receiptToJson(app.execute(encodeKvPayload(operations), state, contextOf(height, 1000 * height, 1)));
}

const keys = fc.uint8Array({ minLength: 1, maxLength: 40 });
const values = fc.uint8Array({ maxLength: 300 });
const versions = fc.maxSafeInteger().map(Math.abs);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ kind: fc.constant("put" as const), key: keys, value: values }),
  fc.record({ kind: fc.constant("delete" as const), key: keys }),
  fc.record({ kind: fc.constant("compareAndSet" as const), key: keys, expectedVersion: versions, value: values }),
);
const singlePut = fc.record({ kind: fc.constant("put" as const), key: keys, value: values });
const operations = fc.oneof(
  singlePut.map((one) => [one]),
  fc.array(operation, { minLength: 1, maxLength: 6 }),
);

function decode(payload: Uint8Array): readonly Operation[] {
  const decoded = decodeKvPayload(payload);
  if (!decoded.ok) throw new Error(decoded.error.message);
  return decoded.value;
}
const plain = (list: readonly Operation[]) =>
  list.map((one) => ({ ...one, key: toHex(one.key), ...("value" in one ? { value: toHex(one.value) } : {}) }));

describe("kv execution", () => {
  it("put writes the value with the height as its version; a later put replaces both", () => {
    const state = new TestState();
    expect(execute(state, 7, put("a", "1"))).toEqual({ ok: true, version: 7 });
    expect(execute(state, 9, put("a", "2"), put("b", ""))).toEqual({ ok: true, version: 9 });
    expect(state.content).toEqual({ a: [9, "2"], b: [9, ""] });
  });

  it("delete removes the key; deleting an absent key is ok", () => {
    const state = new TestState();
    execute(state, 7, put("a", "1"), put("b", "2"));
    expect(execute(state, 8, deletion("a"), deletion("nothing"))).toEqual({ ok: true, version: 8 });
    expect(state.content).toEqual({ b: [7, "2"] });
  });

  it("compareAndSet writes when the version is the expected one", () => {
    const state = new TestState();
    execute(state, 7, put("a", "1"));
    expect(execute(state, 8, cas("a", 7, "2"))).toEqual({ ok: true, version: 8 });
    expect(state.content).toEqual({ a: [8, "2"] });
  });

  it.each([
    ["another version", cas("a", 6, "x"), 7],
    ["absent expected, present", cas("a", 0, "x"), 7],
    ["present expected, absent", cas("b", 7, "x"), 0],
  ])("compareAndSet with %s fails, tells the version there is, and writes nothing", (_, failing, version) => {
    const state = new TestState();
    execute(state, 7, put("a", "1"));
    state.writes = 0;
    const receipt = execute(state, 8, put("c", "3"), deletion("a"), put("a", "1"), failing, put("d", "4"));
    // Operations before the failing one in the same transaction count for it: "a" would then be of height 8.
    const expected = failing.key[0] === 0x61 ? 8 : version;
    expect(receipt).toEqual({ ok: false, version: expected, failedOperation: 3 });
    expect(execute(state, 8, failing)).toEqual({ ok: false, version, failedOperation: 0 });
    expect(state.writes).toBe(0);
    expect(state.content).toEqual({ a: [7, "1"] });
  });

  it("expectedVersion 0 writes a key that is absent, or deleted, also earlier in the transaction", () => {
    const state = new TestState();
    expect(execute(state, 3, cas("a", 0, "1"))).toEqual({ ok: true, version: 3 });
    execute(state, 4, deletion("a"));
    expect(execute(state, 5, cas("a", 0, "2"))).toEqual({ ok: true, version: 5 });
    expect(execute(state, 6, deletion("a"), cas("a", 0, "3"), cas("a", 6, "4"))).toEqual({ ok: true, version: 6 });
    expect(state.content).toEqual({ a: [6, "4"] });
  });

  it("a payload that is no transaction of the application may not be in a block", () => {
    const state = new TestState();
    for (const payload of [new Uint8Array(0), Uint8Array.of(1, 2, 3), utf8("hello")]) {
      expect(app.check(payload, state).ok).toBe(false);
      expect(() => app.execute(payload, state, contextOf(1, 0, 0))).toThrow(TransactionFailed);
    }
    expect(app.check(encodeKvPayload([put("a", "1")]), state).ok).toBe(true);
    expect(state.writes).toBe(0);
  });

  it("does the same as a plain model for any transactions", () => {
    const few = fc.constantFrom("a", "b", "c");
    const step = fc.oneof(
      fc.tuple(few, fc.string()).map(([key, value]) => put(key, value)),
      few.map(deletion),
      fc.tuple(few, fc.nat(12), fc.string()).map(([key, version, value]) => cas(key, version, value)),
    );
    fc.assert(
      fc.property(fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 12 }), (transactions) => {
        const state = new TestState();
        let model = new Map<string, { version: number; value: string }>();
        for (const [i, list] of transactions.entries()) {
          const height = i + 1;
          const copy = new Map(model);
          let failed: { index: number; version: number } | undefined;
          for (const [index, one] of list.entries()) {
            const key = toBinaryString(one.key);
            const version = copy.get(key)?.version ?? 0;
            if (one.kind === "compareAndSet" && one.expectedVersion !== version) {
              failed = { index, version };
              break;
            }
            if (one.kind === "delete") copy.delete(key);
            else copy.set(key, { version: height, value: toHex(one.value) });
          }
          const receipt = execute(state, height, ...list);
          if (failed === undefined) {
            model = copy;
            expect(receipt).toEqual({ ok: true, version: height });
          } else expect(receipt).toEqual({ ok: false, version: failed.version, failedOperation: failed.index });
          const content = [...state.entries].map(([key, stateValue]) => {
            const { version, value } = decodeKvValue(stateValue);
            return [key, { version, value: toHex(value) }] as const;
          });
          expect(new Map(content)).toEqual(model);
        }
      }),
    );
  });
});

describe("kv genesis", () => {
  it("writes its keys and values as UTF-8 with version 0", () => {
    const state = new TestState();
    app.initialize({ a: "1", ключ: "é" }, state);
    app.initialize(undefined, state);
    expect(state.entries.size).toBe(2);
    expect(decodeKvValue(state.get("a") as Uint8Array)).toEqual({ version: 0, value: utf8("1") });
    expect(decodeKvValue(state.get(toBinaryString(utf8("ключ"))) as Uint8Array).value).toEqual(utf8("é"));
  });

  it("its keys are present: expectedVersion 0 does not replace them, a put does", () => {
    const state = new TestState();
    app.initialize({ a: "1" }, state);
    expect(execute(state, 1, cas("a", 0, "2"))).toEqual({ ok: false, version: 0, failedOperation: 0 });
    expect(execute(state, 1, put("a", "2"), cas("a", 1, "3"))).toEqual({ ok: true, version: 1 });
  });

  it.each([
    [[], /must be an object/],
    ["text", /must be an object/],
    [{ a: 1 }, /initialState\["a"\]: the value must be text/],
    [{ a: { b: "c" } }, /initialState\["a"\]: the value must be text/],
    [{ "": "x" }, /initialState\[""\]: the key must have 1 to 1024 bytes/],
    [{ ["é".repeat(513)]: "x" }, /the key must have 1 to 1024 bytes/],
    [{ a: "\ud800" }, /initialState\["a"\]: not well-formed/],
    [{ "\ud800": "a" }, /not well-formed/],
    [{ a: "x".repeat(1024 * 1024 + 1) }, /the value must have at most 1048576 bytes/],
  ])("case %#: what is no map of text is refused by name", (initialState, message) => {
    expect(() => app.initialize(initialState, new TestState())).toThrow(message);
  });
});

describe("kv payload encoding", () => {
  it("operations survive it", () => {
    fc.assert(
      fc.property(operations, (list) => {
        expect(plain(decode(encodeKvPayload(list)))).toEqual(plain(list));
      }),
    );
  });

  it("is the protobuf of the message definition", () => {
    expect(toHex(encodeKvPayload([put("a", "bc")]))).toBe("0a09" + "0a07" + "0a0161" + "12026263");
    expect(toHex(encodeKvPayload([put("a", "")]))).toBe("0a05" + "0a03" + "0a0161");
    expect(toHex(encodeKvPayload([deletion("a"), cas("b", 300, "c")]))).toBe(
      "0a05" + "1203" + "0a0161" + "0a0b" + "1a09" + "0a0162" + "10ac02" + "1a0163",
    );
  });

  it("every change of one byte, cut and extension is refused or is itself the one encoding of what it decodes to", () => {
    const isStrict = (payload: Uint8Array): void => {
      const decoded = decodeKvPayload(payload);
      if (decoded.ok && !equalBytes(encodeKvPayload(decoded.value), payload)) {
        throw new Error(`accepted ${toHex(payload)}`);
      }
    };
    const long = [put("key", "v".repeat(200)), put("k".repeat(130), "v".repeat(20_000)), put("a", "")];
    const samples = [...long.map((one) => [one]), ...fc.sample(operations, 12)];
    for (const list of samples) {
      const payload = encodeKvPayload(list);
      // All bytes of the structure, some of a long value.
      for (let at = 0; at < payload.length; at += at < 60 ? 1 : 2_503) {
        for (let byte = 0; byte < 256; byte++) {
          const changed = Uint8Array.from(payload);
          changed[at] = byte;
          isStrict(changed);
        }
        isStrict(payload.subarray(0, at));
        isStrict(Uint8Array.from([...payload.subarray(0, at), 0, ...payload.subarray(at)]));
      }
      isStrict(Uint8Array.from([...payload, 0x0a, 0]));
    }
  });

  it.each([
    ["no operation", ""],
    ["an operation without a kind", "0a00"],
    ["an operation of put and delete", "0a0a" + "0a03" + "0a0161" + "1203" + "0a0161"],
    ["an operation of put and compareAndSet", "0a0a" + "0a03" + "0a0161" + "1a03" + "0a0161"],
    ["an operation of delete and compareAndSet", "0a0a" + "1203" + "0a0161" + "1a03" + "0a0161"],
    ["an empty key", "0a02" + "0a00"],
    ["an explicit empty key", "0a04" + "0a02" + "0a00"],
    ["an explicit empty value", "0a07" + "0a05" + "0a0161" + "1200"],
    ["a length of two bytes where one does", "0a8600" + "0a04" + "0a0161" + "1200"],
    ["value before key", "0a08" + "0a06" + "120162" + "0a0161"],
    ["a key twice", "0a08" + "0a06" + "0a0161" + "0a0162"],
    ["an unknown field", "0a05" + "0a03" + "0a0161" + "1000"],
    ["a length past the end", "0a06" + "0a03" + "0a0161"],
  ])("%s is refused", (_, hex) => {
    expect(decodeKvPayload(Buffer.from(hex, "hex")).ok).toBe(false);
  });

  it.each([
    [1024, 100, true],
    [1025, 100, false],
    [1, 1024 * 1024, true],
    [1, 1024 * 1024 + 1, false],
  ])("a key of %d and a value of %d bytes: %s", (keyBytes, valueBytes, fits) => {
    const field = (tag: number, content: Uint8Array): Uint8Array => {
      const length: number[] = [];
      let rest = content.length;
      for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
      return Buffer.concat([Uint8Array.of(tag, ...length, rest), content]);
    };
    const key = new Uint8Array(keyBytes).fill(1);
    const value = new Uint8Array(valueBytes).fill(2);
    const pair = Buffer.concat([field(0x0a, key), field(0x12, value)]);
    const payload = field(0x0a, field(0x0a, pair));
    expect(decodeKvPayload(payload).ok).toBe(fits);
    const list: Operation[] = [{ kind: "put", key, value }];
    if (fits) expect(toHex(encodeKvPayload(list))).toBe(toHex(payload));
    else expect(() => encodeKvPayload(list)).toThrow(RangeError);
  });

  it("1,000 operations are the most", () => {
    const list = Array.from({ length: 1_001 }, (_, i) => put(String(i), ""));
    const thousand = encodeKvPayload(list.slice(1));
    expect(decode(thousand)).toHaveLength(1_000);
    expect(() => encodeKvPayload(list)).toThrow(RangeError);
    const tooMany = Buffer.concat([thousand, encodeKvPayload(list.slice(0, 1))]);
    expect(decodeKvPayload(tooMany).ok).toBe(false);
    expect(() => encodeKvPayload([])).toThrow(RangeError);
    expect(() => encodeKvPayload([put("", "x")])).toThrow(RangeError);
  });

  it("random bytes are never decoded by throwing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const decoded = decodeKvPayload(bytes);
        if (decoded.ok) expect(toHex(encodeKvPayload(decoded.value))).toBe(toHex(bytes));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("kv receipts and state values", () => {
  it("a receipt survives encoding; a success has no failed operation; other bytes are no receipt", () => {
    const success: KvReceipt = { ok: true, version: 12 };
    const failure: KvReceipt = { ok: false, version: 0, failedOperation: 3 };
    expect(receiptToJson(encodeKvReceipt(success))).toEqual(success);
    expect(receiptToJson(encodeKvReceipt(failure))).toEqual(failure);
    expect(receiptToJson(Uint8Array.of(0x08, 1, 0x18, 1))).toBeUndefined();
    expect(receiptToJson(Uint8Array.of(0x08, 2))).toBeUndefined();
    expect(receiptToJson(utf8("no receipt"))).toBeUndefined();
  });

  it("a state value is the version in 8 bytes, big-endian, and the value", () => {
    expect(toHex(encodeKvValue(0x0102, utf8("v")))).toBe("000000000000010276");
    fc.assert(
      fc.property(versions, values, (version, value) => {
        const decoded = decodeKvValue(encodeKvValue(version, value));
        expect([decoded.version, toHex(decoded.value)]).toEqual([version, toHex(value)]);
      }),
    );
    expect(() => decodeKvValue(new Uint8Array(7))).toThrow(/7 bytes/);
  });
});

describe("kv operations in JSON", () => {
  it("one operation, or an array of them; text is UTF-8, other bytes are base64url", () => {
    const result = operationsFromJson([
      { put: { key: "é", value: { base64url: "AP8" } } },
      { delete: { key: { base64url: "_w" } } },
      { compareAndSet: { key: "a", expectedVersion: 7, value: "" } },
    ]);
    if (!result.ok) throw new Error(result.error.message);
    expect(plain(result.value)).toEqual([
      { kind: "put", key: "c3a9", value: "00ff" },
      { kind: "delete", key: "ff" },
      { kind: "compareAndSet", key: "61", expectedVersion: 7, value: "" },
    ]);
    expect(operationsFromJson({ delete: { key: "a" } })).toEqual({ ok: true, value: [deletion("a")] });
  });

  it("all operations can be written so and read back", () => {
    const write = (bytes: Uint8Array) => ({ base64url: Buffer.from(bytes).toString("base64url") });
    fc.assert(
      fc.property(operations, (list) => {
        const json: unknown = list.map(({ kind, ...fields }) => ({
          [kind]: Object.fromEntries(
            Object.entries(fields).map(([name, field]) => [name, typeof field === "number" ? field : write(field)]),
          ),
        }));
        const read = operationsFromJson(JSON.parse(JSON.stringify(json)));
        expect(read.ok && plain(read.value)).toEqual(plain(list));
      }),
    );
  });

  it.each([
    [null, "KV_NOT_AN_OPERATION", ""],
    ["put", "KV_NOT_AN_OPERATION", ""],
    [{}, "KV_NOT_AN_OPERATION", ""],
    [{ put: { key: "a", value: "b" }, delete: { key: "a" } }, "KV_NOT_AN_OPERATION", ""],
    [[{ delete: { key: "a" } }, 5], "KV_NOT_AN_OPERATION", "[1]"],
    [[], "KV_OPERATION_COUNT", ""],
    [Array(1001).fill({ delete: { key: "a" } }), "KV_OPERATION_COUNT", ""],
    [{ get: { key: "a" } }, "KV_UNKNOWN_FIELD", "get"],
    [[{ delete: { key: "a" }, note: 1 }], "KV_UNKNOWN_FIELD", "[0].note"],
    [{ put: { key: "a", value: "b", version: 1 } }, "KV_UNKNOWN_FIELD", "put.version"],
    [{ put: { key: { base64url: "AA", hex: "" }, value: "b" } }, "KV_UNKNOWN_FIELD", "put.key.hex"],
    [{ put: "a" }, "KV_INVALID_VALUE", "put"],
    [{ put: { value: "b" } }, "KV_MISSING_FIELD", "put.key"],
    [{ put: { key: "a" } }, "KV_MISSING_FIELD", "put.value"],
    [{ compareAndSet: { key: "a", value: "b" } }, "KV_MISSING_FIELD", "compareAndSet.expectedVersion"],
    [
      { compareAndSet: { key: "a", expectedVersion: "1", value: "b" } },
      "KV_INVALID_VALUE",
      "compareAndSet.expectedVersion",
    ],
    [
      { compareAndSet: { key: "a", expectedVersion: -1, value: "b" } },
      "KV_INVALID_VALUE",
      "compareAndSet.expectedVersion",
    ],
    [
      { compareAndSet: { key: "a", expectedVersion: 1.5, value: "b" } },
      "KV_INVALID_VALUE",
      "compareAndSet.expectedVersion",
    ],
    [{ put: { key: "", value: "b" } }, "KV_INVALID_VALUE", "put.key"],
    [{ put: { key: 1, value: "b" } }, "KV_INVALID_VALUE", "put.key"],
    [{ put: { key: "a", value: null } }, "KV_INVALID_VALUE", "put.value"],
    [{ put: { key: "a", value: ["b"] } }, "KV_INVALID_VALUE", "put.value"],
    [{ put: { key: "\ud800", value: "b" } }, "KV_INVALID_VALUE", "put.key"],
    [{ put: { key: "a", value: { base64url: "A" } } }, "KV_INVALID_VALUE", "put.value.base64url"],
    [{ put: { key: "a", value: { base64url: "AA==" } } }, "KV_INVALID_VALUE", "put.value.base64url"],
    [{ put: { key: "a", value: { base64url: "AB" } } }, "KV_INVALID_VALUE", "put.value.base64url"],
    [{ put: { key: "a", value: { base64url: "A+" } } }, "KV_INVALID_VALUE", "put.value.base64url"],
    [{ put: { key: "a", value: {} } }, "KV_INVALID_VALUE", "put.value.base64url"],
    [{ delete: { key: "é".repeat(513) } }, "KV_TOO_LARGE", "delete.key"],
    [{ put: { key: "a", value: "x".repeat(1024 * 1024 + 1) } }, "KV_TOO_LARGE", "put.value"],
  ])("case %#: what is no operation is refused with code %s at the right path", (value, code, path) => {
    const result = operationsFromJson(value);
    expect(result.ok ? result : { code: result.error.code, path: result.error.path }).toEqual({ code, path });
    if (!result.ok && path !== "") expect(result.error.message.startsWith(`${path}: `)).toBe(true);
  });

  it("a member inherited from a prototype is no field", () => {
    expect(operationsFromJson(JSON.parse(`{"__proto__": {"put": {"key": "a", "value": "b"}}}`)).ok).toBe(false);
    expect(operationsFromJson(Object.create({ put: { key: "a", value: "b" } })).ok).toBe(false);
  });
});
