/**
 * Strict protobuf for what is signed, hashed or comes from a peer. A message is described once, with a bound on
 * every field; the description gives its TypeScript type, its encoder and its decoder. There is one valid encoding:
 * fields in order of their numbers, defaults left out, nothing unknown, nothing trailing. `decode` accepts byte for byte
 * what `encode` writes and nothing else (docs/protocol.md, "encoding"); it needs no second encoding to know. `encode` throws a
 * RangeError for a value out of its bounds: a bug, found where it is made and not by the peer who refuses the bytes.
 *
 * The `.proto` files in `proto/` document the same messages; a test checks that they agree.
 *
 *     const ack = message("Ack", { view: uint(1), height: uint(2), id: hash(3) });
 *     type Ack = Decoded<typeof ack>;
 *     const bytes = ack.encode({ view: 1, height: 2, id });
 *     const result = ack.decode(bytes);
 */
import { utf8 } from "./bytes.ts";
import { Slabs } from "./memory.ts";
import { err, ok, type Result } from "./result.ts";
import { Malformed, WireReader, WireWriter } from "./wire.ts";

/** Why bytes are not a message. `detail` is for logs. */
export interface DecodeError {
  readonly code: "UNDECODABLE";
  readonly message: string;
  readonly detail: string;
}

/** What a field holds, in protobuf's terms and with its bounds: what the `.proto` files say of it. */
export type FieldType =
  | { readonly kind: "uint64" | "bool" }
  | { readonly kind: "string"; readonly maxBytes: number }
  /** `hex`: in memory it is a string of lower-case hex. */
  | { readonly kind: "bytes"; readonly minBytes: number; readonly maxBytes: number; readonly hex: boolean }
  | { readonly kind: "message"; readonly message: Message<unknown> };

export interface Field<T> {
  readonly number: number;
  readonly type: FieldType;
  /** Number and wire type, as the field begins on the wire. */
  readonly tag: number;
  /** What an absent field means; `undefined` with `required` makes absence an error. */
  readonly absent: T | undefined;
  readonly required: boolean;
  readonly repeated: boolean;
  readonly maxCount: number;
  write(writer: WireWriter, value: T): void;
  read(reader: WireReader): unknown;
  isDefault(value: T): boolean;
}

type Shape = Record<string, Field<unknown>>;
type ValueOf<F> = F extends Field<infer T> ? T : never;
type OptionalKeys<S extends Shape> = { [K in keyof S]: undefined extends ValueOf<S[K]> ? K : never }[keyof S];
type ShapeValue<S extends Shape> = {
  readonly [K in Exclude<keyof S, OptionalKeys<S>>]: ValueOf<S[K]>;
} & { readonly [K in OptionalKeys<S>]?: ValueOf<S[K]> };

export interface Message<T> {
  readonly name: string;
  /** The description, by field name, in the order of the numbers. */
  readonly fields: Readonly<Record<string, Field<unknown>>>;
  /** @throws RangeError when the value is out of its bounds */
  encode(value: T): Uint8Array;
  /** As {@link Message.encode}, behind a byte that tells the kind: what is sent, and kept for a moment only. */
  encodeAs(kind: number, value: T): Uint8Array;
  decode(bytes: Uint8Array): Result<T, DecodeError>;
  /** For nesting: the message that ends at `end`. Throws a {@link Malformed} on bad input. */
  readFrom(reader: WireReader, end: number): T;
  writeTo(writer: WireWriter, value: T): void;
}
export type Decoded<M> = M extends Message<infer T> ? T : never;

/** Protobuf's wire types that are in use. */
const VARINT = 0;
const LENGTH_DELIMITED = 2;
/** In place of a tag: the message is over. */
const END = -1;

