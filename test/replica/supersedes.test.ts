import { describe, expect, it } from "vitest";
import { EMPTY_BYTES } from "../../src/base/bytes.ts";
import {
  BLOCK_PREFIX,
  encodeBlockRequest,
  encodeCertificatePayload,
  encodeHello,
  encodeReadIndex,
  encodeSigned,
} from "../../consensus/messages.ts";
import { encodeEnvelope } from "../../net/transport/envelope.ts";
import { supersedingKey } from "../../src/replica/supersedes.ts";
import { CHAIN_ID, fakeSignature, KEYS } from "../fixtures/naiveChain.ts";

const [A, B] = KEYS as [string, string];

function framed(source: string, destination: string, payload: Uint8Array): Uint8Array {
  return Buffer.concat(encodeEnvelope({ source, destinations: [destination], ttl: 1, broadcast: false }, payload));
}

const heartbeat = (round: number): Uint8Array =>
  encodeSigned(CHAIN_ID, A, { kind: "heartbeat", content: { view: 1, round, irreversibleHeight: 0 } }, () =>
    fakeSignature("x"),
  );
const reply = (round: number): Uint8Array =>
  encodeSigned(CHAIN_ID, A, { kind: "heartbeatReply", content: { view: 1, round } }, () => fakeSignature("x"));

describe("what supersedes what at a lane's cap (docs/protocol.md, section 1)", () => {
  it("urgent: the newest per sender, recipient and kind", () => {
    const key = (frame: Uint8Array): string | undefined => supersedingKey("urgent", frame);
    const first = key(framed(A, B, heartbeat(1)));
    expect(first).toBeDefined();
    expect(key(framed(A, B, heartbeat(2)))).toBe(first);
    for (const other of [framed(B, A, heartbeat(1)), framed(A, A, heartbeat(1)), framed(A, B, reply(1))]) {
      expect(key(other)).not.toBe(first);
    }
    expect(key(framed(A, B, encodeCertificatePayload(Uint8Array.of(1))))).toBeDefined();
    // Each question wants its own answer.
    expect(key(framed(A, B, encodeReadIndex(1)))).toBeUndefined();
    for (const junk of [EMPTY_BYTES, Uint8Array.of(0), Uint8Array.of(255, 255, 1)]) expect(key(junk)).toBeUndefined();
  });

  it("chain: hellos; blocks and requests for them stay", () => {
    const head = { height: 1, view: 1, id: A };
    const hello = (seq: number): Uint8Array =>
      encodeHello({ seq, echo: 0, head, root: head, locator: [head], irreversibleHeight: 1 });
    expect(supersedingKey("chain", hello(1))).toBe(supersedingKey("chain", hello(2)));
    expect(supersedingKey("chain", hello(1))).toBeDefined();
    expect(supersedingKey("chain", encodeBlockRequest(A))).toBeUndefined();
    expect(supersedingKey("chain", BLOCK_PREFIX)).toBeUndefined();
  });

  it("bulk: nothing", () => {
    expect(supersedingKey("bulk", framed(A, B, heartbeat(1)))).toBeUndefined();
  });
});
