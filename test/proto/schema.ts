/** The two sides that are compared: the `.proto` files as protobufjs reads them, and every codec in the sources. */
import { VIEW_MAX } from "../../chain/constants.ts";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import protobuf from "protobufjs";
import { toHex } from "../../src/base/bytes.ts";
import type { Field, FieldType, Message } from "../../src/base/codec.ts";

const ROOT = join(import.meta.dirname, "../..");
const SOURCE_FOLDERS = ["chain", "consensus", "net", "src"];
/** Defines `message`; its comment has an example. */
const CODEC_FILE = "src/base/codec.ts";
const DEFINITION = /(?<![.\w])message\(\s*"(\w+)"/g;

const protoFiles = readdirSync(join(ROOT, "proto")).map((name) => join(ROOT, "proto", name));
const schema = new protobuf.Root().loadSync(protoFiles, { alternateCommentMode: true });
schema.resolveAll();
const cairn = schema.lookup("cairn.v1") as protobuf.Namespace;

/** Every message of the `.proto` files, by name. */
export const protoTypes: ReadonlyMap<string, protobuf.Type> = new Map(
  cairn.nestedArray.filter((object) => object instanceof protobuf.Type).map((type) => [type.name, type]),
);
export const frameKinds = cairn.lookupEnum("FrameKind");

export function protoType(name: string): protobuf.Type {
  const type = protoTypes.get(name);
  if (type === undefined) throw new Error(`no message ${name} in proto/`);
  return type;
}

/** Names of the messages that the sources describe, whether exported or not. */
export const describedNames: readonly string[] = sourceFiles().flatMap((file) => namesIn(file));

/** Every codec that a module exports, and those nested in them, by name. */
export async function exportedCodecs(): Promise<ReadonlyMap<string, Message<unknown>>> {
  const codecs = new Map<string, Message<unknown>>();
  for (const file of sourceFiles()) {
    if (namesIn(file).length === 0) continue;
    const module = (await import(/* @vite-ignore */ pathToFileURL(join(ROOT, file)).href)) as Record<string, unknown>;
    for (const exported of Object.values(module)) if (isCodec(exported)) collect(exported, codecs);
  }
  return codecs;
}

function sourceFiles(): string[] {
  return SOURCE_FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => `${folder}/${name}`)
      .filter((file) => file !== CODEC_FILE),
  );
}

function namesIn(file: string): string[] {
  return [...readFileSync(join(ROOT, file), "utf8").matchAll(DEFINITION)].map((match) => match[1] as string);
}

function isCodec(value: unknown): value is Message<unknown> {
  return typeof value === "object" && value !== null && "fields" in value && "readFrom" in value;
}

function collect(codec: Message<unknown>, codecs: Map<string, Message<unknown>>): void {
  const known = codecs.get(codec.name);
  if (known !== undefined && known !== codec) throw new Error(`two codecs are named ${codec.name}`);
  codecs.set(codec.name, codec);
  for (const { type } of Object.values(codec.fields)) if (type.kind === "message") collect(type.message, codecs);
}

/** Field name -> number, label, type. */
export type FieldTable = Record<string, string>;

export function codecTable(codec: Message<unknown>): FieldTable {
  return Object.fromEntries(
    Object.entries(codec.fields).map(([name, field]) => {
      const label = field.repeated ? "repeated " : isOptional(field) ? "optional " : "";
      return [name, `${field.number}: ${label}${typeName(field.type)}`];
    }),
  );
}

export function protoTable(type: protobuf.Type): FieldTable {
  return Object.fromEntries(
    type.fieldsArray.map((field) => {
      const label = field.repeated ? "repeated " : field.partOf ? "optional " : "";
      return [field.name, `${field.id}: ${label}${field.resolvedType?.name ?? field.type}`];
    }),
  );
}

function typeName(type: FieldType): string {
  return type.kind === "message" ? type.message.name : type.kind;
}

function isOptional(field: Field<unknown>): boolean {
  return !field.repeated && !field.required && field.absent === undefined;
}

