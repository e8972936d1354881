import { beforeEach, describe, expect, it } from "vitest";
import type { Lane, PeerKey } from "../../net/link/types.ts";
import { DirectTransport } from "../../net/transport/directTransport.ts";
import { decodeEnvelope, encodeEnvelope, type Envelope } from "../../net/transport/envelope.ts";
import { concatBytes, utf8 } from "../../src/base/bytes.ts";
import { KEYS } from "../fixtures/naiveChain.ts";

const [SELF, A, B, C, D] = KEYS as [string, string, string, string, string];
const PAYLOAD = utf8("payload");

interface Sent {
  readonly to: PeerKey;
  readonly lane: Lane;
  readonly envelope: Envelope;
  readonly payload: Uint8Array;
  readonly durable: boolean;
}

let sent: Sent[];
let transport: DirectTransport;
beforeEach(() => {
  sent = [];
  transport = new DirectTransport({
    self: SELF,
    now: () => 0,
    send: (to, lane, parts, { durable }) => {
      const opened = decodeEnvelope(concatBytes(...parts));
      if (opened === undefined) throw new Error("not an envelope");
      sent.push({ to, lane, ...opened, durable });
    },
    linkChanged: () => undefined,
  });
  for (const peer of [A, B, C]) transport.peerUp(peer);
});

const unicastFrom = (source: string, destinations = [SELF], payload = PAYLOAD): Uint8Array =>
  concatBytes(...encodeEnvelope({ source, destinations, ttl: 1, broadcast: false }, payload));
const broadcastFrom = (source: string, payload = PAYLOAD): Uint8Array =>
  concatBytes(...encodeEnvelope({ source, destinations: [], ttl: 16, broadcast: true }, payload));
const recipients = (): string[] => sent.map(({ to }) => to);

describe("a unicast (docs/protocol.md, section 2)", () => {
  it("goes over the link to its destination, and is dropped where there is none", () => {
    expect(transport.unicast(B, "urgent", PAYLOAD, { durable: true })).toBe(true);
    expect(sent).toEqual([
      {
        to: B,
        lane: "urgent",
        envelope: { source: SELF, destinations: [B], ttl: 1, broadcast: false },
        payload: PAYLOAD,
        durable: true,
      },
    ]);
    transport.peerDown(B);
    expect([transport.unicast(B, "urgent", PAYLOAD, { durable: true }), sent.length]).toEqual([false, 1]);
    expect(transport.unicast(D, "urgent", PAYLOAD, { durable: true })).toBe(false);
  });

  it("its source is the neighbour that the link authenticated: nobody speaks in another's name", () => {
    expect(transport.receive(A, unicastFrom(A))).toEqual({ source: A, payload: PAYLOAD, broadcast: false });
    expect(transport.receive(A, unicastFrom(B))).toBe("undecodable");
    expect(transport.receive(A, unicastFrom(SELF))).toBe("undecodable");
  });

  it("for somebody else is not for this node; one for several is, when this node is among them", () => {
    expect(transport.receive(A, unicastFrom(A, [B]))).toBe("notForMe");
    expect(transport.receive(A, unicastFrom(A, []))).toBe("notForMe");
    expect(transport.receive(A, unicastFrom(A, [B, SELF]))).toMatchObject({ source: A });
  });

  it("that says the same again is no duplicate: whether it is of use is for its handler to say", () => {
    for (let i = 0; i < 2; i++) expect(transport.receive(A, unicastFrom(A))).toMatchObject({ source: A });
  });

  it("what is no envelope is undecodable", () => {
    const frame = unicastFrom(A);
    for (const broken of [new Uint8Array(0), frame.subarray(0, 1), frame.subarray(0, frame.length - PAYLOAD.length)])
      expect(transport.receive(A, broken)).toBe("undecodable");
    const wrong = frame.slice();
    wrong[2] = 0xff;
    expect(transport.receive(A, wrong)).toBe("undecodable");
  });
});

it("a multicast goes to each of its destinations but this node itself", () => {
  transport.multicast([A, SELF, C, D], "urgent", PAYLOAD, { durable: false });
  expect(recipients()).toEqual([A, C]);
});

describe("a broadcast (docs/protocol.md, section 2)", () => {
  it("goes to every neighbour of a new network once, and not back to who it came from", () => {
    transport.broadcast("urgent", PAYLOAD);
    expect(recipients()).toEqual([A, B, C]);
    expect(sent[0]).toMatchObject({ lane: "urgent", envelope: { source: SELF, destinations: [], broadcast: true } });
    sent.length = 0;
    const other = utf8("other");
    expect(transport.receive(B, broadcastFrom(D, other))).toEqual({ source: D, payload: other, broadcast: true });
    transport.broadcast("urgent", other, B);
    expect(recipients()).toEqual([A, C]);
  });

  it("counts once, whoever it comes from; one of one's own that comes back is a duplicate, too", () => {
    expect(transport.receive(A, broadcastFrom(A))).toMatchObject({ broadcast: true });
    expect(transport.receive(A, broadcastFrom(A))).toBe("duplicate");
    expect(transport.receive(B, broadcastFrom(A))).toBe("duplicate");
    const own = utf8("own");
    transport.broadcast("urgent", own);
    expect(transport.receive(C, broadcastFrom(C, own))).toBe("duplicate");
  });

  it("is remembered while it is among the newest thousands, and not for ever", () => {
    const remembered = 4096;
    const payloads = Array.from({ length: 3 * remembered + 1 }, (_, i) => utf8(`broadcast ${i}`));
    for (const payload of payloads) transport.receive(A, broadcastFrom(A, payload));
    const again = payloads.slice(-remembered).map((payload) => transport.receive(B, broadcastFrom(A, payload)));
    expect(new Set(again)).toEqual(new Set(["duplicate"]));
    expect(transport.receive(B, broadcastFrom(A, payloads[0]))).toMatchObject({ broadcast: true });
  });
});
