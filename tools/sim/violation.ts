/** A rule that did not hold, as an oracle saw it. */
export interface Violation {
  /** Which oracle. */
  readonly oracle: OracleName;
  /** The rule, one sentence. */
  readonly rule: string;
  /** What was seen instead. */
  readonly detail: string;
  /** Indices of the nodes concerned: their histories are shown. */
  readonly nodes: readonly number[];
}

export type OracleName =
  | "finality"
  | "transactions"
  | "reads"
  | "state"
  | "lightClient"
  | "views"
  | "promises"
  | "conduct"
  | "evidence"
  | "sync"
  | "bounds"
  | "routes"
  | "liveness"
  | "exception";

/** Ends a run. */
export class RuleBroken extends Error {
  override readonly name = "RuleBroken";
  readonly violation: Violation;
  constructor(oracle: OracleName, rule: string, detail: string, nodes: readonly number[] = []) {
    super(`${oracle}: ${rule}: ${detail}`);
    this.violation = { oracle, rule, detail, nodes };
  }
}