/** Describes a message. Field numbers must ascend in the order written. */
export function message<S extends Shape>(name: string, shape: S): Message<ShapeValue<S>> {
  const entries = Object.entries(shape);
  entries.reduce((last, [key, field]) => {
    if (field.number <= last) throw new Error(`${name}.${key}: field numbers must ascend`);
    return field.number;
  }, 0);

  const writeTo = (writer: WireWriter, value: Record<string, unknown>): void => {
    for (const [key, field] of entries) {
      const item = value[key];
      if (field.repeated) {
        const elements = item as unknown[];
        if (elements.length > field.maxCount) throw new RangeError(`${name}.${key}: ${elements.length} elements`);
        for (const element of elements) writeField(writer, field, element);
      } else if (item !== undefined && !field.isDefault(item)) writeField(writer, field, item);
    }
  };
  const unexpected = (tag: number): Malformed => {
    const known = entries.find(([, { number }]) => number === Math.floor(tag / 8));
    if (known === undefined) return new Malformed(`unknown field ${Math.floor(tag / 8)}`);
    return new Malformed(known[1].tag === tag ? "not the one valid encoding" : `${known[0]}: wire type`);
  };
  const readFrom = (reader: WireReader, end: number): Record<string, unknown> => {
    const value: Record<string, unknown> = {};
    let tag = reader.at < end ? reader.varint() : END;
    // Fields come in the order of their numbers or not at all: what is left over at the end is unknown or out of order.
    for (const [key, field] of entries) {
      if (field.repeated) {
        const elements: unknown[] = [];
        for (; tag === field.tag; tag = reader.at < end ? reader.varint() : END) {
          if (elements.push(field.read(reader)) > field.maxCount)
            throw new Malformed(`${key}: more than ${field.maxCount}`);
          if (reader.at > end) throw new Malformed(`${key}: past the end`);
        }
        value[key] = elements;
      } else if (tag === field.tag) {
        const item = field.read(reader);
        if (reader.at > end) throw new Malformed(`${key}: past the end`);
        if (field.isDefault(item)) throw new Malformed("not the one valid encoding");
        value[key] = item;
        tag = reader.at < end ? reader.varint() : END;
      } else if (field.required) throw new Malformed(`${key}: missing`);
      else if (field.absent !== undefined) value[key] = field.absent;
    }
    if (tag !== END) throw unexpected(tag);
    return value;
  };
  const encode = (value: Record<string, unknown>): Uint8Array => {
    WRITER.reset();
    writeTo(WRITER, value);
    return WRITER.finish();
  };
  const encodeAs = (kind: number, value: Record<string, unknown>): Uint8Array => {
    WRITER.reset();
    WRITER.byte(kind);
    writeTo(WRITER, value);
    return WRITER.finishInto(SENT.take(WRITER.length));
  };
  const decode = (bytes: Uint8Array): Result<Record<string, unknown>, DecodeError> => {
    try {
      return ok(readFrom(new WireReader(bytes), bytes.length));
    } catch (error) {
      // Malformed, or what the UTF-8 decoder throws.
      return err({
        code: "UNDECODABLE",
        message: name,
        detail: error instanceof Error ? error.message : String(error),
      });
    }
  };
  return { name, fields: shape, encode, encodeAs, decode, readFrom, writeTo } as unknown as Message<ShapeValue<S>>;
}

/** One for all: encoding calls nothing that could encode in between. */
const WRITER = new WireWriter();
/** Memory of what is sent. */
const SENT = new Slabs();

function writeField(writer: WireWriter, field: Field<unknown>, value: unknown): void {
  writer.varint(field.tag);
  field.write(writer, value);
}

function scalar<T>(
  number: number,
  type: FieldType,
  absent: T | undefined,
  codec: Pick<Field<T>, "write" | "isDefault"> & { read(reader: WireReader): T },
): Field<T> {
  const tag = number * 8 + (type.kind === "uint64" || type.kind === "bool" ? VARINT : LENGTH_DELIMITED);
  return { number, type, tag, absent, required: absent === undefined, repeated: false, maxCount: 1, ...codec };
}

