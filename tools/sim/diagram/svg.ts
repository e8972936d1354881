/**
 * A recording as an SVG: a line of time for each process, downwards, and arrows between their events. Events stand in
 * their order, at even distances; on the left is the time in milliseconds.
 */
import type { Point, Recording, Row } from "./recording.ts";
import { eventOf } from "./mermaid.ts";

const LANE_WIDTH = 250;
const MARGIN_LEFT = 150;
const ROW_HEIGHT = 26;
const TOP = 64;
const COLOURS = ["#2563a8", "#b4502a", "#2f7d4f", "#7a4a9c", "#9a7412", "#3d6f78", "#a83263", "#556070"];

const STYLE = `
  text { font-family: "Helvetica Neue", Helvetica, Arial, sans-serif; font-size: 12px; fill: #26323c }
  .name { font-size: 15px; font-weight: bold; fill: #fff; text-anchor: middle }
  .time { font-size: 11px; fill: #7d8890; text-anchor: end }
  .event { font-size: 10px; fill: #7d8890 }
  .label { text-anchor: middle; paint-order: stroke; stroke: #fff; stroke-width: 4px; stroke-linejoin: round }
  .folded { text-anchor: middle; font-style: italic; fill: #7d8890 }
  .line { stroke: #c4ccd2; stroke-width: 2 }
  .fold { stroke: #c4ccd2; stroke-dasharray: 2 5 }
`;

/** Where things are drawn. */
interface Layout {
  readonly width: number;
  readonly x: (process: number) => number;
  /** Of an event. */
  readonly y: (point: Point) => number;
  /** Of a fold, by its row. */
  readonly foldY: (row: Row) => number;
  readonly bottom: number;
}

export function toSvg(recording: Recording, title: string): string {
  const layout = layOut(recording);
  const { processes, rows } = recording;
  const height = layout.bottom + 30;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${layout.width} ${height}" width="${layout.width}" height="${height}" role="img">`,
    `<title>${escape(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<defs>${COLOURS.map((colour, i) => arrowHead(i, colour)).join("")}</defs>`,
  ];
  processes.forEach((name, process) => parts.push(drawProcess(name, process, layout)));
  // Arrows below, words above.
  for (const layer of ["lines", "words"] as const) for (const row of rows) parts.push(drawRow(row, layout)[layer]);
  return `${parts.join("\n")}\n</svg>\n`;
}

/** One line of the picture for each event, in order of time; an arrow that goes sideways only shares one. */
function layOut({ processes, rows }: Recording): Layout {
  const lines: { readonly atMs: number; readonly order: number; readonly key: string }[] = [];
  let lastMs = 0;
  rows.forEach((row, order) => {
    if (row.kind === "folded") return void lines.push({ atMs: lastMs, order, key: `fold ${order}` });
    const from = row.kind === "note" ? row.at : row.from;
    lastMs = from.atMs;
    lines.push({ atMs: from.atMs, order, key: eventOf(from) });
    if (row.kind === "message" && row.to) lines.push({ atMs: row.to.atMs, order: order - 0.5, key: eventOf(row.to) });
  });
  lines.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
  const ys = new Map(lines.map(({ key }, index) => [key, TOP + 30 + index * ROW_HEIGHT]));
  const at = (key: string): number => ys.get(key) as number;
  return {
    width: MARGIN_LEFT + processes.length * LANE_WIDTH,
    x: (process) => MARGIN_LEFT + (process + 0.35) * LANE_WIDTH,
    y: (point) => at(eventOf(point)),
    foldY: (row) => at(`fold ${rows.indexOf(row)}`),
    bottom: TOP + 30 + lines.length * ROW_HEIGHT,
  };
}

