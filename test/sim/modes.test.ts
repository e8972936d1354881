/** docs/modes shows what the code does. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Recorder } from "../../tools/sim/diagram/recording.ts";
import { modePages } from "../../tools/sim/modePages.ts";
import { Stage } from "../../tools/sim/scenarios/stage.ts";

const FOLDER = join(import.meta.dirname, "../../docs/modes");

describe("docs/modes", () => {
  it("is current: `npm run modes` would write the same", () => {
    const pages = modePages();
    expect(readdirSync(FOLDER).sort()).toEqual([...pages.keys()].sort());
    for (const [name, content] of pages) expect(readFileSync(join(FOLDER, name), "utf8"), name).toBe(content);
  });
});

describe("a recording", () => {
  it("numbers the events of each process one by one, sends before receipts, and loses no message that changed something", () => {
    const stage = Stage.open(3);
    const { queue, nodes } = stage.simulation;
    const recorder = new Recorder(
      nodes.map((node) => node.key),
      () => queue.now,
    );
    stage.simulation.onlookers.push(recorder);
    recorder.begin();
    stage.commit(0, 1);
    stage.advance(1_000);
    const { rows } = recorder.end();
    const points = rows.flatMap((row) =>
      row.kind === "message" ? [row.from, ...(row.to ? [row.to] : [])] : row.kind === "note" ? [row.at] : [],
    );
    for (const { index } of nodes) {
      const mine = points.filter((point) => point.process === index).sort((a, b) => a.number - b.number);
      expect(mine.map((point) => point.number)).toEqual(mine.map((_, at) => at + 1));
      for (const [at, point] of mine.entries()) expect(point.atMs).toBeGreaterThanOrEqual(mine[at - 1]?.atMs ?? 0);
    }
    for (const row of rows) if (row.kind === "message" && row.to) expect(row.to.atMs).toBeGreaterThan(row.from.atMs);
    const shown = rows.flatMap((row) => (row.kind === "message" ? [row.label.split(" ")[0]] : []));
    expect(new Set(shown)).toEqual(
      new Set(["Transactions", "Block", "Ack", "Certificate", "Heartbeat", "HeartbeatReply"]),
    );
    // Twenty heartbeats and replies to each of two, of which one pair is shown.
    expect(rows.reduce((sum, row) => sum + (row.kind === "folded" ? row.count : 0), 0)).toBeGreaterThan(30);
  });
});
