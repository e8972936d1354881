/**
 * Which of the messages that wait for a full lane a newer one makes needless (docs/protocol.md, section 1): of consensus
 * the newest per sender, recipients and kind, of hellos the newest. Blocks, requests and transactions are none of them.
 */
import { toHex } from "../base/bytes.ts";
import type { Lane } from "../../net/link/types.ts";
import { envelopeBytes } from "../../net/transport/envelope.ts";
import { isHello, supersededKind } from "../../consensus/messages.ts";

/** Messages with the same key supersede each other; undefined: none replaces this one. */
export function supersedingKey(lane: Lane, frame: Uint8Array): string | undefined {
  switch (lane) {
    case "urgent": {
      const end = envelopeBytes(frame);
      const kind = end === undefined ? undefined : supersededKind(frame.subarray(end));
      return kind === undefined ? undefined : `${kind} ${toHex(frame.subarray(0, end))}`;
    }
    case "chain":
      return isHello(frame) ? "hello" : undefined;
    case "bulk":
      return undefined;
    default:
      return lane satisfies never;
  }
}
