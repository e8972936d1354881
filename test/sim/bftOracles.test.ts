/** Oracles of BFT, each shown a history that breaks its rule and the nearest lawful one. */
import { describe, expect, it } from "vitest";
import { BftPromiseOracle } from "../../tools/sim/oracles/bftPromises.ts";
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
