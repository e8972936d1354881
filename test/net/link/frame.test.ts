// Frames, the send queue, and the yamux header scanner: pure byte work, no sockets.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FRAME, FrameReader, HEADER_BYTES, writeHeader } from "../../../net/link/frame.ts";
import type { FrameType } from "../../../net/link/frame.ts";
import { HeaderScanner } from "../../../net/link/muxer.ts";
import { CHUNK_BYTES, Outbox } from "../../../net/link/outbox.ts";

function frame(type: FrameType, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  writeHeader(bytes, type, payload.length);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

function read(inputs: readonly Uint8Array[]): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  const reader = new FrameReader(
    () => undefined,
    (_type, payload) => payloads.push(payload),
  );
  for (const input of inputs) expect(reader.push(input)).toBeUndefined();
  return payloads;
}

/** `bytes` cut at positions that `cuts` (each in [0, 1)) name. */
function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => Math.floor(cut * bytes.length)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(3_000), fc.nat(150_000)), { minLength: 1, maxLength: 12 });
const cuts = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 40 });
const payloadOf = (size: number, salt: number): Uint8Array =>
  new Uint8Array(size).map((_, i) => (i * 31 + salt) & 0xff);

describe("reading frames", () => {
  test("however the bytes are cut, the same frames come out", () => {
    fc.assert(
      fc.property(sizes, cuts, (lengths, places) => {
        const payloads = lengths.map(payloadOf);
        const bytes = Buffer.concat(payloads.map((payload) => frame(FRAME.data, payload)));
        const got = read(split(bytes, places));
        expect(got.map((payload) => Buffer.from(payload))).toEqual(payloads.map((payload) => Buffer.from(payload)));
      }),
      { numRuns: 100 },
    );
  });

  test("single bytes do, too", () => {
    const payload = payloadOf(40_000, 5);
    const bytes = frame(FRAME.data, payload);
    const got = read(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)));
    expect(Buffer.from(got[0]!).equals(payload)).toBe(true);
  });

  test("a large payload inside one piece of input is a view, not a copy", () => {
    const bytes = frame(FRAME.data, payloadOf(60_000, 1));
    expect(read([bytes])[0]!.buffer).toBe(bytes.buffer);
  });

  test("a small payload does not keep a large read buffer alive", () => {
    const slab = new Uint8Array(64 * 1024);
    slab.set(frame(FRAME.data, payloadOf(100, 1)), 500);
    const got = read([slab.subarray(500, 605)])[0]!;
    expect(got.buffer.byteLength).toBe(100);
  });

  test("a header that is refused ends the lane before any payload, whatever follows", () => {
    const delivered: number[] = [];
    const reader = new FrameReader(
      (_type, bytes) => (bytes > 10 ? { reason: "frameTooLarge", detail: String(bytes) } : undefined),
      (_type, payload) => delivered.push(payload.length),
    );
    const huge = new Uint8Array(HEADER_BYTES);
    writeHeader(huge, FRAME.data, 0xffff_ffff);
    expect(reader.push(Buffer.concat([frame(FRAME.data, payloadOf(10, 0)), huge]))?.detail).toBe("4294967295");
    expect(reader.push(frame(FRAME.data, payloadOf(3, 0)))).toBeUndefined();
    expect(delivered).toEqual([10]);
  });
});

