/** Oracles of BFT, each shown a history that breaks its rule and the nearest lawful one. */
import { describe, expect, it } from "vitest";
import { whyNotConverged } from "../../tools/sim/atRest.ts";
import { BftPromiseOracle } from "../../tools/sim/oracles/bftPromises.ts";
import { assertShare } from "../../tools/sim/oracles/shares.ts";
import { decideOnceMore } from "../../tools/sim/run.ts";
import { Stage } from "../../tools/sim/scenarios/stage.ts";
import type { DurableBlocks } from "../../tools/sim/oracles/promises.ts";
import type { WireBftRecord, WireMessage, WireRef } from "../../tools/sim/wire.ts";

const ref = (view: number, height: number): WireRef => ({ view, height, id: `${view}/${height}` });
const genesis = ref(0, 0);
const disk: DurableBlocks = {
  has: () => true,
  everHeld: () => true,
  parentOf: () => undefined,
  isIrreversible: () => false,
  isPruned: () => false,
};

/** The blocks of view 1 are one chain above block 0. */
const parentOf = (id: string): { parent: string; height: number } | undefined => {
  const height = Number(id.split("/")[1]);
  return height === 0 ? undefined : { parent: height === 1 ? "0/0" : `1/${height - 1}`, height };
};

function record(held: Partial<WireBftRecord>): WireBftRecord {
  return {
    view: 1,
    viewChangeSent: 0,
    prepared: undefined,
    committed: undefined,
    highQc: genesis,
    acked: genesis,
    ...held,
  };
}

function certificate(commit: boolean, of: WireRef, signers: readonly number[]): WireMessage {
  return { kind: "quorum", certificate: { ...of, commit, signers } };
}

describe("promises: an own vote counts only when it is on disk [S5]", () => {
  const oracle = (held: Partial<WireBftRecord>): BftPromiseOracle => {
    const promises = new BftPromiseOracle(["a", "b"], parentOf);
    promises.durable(0, record(held));
    return promises;
  };

  it("takes a certificate of what the disk has, of an ancestor of it, and of others' votes", () => {
    const promises = oracle({ prepared: ref(1, 3), committed: ref(1, 2) });
    promises.sent(0, certificate(false, ref(1, 3), [0, 1]), disk);
    promises.sent(0, certificate(true, ref(1, 1), [0, 1]), disk);
    promises.sent(0, certificate(true, ref(1, 9), [1, 2]), disk);
  });
  it.each([false, true])("fires on a certificate with an own vote that is not, commits: %s", (commit) => {
    const promises = oracle({ prepared: ref(1, 2), committed: ref(1, 2) });
    expect(() => promises.sent(0, certificate(commit, ref(1, 3), [0, 1]), disk)).toThrow("[S5]");
  });
  it("fires on one beside a view change", () => {
    const promises = oracle({ viewChangeSent: 2 });
    const shown = { ...ref(1, 3), commit: false, signers: [0, 1] };
    const asked = { kind: "viewChange", signer: "a", view: 2, reported: ref(1, 3), certificate: shown } as const;
    expect(() => promises.sent(0, asked, disk)).toThrow("[S5]");
  });
  it("takes from one that lost its disk what its disk had", () => {
    const promises = oracle({ prepared: ref(1, 3) });
    promises.lost(0);
    promises.sent(0, certificate(false, ref(1, 2), [0, 1]), disk);
  });
});

describe("shares: correct leaders have at least (n - f) / n of the views that decide", () => {
  const turn = (decided: readonly number[], to = 12): number =>
    assertShare({ producers: 4, isCorrect: (index) => index !== 3, decided: new Set(decided), from: 4, to });

  it("takes turns in which all but the faulty decide, whatever becomes of the views of those", () => {
    expect(turn([4, 5, 6, 8, 9, 10, 11])).toBe(2);
  });
  it("judges whole turns only", () => {
    expect(turn([], 7)).toBe(0);
  });
  it("fires on a turn in which a correct leader decides nothing", () => {
    expect(() => turn([4, 5, 6, 7, 8, 9, 11])).toThrow(
      "of views 8 to 11 correct leaders decided in 8, 9; 3 is the least",
    );
  });
});

describe("liveness: a network at rest", () => {
  it("fires when what is submitted to it is not decided, though nothing was open", () => {
    const stage = Stage.open(4, { engine: "bft" });
    stage.advance(1_000);
    expect(whyNotConverged(stage.simulation)).toBeUndefined();
    const core = stage.simulation.nodes;
    stage.part([0, 1], [2, 3]);
    expect(() => decideOnceMore(stage.simulation, core)).toThrow("a network at rest decides what is submitted to it");
  });
  it("fires when producers that ask for nothing are in different views", () => {
    const stage = Stage.open(4, { engine: "bft" });
    stage.commit(0);
    stage.advance(1_000);
    const { replica } = stage.node(2);
    const status = replica.status.bind(replica);
    Object.assign(replica, { status: () => ({ ...status(), engine: { ...status().engine, view: 9 } }) });
    expect(whyNotConverged(stage.simulation)).toContain("views differ: 1, 1, 9, 1");
  });
});
