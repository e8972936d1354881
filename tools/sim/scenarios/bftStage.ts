/** What scenarios of BFT need beside a stage: who lies and how, and what is signed in a liar's name. */
import { ByzantineProducer, type LieName } from "../byzantine/producer.ts";
import type { Workshop } from "../byzantine/workshop.ts";
import { Stage, type StageOptions } from "./stage.ts";

/** All nodes are up and the first view is open. */
export function openBft(producers: number, options: StageOptions = {}): Stage {
  return Stage.open(producers, { engine: "bft", ...options });
}

/** This liar lies in this way from now on. */
export function begin(stage: Stage, liar: number, how: LieName): void {
  const { hostile } = stage.node(liar);
  if (!(hostile instanceof ByzantineProducer)) throw new Error(`node ${liar} is no liar`);
  hostile.begin(how, Number.POSITIVE_INFINITY);
}

/** Makes blocks and votes in the name of a node, whose place somebody else may have taken. */
export function workshopOf(stage: Stage, index: number): Workshop {
  return stage.simulation.workshopOf(stage.node(index));
}
