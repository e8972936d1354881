/** The fuzzer's loop: rounds over all targets, each round of each from a seed of its own. */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../../src/base/bytes.ts";
import { Dice } from "../../tools/sim/dice.ts";
import { fuzzed } from "./mutate.ts";
import { processorMs } from "./processor.ts";
import { describeFault, fuzzReplica } from "./replica.ts";
import { decoderTargets, type Target } from "./targets.ts";

export const CORPUS = join(import.meta.dirname, "corpus");
export const REPLICA = "replica";

/** Inputs to a decoder in a round. */
const INPUTS_A_ROUND = 2_000;
/** Of the processor: decoders get a few KiB, and none has so long to do, thrice in a row. */
const DECODE_MS = 200;
const TRIES = 3;
/** More live memory than this after a round means that something keeps what it is given. */
const MEMORY_BYTES = 1.5e9;

export interface FuzzOptions {
  readonly seed: number;
  /** Ends after the round under way when this is over, or after `rounds`. */
  readonly minutes: number;
  readonly rounds?: number | undefined;
  /** One target only. */
  readonly target?: string | undefined;
  readonly progress: (state: FuzzState) => void;
}

export interface FuzzState {
  readonly rounds: number;
  readonly inputs: number;
  readonly elapsedMs: number;
}

export interface Finding {
  readonly target: string;
  readonly seed: number;
  readonly what: string;
  /** Of a decoder. */
  readonly input?: Uint8Array;
}

export async function targetNames(): Promise<readonly string[]> {
  return [...(await decoderTargets()).map(({ name }) => name), REPLICA];
}

/** Until something is found or the time is over. Throws RangeError for an unknown target. */
export async function fuzz(options: FuzzOptions): Promise<FuzzState & { readonly finding?: Finding }> {
  const decoders = await decoderTargets();
  const chosen = decoders.filter(({ name }) => options.target === undefined || name === options.target);
  const withReplica = options.target === undefined || options.target === REPLICA;
  if (chosen.length === 0 && !withReplica) throw new RangeError(`no target ${options.target}`);
  const beganMs = performance.now();
  let state: FuzzState = { rounds: 0, inputs: 0, elapsedMs: 0 };
  while (state.elapsedMs < options.minutes * 60_000 && state.rounds < (options.rounds ?? Number.POSITIVE_INFINITY)) {
    const seed = options.seed + state.rounds;
    let inputs = state.inputs;
    for (const target of chosen) {
      const finding = fuzzDecoder(target, seed);
      if (finding !== undefined) return { ...state, finding };
      inputs += INPUTS_A_ROUND;
    }
    if (withReplica) {
      try {
        inputs += fuzzReplica(seed);
      } catch (error) {
        return { ...state, finding: { target: REPLICA, seed, what: describeFault(error) } };
      }
    }
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    if (heapUsed + arrayBuffers > MEMORY_BYTES) {
      const what = `${heapUsed + arrayBuffers} bytes of memory after round ${state.rounds}`;
      return { ...state, finding: { target: options.target ?? "all", seed, what } };
    }
    state = { rounds: state.rounds + 1, inputs, elapsedMs: performance.now() - beganMs };
    options.progress(state);
  }
  return state;
}

export function fuzzDecoder(target: Target, seed: number): Finding | undefined {
  const dice = new Dice(seed);
  for (let i = 0; i < INPUTS_A_ROUND; i++) {
    const input = fuzzed(dice, dice.pick(target.samples), dice.pick(target.samples));
    const what = faultOf(target, input);
    if (what !== undefined) return { target: target.name, seed, what, input };
  }
  return undefined;
}

/** What is wrong with how a target takes an input. */
export function faultOf(target: Target, input: Uint8Array): string | undefined {
  for (let tries = 1; ; tries++) {
    const beganMs = processorMs();
    try {
      target.run(input);
    } catch (error) {
      return describeFault(error);
    }
    const tookMs = processorMs() - beganMs;
    if (tookMs < DECODE_MS) return undefined;
    if (tries === TRIES) return `${input.length} bytes took ${tookMs} ms`;
  }
}

/** Keeps a finding's input, so that every later test run tries it. @returns the file */
export function keep(finding: Finding): string | undefined {
  if (finding.input === undefined) return undefined;
  mkdirSync(CORPUS, { recursive: true });
  const digest = createHash("sha256").update(finding.input).digest("hex").slice(0, 8);
  const file = join(CORPUS, `${digest}.json`);
  writeFileSync(file, `${JSON.stringify({ target: finding.target, input: toHex(finding.input) })}\n`);
  return file;
}

/** Inputs that were findings once. */
export function corpus(): { readonly target: string; readonly input: Uint8Array }[] {
  return readdirSync(CORPUS)
    .filter((name) => name.endsWith(".json"))
    .map((name) => {
      const { target, input } = JSON.parse(readFileSync(join(CORPUS, name), "utf8")) as Record<
        "target" | "input",
        string
      >;
      return { target, input: Buffer.from(input, "hex") };
    });
}
