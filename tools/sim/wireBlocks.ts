/** What BFT's blocks carry, read without the product's decoders: whole headers, entries, proofs. */
import {
  FieldReader,
  readHeader,
  readQuorum,
  readRef,
  type WireCertificate,
  type WireHeader,
  type WireRef,
} from "./wire.ts";

export interface WireFullHeader extends WireHeader {
  readonly irreversibleHeight: number;
  readonly closing: boolean;
}

export interface WireEntry {
  readonly timeout?: {
    readonly view: number;
    readonly reports: readonly (WireRef & { readonly signer: number })[];
    readonly highest: WireCertificate | "genesis";
  };
  readonly handoff?: WireCertificate | "genesis";
}

export function readFullHeader(bytes: Uint8Array): WireFullHeader {
  const fields = new FieldReader(bytes);
  return { ...readHeader(bytes), irreversibleHeight: fields.number(10), closing: fields.number(13) === 1 };
}

/** Of a block's body; undefined: it opens no view. */
export function readEntry(body: Uint8Array): WireEntry | undefined {
  const bytes = new FieldReader(body).all(3)[0];
  if (bytes === undefined) return undefined;
  const fields = new FieldReader(bytes);
  const timeout = fields.all(1)[0];
  const handoff = fields.all(2)[0];
  return {
    ...(timeout && { timeout: readTimeout(new FieldReader(timeout)) }),
    ...(handoff && { handoff: readCertified(new FieldReader(handoff).bytes(1)) }),
  };
}

export function readProof(body: Uint8Array): WireCertificate | undefined {
  const bytes = new FieldReader(body).all(4)[0];
  return bytes && readQuorum(bytes);
}

function readTimeout(fields: FieldReader): NonNullable<WireEntry["timeout"]> {
  const reports = fields.all(2).map((report) => {
    const inner = new FieldReader(report);
    return { ...readRef(inner.only(2)), signer: inner.number(1) };
  });
  return { view: fields.number(1), reports, highest: readCertified(fields.bytes(3)) };
}

/** An empty certificate stands for block 0. */
function readCertified(bytes: Uint8Array): WireCertificate | "genesis" {
  return bytes.length === 0 ? "genesis" : readQuorum(bytes);
}
