import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openDerivedWriter } from "../../../src/node/storage/derivedFile.ts";
import { packDerivedWrite, unpackDerivedWrite } from "../../../src/node/storage/derivedMessage.ts";
import { StateReader } from "../../../src/node/storage/stateReader.ts";
import { STATE_FORMAT, stateFile, StateTables } from "../../../src/node/storage/stateTables.ts";
import { blockId, CHAIN_ID, removeDirectory, temporaryDirectory } from "./fixtures.ts";

let dir: string;
beforeEach(() => void (dir = temporaryDirectory()));
afterEach(() => removeDirectory(dir));

/** Short keys over few bytes, so that they are often equal, prefixes of one another, or neighbours. */
const key = fc
  .uint8Array({ maxLength: 4 })
  .map((bytes) => Buffer.from(bytes.map((byte) => [0, 1, 127, 128, 255][byte % 5]!)));
const value = fc.option(fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)));
const runs = fc.array(fc.array(fc.record({ key, value }), { maxLength: 30 }), { minLength: 1, maxLength: 5 });
const query = fc.record({
  start: key,
  end: fc.option(key, { nil: undefined }),
  limit: fc.nat(12),
  reverse: fc.boolean(),
});

interface Query {
  readonly start: Buffer;
  readonly end: Buffer | undefined;
  readonly limit: number;
  readonly reverse: boolean;
}

/** The range as the contract words it, on a map from key in hex to value. */
function modelRange(model: ReadonlyMap<string, Buffer>, { start, end, limit, reverse }: Query) {
  const entries = [...model].map(([hex, found]) => ({ key: Buffer.from(hex, "hex"), value: found }));
  const inside = entries.filter(
    (entry) => entry.key.compare(start) >= 0 && (end === undefined || entry.key.compare(end) < 0),
  );
  inside.sort((a, b) => (reverse ? b.key.compare(a.key) : a.key.compare(b.key)));
  return inside.slice(0, limit);
}

test("after any runs of changes, gets and ranges both ways answer as a sorted map would", () => {
  const connection = openDerivedWriter(stateFile(dir), STATE_FORMAT, CHAIN_ID);
  const tables = new StateTables(connection);
  const reader = StateReader.open(dir);
  const property = fc.property(runs, fc.array(query, { minLength: 5, maxLength: 10 }), (batches, queries) => {
    connection.exec("DELETE FROM state");
    const model = new Map<string, Buffer>();
    for (const [height, changes] of batches.entries()) {
      const write = { height, id: blockId(height), changes, blocks: [] };
      connection.transaction(() => tables.write(unpackDerivedWrite(packDerivedWrite(write, []))))();
      for (const change of changes) {
        if (change.value === null) model.delete(change.key.toString("hex"));
        else model.set(change.key.toString("hex"), change.value);
      }
    }
    for (const { start, end, limit, reverse } of queries) {
      expect(reader.get(start)).toEqual(model.get(start.toString("hex")));
      expect(reader.range(start, end, limit, reverse)).toEqual(modelRange(model, { start, end, limit, reverse }));
    }
  });
  fc.assert(property, { numRuns: 200 });
  reader.close();
  connection.close();
});
