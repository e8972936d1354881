import { describe, expect, test } from "vitest";
import { makeLogger, type LogFormat } from "../../src/node/logging.ts";

function logged(format: LogFormat, write: (log: ReturnType<typeof makeLogger>) => void): string[] {
  const lines: string[] = [];
  write(makeLogger({ level: "info", format, colours: false, write: (line) => lines.push(line) }));
  return lines;
}

describe("a log line", () => {
  test("for people is time, level, layer, message and fields", () => {
    const [line] = logged("text", (log) =>
      log.write("info", "raft", "became leader", { view: 7, why: "two words", list: [1] }),
    );
    expect(line).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info {2}\[raft\] became leader view=7 why="two words" list=\[1\]\n$/,
    );
  });

  test("for programs is JSON with the same", () => {
    const [line = ""] = logged("json", (log) =>
      log.layer("net")("warn", "refused", { error: new Error("why"), key: new Uint8Array([1]), n: 1n }),
    );
    expect(JSON.parse(line)).toEqual({
      time: expect.any(String),
      level: "warn",
      layer: "net",
      message: "refused",
      error: "why",
      key: "01",
      n: "1",
    });
  });

  test("is one line whatever a peer's text holds, and moves no cursor", () => {
    const [line = ""] = logged("text", (log) =>
      log.write("info", "net", "a\nb\u001b[2J\u009b", { name: "x\r\ny\u001b" }),
    );
    expect(line.slice(0, -1)).not.toMatch(/\p{Cc}/u);
    expect(line).toContain("a\\u000ab\\u001b[2J\\u009b");
  });

  test("keeps its own names from fields of the same name", () => {
    const [line = ""] = logged("json", (log) =>
      log.write("info", "a", "m", { level: "x", time: 1, message: "y", layer: "z" }),
    );
    expect(JSON.parse(line)).toMatchObject({
      level: "info",
      layer: "a",
      message: "m",
      level_: "x",
      time_: 1,
      message_: "y",
      layer_: "z",
    });
  });

  test("below the level is not written", () => {
    const lines = logged("text", (log) => {
      log.write("debug", "a", "no");
      log.write("error", "a", "yes");
      expect([log.isEnabled("debug"), log.isEnabled("info")]).toEqual([false, true]);
    });
    expect(lines).toHaveLength(1);
  });
});
