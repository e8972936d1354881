import * as fc from "fast-check";
import { expect, test } from "vitest";
import { packChainWrite, unpackChainWrite } from "../../../src/node/storage/chainMessage.ts";
import { packDerivedWrite, packIndexedBlocks, unpackDerivedWrite } from "../../../src/node/storage/derivedMessage.ts";
import { Packer } from "../../../src/node/storage/packing.ts";
import type { ChainWrite, DerivedWrite } from "../../../src/node/storage/types.ts";

const height = fc.integer({ min: 0, max: 2 ** 40 });
const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
/** Views into larger buffers, as the core hands them over. */
const bytes = fc
  .uint8Array({ maxLength: 60, size: "max" })
  .map((data) => Buffer.concat([Buffer.alloc(3, 9), data, Buffer.alloc(5, 9)]).subarray(3, 3 + data.length));
const block = fc.record({ height, id, parent: id, header: bytes, signature: bytes, body: bytes });
const producerSets = fc.array(fc.record({ from: height, provenHeight: height, sets: bytes }), { maxLength: 3 });
const evidence = fc.record({ producer: id, kind: fc.constantFrom("twoBlocks", "twoVotes"), bytes });
const chainWrite = fc.record(
  {
    token: height,
    blocks: fc.array(block, { maxLength: 5 }),
    record: bytes,
    irreversible: fc.record(
      { height, id, certificate: bytes, frontier: bytes, producerSets },
      { requiredKeys: ["height", "id", "certificate", "frontier"] },
    ),
    evidence: fc.array(evidence, { maxLength: 3 }),
    firstHeight: height,
  },
  { requiredKeys: ["token", "blocks"] },
);
const derivedWrite = fc.record(
  {
    height,
    id,
    changes: fc.array(fc.record({ key: bytes, value: fc.option(bytes) }), { maxLength: 8 }),
    blocks: fc.array(fc.record({ height, receipts: bytes, transactionIds: bytes }), { maxLength: 4 }),
    firstHeight: height,
  },
  { requiredKeys: ["height", "id", "changes", "blocks"] },
);

test("a ChainWrite is the same after the way to the writer thread", () => {
  fc.assert(
    fc.property(chainWrite as fc.Arbitrary<ChainWrite>, (write) => {
      const unpacked = unpackChainWrite(packChainWrite(write));
      const { token, blocks, record, irreversible, firstHeight } = unpacked;
      const asHex = (each: { id: Buffer }) => each.id.toString("hex");
      expect({ token, record, firstHeight }).toEqual({
        token: write.token,
        record: write.record,
        firstHeight: write.firstHeight,
      });
      expect(
        blocks.map(({ height: at, id: blockId, parent, header, signature, body }) => {
          return { height: at, id: blockId.toString("hex"), parent: parent.toString("hex"), header, signature, body };
        }),
      ).toEqual(write.blocks);
      expect(irreversible && { ...irreversible, id: asHex(irreversible) }).toEqual(
        write.irreversible && { producerSets: [], ...write.irreversible },
      );
      expect(
        unpacked.evidence.map(({ producer, kind, bytes: piece }) => {
          return { producer: producer.toString("hex"), kind: kind.toString(), bytes: piece };
        }),
      ).toEqual(write.evidence ?? []);
    }),
  );
});

test("a DerivedWrite is the same after the way to the writer thread, however often its changes are read", () => {
  fc.assert(
    fc.property(derivedWrite as fc.Arbitrary<DerivedWrite>, (write) => {
      const indexed = write.blocks.map(({ height: at, transactionIds }) => ({ height: at, transactionIds }));
      const unpacked = unpackDerivedWrite(packDerivedWrite(write, indexed));
      expect(unpacked).toMatchObject({ height: write.height, id: write.id, firstHeight: write.firstHeight, indexed });
      expect(unpacked.receipts).toEqual(write.blocks.map(({ height: at, receipts }) => ({ height: at, receipts })));
      expect([...unpacked.changes()]).toEqual(write.changes);
      expect([...unpacked.changes()]).toEqual(write.changes);
      expect(unpackDerivedWrite(packIndexedBlocks(5, indexed))).toMatchObject({ height: 5, id: undefined, indexed });
    }),
  );
});

test("a message whose stated size is not what was put in is a fault, not a short message", () => {
  const packer = new Packer(9);
  packer.putNumber(1);
  expect(() => packer.finish()).toThrow(RangeError);
  expect(() => new Packer(32).putHex("ab".repeat(31), 32)).toThrow(RangeError);
  expect(() => new Packer(32).putHex("zz".repeat(32), 32)).toThrow(RangeError);
});
