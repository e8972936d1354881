/**
 * The whole replica under fuzz: a simulated network at work, and a follower whose frames are those that honest nodes
 * sent, changed, or bytes at random. All oracles of the simulator watch; what is more, no honest node may be cut off.
 */
import type { Lane } from "../../net/link/types.ts";
import { LANES } from "../../net/link/types.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { Dice } from "../../tools/sim/dice.ts";
import { RuleBroken } from "../../tools/sim/violation.ts";
import type { Puppet } from "../../tools/sim/scenarios/puppet.ts";
import { Stage } from "../../tools/sim/scenarios/stage.ts";
import { fuzzed } from "./mutate.ts";
import { processorMs } from "./processor.ts";

const PRODUCERS = 3;
const ATTACKER = PRODUCERS + 1;
/** Frames that are kept to be changed, by lane; the newest are more like what a node expects now. */
const KEPT_FRAMES = 64;
const FRAMES_A_RUN = 400;
/** Between frames, now and then: what was asked for comes, timers fire. */
const ADVANCE_MS = 20;
const CHAIN_GOES_ON_EVERY = 50;
/** Of the processor, for the step that a single frame of some KiB leads to: far above what any takes. */
const STEP_MS = 2_000;

interface Heard {
  readonly lane: Lane;
  readonly frame: Uint8Array;
}

/** One run. @returns frames said; throws for a finding */
export function fuzzReplica(seed: number): number {
  const dice = new Dice(seed);
  const stage = Stage.open(PRODUCERS, { seed: 1 + (seed % 1000), followers: 2 });
  const attacker = stage.puppet(ATTACKER);
  const heard: Heard[] = [];
  let wrong: string | undefined;
  stage.simulation.onlookers.push({
    stepped: (node, _input, effects) => {
      for (const effect of effects) {
        if (effect.kind === "send" && heard.length < 10_000)
          heard.push({ lane: effect.lane, frame: concatBytes(...effect.parts) });
        if (effect.kind === "halt") wrong ??= `node ${node.index} halts: ${effect.why}`;
        if (effect.kind === "disconnect" && effect.peer !== attacker.key) {
          wrong ??= `node ${node.index} cuts off an honest peer: ${effect.reason}: ${effect.detail}`;
        }
      }
      if (heard.length > KEPT_FRAMES) heard.splice(0, heard.length - KEPT_FRAMES);
    },
  });
  stage.commit(stage.leader, 2);
  for (let said = 0; said < FRAMES_A_RUN; said++) {
    say(dice, stage, attacker, heard);
    if (wrong !== undefined) throw new Error(wrong);
    if (said % CHAIN_GOES_ON_EVERY === 0) stage.commit(stage.leader, 1);
    else if (dice.chance(0.2)) stage.advance(dice.between(1, ADVANCE_MS));
  }
  for (const to of stage.up) attacker.disconnect(to);
  stage.commit(stage.leader, 1);
  stage.settle();
  return FRAMES_A_RUN;
}

function say(dice: Dice, stage: Stage, attacker: Puppet, heard: readonly Heard[]): void {
  const to = dice.pick(stage.up);
  attacker.connect(to);
  const { lane, frame } = dice.pick(heard);
  const changed = fuzzed(dice, frame, dice.pick(heard).frame);
  const beganMs = processorMs();
  attacker.say(to, dice.chance(0.9) ? lane : dice.pick(LANES), changed);
  const tookMs = processorMs() - beganMs;
  if (tookMs > STEP_MS) throw new Error(`a frame of ${changed.length} bytes kept node ${to} busy for ${tookMs} ms`);
}

/** What a finding says, with the oracle's own words where it was one. */
export function describeFault(error: unknown): string {
  if (error instanceof RuleBroken) return `${error.name}: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
