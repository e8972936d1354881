/** `cairn sim`: what it takes, what it says, how it ends. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { describeFailure, run } from "../../tools/sim/command.ts";
import { runOne } from "../../tools/sim/sweep.ts";

let output = "";
beforeEach(() => {
  output = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    output += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
});
afterEach(() => vi.restoreAllMocks());

describe("cairn sim", () => {
  it("runs as many seeds as asked for and ends with 0 when all rules held", async () => {
    expect(await run(["--seeds", "3", "--producers", "3", "--followers", "0", "--until", "500ms", "--jobs", "1"])).toBe(
      0,
    );
    expect(output).toContain("3 runs, all rules held");
  });

  it("gives one result a line with --json, with sizes from the range asked for", async () => {
    expect(
      await run([
        "--seeds",
        "4",
        "--seed",
        "10",
        "--producers",
        "2..3",
        "--followers",
        "1",
        "--until",
        "500ms",
        "--jobs",
        "1",
        "--json",
      ]),
    ).toBe(0);
    const results = output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { seed: number; producers: number; followers: number });
    expect(results.map(({ seed }) => seed)).toEqual([10, 11, 12, 13]);
    for (const { producers, followers } of results) {
      expect([2, 3]).toContain(producers);
      expect(followers).toBe(1);
    }
  });

  it("gives the same results on two threads as on one", async () => {
    const hashes = async (jobs: string): Promise<string[]> => {
      output = "";
      await run(["--seeds", "4", "--until", "500ms", "--jobs", jobs, "--json"]);
      const lines = output
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { seed: number; traceHash: string });
      return lines.sort((a, b) => a.seed - b.seed).map(({ traceHash }) => traceHash);
    };
    expect(await hashes("2")).toEqual(await hashes("1"));
  });

  it("prints everything that happens in one run with --trace", async () => {
    expect(
      await run([
        "--seed",
        "1",
        "--producers",
        "1",
        "--followers",
        "0",
        "--faults",
        "none",
        "--until",
        "500ms",
        "--trace",
      ]),
    ).toBe(0);
    expect(output).toContain("n0 -> log info leads");
  });

  it.each([
    [["--faults", "nonsense"], /must be default, none or one of/],
    [["--producers", "5..3"], /must be a number or a range like 3\.\.5/],
    [["--until", "soon"], /must be a time like 20s/],
    [["--seeds", "0"], /must be a whole number/],
  ])("refuses %j and says what would be right", async (args, message) => {
    await expect(run(args)).rejects.toThrow(message);
  });

  it("lists what can be drawn, and draws it as SVG or Mermaid", async () => {
    expect(await run(["--list"])).toBe(0);
    expect(output).toContain("raft-faulty-leader");
    const folder = mkdtempSync(join(tmpdir(), "cairn-diagram-"));
    try {
      for (const [name, start] of [
        ["out.svg", "<svg "],
        ["out.md", "# Raft, idle"],
      ] as const) {
        expect(await run(["raft-idle", "--diagram", join(folder, name)])).toBe(0);
        expect(readFileSync(join(folder, name), "utf8").startsWith(start)).toBe(true);
      }
      await expect(run(["raft-nothing", "--diagram", "out.svg"])).rejects.toThrow(/must be one of raft-normal/);
      await expect(run(["raft-idle", "--diagram", "out.png"])).rejects.toThrow(/must end with/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("says of a broken rule what was seen, what led to it, and the command that replays it", () => {
    const sweepRun = { seed: 7, producers: 3, followers: 1, faults: "default", durationMs: 1_000 };
    const result = runOne(sweepRun);
    const violation = { oracle: "finality", rule: "the rule", detail: "the detail", nodes: [1] } as const;
    const text = describeFailure(sweepRun, { ...result, violation, histories: [{ node: 1, events: ["an event"] }] });
    for (const part of ["seed 7", "the rule", "the detail", "node 1", "an event"]) expect(text).toContain(part);
    expect(text).toContain("cairn sim --seed 7 --producers 3 --followers 1 --faults default --until 1000ms --trace");
  });
});
