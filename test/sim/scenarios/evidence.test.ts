/**
 * Evidence against a producer, told by whomever (docs/protocol.md, section 7): what is true is believed, kept and passed on;
 * what is not costs who tells it, names nobody and fills nothing.
 */
import { describe, expect, it } from "vitest";
import { evidenceOfVotes } from "../../../consensus/bft/evidence.ts";
import { type SignedVote, voteDigest } from "../../../consensus/bft/messages.ts";
import { encodeEvidencePayload } from "../../../consensus/messages.ts";
import { utf8 } from "../../../src/base/bytes.ts";
import { sha256Hex } from "../../../src/base/hash.ts";
import { DUPLICATES_BEYOND_REASON, SCORE_BOUND } from "../../../src/replica/constants.ts";
import { FAULT_WEIGHTS } from "../../../src/replica/conduct.ts";
import { assertAttackerPays } from "../../../tools/sim/scenarios/bill.ts";
import { openBft } from "../../../tools/sim/scenarios/bftStage.ts";
import type { Puppet } from "../../../tools/sim/scenarios/puppet.ts";
import type { Stage } from "../../../tools/sim/scenarios/stage.ts";

/** A producer that is dead, and whose key somebody has. */
const LIAR = 3;
/** A follower, linked to node 0 alone. */
const TELLER = 4;
const HONEST = [0, 1, 2];
/** So many messages that are known are borne of a link at most. */
const MOST = (DUPLICATES_BEYOND_REASON + 1) * Math.ceil((2 * SCORE_BOUND) / FAULT_WEIGHTS.duplicates);

function scene(): { readonly stage: Stage; readonly teller: Puppet } {
  const stage = openBft(4, { followers: 1 });
  stage.puppet(LIAR);
  const teller = stage.puppet(TELLER);
  stage.advance(500);
  teller.connect(0);
  teller.takeBill();
  return { stage, teller };
}

function signedBy(stage: Stage, name: string, signer = LIAR, chainId = stage.simulation.genesis.chainId): SignedVote {
  const { keys } = stage.simulation;
  const vote = { view: 1, height: 2, id: sha256Hex(utf8(name)) };
  return { commit: true, vote, signature: keys.sign(stage.node(signer).key, voteDigest(chainId, true, vote)) };
}

/** Two votes of the liar at one place. */
function piece(stage: Stage, first = "a", second = "b"): Uint8Array {
  const { key } = stage.node(LIAR);
  return evidenceOfVotes(key, signedBy(stage, first), signedBy(stage, second), []);
}

function tell(teller: Puppet, evidence: Uint8Array): boolean {
  return teller.unicast(0, "urgent", encodeEvidencePayload(evidence));
}

const namedAt = (stage: Stage, index: number): string[] =>
  stage.node(index).replica.evidence.map(({ producer }) => producer);

describe("evidence that is true", () => {
  it("is believed whoever tells it, told to all, kept by all, and names the producer as faulty after a restart of all", () => {
    const { stage, teller } = scene();
    tell(teller, piece(stage));
    const { key } = stage.node(LIAR);
    stage.until("all name it", () => HONEST.every((index) => namedAt(stage, index)[0] === key), 1_000);
    stage.advance(100);
    for (const index of HONEST) stage.crash(index);
    stage.advance(100);
    stage.startAll();
    for (const index of HONEST) {
      expect(namedAt(stage, index)).toEqual([key]);
      expect(stage.status(index).producers.find((each) => each.key === key)).toMatchObject({
        state: "faulty",
        because: "two votes at one place, or on two branches",
      });
    }
    stage.commit(0, 3);
  });

  it("is told to who connects later", () => {
    const { stage, teller } = scene();
    stage.crash(2);
    tell(teller, piece(stage));
    stage.advance(1_000);
    stage.start(2);
    stage.until("the late one names it", () => namedAt(stage, 2).length === 1, 1_000);
  });

  it("is one piece of a kind, however many are told: no more is written", () => {
    const { stage, teller } = scene();
    tell(teller, piece(stage));
    stage.advance(100);
    const bill = teller.takeBill();
    expect(bill.bytesPersisted).toBe(piece(stage).length);
    for (let i = 0; i < 100; i++) tell(teller, piece(stage, `c${i}`, `d${i}`));
    stage.advance(100);
    expect(teller.takeBill()).toMatchObject({ signatureChecks: 0, bytesPersisted: 0 });
    expect(stage.status(0).sizes["evidence"]).toBe(1);
  });

  it("told over and over costs who tells it its link, and nobody else a thing", () => {
    const { stage, teller } = scene();
    const known = piece(stage);
    for (let told = 0; told < MOST && tell(teller, known); told++) if (told % 100 === 0) stage.advance(1);
    expect(teller.closed).toMatchObject([{ by: 0, reason: "misbehaviour" }]);
    assertAttackerPays(teller.takeBill(), { signatures: 2 });
    stage.commit(0, 3);
  });
});

describe("evidence that is not", () => {
  it.each<[string, (stage: Stage) => Uint8Array]>([
    [
      "with a signature that is not the accused's",
      (stage) => evidenceOfVotes(stage.node(1).key, signedBy(stage, "a"), signedBy(stage, "b"), []),
    ],
    [
      "of another chain",
      (stage) => {
        const other = sha256Hex(utf8("another chain"));
        const votes = ["a", "b"].map((name) => signedBy(stage, name, LIAR, other)) as [SignedVote, SignedVote];
        return evidenceOfVotes(stage.node(LIAR).key, ...votes, []);
      },
    ],
    ["that shows one vote twice", (stage) => piece(stage, "a", "a")],
    ["that is no message", () => utf8("it was him")],
  ])("%s: costs a stranger its link at once, names nobody, and is passed on to nobody", (_, make) => {
    const { stage, teller } = scene();
    tell(teller, make(stage));
    stage.advance(200);
    expect(teller.closed).toMatchObject([{ by: 0, reason: "misbehaviour" }]);
    expect(HONEST.map((index) => namedAt(stage, index))).toEqual([[], [], []]);
    expect(teller.takeBill().signatureChecks).toBeLessThanOrEqual(2);
    stage.commit(0, 3);
  });

  it("against a node that is no producer here: it may be one by a chain that is newer, so it costs as much as what is known", () => {
    const { stage, teller } = scene();
    const votes = ["a", "b"].map((name) => signedBy(stage, name, TELLER)) as [SignedVote, SignedVote];
    const evidence = evidenceOfVotes(stage.node(TELLER).key, ...votes, []);
    tell(teller, evidence);
    stage.advance(200);
    expect(teller.closed).toEqual([]);
    expect(HONEST.map((index) => namedAt(stage, index))).toEqual([[], [], []]);
    expect(teller.takeBill()).toMatchObject({ signatureChecks: 0, bytesPersisted: 0 });
    for (let told = 0; told < MOST && tell(teller, evidence); told++) if (told % 100 === 0) stage.advance(1);
    expect(teller.closed).toMatchObject([{ by: 0, reason: "misbehaviour" }]);
    stage.commit(0, 3);
  });
});
