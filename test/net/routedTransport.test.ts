import { beforeEach, describe, expect, it } from "vitest";
import type { Lane, PeerKey } from "../../net/link/types.ts";
import { decodeEnvelope, encodeEnvelope, type Envelope } from "../../net/transport/envelope.ts";
import { encodeSeqno, isRouting } from "../../net/transport/routeMessages.ts";
import { RoutedTransport } from "../../net/transport/routedTransport.ts";
import { encodeGraft } from "../../net/transport/treeMessages.ts";
import type { Delivery } from "../../net/transport/types.ts";
import { concatBytes, utf8 } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/base/hash.ts";
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
let now: number;
let transport: RoutedTransport;
let producers: readonly PeerKey[];
/** Neighbours that ask too often. */
let paced: readonly PeerKey[];
beforeEach(() => open(false));

function open(relaysMayLie: boolean): void {
  sent = [];
  now = 1_000;
  paced = [];
  producers = [SELF, A, B, D];
  transport = new RoutedTransport({
    relaysMayLie,
    self: SELF,
    now: () => now,
    isDestination: (key) => producers.includes(key),
    signSeqno: () => new Uint8Array(64),
    lost: () => undefined,
    linkChanged: () => undefined,
    shapesTree: () => true,
    admits: (from) => !paced.includes(from),
    send: (to, lane, parts, { durable }) => {
      const opened = decodeEnvelope(concatBytes(...parts));
      if (opened === undefined) throw new Error("not an envelope");
      if (!isRouting(opened.payload)) sent.push({ to, lane, ...opened, durable });
    },
  });
  for (const peer of [A, B, C]) transport.peerUp(peer);
}

/** A neighbour tells of its route to a producer. */
function told(from: PeerKey, producer: PeerKey, metric = 20, seqno = 1n): void {
  const signature = encodeSeqno(seqno);
  const update = { producer, route: { producer, seqno, metric, signature } };
  transport.receiveRouting(from, { kind: "updates", updates: [update] });
}

const relayed = (source: string, destinations: readonly string[], ttl = 5): Uint8Array =>
  concatBytes(...encodeEnvelope({ source, destinations, ttl, broadcast: false }, PAYLOAD));

const unicastFrom = (source: string, destinations = [SELF], payload = PAYLOAD): Uint8Array =>
  concatBytes(...encodeEnvelope({ source, destinations, ttl: 1, broadcast: false }, payload));
const broadcastFrom = (source: string, payload = PAYLOAD): Uint8Array =>
  concatBytes(...encodeEnvelope({ source, destinations: [], ttl: 16, broadcast: true }, payload));
const recipients = (): string[] => sent.map(({ to }) => to);

