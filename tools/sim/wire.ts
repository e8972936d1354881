/**
 * Reads frames on the wire without the product's decoders: what the oracles say of a message must not rest on the code
 * under test. Protobuf's two wire types, and only the fields that a rule speaks of.
 */
import { concatBytes, toHex } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/base/hash.ts";

/** What was seen leaving a node. */
export type WireMessage =
  | {
      readonly kind: "vote";
      readonly signer: string;
      readonly view: number;
      readonly candidate: string;
      readonly granted: boolean;
      readonly preVote: boolean;
    }
  | { readonly kind: "requestVote"; readonly signer: string; readonly view: number; readonly preVote: boolean }
  | {
      readonly kind: "ack";
      readonly signer: string;
      readonly view: number;
      readonly height: number;
      readonly id: string;
    }
  | {
      readonly kind: "heartbeat" | "heartbeatReply" | "timeoutNow" | "startViewChange" | "commitNotice" | "recovery";
      readonly signer: string;
      /** Of a recovery: its nonce. */
      readonly view: number;
    }
  | { readonly kind: "doViewChange"; readonly signer: string; readonly view: number; readonly head: WireRef }
  | { readonly kind: "recoveryResponse"; readonly signer: string; readonly view: number }
  | {
      readonly kind: "certificate";
      readonly view: number;
      readonly path: readonly Uint8Array[];
      readonly acks: readonly { readonly signer: string; readonly position: number }[];
    }
  | { readonly kind: "votes"; readonly signer: string; readonly votes: readonly WireVote[] }
  | {
      readonly kind: "viewChange";
      readonly signer: string;
      readonly view: number;
      readonly reported: WireRef;
      /** Of what it reports; undefined: of block 0. */
      readonly certificate: WireCertificate | undefined;
    }
  | { readonly kind: "quorum"; readonly certificate: WireCertificate }
  | { readonly kind: "summary"; readonly signer: string; readonly view: number }
  | { readonly kind: "evidence" }
  | { readonly kind: "block"; readonly requested: boolean; readonly id: string; readonly header: WireHeader }
  | {
      readonly kind: "hello";
      readonly seq: number;
      readonly echo: number;
      readonly rootCertificate: Uint8Array | undefined;
    }
  | { readonly kind: "blockRequest" | "blockAnnouncement" | "transactions" | "notice" };

export interface WireRef {
  readonly view: number;
  readonly height: number;
  readonly id: string;
}

export interface WireVote extends WireRef {
  readonly commit: boolean;
}

/** BFT's, of one block. */
export interface WireCertificate extends WireRef {
  readonly commit: boolean;
  /** Indices in the producer set. */
  readonly signers: readonly number[];
}

export interface WireHeader {
  readonly height: number;
  readonly parent: string;
  readonly view: number;
  readonly producer: string;
}

const SIGNED = new Map([
  [16, "requestVote"],
  [17, "vote"],
  [18, "ack"],
  [19, "heartbeat"],
  [20, "heartbeatReply"],
  [21, "timeoutNow"],
  [22, "viewChange"],
  [23, "summary"],
  [24, "startViewChange"],
  [25, "doViewChange"],
  [26, "commitNotice"],
  [27, "recovery"],
  [28, "recoveryResponse"],
] as const);
const CERTIFICATE = 32;
const VOTES = 39;
const EVIDENCE = 40;
/** Announcement, graft, prune. */
const TREE_KINDS = new Set([56, 57, 58]);
const SYNC_KINDS = ["hello", "block", "blockRequest", "blockResponse", "blockAnnouncement"] as const;
/** A producer's notices of itself. */
const NOTICES = new Set([64, 65, 66]);

/** Throws for what no node sends. */
export function readWire(lane: "urgent" | "chain" | "bulk", parts: readonly Uint8Array[]): WireMessage {
  return lane === "chain" ? readChainFrame(parts) : readPayload(payloadOf(parts));
}

/** Whether a frame of the urgent lane is a broadcast, or keeps the tree of links. */
export function isBroadcastFrame(parts: readonly Uint8Array[]): boolean {
  const [number] = payloadOf(parts);
  return number === CERTIFICATE || TREE_KINDS.has(number as number);
}

/** Whether a block on the chain lane was asked for. */
export function isResponse(parts: readonly Uint8Array[]): boolean {
  return SYNC_KINDS[((parts[0] as Uint8Array)[0] as number) - 1] === "blockResponse";
}

