/** Encodings that mean to protobuf what a given one means, or nearly, and that a strict decoder must refuse. */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import protobuf from "protobufjs";
import { concatBytes } from "../../src/base/bytes.ts";

interface RawField {
  readonly number: number;
  readonly tag: Uint8Array;
  /** The value of a varint, the length of anything else. */
  readonly varint: Uint8Array;
  readonly content: Uint8Array;
}

/** Each mutant with what was done to it, at every depth of the message. */
export function* mutants(type: protobuf.Type, encoding: Uint8Array): Generator<readonly [string, Uint8Array]> {
  const fields = split(encoding);
  const whole = fields.map(({ tag, varint, content }) => concatBytes(tag, varint, content));
  const changed = (from: number, count: number, ...parts: readonly Uint8Array[]) =>
    concatBytes(...whole.slice(0, from), ...parts, ...whole.slice(from + count));
  const unknown = Math.max(...type.fieldsArray.map((field) => field.id)) + 1;

  yield [`${type.name}: unknown integer`, concatBytes(encoding, tagOf(unknown, WireType.Varint), Uint8Array.of(1))];
  yield [
    `${type.name}: unknown bytes`,
    concatBytes(encoding, tagOf(unknown, WireType.LengthDelimited), Uint8Array.of(0)),
  ];
  yield [`${type.name}: trailing zero`, concatBytes(encoding, Uint8Array.of(0))];
  if (encoding.length > 0) yield [`${type.name}: cut short`, encoding.subarray(0, -1)];
  for (const [i, field] of fields.entries()) {
    const known = type.fieldsById[field.number];
    if (known === undefined) throw new Error(`${type.name} has no field ${field.number}`);
    const { tag, varint, content } = field;
    const where = `${type.name}.${known.name}`;
    yield [`${where}: tag not minimal`, changed(i, 1, longer(tag), varint, content)];
    yield [`${where}: value or length not minimal`, changed(i, 1, tag, longer(varint), content)];
    yield [`${where}: another wire type`, changed(i, 1, tagOf(field.number, WireType.Bit32), new Uint8Array(4))];
    if (!known.repeated) yield [`${where}: twice`, changed(i, 0, whole[i] as Uint8Array)];
    const next = fields[i + 1];
    if (next === undefined && content.length > 0) {
      yield [`${where}: length one less`, changed(i, 1, tag, varintOf(content.length - 1), content)];
      yield [`${where}: length one more`, changed(i, 1, tag, varintOf(content.length + 1), content)];
    }
    if (next !== undefined && next.number !== field.number) {
      yield [`${where}: behind the next`, changed(i, 2, whole[i + 1] as Uint8Array, whole[i] as Uint8Array)];
    }
    if (known.resolvedType instanceof protobuf.Type) {
      for (const [what, inner] of mutants(known.resolvedType, content)) {
        yield [`${where} > ${what}`, changed(i, 1, tag, varintOf(inner.length), inner)];
      }
    }
  }
  for (const known of type.fieldsArray) {
    if (known.repeated || known.partOf || known.resolvedType || fields.some((field) => field.number === known.id))
      continue;
    const behind = fields.findIndex((field) => field.number > known.id);
    const wireType = known.type === "bytes" || known.type === "string" ? WireType.LengthDelimited : WireType.Varint;
    const written = concatBytes(tagOf(known.id, wireType), Uint8Array.of(0));
    yield [`${type.name}.${known.name}: default written`, changed(behind < 0 ? fields.length : behind, 0, written)];
  }
}

function split(encoding: Uint8Array): RawField[] {
  const reader = new BinaryReader(encoding);
  const fields: RawField[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [number, wireType] = reader.tag();
    const tagEnd = reader.pos;
    const value = Number(reader.uint64());
    const varintEnd = reader.pos;
    if (wireType === WireType.LengthDelimited) reader.pos += value;
    fields.push({
      number,
      tag: encoding.subarray(start, tagEnd),
      varint: encoding.subarray(tagEnd, varintEnd),
      content: encoding.subarray(varintEnd, reader.pos),
    });
  }
  return fields;
}

/** The same varint in one byte more. */
function longer(varint: Uint8Array): Uint8Array {
  const bytes = concatBytes(varint, Uint8Array.of(0));
  bytes[varint.length - 1] = (bytes[varint.length - 1] as number) | 0x80;
  return bytes;
}

function tagOf(number: number, wireType: WireType): Uint8Array {
  return new BinaryWriter().tag(number, wireType).finish();
}

function varintOf(value: number): Uint8Array {
  return new BinaryWriter().uint32(value).finish();
}