describe("the send queue", () => {
  const drain = (box: Outbox): Uint8Array[] => {
    const chunks: Uint8Array[] = [];
    for (let chunk = box.next(Infinity); chunk !== undefined; chunk = box.next(Infinity)) chunks.push(chunk);
    return chunks;
  };

  test("what goes in as parts comes out as frames, in order, in chunks within the bound, all accounted for", () => {
    fc.assert(
      fc.property(sizes, cuts, (lengths, places) => {
        const box = new Outbox(10_000_000, () => undefined);
        const payloads = lengths.map(payloadOf);
        for (const payload of payloads) expect(box.add(FRAME.data, split(payload, places), true)).toBe(true);
        const chunks = drain(box);
        expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(CHUNK_BYTES);
        expect(read(chunks).map((p) => Buffer.from(p))).toEqual(payloads.map((p) => Buffer.from(p)));
        expect(box.queuedBytes).toBe(0);
        expect(box.takeDrained()).toBe(payloads.reduce((sum, payload) => sum + payload.length, 0));
        expect(box.framesOut).toBe(payloads.length);
        expect(box.bytesOut).toBe(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      }),
      { numRuns: 100 },
    );
  });

  test("small frames that wait together leave in one chunk", () => {
    const box = new Outbox(1_000_000, () => undefined);
    for (let i = 0; i < 100; i++) box.add(FRAME.data, [payloadOf(200, i)], true);
    expect(drain(box)).toHaveLength(1);
  });

  test("inside a large payload, chunks are views", () => {
    const box = new Outbox(1_000_000, () => undefined);
    const payload = payloadOf(500_000, 1);
    box.add(FRAME.data, [payload], true);
    const [, ...rest] = drain(box);
    expect(rest.every((chunk) => chunk.buffer === payload.buffer)).toBe(true);
  });

  test("above the byte cap a frame is refused whole, and fits again when bytes have left", () => {
    const box = new Outbox(300, () => undefined);
    expect(box.add(FRAME.data, [payloadOf(200, 0)], true)).toBe(true);
    expect(box.add(FRAME.data, [payloadOf(91, 0)], true)).toBe(false);
    expect(box.queuedBytes).toBe(205);
    expect(box.add(FRAME.data, [payloadOf(90, 0)], true)).toBe(true);
    drain(box);
    expect(box.add(FRAME.data, [payloadOf(290, 0)], true)).toBe(true);
  });

  describe("at the cap, of messages that supersede each other the newest stays", () => {
    const kindOf = (payload: Uint8Array): string | undefined => (payload[0] === 0 ? undefined : `${payload[0]}`);
    /** A payload of 95 bytes: a frame of 100. */
    const payload = (kind: number, number: number): Uint8Array => Uint8Array.of(kind, number, ...new Uint8Array(93));
    const told = (chunks: readonly Uint8Array[]): string[] => read(chunks).map(([kind, number]) => `${kind}.${number}`);

    test("in its place in the order, and what was dropped is counted and counts as drained", () => {
      const box = new Outbox(500, kindOf);
      for (const [kind, number] of [
        [1, 1],
        [0, 1],
        [1, 2],
        [0, 2],
        [2, 1],
      ] as const) {
        expect(box.add(FRAME.data, [payload(kind, number)], true)).toBe(true);
      }
      expect(box.add(FRAME.data, [payload(2, 2)], true)).toBe(true);
      expect(box.drops).toBe(1);
      expect(box.takeDrained()).toBe(95);
      expect(told(drain(box))).toEqual(["0.1", "1.2", "0.2", "2.1", "2.2"]);
    });

    test("so a lane that nobody reads holds as many as there are keys, however many are sent", () => {
      const box = new Outbox(2_000, kindOf);
      for (let i = 0; i < 1_000; i++) expect(box.add(FRAME.data, [payload(1 + (i % 3), i % 256)], true)).toBe(true);
      expect(box.queuedBytes).toBeLessThanOrEqual(2_000);
      const last = told(drain(box)).slice(-3);
      expect(last).toEqual(
        [`1.${999 % 256}`, `2.${997 % 256}`, `3.${998 % 256}`].sort((a, b) => Number(a.slice(2)) - Number(b.slice(2))),
      );
    });

    test("a frame on its way is not touched, nor are frames of the link itself", () => {
      const box = new Outbox(10_000, kindOf);
      box.add(FRAME.data, [payload(1, 1), new Uint8Array(5_000)], true);
      const begun = box.next(1_000)!;
      box.add(FRAME.pong, [Uint8Array.of(1, 2, 3, 4)], false);
      for (let i = 0; i < 80; i++) expect(box.add(FRAME.data, [payload(1, i)], true)).toBe(true);
      const frames = read([begun, ...drain(box)]);
      expect(frames[0]).toHaveLength(5_095);
      expect(frames[1]).toHaveLength(4);
      expect(frames.at(-1)?.[1]).toBe(79);
    });

    test("what none supersedes is refused, newest first", () => {
      const box = new Outbox(500, kindOf);
      for (let i = 0; i < 9; i++) expect(box.add(FRAME.data, [payload(0, i)], true)).toBe(i < 5);
      expect(box.drops).toBe(4);
      expect(told(drain(box))).toEqual(["0.0", "0.1", "0.2", "0.3", "0.4"]);
    });
  });

  test("clearing keeps the rest of a frame that is on its way, so that the peer can read what follows", () => {
    const box = new Outbox(1_000_000, () => undefined);
    const payload = payloadOf(200_000, 3);
    box.add(FRAME.data, [payload], true);
    box.add(FRAME.data, [payloadOf(10, 0)], true);
    const begun = [box.next(Infinity)!];
    box.clear();
    box.add(FRAME.close, [payloadOf(7, 1)], false);
    const got = read([...begun, ...drain(box)]);
    expect(got.map((p) => p.length)).toEqual([200_000, 7]);
    expect(box.queuedBytes).toBe(0);
    box.add(FRAME.data, [payloadOf(10, 0)], true);
    box.clear();
    expect(drain(box)).toEqual([]);
  });
});

describe("the yamux header scanner", () => {
  const header = (type: number, flags: number, stream: number, length: number): Uint8Array => {
    const bytes = Buffer.alloc(12);
    bytes.writeUInt8(type, 1);
    bytes.writeUInt16BE(flags, 2);
    bytes.writeUInt32BE(stream, 4);
    bytes.writeUInt32BE(length, 8);
    return bytes;
  };

  test("follows honest traffic however it is cut, and stops at a data frame above the window", () => {
    fc.assert(
      fc.property(cuts, fc.boolean(), (places, hostile) => {
        const honest = [0, 1, 255, 1000].flatMap((size) => [header(0, 0, 1, size), new Uint8Array(size).fill(255)]);
        const bytes = Buffer.concat([header(1, 1, 1, 4_000_000), ...honest, header(0, 0, 1, hostile ? 1001 : 1000)]);
        const scanner = new HeaderScanner(1000);
        for (const piece of split(bytes, places)) scanner.push(piece);
        expect(scanner.fault).toBe(hostile ? "data frame of 1001 bytes" : undefined);
      }),
    );
  });

  test("counts streams opened over a connection's life, but no pings", () => {
    const scanner = new HeaderScanner(1000);
    for (let i = 0; i < 100; i++) scanner.push(header(2, 1, 0, i));
    for (let i = 0; i < 16; i++) scanner.push(header(i % 2, 1, 2 * i + 1, 0));
    expect(scanner.fault).toBeUndefined();
    scanner.push(header(1, 1, 99, 0));
    expect(scanner.fault).toBe("too many streams opened");
  });
});
