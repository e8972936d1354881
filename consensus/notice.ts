/**
 * What a producer tells everyone of itself, signed and broadcast: that it has started, is there, is about to stop. An idle
 * producer says nothing else that all nodes hear (docs/decisions/057-faulty-producers.md).
 */
import { type Decoded, type Message, message, uint } from "../src/base/codec.ts";
import { err, ok, type Result } from "../src/base/result.ts";
import type { DecodeError } from "../src/base/codec.ts";
import { type SignatureClaim, signingDigest } from "../chain/signing.ts";

/** `at`: the signer's clock, ms; each is greater than the one before. */
export const nodeStartingMessage = message("NodeStarting", { at: uint(1) });
export const nodePresenceMessage = message("NodePresence", { at: uint(1) });
export const nodeStoppingMessage = message("NodeStopping", { at: uint(1) });

export type NoticeKind = "nodeStarting" | "nodePresence" | "nodeStopping";

export interface Notice {
  readonly kind: NoticeKind;
  readonly signer: string;
  readonly at: number;
}

export const NOTICES: Readonly<
  Record<NoticeKind, { readonly number: number; readonly codec: Message<Decoded<typeof nodePresenceMessage>> }>
> = {
  nodeStarting: { number: 64, codec: nodeStartingMessage },
  nodePresence: { number: 65, codec: nodePresenceMessage },
  nodeStopping: { number: 66, codec: nodeStoppingMessage },
};
const BY_NUMBER = new Map((Object.keys(NOTICES) as NoticeKind[]).map((kind) => [NOTICES[kind].number, kind]));

export function noticeKind(number: number): NoticeKind | undefined {
  return BY_NUMBER.get(number);
}

/** Content of a notice, opened from its `Signed`. */
export function readNotice(
  chainId: string,
  kind: NoticeKind,
  {
    signer,
    content,
    signature,
  }: { readonly signer: string; readonly content: Uint8Array; readonly signature: Uint8Array },
): Result<{ readonly notice: Notice; readonly claim: SignatureClaim }, DecodeError> {
  const decoded = NOTICES[kind].codec.decode(content);
  if (!decoded.ok) return err(decoded.error);
  const claim = { key: signer, digest: signingDigest(kind, chainId, content), signature };
  return ok({ notice: { kind, signer, at: decoded.value.at }, claim });
}
