/** What neighbours tell each other of the broadcast tree: bytes to messages and back (`proto/transport.proto`). */
import { type Decoded, hash, message, optional, repeated } from "../../src/base/codec.ts";

/** Ids in one announcement at most. */
export const ANNOUNCED_MAX = 64;

/** First byte of a payload; routing and the layers above use others. */
const KIND = { announcement: 56, graft: 57, prune: 58 } as const;

/** Of a backup link: broadcasts that the sender has, by the SHA-256 of their payloads. */
export const announcementMessage = message("Announcement", { ids: repeated(hash(1), ANNOUNCED_MAX) });
/** The link is to be active; with an id, that broadcast is to be sent. */
export const graftMessage = message("Graft", { id: optional(hash(1)) });
/** The link is to be a backup: this came by another one before. */
export const pruneMessage = message("Prune", { id: hash(1) });

export type TreeMessage =
  | ({ readonly kind: "announcement" } & Decoded<typeof announcementMessage>)
  | ({ readonly kind: "graft" } & Decoded<typeof graftMessage>)
  | ({ readonly kind: "prune" } & Decoded<typeof pruneMessage>);

export function encodeAnnouncement(ids: readonly string[]): Uint8Array {
  return announcementMessage.encodeAs(KIND.announcement, { ids });
}

export function encodeGraft(id: string | undefined): Uint8Array {
  return graftMessage.encodeAs(KIND.graft, id === undefined ? {} : { id });
}

export function encodePrune(id: string): Uint8Array {
  return pruneMessage.encodeAs(KIND.prune, { id });
}

export function isTreeMessage(payload: Uint8Array): boolean {
  const [kind] = payload;
  return kind === KIND.announcement || kind === KIND.graft || kind === KIND.prune;
}

export function decodeTreeMessage(payload: Uint8Array): TreeMessage | undefined {
  const content = payload.subarray(1);
  switch (payload[0]) {
    case KIND.announcement: {
      const decoded = announcementMessage.decode(content);
      return decoded.ok ? { kind: "announcement", ...decoded.value } : undefined;
    }
    case KIND.graft: {
      const decoded = graftMessage.decode(content);
      return decoded.ok ? { kind: "graft", ...decoded.value } : undefined;
    }
    case KIND.prune: {
      const decoded = pruneMessage.decode(content);
      return decoded.ok ? { kind: "prune", ...decoded.value } : undefined;
    }
    default:
      return undefined;
  }
}
