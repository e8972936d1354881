/**
 * A list of byte strings in one buffer with offsets: the transactions of a block, or its receipts. On the wire it is
 * `repeated bytes` number 1 of a protobuf message; in memory no element is an object until somebody asks for it.
 */
import type { DecodeError } from "../src/base/codec.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import { lengthDelimitedBytes, scanLengthDelimited, writeLengthPrefix } from "./scan.ts";

const ELEMENT_TAG = 0x0a;

export interface ByteList {
  readonly buffer: Uint8Array;
  /** Element i is `buffer[offsets[2i], offsets[2i + 1])`. */
  readonly offsets: Uint32Array;
  readonly count: number;
}

export function elementAt(list: ByteList, index: number): Uint8Array {
  return list.buffer.subarray(list.offsets[2 * index], list.offsets[2 * index + 1]);
}

export interface ListBounds {
  readonly maxCount: number;
  readonly maxElementBytes: number;
}

/**
 * Scans elements from `start` until another tag or the end. Strict: minimal lengths, bounds held.
 * @returns the list and where scanning stopped
 */
export function scanList(
  buffer: Uint8Array,
  start: number,
  bounds: ListBounds,
): Result<{ list: ByteList; end: number }, DecodeError> {
  let offsets = new Uint32Array(64);
  let count = 0;
  let at = start;
  while (at < buffer.length && buffer[at] === ELEMENT_TAG) {
    const range = scanLengthDelimited(buffer, at, ELEMENT_TAG);
    if (range === undefined) return err(undecodable("an element is cut short or its length is not minimal"));
    if (range.end - range.start > bounds.maxElementBytes) return err(undecodable("an element is too long"));
    if (count === bounds.maxCount) return err(undecodable(`more than ${bounds.maxCount} elements`));
    if (2 * count === offsets.length) {
      const larger = new Uint32Array(offsets.length * 4);
      larger.set(offsets);
      offsets = larger;
    }
    offsets[2 * count] = range.start;
    offsets[2 * count + 1] = range.end;
    count++;
    at = range.end;
  }
  return ok({ list: { buffer, offsets: offsets.subarray(0, 2 * count), count }, end: at });
}

/** Scans a buffer that holds a list and nothing else. */
export function decodeList(buffer: Uint8Array, bounds: ListBounds): Result<ByteList, DecodeError> {
  const scanned = scanList(buffer, 0, bounds);
  if (!scanned.ok) return scanned;
  if (scanned.value.end !== buffer.length) return err(undecodable("trailing bytes"));
  return ok(scanned.value.list);
}

/** Encodes `elements` as one list. */
export function encodeList(elements: readonly Uint8Array[]): ByteList {
  let bytes = 0;
  for (const element of elements) bytes += lengthDelimitedBytes(element.length);
  const buffer = new Uint8Array(bytes);
  const offsets = new Uint32Array(2 * elements.length);
  let at = 0;
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i] as Uint8Array;
    at = writeLengthPrefix(buffer, at, ELEMENT_TAG, element.length);
    offsets[2 * i] = at;
    buffer.set(element, at);
    at += element.length;
    offsets[2 * i + 1] = at;
  }
  return { buffer, offsets, count: elements.length };
}

export const EMPTY_LIST: ByteList = encodeList([]);

function undecodable(detail: string): DecodeError {
  return { code: "UNDECODABLE", message: "ByteList", detail };
}
