/** BFT's rules one by one (docs/protocol.md, section 7); what they are good for together: `test/model/bft`. */
import { describe, expect, it } from "vitest";
import { makeConfiguration } from "../../chain/configuration.ts";
import type { BlockRef } from "../../chain/header.ts";
import {
  afterCommit,
  afterEntering,
  afterPrepare,
  afterViewChange,
  faultsOf,
  isReport,
  leaderOf,
  mayCommit,
  mayPrepare,
  openingFault,
  type Precedes,
  type Promises,
  proofFault,
  quorumOf,
  reportOf,
  viewToJoin,
} from "../../consensus/bft/rules.ts";
import { KEYS } from "../fixtures/naiveChain.ts";

/** Blocks whose ids spell their ancestry: "ab" is a child of "a". */
const block = (view: number, id: string): BlockRef => ({ view, height: id.length, id });
const precedes: Precedes = (ancestor, of) => of.id.startsWith(ancestor.id);
const zero = block(0, "");
const fresh: Promises = { view: 1, viewChangeSent: 0, lastPrepared: undefined, lastCommitted: undefined, highQc: zero };

describe("quorums: any two share an honest producer", () => {
  it.each([
    [1, 1, 0],
    [3, 3, 0],
    [4, 3, 1],
    [6, 5, 1],
    [7, 5, 2],
    [10, 7, 3],
    [100, 67, 33],
  ])("of %i producers: %i, with up to %i liars", (n, quorum, faults) => {
    const set = makeConfiguration(Array.from({ length: n }, (_, i) => `${i}`.padStart(64, "0")));
    expect([quorumOf(set), faultsOf(set)]).toEqual([quorum, faults]);
    expect(2 * quorum - n).toBeGreaterThan(faults);
    // And the honest alone are one.
    expect(n - faults).toBeGreaterThanOrEqual(quorum);
  });

  it("the lead rotates", () => {
    const set = makeConfiguration(KEYS.slice(0, 4));
    expect([0, 1, 5].map((view) => leaderOf({ current: set }, view))).toEqual([KEYS[0], KEYS[1], KEYS[1]]);
  });
});

describe("prepare", () => {
  it("[B4] within a view on one chain", () => {
    const promises = afterPrepare(fresh, block(1, "ab"));
    expect(mayPrepare(promises, block(1, "abc"), precedes)).toBe(true);
    expect(mayPrepare(promises, block(1, "ab"), precedes)).toBe(true);
    expect(mayPrepare(promises, block(1, "ac"), precedes)).toBe(false);
    expect(mayPrepare(afterEntering(promises, 2), block(2, "ac"), precedes)).toBe(true);
  });

  it("only in the block's view, and not below a view change", () => {
    expect(mayPrepare(fresh, block(2, "a"), precedes)).toBe(false);
    expect(mayPrepare(afterViewChange(fresh, 2), block(1, "a"), precedes)).toBe(false);
    expect(mayPrepare(afterViewChange(fresh, 2), block(2, "a"), precedes)).toBe(true);
  });
});

