/** Errors of the light client, each with a stable code. */
import type { ForkEvidence } from "./evidence.ts";
import type { NodeReport } from "./light.ts";

export type LightErrorCode =
  /** The genesis file is none. */
  | "GENESIS_INVALID"
  /** What was kept from an earlier run does not hold. */
  | "STATE_INVALID"
  /** No node answered with anything that holds; `nodes` says why of each. */
  | "NOT_PROVEN"
  /** Two histories, both certified: `evidence` proves it. Producers lied, or more of them are broken than the engine bears. */
  | "FORKED";

export interface LightErrorDetails {
  /** By URL, why its answer does not count. */
  readonly nodes?: Readonly<Record<string, string>>;
  readonly evidence?: ForkEvidence;
  /** Of a look in which no node proved anything: what each did. */
  readonly reports?: readonly NodeReport[];
}

export class LightError extends Error {
  override readonly name = "LightError";
  readonly code: LightErrorCode;
  readonly details: LightErrorDetails;

  constructor(code: LightErrorCode, message: string, details: LightErrorDetails = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
