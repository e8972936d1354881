/** Inputs for decoders: bytes at random, and what comes of an encoding when single things in it are changed. */
import { concatBytes } from "../../src/base/bytes.ts";
import type { Dice } from "../../tools/sim/dice.ts";

/** Values at which lengths and counts break. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x3fff, 0x4000, 0xffff, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 53 - 1, 2 ** 53];
const RANDOM_MAX_BYTES = 300;
const CHANGES_MAX = 4;

/** Random bytes now and then, else `sample` changed in one to four places, `other` being another sample. */
export function fuzzed(dice: Dice, sample: Uint8Array, other: Uint8Array): Uint8Array {
  if (dice.chance(0.05)) return randomBytes(dice, dice.below(RANDOM_MAX_BYTES));
  let bytes = sample;
  for (let changes = dice.integer(1, CHANGES_MAX); changes > 0; changes--) {
    bytes = dice.chance(0.5) ? changedFields(dice, bytes, other) : changedBytes(dice, bytes, other);
  }
  return bytes;
}

export function randomBytes(dice: Dice, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => dice.below(256));
}

/** Knows nothing of what the bytes mean. */
function changedBytes(dice: Dice, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const at = dice.below(bytes.length + 1);
  const until = Math.min(bytes.length, at + dice.integer(1, 1 + dice.below(40)));
  const rest = bytes.subarray(until);
  switch (dice.below(7)) {
    case 0: {
      const copy = bytes.slice();
      if (copy.length > 0) copy[dice.below(copy.length)]! ^= 1 << dice.below(8);
      return copy;
    }
    case 1:
      return concatBytes(bytes.subarray(0, at), randomBytes(dice, until - at), rest);
    case 2:
      return concatBytes(bytes.subarray(0, at), rest);
    case 3:
      return concatBytes(bytes.subarray(0, at), bytes.subarray(at, until), bytes.subarray(at));
    case 4:
      return bytes.slice(0, at);
    case 5:
      return concatBytes(bytes.subarray(0, at), varint(dice.pick(EDGES)), rest);
    default:
      return concatBytes(bytes.subarray(0, at), other.subarray(dice.below(other.length + 1)));
  }
}

interface Field {
  readonly number: number;
  readonly wireType: number;
  /** Of a varint its value, of anything else the bytes behind it. */
  readonly content: number | Uint8Array;
}

/** Takes the bytes for a protobuf message, perhaps behind a kind byte, and changes a field at some depth of it. */
function changedFields(dice: Dice, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  const skip = fieldsOf(bytes) === undefined ? 1 : 0;
  const fields = fieldsOf(bytes.subarray(skip));
  if (fields === undefined || fields.length === 0) return changedBytes(dice, bytes, other);
  return concatBytes(bytes.subarray(0, skip), ...changedList(dice, fields, other).map(written));
}

function changedList(dice: Dice, fields: readonly Field[], other: Uint8Array): Field[] {
  const at = dice.below(fields.length);
  const field = fields[at]!;
  const list = [...fields];
  switch (dice.below(6)) {
    case 0:
      list.splice(at, 1);
      return list;
    case 1:
      list.splice(dice.below(list.length + 1), 0, field);
      return list;
    case 2:
      list.splice(at, 1);
      list.splice(dice.below(list.length + 1), 0, field);
      return list;
    case 3:
      list[at] = { ...field, number: dice.integer(1, 20) };
      return list;
    case 4:
      list.push(...(fieldsOf(other)?.slice(0, 3) ?? []));
      return list;
    default:
      list[at] = { ...field, content: changedContent(dice, field.content, other) };
      return list;
  }
}

function changedContent(dice: Dice, content: Field["content"], other: Uint8Array): Field["content"] {
  if (typeof content === "number")
    return dice.chance(0.5) ? dice.pick(EDGES) : Math.max(0, content + dice.integer(-2, 2));
  return dice.chance(0.7) ? changedFields(dice, content, other) : changedBytes(dice, content, other);
}

/** Undefined where the bytes are no message of varints and lengths, the only wire types that there are here. */
function fieldsOf(bytes: Uint8Array): Field[] | undefined {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = readVarint(bytes, at);
    const value = tag && readVarint(bytes, tag.end);
    if (value === undefined || tag === undefined) return undefined;
    const [number, wireType] = [Math.floor(tag.value / 8), tag.value % 8];
    if (number === 0 || (wireType !== 0 && wireType !== 2)) return undefined;
    at = value.end;
    if (wireType === 0) fields.push({ number, wireType, content: value.value });
    else {
      if (at + value.value > bytes.length) return undefined;
      fields.push({ number, wireType, content: bytes.subarray(at, at + value.value) });
      at += value.value;
    }
  }
  return fields;
}

function written({ number, wireType, content }: Field): Uint8Array {
  const tag = varint(number * 8 + wireType);
  return typeof content === "number"
    ? concatBytes(tag, varint(content))
    : concatBytes(tag, varint(content.length), content);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.of(...bytes, rest);
    bytes.push((rest % 128) + 128);
  }
}

function readVarint(bytes: Uint8Array, at: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 8; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte % 128) * 128 ** i;
    if (byte < 128) return { value, end: at + i + 1 };
  }
  return undefined;
}
