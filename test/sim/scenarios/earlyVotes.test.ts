/** Votes that overtake their block under BFT (docs/protocol.md, section 2), where nothing is said again in time. */
import { describe, expect, it } from "vitest";
import { encodeBlockRequest } from "../../../consensus/messages.ts";
import { EARLY_VOTE_LIFE_MS } from "../../../consensus/constants.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

/** Of four producers three are a quorum; summaries and what goes with them come once in twenty seconds. */
const QUIET = { engine: "bft", settings: { heartbeatMs: 10_000, viewTimeoutMs: 120_000 } } as const;
const VOTES = 39;

const early = (stage: Stage, index: number): number => stage.status(index).sizes["earlyVotes"] as number;
/** A leader whose view is open, and the others. */
function open(): { stage: Stage; leader: number; others: number[] } {
  const stage = Stage.open(4, QUIET);
  stage.advance(1_000);
  const { leader } = stage;
  return { stage, leader, others: stage.others(leader) };
}

describe("a vote that overtakes its block", () => {
  it("waits for it: whoever gets the block last has all that it needs to go on", () => {
    const { stage, leader, others } = open();
    const [late, , gone] = others as [number, number, number];
    stage.crash(gone);
    stage.simulation.network.clog(late);
    stage.submit(leader);
    stage.advance(500);
    expect(early(stage, late)).toBe(2);
    expect(stage.head(leader).height).toBe(stage.height(leader) + 1);
    const { counted } = stage.status(late).earlyVotes;
    stage.simulation.network.unclog(late);
    stage.until("the block is decided", () => stage.height(leader) === stage.head(leader).height, 100);
    expect(early(stage, late)).toBe(0);
    expect(stage.status(late).earlyVotes).toMatchObject({ counted: counted + 2, dropped: 0, expired: 0 });
    stage.until("on all", () => stage.up.every((index) => stage.height(index) === stage.head(leader).height), 100);
  });

  it("does not wait for ever", () => {
    const { stage, leader, others } = open();
    const [late, , gone] = others as [number, number, number];
    stage.crash(gone);
    stage.simulation.network.clog(late);
    stage.submit(leader);
    stage.advance(500);
    stage.cutOff(leader);
    stage.advance(EARLY_VOTE_LIFE_MS + 2 * QUIET.settings.heartbeatMs);
    expect(early(stage, late)).toBe(0);
    expect(stage.status(late).earlyVotes.expired).toBeGreaterThan(0);
  });
});

describe("a peer that lacks a block", () => {
  it("is sent the votes on it again with the block", () => {
    const { stage, leader, others } = open();
    const [voter, gone, asks] = others as [number, number, number];
    stage.crash(gone);
    const puppet = stage.puppet(asks);
    puppet.connect(voter);
    stage.submit(leader);
    stage.advance(500);
    const { id, height } = stage.head(voter);
    expect(height).toBe(stage.height(voter) + 1);
    puppet.heard.length = 0;
    puppet.say(voter, "chain", encodeBlockRequest(id));
    stage.advance(100);
    const kinds = puppet.heard.map(({ lane, frame }) =>
      lane === "urgent" ? frame[2 + 256 * (frame[0] as number) + (frame[1] as number)] : 0,
    );
    expect(kinds.filter((kind) => kind === VOTES)).toHaveLength(1);
    expect(puppet.heard.some(({ lane }) => lane === "chain")).toBe(true);
  });
});
