// Twenty seconds of fuzzing, what was found before, and that the fuzzer itself finds.

import { describe, expect, test } from "vitest";
import { utf8 } from "../../src/base/bytes.ts";
import { corpus, faultOf, fuzz, fuzzDecoder } from "./fuzz.ts";
import { processorMs } from "./processor.ts";
import { decoderTargets, type Target } from "./targets.ts";

const SEED = 1;
const MINUTES = 4 / 60;

describe("fuzzing (npm run fuzz)", () => {
  test("four seconds of it find nothing", async () => {
    const { finding, rounds } = await fuzz({ seed: SEED, minutes: MINUTES, progress: () => undefined });
    expect(finding).toBeUndefined();
    expect(rounds).toBeGreaterThan(0);
  });

  test("what it found before stays mended", async () => {
    const targets = await decoderTargets();
    for (const { target, input } of corpus()) {
      const decoder = targets.find(({ name }) => name === target);
      expect(decoder, target).toBeDefined();
      expect(faultOf(decoder as Target, input)).toBeUndefined();
    }
  });

  test.each([
    ["an exception", (bytes: Uint8Array) => void (bytes.length === 3 && bytes[7]!.toString())],
    [
      "one wrong byte in sixteen thousand",
      (bytes: Uint8Array) => {
        if (bytes[0] === 0x0a && bytes[1] === 0) throw new Error("taken");
      },
    ],
  ])("it finds %s", (_what, run) => {
    const sample = Uint8Array.of(0x0a, 2, 7, 7, 0x10, 5);
    expect(fuzzDecoder({ name: "broken", samples: [sample, utf8("no message")], run }, SEED)).toBeDefined();
  });

  test("and time without a bound", () => {
    const run = (): void => {
      for (const end = processorMs() + 300; processorMs() < end;);
    };
    expect(faultOf({ name: "slow", samples: [], run }, new Uint8Array(1))).toMatch(/took/);
  });
});
