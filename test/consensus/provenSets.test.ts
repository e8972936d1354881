/** Who decides about which heights, for somebody who knows changes of the producer set and not the chain. */
import { describe, expect, it } from "vitest";
import { type Configuration, makeConfiguration } from "../../chain/configuration.ts";
import { type Header, headerMessage } from "../../chain/header.ts";
import { inclusionProof, leafHash, rootOfLeafHashes } from "../../chain/merkle.ts";
import { jointSets } from "../../chain/producerSets.ts";
import { certificateMessage } from "../../consensus/certificate.ts";
import { checkProducersProof, makeProducersProof } from "../../consensus/producersProof.ts";
import { provenSets, setsProving } from "../../consensus/provenSets.ts";
import { concatBytes, hexBytes, toHex } from "../../src/base/bytes.ts";
import { sha256Hex } from "../../src/base/hash.ts";
import { CHAIN_ID, fakeSignature, KEYS, naiveGenesis, testGenesis } from "../fixtures/naiveChain.ts";

const genesis = testGenesis();
const FIRST = genesis.configuration;
const SECOND = makeConfiguration(KEYS.slice(1, 4));
const THIRD = makeConfiguration(KEYS.slice(2, 5));

describe("sets by the heights that they may judge", () => {
  const change = { height: 5, next: SECOND };
  const joint = jointSets(FIRST, SECOND, 5);

  it("the set before up to the block that begins the change, both above it, the new one from two above it on", () => {
    const named = provenSets(FIRST, [change]);
    const heights = (hash: string): number[] =>
      [1, 4, 5, 6, 7, 100].filter((height) => named(hash, height) !== undefined);
    expect(heights(FIRST.hash)).toEqual([1, 4, 5]);
    expect(heights(joint.hash)).toEqual([6, 7, 100]);
    expect(heights(SECOND.hash)).toEqual([7, 100]);
  });

  it("two sets decide no more from the block on that begins the next change", () => {
    const named = provenSets(FIRST, [change, { height: 9, next: THIRD }]);
    expect([9, 10].map((height) => named(joint.hash, height) !== undefined)).toEqual([true, false]);
    expect([9, 10].map((height) => named(SECOND.hash, height) !== undefined)).toEqual([true, false]);
  });

  it("a change that is not proven yet: both sets count above its block, never the new one alone", () => {
    const named = setsProving(FIRST, [], change);
    expect([5, 6].map((height) => named(joint.hash, height) !== undefined)).toEqual([false, true]);
    expect(named(SECOND.hash, 50)).toBeUndefined();
  });
});

describe("a proof of changes", () => {
  interface Made {
    readonly header: Header;
    readonly bytes: Uint8Array;
    /** Of blocks 0 to this one. */
    readonly ids: readonly string[];
  }
  const zero = naiveGenesis(genesis).block;

  function child(parent: Made, named: Pick<Header, "configuration" | "nextConfiguration">): Made {
    const historyRoot = toHex(rootOfLeafHashes(leavesOf(parent.ids)));
    const height = parent.header.height + 1;
    const header = { ...parent.header, height, view: 1, parent: parent.ids.at(-1) as string, historyRoot, ...named };
    const bytes = headerMessage.encode(header);
    return { header, bytes, ids: [...parent.ids, sha256Hex(bytes)] };
  }

  /** A block that proposes a set, and one above it that both sets certify; nothing checks its signatures here. */
  function changeOn(parent: Made, current: Configuration, next: Configuration) {
    const begins = child(parent, { configuration: current.hash, nextConfiguration: next.hash });
    const joint = jointSets(current, next, begins.header.height);
    const above = child(begins, { configuration: joint.hash, nextConfiguration: undefined });
    const certificate = certificateMessage.encode({
      view: 1,
      path: [above.bytes],
      acks: joint.members.map((signer) => ({ signer, position: 0, signature: fakeSignature(signer) })),
    });
    const historyPath = inclusionProof(leavesOf(begins.ids), begins.header.height);
    return { begins, above, material: { headerBytes: begins.bytes, next, certificate, historyPath } };
  }

  it("a change may begin two blocks above the one before, and no sooner: both sets decide about that one in between", () => {
    const one = changeOn({ header: zero.header, bytes: zero.headerBytes, ids: [zero.id] }, FIRST, SECOND);
    const checked = [one.above, one.begins].map((parent) => {
      const two = changeOn(parent, SECOND, THIRD);
      return checkProducersProof(makeProducersProof(CHAIN_ID, 0, [one.material, two.material]), genesis);
    });
    expect(checked[0]?.ok && checked[0].value.changes.map(({ height }) => height)).toEqual([1, 3]);
    expect(checked[1]).toMatchObject({ ok: false, error: { field: "changes[1].header" } });
  });
});

function leavesOf(ids: readonly string[]): Uint8Array {
  return concatBytes(...ids.map((id) => leafHash(hexBytes(id))));
}