function drawProcess(name: string, process: number, { x, bottom }: Layout): string {
  const left = x(process) - 22;
  return [
    `<line class="line" x1="${x(process)}" y1="${TOP - 12}" x2="${x(process)}" y2="${bottom}"/>`,
    `<rect x="${left}" y="${TOP - 40}" width="44" height="28" rx="6" fill="${colourOf(process)}"/>`,
    `<text class="name" x="${x(process)}" y="${TOP - 21}">${name}</text>`,
  ].join("");
}

/** What is below, and what is above it. */
interface Layers {
  readonly lines: string;
  readonly words: string;
}

function drawRow(row: Row, layout: Layout): Layers {
  switch (row.kind) {
    case "message":
      return drawMessage(row, layout);
    case "note":
      return drawNote(row, layout);
    case "folded": {
      const y = layout.foldY(row);
      const middle = (layout.x(0) + layout.width) / 2;
      return {
        lines: `<line class="fold" x1="${layout.x(0)}" y1="${y}" x2="${layout.width - 40}" y2="${y}"/>`,
        words: `<text class="label folded" x="${middle}" y="${y + 4}">${row.count} messages that change nothing</text>`,
      };
    }
  }
}

function drawMessage({ label, from, to, target }: Extract<Row, { kind: "message" }>, layout: Layout): Layers {
  const colour = colourOf(from.process);
  const [x1, y1] = [layout.x(from.process), layout.y(from)];
  const sign = target > from.process ? 1 : -1;
  const y2 = to === undefined ? y1 + ROW_HEIGHT / 2 : layout.y(to);
  const x2 = to === undefined ? x1 + sign * LANE_WIDTH * 0.6 : layout.x(target) - sign * 7;
  // Near its sender, where arrows of other rows seldom are.
  const along = Math.min(0.5, (LANE_WIDTH * 0.5) / Math.abs(x2 - x1));
  const [lx, ly] = [x1 + (x2 - x1) * along, y1 + (y2 - y1) * along - 5];
  const head = to === undefined ? "" : ` marker-end="url(#head${from.process % COLOURS.length})"`;
  const lost = `<text x="${x2}" y="${y2 + 4}" fill="${colour}" font-weight="bold">×</text>`;
  return {
    lines: `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" stroke-width="1.5"${head}/>`,
    words: [
      dot(from, layout, "left"),
      to === undefined ? lost : dot(to, layout, sign > 0 ? "right" : "left"),
      `<text class="label" x="${lx}" y="${ly}">${escape(label)}</text>`,
    ].join(""),
  };
}

function drawNote({ label, at }: Extract<Row, { kind: "note" }>, layout: Layout): Layers {
  const [x, y] = [layout.x(at.process), layout.y(at)];
  const width = 14 + label.length * 6.1;
  const words = [
    `<rect x="${x + 9}" y="${y - 10}" width="${width}" height="20" rx="4" fill="#fff8e1" fill-opacity="0.9" stroke="#e2c878"/>`,
    `<text x="${x + 16}" y="${y + 4}">${escape(label)}</text>`,
    dot(at, layout, "left"),
  ].join("");
  return { lines: "", words };
}

/** The event itself, its name on the side where no arrow comes in, and the time. */
function dot(point: Point, { x, y }: Layout, side: "left" | "right"): string {
  const [px, py] = [x(point.process), y(point)];
  const name =
    side === "left"
      ? `x="${px - 9}" y="${py - 3}" text-anchor="end"`
      : `x="${px + 9}" y="${py + 4}" text-anchor="start"`;
  return [
    `<circle cx="${px}" cy="${py}" r="4" fill="${colourOf(point.process)}"/>`,
    `<text class="event" ${name}>${eventOf(point)}</text>`,
    `<text class="time" x="62" y="${py + 4}">${point.atMs.toFixed(2)} ms</text>`,
  ].join("");
}

function arrowHead(index: number, colour: string): string {
  return `<marker id="head${index}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0,0.5 L8,4 L0,7.5 z" fill="${colour}"/></marker>`;
}

function colourOf(process: number): string {
  return COLOURS[process % COLOURS.length] as string;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