/** A safe non-negative integer, `uint64` on the wire. */
export function uint(number: number): Field<number> {
  return scalar<number>(number, { kind: "uint64" }, 0, {
    write: (writer, value) => {
      if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no unsigned integer`);
      writer.varint(value);
    },
    read: (reader) => reader.varint(),
    isDefault: (value) => value === 0,
  });
}

export function bool(number: number): Field<boolean> {
  return scalar<boolean>(number, { kind: "bool" }, false, {
    write: (writer, value) => writer.varint(value ? 1 : 0),
    read: (reader) => {
      const value = reader.varint();
      if (value > 1) throw new Malformed("neither true nor false");
      return value === 1;
    },
    isDefault: (value) => !value,
  });
}

/** Bytes of at most `maxBytes`; what is decoded is a view of the input. */
export function bytes(number: number, maxBytes: number): Field<Uint8Array> {
  return scalar<Uint8Array>(number, { kind: "bytes", minBytes: 0, maxBytes, hex: false }, new Uint8Array(0), {
    write: (writer, value) => writeBytes(writer, value, 0, maxBytes),
    read: (reader) => reader.bytes(0, maxBytes),
    isDefault: (value) => value.length === 0,
  });
}

/** Exactly `length` bytes, always present. */
export function fixedBytes(number: number, length: number): Field<Uint8Array> {
  return scalar<Uint8Array>(number, { kind: "bytes", minBytes: length, maxBytes: length, hex: false }, undefined, {
    write: (writer, value) => writeBytes(writer, value, length, length),
    read: (reader) => reader.bytes(length, length),
    isDefault: () => false,
  });
}

/** A 32-byte hash or key, lower-case hex in memory, always present. */
export function hash(number: number): Field<string> {
  return scalar<string>(number, { kind: "bytes", minBytes: 32, maxBytes: 32, hex: true }, undefined, {
    write: (writer, value) => writer.hex(value, 32),
    read: (reader) => reader.hex(32),
    isDefault: () => false,
  });
}

// A byte order mark is kept: it is a character like others.
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8 text of at most `maxBytes`. */
export function text(number: number, maxBytes: number): Field<string> {
  return scalar<string>(number, { kind: "string", maxBytes }, "", {
    write: (writer, value) => {
      // A lone surrogate would be written as U+FFFD: another text.
      if (!value.isWellFormed()) throw new RangeError("not well-formed Unicode");
      writeBytes(writer, utf8(value), 0, maxBytes);
    },
    read: (reader) => strictUtf8.decode(reader.bytes(0, maxBytes)),
    isDefault: (value) => value === "",
  });
}

/** A message inside a message, always present. */
export function nested<T>(number: number, inner: Message<T>): Field<T> {
  return scalar<T>(number, { kind: "message", message: inner }, undefined, {
    write: (writer, value) => writer.nested(() => inner.writeTo(writer, value)),
    read: (reader) => {
      const length = reader.varint();
      const end = reader.at + length;
      if (end > reader.length) throw new Malformed("past the end");
      return inner.readFrom(reader, end);
    },
    isDefault: () => false,
  });
}

/** The field may be absent; present, it is written even when it holds a default. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return { ...field, absent: undefined, required: false, isDefault: () => false } as Field<T | undefined>;
}

/** At most `maxCount` values. Numbers are not packed: all repeated fields of the project hold bytes or messages. */
export function repeated<T>(field: Field<T>, maxCount: number): Field<readonly T[]> {
  return { ...field, absent: undefined, required: false, repeated: true, maxCount } as unknown as Field<readonly T[]>;
}

function writeBytes(writer: WireWriter, value: Uint8Array, minBytes: number, maxBytes: number): void {
  if (value.length < minBytes || value.length > maxBytes) throw new RangeError(`${value.length} bytes`);
  writer.bytes(value);
}