function readChainFrame(parts: readonly Uint8Array[]): WireMessage {
  const kind = SYNC_KINDS[((parts[0] as Uint8Array)[0] as number) - 1];
  if (kind === undefined) throw new Error(`kind ${parts[0]?.[0]} on the chain lane`);
  if (kind === "blockRequest" || kind === "blockAnnouncement") return { kind };
  const content = (parts[0] as Uint8Array).length > 1 ? (parts[0] as Uint8Array).subarray(1) : (parts[1] as Uint8Array);
  const fields = new FieldReader(content);
  if (kind === "hello")
    return { kind, seq: fields.number(1), echo: fields.number(2), rootCertificate: fields.first(5) };
  // The header is the first field of the block, in the same part as its tag.
  const header = fields.only(1);
  return { kind: "block", requested: isResponse(parts), id: sha256Hex(header), header: readHeader(header) };
}

export function readHeader(bytes: Uint8Array): WireHeader {
  const fields = new FieldReader(bytes);
  return { height: fields.number(1), parent: fields.hex(2), view: fields.number(3), producer: fields.hex(4) };
}

/** The envelope is two bytes of length, a header of that length, and the payload behind it. */
function payloadOf(parts: readonly Uint8Array[]): Uint8Array {
  const first = parts[0] as Uint8Array;
  const end = 2 + (first[0] as number) * 256 + (first[1] as number);
  if (parts.length === 2 && first.length === end) return parts[1] as Uint8Array;
  return concatBytes(...parts).subarray(end);
}

function readPayload(payload: Uint8Array): WireMessage {
  const number = payload[0] as number;
  if (number === CERTIFICATE) return readCertificate(payload.subarray(1));
  if (number === EVIDENCE) return { kind: "evidence" };
  if (number === VOTES) return readVotes(payload.subarray(1));
  if (NOTICES.has(number)) return { kind: "notice" };
  const kind = SIGNED.get(number as 16);
  if (kind === undefined) return { kind: "transactions" };
  const outer = new FieldReader(payload.subarray(1));
  const signer = outer.hex(1);
  const content = new FieldReader(outer.bytes(2));
  if (kind === "recoveryResponse") return { kind, signer, view: content.number(3) };
  const view = content.number(1);
  switch (kind as string) {
    case "doViewChange":
      return { kind: "doViewChange", signer, view, head: readRef(content.only(2)) };
    case "vote":
      return {
        kind: "vote",
        signer,
        view,
        candidate: content.hex(2),
        granted: content.number(3) === 1,
        preVote: content.number(4) === 1,
      };
    case "requestVote":
      return { kind: "requestVote", signer, view, preVote: content.number(3) === 1 };
    case "viewChange": {
      const certificate = outer.bytes(4);
      return {
        kind: "viewChange",
        signer,
        view,
        reported: readRef(content.only(2)),
        certificate: certificate.length === 0 ? undefined : readQuorum(certificate),
      };
    }
    case "ack":
      return { kind: "ack", signer, view, height: content.number(2), id: content.hex(3) };
    default:
      return { kind, signer, view } as WireMessage;
  }
}

/** As it is broadcast and persisted: `view`, header path from the certified block upwards, acks. */
export function readCertificate(bytes: Uint8Array): Extract<WireMessage, { kind: "certificate" | "quorum" }> {
  const fields = new FieldReader(bytes);
  // BFT's has one header where Raft's has a list of acks; its signers are indices.
  const first = fields.first(3);
  if (first !== undefined && new FieldReader(first).all(1).length === 0)
    return { kind: "quorum", certificate: readQuorum(bytes) };
  const acks = fields.all(3).map((ack) => {
    const inner = new FieldReader(ack);
    return { signer: inner.hex(1), position: inner.number(2) };
  });
  return { kind: "certificate", view: fields.number(1), path: fields.all(2), acks };
}

export function readQuorum(bytes: Uint8Array): WireCertificate {
  const fields = new FieldReader(bytes);
  const header = fields.only(2);
  const { view, height } = readHeader(header);
  const signers = fields.all(3).map((signature) => new FieldReader(signature).number(1));
  return { view, height, id: sha256Hex(header), commit: fields.number(1) === 1, signers };
}