describe("a unicast (docs/protocol.md, section 2)", () => {
  it("takes the shorter way by another neighbour, but not where relays may lie", () => {
    for (const [relaysMayLie, via] of [
      [false, A],
      [true, B],
    ] as const) {
      open(relaysMayLie);
      transport.measured(A, 1);
      transport.measured(B, 400);
      told(A, B, 1);
      told(B, B, 0);
      transport.unicast(B, "urgent", PAYLOAD, { durable: false });
      expect(recipients()).toEqual([via]);
    }
  });

  it("goes to a slow neighbour directly, and not by who has just come up, of whom nothing was measured", () => {
    transport.measured(B, 400);
    told(B, B, 0);
    // Of the newcomer and by it all looks near.
    told(A, B, 50);
    transport.unicast(B, "urgent", PAYLOAD, { durable: false });
    expect(recipients()).toEqual([B]);
    transport.measured(A, 1);
    transport.unicast(B, "urgent", PAYLOAD, { durable: false });
    expect(recipients()).toEqual([B, A]);
  });

  it("goes directly as soon as that is no longer the longer way", () => {
    told(A, B, 20);
    transport.unicast(B, "urgent", PAYLOAD, { durable: false });
    told(B, B, 0);
    transport.unicast(B, "urgent", PAYLOAD, { durable: false });
    expect(recipients()).toEqual([A, B]);
  });

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

  it("for this node is nobody else's; where it came by, its source is told as it says", () => {
    const mine = { payload: PAYLOAD, broadcast: false, isMine: true, onward: [], ttl: 0 };
    expect(transport.receive(A, unicastFrom(A))).toEqual({ ...mine, source: A });
    expect(transport.receive(A, unicastFrom(B))).toEqual({ ...mine, source: B });
  });

  it("for somebody else is not for this node; one for several is, when this node is among them", () => {
    expect(transport.receive(A, relayed(A, [B]))).toMatchObject({ isMine: false, onward: [B], ttl: 4 });
    expect(transport.receive(A, relayed(A, []))).toMatchObject({ isMine: false, onward: [] });
    expect(transport.receive(A, relayed(A, [B, SELF, B]))).toMatchObject({ isMine: true, onward: [B] });
  });

  it("crosses as many links as it may and no more", () => {
    expect(transport.receive(A, relayed(A, [B], 1))).toMatchObject({ onward: [] });
    for (const ttl of [0, 65]) expect(transport.receive(A, relayed(A, [B], ttl))).toBe("undecodable");
  });

  it("goes by the neighbour that knows a way, and directly where none is known to be better", () => {
    expect([transport.reaches(D), transport.reaches(B)]).toEqual([false, true]);
    told(C, D);
    expect([transport.reaches(D), transport.unicast(D, "bulk", PAYLOAD, { durable: false })]).toEqual([true, true]);
    expect(sent).toMatchObject([{ to: C, lane: "bulk", envelope: { source: SELF, destinations: [D], ttl: 64 } }]);
    transport.peerDown(C);
    expect(transport.unicast(D, "bulk", PAYLOAD, { durable: false })).toBe(false);
  });

  it("to a neighbour about this link goes over it, whatever the routes say", () => {
    told(B, A, 0, 9n);
    transport.unicast(A, "bulk", PAYLOAD, { durable: false });
    transport.toNeighbour(A, "bulk", PAYLOAD);
    transport.toNeighbour(D, "bulk", PAYLOAD);
    expect(recipients()).toEqual([B, A]);
  });

  it("is passed on as it came, one frame for all that share a next hop", () => {
    told(C, D);
    const delivery = transport.receive(A, relayed(A, [D, C, B])) as Delivery;
    transport.forward(delivery, "urgent");
    expect(sent).toMatchObject([
      { to: C, envelope: { source: A, destinations: [D, C], ttl: 4 }, payload: PAYLOAD },
      { to: B, envelope: { source: A, destinations: [B], ttl: 4 } },
    ]);
  });

  it("finds its way back to a node that is no producer by where its own came from, for a while", () => {
    const reader = "77".repeat(32);
    const producer = D;
    for (const source of [reader, producer]) transport.receive(B, relayed(source, [SELF]));
    expect([transport.reaches(reader), transport.reaches(producer)]).toEqual([true, false]);
    transport.unicast(reader, "urgent", PAYLOAD, { durable: false });
    expect(recipients()).toEqual([B]);
    transport.receive(C, relayed(reader, [A]));
    transport.unicast(reader, "urgent", PAYLOAD, { durable: false });
    expect(recipients()).toEqual([B, C]);
    now += 120_001;
    expect(transport.reaches(reader)).toBe(false);
    transport.receive(C, relayed(reader, [A]));
    transport.peerDown(C);
    expect(transport.reaches(reader)).toBe(false);
  });

  it("remembers ways back to so many, the last heard", () => {
    const key = (n: number): string => n.toString(16).padStart(64, "0");
    for (let n = 0; n < 4_100; n++) transport.receive(B, relayed(key(n), [SELF]));
    expect(transport.sizes["returnPaths"]).toBe(4_096);
    expect([transport.reaches(key(0)), transport.reaches(key(4_099))]).toEqual([false, true]);
  });

  it("goes to who has become a producer by a route only, and to who is none any more by its way back only", () => {
    const changing = "e".repeat(64);
    transport.receive(B, relayed(changing, [SELF]));
    producers = [...producers, changing];
    transport.producersChanged();
    expect(transport.reaches(changing)).toBe(false);
    told(A, changing);
    transport.unicast(changing, "urgent", PAYLOAD, { durable: false });
    producers = [SELF, A, B, D];
    transport.producersChanged();
    transport.unicast(changing, "urgent", PAYLOAD, { durable: false });
    expect(recipients()).toEqual([A, B]);
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

it("a multicast goes to each of its destinations but this node itself, one frame for all that share a next hop", () => {
  transport.multicast([A, SELF, C, D], "urgent", PAYLOAD, { durable: false });
  expect(recipients()).toEqual([A, C]);
  told(A, D);
  transport.multicast([A, SELF, B, D], "urgent", PAYLOAD, { durable: true });
  expect(sent.slice(2)).toMatchObject([
    { to: A, envelope: { destinations: [A, D], ttl: 64 }, durable: true },
    { to: B, envelope: { destinations: [B], ttl: 1 }, durable: true },
  ]);
});

describe("a broadcast (docs/protocol.md, section 2)", () => {
  it("goes to every neighbour of a new network once, and not back to who it came from", () => {
    transport.broadcast("urgent", PAYLOAD);
    expect(recipients()).toEqual([A, B, C]);
    expect(sent[0]).toMatchObject({ lane: "urgent", envelope: { source: SELF, destinations: [], broadcast: true } });
    sent.length = 0;
    const other = utf8("other");
    expect(transport.receive(B, broadcastFrom(D, other))).toMatchObject({ source: D, payload: other, broadcast: true });
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

  it("that a neighbour asks for comes again, whole, within its rate only", () => {
    transport.broadcast("urgent", PAYLOAD);
    sent.length = 0;
    paced = [B];
    const graft = encodeGraft(sha256Hex(PAYLOAD));
    for (const peer of [A, B]) expect(transport.receive(peer, unicastFrom(peer, [SELF], graft))).toBe("taken");
    expect(sent).toMatchObject([{ to: A, payload: PAYLOAD }]);
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
