/** What verification finds. It stops at the first wrong thing and says exactly what that is. */

/** Which stored thing is wrong. */
export type FaultKind =
  | "database file"
  | "vote record"
  | "evidence"
  | "irreversible pointer"
  | "frontier"
  | "chain row"
  | "block row"
  | "block id"
  | "header"
  | "link"
  | "signature"
  | "body"
  | "transaction signature"
  | "header rule"
  | "history root"
  | "certificate"
  | "transaction"
  | "receipt root"
  | "state hash"
  | "receipts"
  | "state"
  | "state row"
  | "index"
  | "index entry";

export interface Fault {
  readonly kind: FaultKind;
  /** One sentence without the place. */
  readonly detail: string;
  readonly file?: string;
  readonly height?: number;
  /** Of the block, hex. */
  readonly id?: string;
  /** Index of the transaction or receipt in its block. */
  readonly index?: number;
  /** Key of the state row, hex. */
  readonly key?: string;
  readonly expected?: string;
  readonly found?: string;
}

/** Thrown inside verification only: it ends at the first fault, wherever that is found. */
export class FaultFound extends Error {
  override readonly name = "FaultFound";
  readonly fault: Fault;
  constructor(fault: Fault) {
    super(fault.detail);
    this.fault = fault;
  }
}

export function faultText(fault: Fault): string {
  const { kind, detail, file, height, id, index, key, expected, found } = fault;
  const place = [
    height === undefined ? "" : `height ${height}`,
    id === undefined ? "" : `block ${id}`,
    index === undefined ? "" : `index ${index}`,
    key === undefined ? "" : `key ${key}`,
  ].filter((part) => part !== "");
  const lines = [`${kind}${place.length === 0 ? "" : ` at ${place.join(", ")}`}: ${detail}`];
  if (expected !== undefined) lines.push(`  expected ${expected}`);
  if (found !== undefined) lines.push(`  found    ${found}`);
  if (file !== undefined) lines.push(`  in       ${file}`);
  return lines.join("\n");
}
