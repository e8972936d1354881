/** Records a mode of an engine: some producers and maybe a follower, settled; then what is to be seen happens. */
import type { EngineName } from "../../../chain/genesis.ts";
import { Recorder, type Recording } from "../diagram/recording.ts";
import { NO_FAULTS } from "../profile.ts";
import { Stage } from "./stage.ts";

/** Every message takes 1 ms, every write half of that: what depends on what is easy to see. */
const EVEN = {
  ...NO_FAULTS,
  latency: { lowMs: 1, highMs: 1, jitter: 0, tailChance: 0, tailMs: 0 },
  disk: { typicalMs: 0.5, capMs: 0.6 },
  redialMs: 20,
};

export interface ModeSize {
  readonly engine: EngineName;
  readonly producers: number;
  readonly followers?: number;
}

export type Play = (stage: Stage) => void;

/** @param prepare before the recording begins */
export function recordMode(
  { engine, producers, followers = 0 }: ModeSize,
  play: Play,
  prepare: Play = () => undefined,
): Recording {
  const stage = Stage.open(producers, { engine, seed: 4, followers, faults: EVEN });
  const keys = stage.simulation.nodes.map((node) => node.key);
  const recorder = new Recorder(keys, () => stage.simulation.queue.now);
  stage.simulation.onlookers.push(recorder);
  stage.commit(stage.leader);
  stage.advance(500);
  prepare(stage);
  recorder.begin();
  play(stage);
  return recorder.end();
}
