/**
 * A follower that serves ranges and lies: a block is another one, linked or not, a byte is flipped, a signature that no
 * hash covers is a false one, nothing is said to be held, or nothing is said at all. Certificates that it passes on name a block that nobody signed. In all else it is correct.
 */
import type { Block } from "../../chain/block.ts";
import { decodeBlock } from "../../chain/block.ts";
import { elementAt } from "../../chain/byteList.ts";
import { headerMessage } from "../../chain/header.ts";
import { quorumCertificateMessage } from "../../consensus/bft/certificates.ts";
import { certificateMessage } from "../../consensus/certificate.ts";
import { decodePayload, encodeCertificatePayload, encodeRangeResponsePayload } from "../../consensus/messages.ts";
import type { RangeResponse } from "../../consensus/sync/range.ts";
import type { Lane } from "../../net/link/types.ts";
import { decodeEnvelope, encodeEnvelope } from "../../net/transport/envelope.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import type { Effect, Input } from "../../src/replica/types.ts";
import type { Dice } from "./dice.ts";

type Parts = readonly Uint8Array[];

/** A certificate is forged now and then: each costs the liar its link. */
const FORGED_CERTIFICATES = 0.05;

/** A node that sends something else than its replica says. */
export interface Hostile {
  readonly index: number;
  /** What it sends may not even be readable, or be what no correct node would send: only who gets it is judged. */
  readonly garbles: boolean;
  /** What it sends to this node instead: nothing, one frame, or several. */
  instead(lane: Lane, parts: Parts, to: number): readonly Parts[];
  /** Does its replica get to know of this? */
  hears?(input: Input): boolean;
  /** What its replica did. */
  stepped?(input: Input, effects: readonly Effect[]): void;
  /** Nothing fails from here on. */
  healed(): void;
}

export class Liar implements Hostile {
  readonly index: number;
  readonly garbles = false;
  readonly #chainId: string;
  readonly #dice: Dice;

  constructor(index: number, chainId: string, dice: Dice) {
    this.index = index;
    this.#chainId = chainId;
    this.#dice = dice;
  }

  instead(lane: Lane, parts: Parts): readonly Parts[] {
    if (lane === "chain") return [parts];
    const opened = decodeEnvelope(concatBytes(...parts));
    const decoded = opened && decodePayload(this.#chainId, opened.payload);
    if (opened === undefined || decoded?.ok !== true) return [parts];
    const payload = decoded.value;
    if (payload.kind === "rangeResponse") {
      const lie = falseRange(payload.response, this.#dice);
      return lie === undefined ? [] : [encodeEnvelope(opened.envelope, lie)];
    }
    if (payload.kind === "certificate" && this.#dice.chance(FORGED_CERTIFICATES))
      return [encodeEnvelope(opened.envelope, forgedCertificate(payload.bytes))];
    return [parts];
  }

  /** It lies on: nobody who is correct depends on it. */
  healed(): void {}
}

/** @returns undefined: it says nothing */
export function falseRange({ blocks, proof }: RangeResponse, dice: Dice): Uint8Array | undefined {
  const list: Block[] = [];
  for (let i = 0; i < blocks.count; i++) {
    const block = decodeBlock(elementAt(blocks, i));
    // Another lie was told in it already: then nothing is held.
    if (!block.ok) return encodeRangeResponsePayload([], { ...proof, path: [] });
    list.push(block.value);
  }
  const at = dice.below(Math.max(1, list.length));
  const kind = list.length === 0 ? 0 : dice.below(7);
  if (kind === 1) return undefined;
  if (kind === 2) return encodeRangeResponsePayload([], { ...proof, path: [] });
  // One in the middle, where there is one, so that only the links tell; or the last, which only the proof tells.
  if (kind === 3) list[Math.max(0, list.length - 2)] = anotherBlock(list.at(-2) ?? (list[0] as Block));
  if (kind === 4) list[list.length - 1] = anotherBlock(list.at(-1) as Block);
  if (kind === 5) list[at] = flipped(list[at] as Block);
  if (kind === 6) list[at] = falselySigned(list[at] as Block);
  return encodeRangeResponsePayload(list, proof);
}

/** Of the same place and content, a millisecond later. */
function anotherBlock(block: Block): Block {
  const headerBytes = headerMessage.encode({ ...block.header, time: block.header.time + 1 });
  return { ...block, headerBytes };
}

/** Proven by hash all the same. */
export function falselySigned(block: Block): Block {
  const signature = Uint8Array.from(block.signature);
  signature[0] = (signature[0] as number) ^ 1;
  return { ...block, signature };
}

function flipped(block: Block): Block {
  const source = block.body.length > 0 ? block.body : block.headerBytes;
  const bytes = Uint8Array.from(source);
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
  return block.body.length > 0 ? { ...block, body: bytes } : { ...block, headerBytes: bytes };
}

export function forgedCertificate(bytes: Uint8Array): Uint8Array {
  const quorum = quorumCertificateMessage.decode(bytes);
  if (quorum.ok) {
    const certified = headerMessage.decode(quorum.value.header);
    if (!certified.ok) throw new Error("a certificate of a header that does not decode");
    const header = headerMessage.encode({ ...certified.value, time: certified.value.time + 1 });
    return encodeCertificatePayload(quorumCertificateMessage.encode({ ...quorum.value, header }));
  }
  const decoded = certificateMessage.decode(bytes);
  const header = decoded.ok ? headerMessage.decode(decoded.value.path[0] as Uint8Array) : undefined;
  if (!decoded.ok || header?.ok !== true) throw new Error("a certificate that does not decode");
  const path = [headerMessage.encode({ ...header.value, time: header.value.time + 1 })];
  const acks = decoded.value.acks.map((ack) => ({ ...ack, position: 0 }));
  return encodeCertificatePayload(certificateMessage.encode({ view: decoded.value.view, path, acks }));
}
