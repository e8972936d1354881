/** state.db against the chain executed again: receipts as blocks go by, rows once its height is reached. */
import { elementAt, decodeList } from "../../chain/byteList.ts";
import { BLOCK_MAX_BYTES } from "../../chain/block.ts";
import { HARD_LIMITS } from "../../chain/constants.ts";
import { equalBytes, toHex } from "../../src/base/bytes.ts";
import type { StateReader } from "../../src/node/storage/stateReader.ts";
import type { StateEntry } from "../../src/node/storage/types.ts";
import { type Fault, FaultFound } from "./fault.ts";

const PAGE_ROWS = 1_000;
/** Bytes of a value shown in a fault. */
const SHOWN_BYTES = 64;
const LIST_BOUNDS = { maxCount: HARD_LIMITS.blockTransactions, maxElementBytes: BLOCK_MAX_BYTES };

/** @throws FaultFound when the stored receipts of a block are others than those of executing it */
export function checkReceipts(state: StateReader, height: number, id: string, expected: Uint8Array): void {
  const stored = state.receipts(height);
  if (stored !== undefined && Buffer.isBuffer(stored) && equalBytes(stored, expected)) return;
  const fail = (detail: string, rest: Partial<Fault> = {}): never => {
    throw new FaultFound({ kind: "receipts", detail, file: state.file, height, id, ...rest });
  };
  if (stored === undefined) fail("they are missing");
  const wanted = decodeList(expected, LIST_BOUNDS);
  const found = Buffer.isBuffer(stored) ? decodeList(stored, LIST_BOUNDS) : undefined;
  if (!wanted.ok || found?.ok !== true) return fail("they do not decode");
  for (let index = 0; index < wanted.value.count; index++) {
    if (index >= found.value.count) fail("one is missing", { index });
    const expectedText = toHex(elementAt(wanted.value, index));
    const foundText = toHex(elementAt(found.value, index));
    if (expectedText === foundText) continue;
    const detail = "executed again, the block gives another receipt";
    fail(detail, { index, expected: expectedText, found: foundText });
  }
  fail("there are more than the block has transactions");
}

/**
 * Compares all rows, both sides in key order: runs of them as they are, row by row from the first run that differs.
 * @returns rows compared
 * @throws FaultFound naming the first key that differs
 */
export function compareState(state: StateReader, height: number, expected: StateReader): number {
  let rows = 0;
  let start: Uint8Array = new Uint8Array(0);
  for (;;) {
    const want = expected.rangeText(start, PAGE_ROWS);
    const have = state.rangeText(start, PAGE_ROWS);
    if (want.text !== have.text || want.last === null) break;
    rows += want.count;
    if (want.count < PAGE_ROWS) return rows;
    start = after(want.last);
  }
  const ours = entriesOf(expected, start);
  const stored = entriesOf(state, start);
  for (;;) {
    const [want, have] = [ours.next().value, stored.next().value];
    if (want === undefined && have === undefined) return rows;
    if (have !== undefined && !(Buffer.isBuffer(have.key) && Buffer.isBuffer(have.value))) {
      throw new FaultFound({ kind: "state row", detail: "it has a column of another type", file: state.file, height });
    }
    const order = want === undefined ? 1 : have === undefined ? -1 : Buffer.compare(want.key, have.key);
    const fail = (detail: string, key: Uint8Array, rest: Partial<Fault> = {}): never => {
      throw new FaultFound({ kind: "state row", detail, file: state.file, height, key: toHex(key), ...rest });
    };
    if (order < 0 && want !== undefined) fail("it is missing", want.key, { expected: shown(want.value) });
    if (order > 0 && have !== undefined) fail("the chain wrote no such key", have.key, { found: shown(have.value) });
    if (want !== undefined && have !== undefined && !equalBytes(want.value, have.value)) {
      const at = firstDifference(want.value, have.value);
      const values = { expected: shown(want.value, at), found: shown(have.value, at) };
      fail(`executing the chain leaves another value, from byte ${at} on`, want.key, values);
    }
    rows++;
  }
}

function* entriesOf(reader: StateReader, from: Uint8Array): Generator<StateEntry, undefined, void> {
  for (let start = from; ;) {
    const page = reader.range(start, undefined, PAGE_ROWS);
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_ROWS) return undefined;
    start = after(last.key);
  }
}

/** The least key above this one. */
function after(key: Uint8Array): Uint8Array {
  return Buffer.concat([key, Buffer.of(0)]);
}

function firstDifference(one: Uint8Array, other: Uint8Array): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at++;
  return at;
}

/** A value from a byte on. */
function shown(value: Uint8Array, from = 0): string {
  const text = `${from > 0 ? "..." : ""}${toHex(value.subarray(from, from + SHOWN_BYTES))}`;
  return value.length > from + SHOWN_BYTES ? `${text}... (${value.length} bytes)` : text;
}