function readVotes(bytes: Uint8Array): WireMessage {
  const fields = new FieldReader(bytes);
  const votes = fields.all(2).map((each) => {
    const inner = new FieldReader(each);
    return { commit: inner.number(1) === 1, ...readRef(inner.only(2)) };
  });
  return { kind: "votes", signer: fields.hex(1), votes };
}

export function readRef(bytes: Uint8Array): WireRef {
  const fields = new FieldReader(bytes);
  return { view: fields.number(1), height: fields.number(2), id: fields.hex(3) };
}

/** The fields of a message, each as three numbers: its own, and where its content starts and ends. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #fields: number[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    let at = 0;
    const varint = (): number => {
      let value = 0;
      for (let scale = 1; ; scale *= 128) {
        const byte = bytes[at++];
        if (byte === undefined) throw new Error("a varint is cut short");
        value += (byte & 0x7f) * scale;
        if (byte < 0x80) return value;
      }
    };
    while (at < bytes.length) {
      const tag = varint();
      const value = varint();
      if ((tag & 7) === 0) this.#fields.push(tag >>> 3, value, NUMBER);
      else {
        this.#fields.push(tag >>> 3, at, at + value);
        at += value;
      }
    }
  }

  number(field: number): number {
    const fields = this.#fields;
    for (let i = fields.length - 3; i >= 0; i -= 3)
      if (fields[i] === field && fields[i + 2] === NUMBER) return fields[i + 1] as number;
    return 0;
  }
  bytes(field: number): Uint8Array {
    return this.first(field) ?? new Uint8Array(0);
  }
  first(field: number): Uint8Array | undefined {
    const fields = this.#fields;
    for (let i = 0; i < fields.length; i += 3)
      if (fields[i] === field && fields[i + 2] !== NUMBER) return this.#bytes.subarray(fields[i + 1], fields[i + 2]);
    return undefined;
  }
  only(field: number): Uint8Array {
    const content = this.first(field);
    if (content === undefined) throw new Error(`field ${field} is missing`);
    return content;
  }
  all(field: number): readonly Uint8Array[] {
    const fields = this.#fields;
    const contents: Uint8Array[] = [];
    for (let i = 0; i < fields.length; i += 3)
      if (fields[i] === field && fields[i + 2] !== NUMBER)
        contents.push(this.#bytes.subarray(fields[i + 1], fields[i + 2]));
    return contents;
  }
  hex(field: number): string {
    return toHex(this.only(field));
  }
}

/** In place of an end: the field is a number. */
const NUMBER = -1;

/** The durable record: view, votedFor if any, head acknowledged. */
export interface WireRecord {
  readonly view: number;
  readonly votedFor: string | undefined;
  readonly acked: { readonly view: number; readonly height: number; readonly id: string };
}

/** BFT's durable record. */
export interface WireBftRecord {
  readonly view: number;
  readonly viewChangeSent: number;
  readonly prepared: WireRef | undefined;
  readonly highQc: WireRef;
  readonly committed: WireRef | undefined;
  readonly acked: WireRef;
}

export function readBftRecord(bytes: Uint8Array): WireBftRecord {
  const fields = new FieldReader(bytes);
  const ref = (field: number): WireRef | undefined => {
    const content = fields.first(field);
    return content && readRef(content);
  };
  return {
    view: fields.number(1),
    viewChangeSent: fields.number(2),
    prepared: ref(3),
    highQc: readRef(fields.only(4)),
    committed: ref(6),
    acked: readRef(fields.only(7)),
  };
}

/** VSR's has no vote. */
export function readVsrRecord(bytes: Uint8Array): WireRecord {
  const fields = new FieldReader(bytes);
  return { view: fields.number(1), votedFor: undefined, acked: readRef(fields.only(2)) };
}

/** Whom a record of Raft votes for, or one of VSR has left its view for. */
export function readChoice(
  bytes: Uint8Array,
  engine: "raft" | "vsr",
): { readonly view: number; readonly candidate: string | undefined } {
  const fields = new FieldReader(bytes);
  const candidate = fields.first(engine === "raft" ? 2 : 5);
  return { view: fields.number(1), candidate: candidate && toHex(candidate) };
}

export function readRecord(bytes: Uint8Array): WireRecord {
  const fields = new FieldReader(bytes);
  const voted = fields.first(2);
  const acked = new FieldReader(fields.only(3));
  return {
    view: fields.number(1),
    votedFor: voted && toHex(voted),
    acked: { view: acked.number(1), height: acked.number(2), id: acked.hex(3) },
  };
}