/** The words with which a comment must state the bounds of a field. */
export function boundsOf({ type, repeated, required, maxCount }: Field<unknown>): string[] {
  const words: string[] = [];
  if (repeated) words.push(`at most ${maxCount} elements`);
  if (type.kind === "string") words.push(`at most ${type.maxBytes} bytes`);
  if (type.kind === "bytes")
    words.push(`${type.minBytes === type.maxBytes ? "exactly" : "at most"} ${type.maxBytes} bytes`);
  if (type.kind === "message" && required && !repeated) words.push("always present");
  return words;
}

/** A field's comment on one line. */
export function commentOf(type: protobuf.Type, name: string): string {
  return (type.fields[name]?.comment ?? "").replaceAll(/\s+/g, " ");
}

const numbers = fc.oneof(
  fc.constant(0),
  fc.nat(300),
  fc.maxSafeInteger().map(Math.abs),
  fc.constant(Number.MAX_SAFE_INTEGER),
);

/** Views have a bound of their own: what follows one must be a safe integer, too. */
const views = fc.oneof(
  fc.constant(0),
  fc.nat(300),
  fc.maxSafeInteger().map((n) => Math.abs(n) % VIEW_MAX),
  fc.constant(VIEW_MAX),
);

/** Values of a message, within its bounds; lengths of one byte and of two occur. */
export function valuesOf(codec: Message<unknown>): fc.Arbitrary<Record<string, unknown>> {
  const entries = Object.entries(codec.fields);
  const record = fc.record(
    Object.fromEntries(entries.map(([name, field]) => [name, name === "view" ? views : fieldValues(field)])),
  );
  return fc.tuple(record, fc.nat(), fc.infiniteStream(fc.boolean())).map(([value, choice, present]) => {
    const chosen = chosenFields(codec.name, choice);
    const kept = entries.filter(
      ([name, field]) => chosen.get(name) ?? (!isOptional(field) || present.next().value === true),
    );
    return Object.fromEntries(kept.map(([name]) => [name, value[name]]));
  });
}

/** For the fields of a `oneof`: is it the one? */
function chosenFields(typeName: string, choice: number): Map<string, boolean> {
  const groups = (protoTypes.get(typeName)?.oneofsArray ?? []).filter((oneof) => oneof.fieldsArray.length > 1);
  return new Map(
    groups.flatMap(({ fieldsArray }) =>
      fieldsArray.map((field, index) => [field.name, index === choice % fieldsArray.length] as const),
    ),
  );
}

function fieldValues(field: Field<unknown>): fc.Arbitrary<unknown> {
  const single = typeValues(field.type);
  return field.repeated ? fc.array(single, { maxLength: Math.min(field.maxCount, 3) }) : single;
}

function typeValues(type: FieldType): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case "uint64":
      return numbers;
    case "bool":
      return fc.boolean();
    case "string":
      return fc
        .string({ unit: "grapheme", maxLength: Math.min(type.maxBytes, 200) })
        .filter((text) => Buffer.byteLength(text) <= type.maxBytes);
    case "bytes": {
      const bytes = fc.uint8Array({ minLength: type.minBytes, maxLength: Math.min(type.maxBytes, 200), size: "max" });
      return type.hex ? bytes.map(toHex) : fc.oneof(bytes, fc.constant(new Uint8Array(type.minBytes)));
    }
    case "message":
      return valuesOf(type.message);
  }
}

/** What protobuf's own terms make of a value: bytes in base64, nothing where a field is absent or its default. */
export type Plain = Record<string, unknown>;

export function plainOf(codec: Message<unknown>, value: Readonly<Record<string, unknown>>): Plain {
  const plain: Plain = {};
  for (const [name, field] of Object.entries(codec.fields)) {
    const item = value[name];
    if (field.repeated) {
      const elements = item as readonly unknown[];
      if (elements.length > 0) plain[name] = elements.map((element) => plainItem(field.type, element));
    } else if (item !== undefined && !field.isDefault(item)) plain[name] = plainItem(field.type, item);
  }
  return plain;
}

function plainItem(type: FieldType, item: unknown): unknown {
  if (type.kind === "message") return plainOf(type.message, item as Record<string, unknown>);
  if (type.kind !== "bytes") return item;
  return type.hex ? Buffer.from(item as string, "hex").toString("base64") : base64(item as Uint8Array);
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
