/** A leader that makes blocks that are not valid, where there is nothing to decide: BFT. */
import { expect, it } from "vitest";
import { handoffEntry } from "../../../consensus/bft/certificates.ts";
import type { Block } from "../../../chain/block.ts";
import { blockFrame } from "../../../tools/sim/scenarios/forge.ts";
import { workshopOf } from "../../../tools/sim/scenarios/bftStage.ts";
import type { Puppet } from "../../../tools/sim/scenarios/puppet.ts";
import { Stage } from "../../../tools/sim/scenarios/stage.ts";

const LEADER = 1;
const HONEST = [0, 2, 3];
const WINDOW = 8;

/** @param honest those of the honest that are up */
function stageOf(honest: readonly number[]): { readonly stage: Stage; readonly liar: Puppet } {
  const settings = { windowBlocks: WINDOW };
  const stage = Stage.closed(4, { engine: "bft", seed: 4, byzantine: 1, settings });
  expect(stage.simulation.honest.map(({ index }) => index)).toEqual(HONEST);
  for (const each of honest) stage.start(each);
  const liar = stage.puppet(LEADER);
  for (const each of honest) liar.connect(each);
  stage.advance(500);
  return { stage, liar };
}

/** The first block of its view, with a state that does not follow. */
function invalidBlock(stage: Stage, seenBy: number): Block {
  const zero = stage.head(seenBy);
  const fields = { time: zero.block.header.time + 1, stateHash: "f".repeat(64) };
  return workshopOf(stage, LEADER).emptyChild(zero, 1, fields, { entry: handoffEntry(new Uint8Array(0)) });
}

it("is replaced at once: nobody waits for a transaction to miss it", () => {
  const { stage, liar } = stageOf(HONEST);
  const block = invalidBlock(stage, 0);
  for (const each of HONEST) liar.say(each, "chain", blockFrame(block));
  stage.until("another view is open", () => HONEST.every((each) => stage.head(each).view > 1), 2_000);
  stage.until("it is decided", () => HONEST.every((each) => stage.node(each).replica.ledger.root.view > 1), 2_000);
});

it("where too few are up to replace it, what descends from its blocks is taken up to a bound", () => {
  const [honest] = HONEST as [number];
  const { stage, liar } = stageOf([honest]);
  const { ledger } = stage.node(honest).replica;
  let block = invalidBlock(stage, honest);
  for (let i = 0; i < 5 * WINDOW; i++) {
    liar.say(honest, "chain", blockFrame(block));
    stage.advance(20);
    const node = ledger.get(block.id);
    if (node === undefined) break;
    block = workshopOf(stage, LEADER).emptyChild(node, 1);
  }
  expect(block.header.height).toBe(3 * WINDOW + 1);
  expect([...ledger.nodes()]).toHaveLength(3 * WINDOW + 1);
});
