/** Each rule of BFT broken: the model has to find two decided blocks on different branches. */
import * as product from "../../../consensus/bft/rules.ts";
import type { Bounds, Rules, Wiring } from "./world.ts";

export interface ModelMutation {
  readonly tag: string;
  readonly name: string;
  readonly changed: Partial<Rules>;
  readonly wiring?: Wiring;
  readonly bounds?: Partial<Bounds>;
}

const GENESIS = { view: 0, height: 0, id: "0" };

/** As the product's, but for faults that are in `forgiven`. */
function forgiving(...forgiven: readonly product.OpeningFault[]): Partial<Rules> {
  return {
    openingFault: (...args) => {
      const fault = product.openingFault(...args);
      return fault !== undefined && forgiven.includes(fault) ? undefined : fault;
    },
  };
}

export const MODEL_MUTATIONS: readonly ModelMutation[] = [
  { tag: "B1", name: "a block follows one that closes its view", changed: forgiving("FOLLOWS_CLOSING") },
  { tag: "B2", name: "a view opens anywhere", changed: forgiving("NOT_FROM_HIGHEST") },
  { tag: "B3", name: "a handoff from a block that does not close", changed: forgiving("PARENT_NOT_CLOSING") },
  {
    tag: "B3",
    name: "a handoff from a block that is not certified",
    changed: forgiving("PARENT_NOT_CERTIFIED"),
  },
  {
    tag: "B4",
    name: "prepares of a view on two chains",
    changed: { mayPrepare: (promises, block) => product.mayPrepare(promises, block, () => true) },
  },
  {
    tag: "B4",
    name: "lastPrepared is not kept",
    changed: { afterPrepare: (promises) => promises },
  },
  { tag: "B5", name: "a vote leaves before the record is on disk", changed: {}, wiring: { sendsBeforePersist: true } },
  { tag: "S5", name: "an own vote counts before it is on disk", changed: {}, wiring: { countsOwnEarly: true } },
  {
    tag: "B6",
    name: "commits after a view change",
    changed: { mayCommit: (promises, ...rest) => product.mayCommit({ ...promises, viewChangeSent: 0 }, ...rest) },
  },
  {
    tag: "B6",
    name: "viewChangeSent is not kept",
    changed: { afterViewChange: (promises, view) => ({ ...promises, view }) },
  },
  { tag: "B7", name: "a view change reports nothing", changed: { reportOf: () => GENESIS } },
  {
    tag: "B7",
    name: "what was committed is not reported",
    changed: {
      afterCommit: (promises, block) => ({ ...product.afterCommit(promises, block), highQc: promises.highQc }),
    },
  },
  {
    tag: "B8",
    name: "a timeout certificate shows another than the greatest report",
    changed: { showsGreatest: () => true },
  },
  {
    tag: "B8",
    name: "the greatest report is compared by its id alone",
    changed: {
      showsGreatest: (certified, reports) => product.greatestReport(reports)?.id === certified.id,
    },
  },
  {
    tag: "B8",
    name: "a report counts without its certificate",
    changed: { isReport: (report) => product.isReport(report, report.highQc) },
  },
  {
    tag: "S9",
    name: "what a header says to be irreversible needs no proof",
    changed: { proofFault: () => undefined },
    bounds: { claims: true },
  },
];