describe("commit and view change", () => {
  it("[B6] not below a view change", () => {
    expect(mayCommit(fresh, block(1, "a"), precedes)).toBe(true);
    expect(mayCommit(afterViewChange(fresh, 2), block(1, "a"), precedes)).toBe(false);
    expect(mayCommit(afterEntering(fresh, 2), block(1, "a"), precedes)).toBe(true);
  });

  it("extends the last commit of its view, and never goes back to a view below", () => {
    const promises = afterCommit(fresh, block(2, "ab"));
    expect(promises.view).toBe(2);
    expect(mayCommit(promises, block(2, "abc"), precedes)).toBe(true);
    expect(mayCommit(promises, block(2, "ac"), precedes)).toBe(false);
    expect(mayCommit(promises, block(1, "a"), precedes)).toBe(false);
    expect(mayCommit(promises, block(3, "ac"), precedes)).toBe(true);
  });

  it("[B7] reports what was committed, and the greatest", () => {
    const promises = afterCommit(afterCommit(fresh, block(1, "a")), block(1, "ab"));
    expect(reportOf(afterViewChange(promises, 5))).toEqual(block(1, "ab"));
  });

  it("[B8] a report counts with the certificate of its block, of a view below", () => {
    const report = { view: 2, highQc: block(1, "a") };
    expect(isReport(report, block(1, "a"))).toBe(true);
    expect(isReport(report, block(1, "b"))).toBe(false);
    expect(isReport(report, undefined)).toBe(false);
    expect(isReport({ ...report, view: 1 }, block(1, "a"))).toBe(false);
  });

  it("f + 1 views above mine are followed to what f + 1 reach", () => {
    expect(viewToJoin([5], 1, 1)).toBeUndefined();
    expect(viewToJoin([5, 3], 1, 1)).toBe(3);
    expect(viewToJoin([5, 1], 1, 1)).toBeUndefined();
    expect(viewToJoin([9, 5, 3], 4, 1)).toBe(5);
  });
});

describe("headers", () => {
  const parent = (view: number, id: string, closing = false) => ({ ...block(view, id), closing });

  it("[B1] nothing follows a closing block in its view, and nothing within a view needs an entry", () => {
    expect(openingFault(1, parent(1, "a"), undefined, precedes)).toBeUndefined();
    expect(openingFault(1, parent(1, "a", true), undefined, precedes)).toBe("FOLLOWS_CLOSING");
    const handoff = { kind: "handoff", certified: block(1, "a") } as const;
    expect(openingFault(1, parent(1, "a"), handoff, precedes)).toBe("ENTRY_WITHIN_VIEW");
  });

  it("[B2] a view opens on what descends from the timeout certificate's greatest report", () => {
    const timeout = { kind: "timeout", view: 3, highest: block(1, "ab") } as const;
    expect(openingFault(3, parent(1, "ab"), timeout, precedes)).toBeUndefined();
    expect(openingFault(3, parent(2, "abc"), timeout, precedes)).toBeUndefined();
    expect(openingFault(3, parent(2, "acc"), timeout, precedes)).toBe("NOT_FROM_HIGHEST");
    expect(openingFault(4, parent(1, "ab"), timeout, precedes)).toBe("ENTRY_OF_ANOTHER_VIEW");
    expect(openingFault(3, parent(1, "ab"), undefined, precedes)).toBe("ENTRY_MISSING");
  });

  it("[B3] or on a closing, certified block of the view before", () => {
    const handoff = { kind: "handoff", certified: block(1, "a") } as const;
    expect(openingFault(2, parent(1, "a", true), handoff, precedes)).toBeUndefined();
    expect(openingFault(2, parent(1, "a"), handoff, precedes)).toBe("PARENT_NOT_CLOSING");
    expect(openingFault(3, parent(1, "a", true), handoff, precedes)).toBe("ENTRY_OF_ANOTHER_VIEW");
    expect(openingFault(2, parent(1, "b", true), handoff, precedes)).toBe("PARENT_NOT_CERTIFIED");
  });

  it("[S9] what is said to be irreversible is proven by a certificate of that very ancestor", () => {
    const ancestorAt = (height: number) => "abcd".slice(0, height);
    expect(proofFault(1, 1, undefined, ancestorAt)).toBeUndefined();
    expect(proofFault(1, 1, block(1, "a"), ancestorAt)).toBe("PROOF_WITHOUT_NEED");
    expect(proofFault(2, 1, undefined, ancestorAt)).toBe("PROOF_MISSING");
    expect(proofFault(2, 1, block(1, "ab"), ancestorAt)).toBeUndefined();
    expect(proofFault(2, 1, block(1, "ac"), ancestorAt)).toBe("PROOF_OF_ANOTHER_BLOCK");
    expect(proofFault(2, 1, block(1, "a"), ancestorAt)).toBe("PROOF_OF_ANOTHER_BLOCK");
  });
});
